"""What the window remembers with the scene."""

from __future__ import annotations

from typing import Annotated, Any

import slicer
from DiffRegistrationLib.panel.parameters import wrapped_once
from DiffRegistrationLib.panel.session import remember, remembered
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper

# Choices of an earlier time that a new scene begins with, and under which names they are kept.
_CHOICES = {
    "heads": "landmarkHeads",
    "ranges": "landmarkViews",
    "device": "landmarkDevice",
    "method": "styleMethod",
}
_REGISTRATION = "DiffRegistration"


@parameterNodeWrapper
class LandmarkParameters:
    """State of the window. X-rays are not in it: they are the views of the scene, as for the registration."""

    ct: slicer.vtkMRMLScalarVolumeNode
    study: slicer.vtkMRMLTextNode
    heads: str = "patient"
    ranges: str = "fluoroscopy"
    minutes: Annotated[float, WithinRange(0.1, 6000)] = 8.0
    device: str = "auto"
    plain: bool = False
    method: str = "cut"
    style_minutes: Annotated[float, WithinRange(0.1, 6000)] = 20.0
    # False until the choices of an earlier time were taken over.
    begun: bool = False


def landmark_parameters_of(node: Any) -> LandmarkParameters:
    """The state of the window that a parameter node keeps."""
    return wrapped_once(LandmarkParameters, node)


def begin_as_before(parameters: LandmarkParameters) -> None:
    """Let a scene that has no state of the window yet begin with the choices that were made last."""
    if not parameters.begun:
        for name, key in _CHOICES.items():
            setattr(parameters, name, remembered(key, getattr(parameters, name)))
        parameters.begun = True


def choose_parameter(parameters: LandmarkParameters, name: str, value: str) -> None:
    """Keep a choice with the scene, and for the next one."""
    setattr(parameters, name, value)
    remember(_CHOICES[name], value)


def ct_of_registration() -> Any:
    """The CT that is chosen in the module for registration, or None."""
    node = slicer.mrmlScene.GetSingletonNode(_REGISTRATION, "vtkMRMLScriptedModuleNode")
    return None if node is None else node.GetNodeReference("ct")
