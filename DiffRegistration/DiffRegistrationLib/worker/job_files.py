"""A job's inputs on disk, exact to the bit: one .npz for the CT and one for each radiograph, with JSON inside."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..xray.ct import CT
from ..xray.errors import InputError
from ..xray.files.atomic import atomic_write
from ..xray.files.camera_json import camera_from_json, camera_to_json
from ..xray.provenance import Provenance
from ..xray.radiograph import Radiograph, WorldFrame
from .json_fields import to_json

_CT = "ct.npz"
_AGAIN = "Start the job again, and leave its folder alone while it runs."


def ct_path(folder: str | Path) -> Path:
    """The file that `write_ct` writes into a folder."""
    return Path(folder) / _CT


def write_ct(folder: str | Path, ct: CT) -> Path:
    """Write the CT into a folder that exists, whole or not at all; the file. InputError where it cannot be written."""
    arrays: dict[str, np.ndarray] = {"attenuation": ct.attenuation, "ct_from_voxel": ct.ct_from_voxel}
    if ct.labels is not None:
        arrays["labels"] = ct.labels
    return _write(ct_path(folder), arrays, {"provenance": to_json(ct.provenance)})


def read_ct(folder: str | Path) -> CT:
    """The CT that `write_ct` wrote. InputError where it is missing or damaged."""
    path = ct_path(folder)
    arrays, about = _read(path)
    try:
        return CT(arrays["attenuation"], arrays["ct_from_voxel"], arrays.get("labels"), _provenance(about))
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path) from error


def radiograph_path(folder: str | Path, number: int) -> Path:
    """The file that `write_radiograph` writes for this number."""
    return Path(folder) / f"radiograph-{number:05d}.npz"


def write_radiograph(folder: str | Path, number: int, radiograph: Radiograph) -> Path:
    """Write radiograph `number` (from 0), whole or not at all; the file. InputError where it cannot be written."""
    arrays = {
        "attenuation": radiograph.attenuation,
        "mask": radiograph.mask,
        # Beside the JSON, whose reader makes it more rigid than it may have been.
        "camera_from_world": radiograph.camera.camera_from_world,
    }
    about = {
        "camera": camera_to_json(radiograph.camera),
        "provenance": to_json(radiograph.provenance),
        "world": radiograph.world.value,
    }
    return _write(radiograph_path(folder, number), arrays, about)


def read_radiograph(folder: str | Path, number: int) -> Radiograph:
    """The radiograph that `write_radiograph` wrote. InputError where it is missing or damaged."""
    path = radiograph_path(folder, number)
    arrays, about = _read(path)
    try:
        camera: Any = camera_from_json(path, about["camera"]).camera
        return Radiograph(
            arrays["attenuation"],
            arrays["mask"],
            replace(camera, camera_from_world=arrays["camera_from_world"]),
            _provenance(about),
            WorldFrame(about["world"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path) from error


def radiograph_count(folder: str | Path) -> int:
    """How many radiographs a folder holds, counted from number 0 up to the first that is missing."""
    count = 0
    while radiograph_path(folder, count).exists():
        count += 1
    return count


def read_radiographs(folder: str | Path) -> list[Radiograph]:
    """All radiographs of a folder by their numbers. InputError where there is none or one is damaged."""
    count = radiograph_count(folder)
    if not count:
        raise InputError("X-rays", f"none is in {folder}", "Give at least one X-ray image.")
    return [read_radiograph(folder, number) for number in range(count)]


def _write(path: Path, arrays: Mapping[str, Any], about: Mapping[str, Any]) -> Path:
    text = np.frombuffer(json.dumps(about, allow_nan=False).encode("ascii"), dtype=np.uint8)
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        # Not compressed: reading and writing would take many times longer.
        np.savez(file, about=text, **arrays)
    return path


def _read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    try:
        with np.load(path, allow_pickle=False) as content:
            arrays = {name: content[name] for name in content.files}
        return arrays, json.loads(arrays.pop("about").tobytes())
    except FileNotFoundError:
        raise InputError(path, "does not exist", _AGAIN) from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, AttributeError) as error:
        raise _damaged(path) from error


def _provenance(about: Mapping[str, Any]) -> tuple[Provenance, ...]:
    return tuple(Provenance(**line) for line in about["provenance"])


def _damaged(path: Path) -> InputError:
    return InputError(path, "is damaged, or of another version of the program", _AGAIN)
