"""The skull that a study's landmarks belong to, as a model coloured by how sure each part of it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from DiffRegistrationLib.mrml.scene import belonging_to, nothing_left_on_error

from .attributes import SKULL
from .colour_tables import ERRORS, colour_by, show_legend
from .study_folder import folder_of, put_into
from .study_node import own_node
from .surface_models import load_surface, save_surface

STD_ARRAY = "StandardDeviationMm"


def skull_model(study: Any, path: str | Path) -> Any:
    """Put a skull's surface (VTP with StandardDeviationMm, world) into the study's model, made once and reused.

    InputError for a file that holds none.
    """
    with nothing_left_on_error():
        model = belonging_to(study, SKULL, "vtkMRMLModelNode", f"{study.GetName()} skull")
        load_surface(model, path)
        if model.GetDisplayNode() is None:
            model.CreateDefaultDisplayNodes()
            model.GetDisplayNode().SetOpacity(0.6)
            model.GetDisplayNode().SetVisibility2D(False)
            put_into(folder_of(study), model)
    colour_by(model, STD_ARRAY, ERRORS)
    show_legend(model, "± mm")
    return model


def skull_of_study(study: Any) -> Any:
    """The model of a study's skull; None where none was made, or somebody took it away."""
    return own_node(study, SKULL)


def write_skull(model: Any, path: str | Path) -> None:
    """Write a skull as .stl, .ply or .vtp, which keeps how sure its parts are. InputError as `save_surface`."""
    save_surface(path, model, STD_ARRAY)
