"""Shape models as files: NumPy's .npz, with no code in it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.atomic import atomic_write

from .shape_model import ShapeModel, SkullTemplate
from .surface import Surface

_FORMAT = "fluororegistration skull shape model 1"
_REMEDY = "Choose a shape model (.npz) that was written by this program."


def write_shape_model(path: str | Path, model: ShapeModel) -> None:
    """Write a model. InputError where it cannot be written."""
    head = {
        "format": _FORMAT,
        "names": model.mean.names,
        "residual_mm": model.residual_mm,
        "example_count": model.example_count,
    }
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file,
            head=np.array(json.dumps(head)),
            landmarks=model.mean.landmarks,
            vertices=model.mean.surface.vertices,
            faces=model.mean.surface.faces.astype(np.int32),
            # A hundredth of a micrometre is enough, and half the file.
            modes=model.modes.astype(np.float32),
        )


def read_shape_model(path: str | Path) -> ShapeModel:
    """Read a model. InputError for a file that cannot be read or is none."""
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as content:
            head = json.loads(str(content["head"]))
            if head["format"] != _FORMAT:
                raise InputError(path, f"is a “{head['format']}”, expected a “{_FORMAT}”", _REMEDY)
            surface = Surface(content["vertices"], content["faces"])
            mean = SkullTemplate(tuple(head["names"]), content["landmarks"], surface)
            modes = content["modes"].astype(np.float64)
            return ShapeModel(mean, modes, float(head["residual_mm"]), int(head["example_count"]))
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(path, "is not there", "Check the file's name.") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(path, f"is no shape model: {error}", _REMEDY) from error
