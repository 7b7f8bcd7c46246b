"""What the window remembers with the scene."""

from __future__ import annotations

from typing import Annotated, Any

import slicer
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper

from .session import remembered

# Choices of an earlier time that a new scene begins with. A start at the CT's present place is none of them: where the
# next CT lies nobody has looked at yet.
_CHOICES = ("rendering", "preset", "start", "overlay")
_ONCE_ONLY = "current"


@parameterNodeWrapper
class RegistrationParameters:
    """State of the window; X-rays are not in it, since each carries its own place among the views."""

    ct: slicer.vtkMRMLScalarVolumeNode
    rendering: str = "CT-Bone"
    preset: str = "head-ap"
    minutes: Annotated[float, WithinRange(0.1, 600)] = 8.0
    start: str = "auto"
    overlay: str = "colours"
    opacity: Annotated[float, WithinRange(0, 1)] = 0.5
    # False until the choices of an earlier time were taken over.
    begun: bool = False


_newest: dict[type, Any] = {}


def wrapped_once(wrapper: Any, node: Any) -> Any:
    """The state that a parameter node keeps, as a `wrapper`: one object a node.

    It observes the node for as long as that lives. Were it thrown away before, Python could clear it away in the midst
    of being told of a change.
    """
    if wrapper not in _newest or _newest[wrapper].parameterNode is not node:
        _newest[wrapper] = wrapper(node)
    return _newest[wrapper]


def parameters_of(node: Any) -> RegistrationParameters:
    """The state of the window that a parameter node keeps."""
    return wrapped_once(RegistrationParameters, node)


def begin_as_before(parameters: RegistrationParameters) -> None:
    """Let a scene that has no state of the window yet begin with the choices that were made last."""
    if parameters.begun:
        return
    for name in _CHOICES:
        kept = remembered(name, getattr(parameters, name))
        if kept != _ONCE_ONLY:
            setattr(parameters, name, kept)
    parameters.begun = True
