"""Data sets of X-rays with landmarks: what lies in their folder, and how to read it.

`data-set.json` says what the images are of and what the arrays mean; each shard, `shard-00000.npz`, holds so many
images. numpy and json open both; nothing else is needed.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from DiffRegistrationLib.xray.errors import InputError
from jaxtyping import Bool, Float32, Float64, Int8, Int64

DESCRIPTION = "data-set.json"
FORMAT, VERSION = "fluororeg landmark data set", 1
# Of stored images: a five-thousandth is far below noise, and 16 bits reach to a line integral of 13.
IMAGE_UNIT = 0.0002

ARRAYS: Mapping[str, str] = {
    "image": "(n, size, size) uint16, attenuation -ln(I/I0) in units of image_unit, [row, column]",
    "mask": "(n, size, size) bool, whether a pixel is usable, as far as is known of an X-ray",
    "pixels": "(n, landmarks, 2) float32, u (column) and v (row) in pixels, centres at integers; also outside the "
    "image; NaN where not known",
    "camera_points": "(n, landmarks, 3) float32, mm in the camera's frame: x right, y down, z along the beam from the "
    "source (the depth)",
    "visibility": "(n, landmarks) int8: 0 not known, 1 shown, 2 shut out by collimator or detector edge, 3 outside "
    "the image",
    "camera_from_ct": "(n, 4, 4) float64, camera's frame from the head's CT (RAS mm)",
    "intrinsic": "(n, 3, 3) float64, K in pixels: pixels ~ K · camera_points",
    "family": "(n,) int8, number of the kind of view in data-set.json",
    "has_contrast": "(n,) bool, whether arteries are filled with contrast medium",
    "head": "(n,) int64, number of the head; images of one head must not be parted into training and test",
    "sample": "(n,) int64, number of the image in the data set",
}


@dataclass(frozen=True, eq=False)
class Shard:
    """Images and labels; see `ARRAYS` for frames and units. `attenuation` is already in its own unit."""

    attenuation: Float32[np.ndarray, "n size size"]
    mask: Bool[np.ndarray, "n size size"]
    pixels: Float32[np.ndarray, "n landmarks 2"]
    camera_points: Float32[np.ndarray, "n landmarks 3"]
    visibility: Int8[np.ndarray, "n landmarks"]
    camera_from_ct: Float64[np.ndarray, "n 4 4"]
    intrinsic: Float64[np.ndarray, "n 3 3"]
    family: Int8[np.ndarray, "n"]
    has_contrast: Bool[np.ndarray, "n"]
    head: Int64[np.ndarray, "n"]
    sample: Int64[np.ndarray, "n"]


@dataclass(frozen=True)
class DataSetSettings:
    """All that decides what a data set's images are; same settings, same images.

    `views` is what the ranges' file says, `templates` are digests of the heads that others were made from,
    `strength` is how different heads are made.
    """

    landmark_names: tuple[str, ...]
    definitions: str
    templates: tuple[str, ...]
    strength: float
    views: Mapping[str, Any]
    count: int
    shard_size: int
    views_per_head: int
    image_size: int
    seed: int

    @property
    def fingerprint(self) -> str:
        """Changes with any of them."""
        given = json.dumps([FORMAT, VERSION, self.as_dict()], sort_keys=True)
        return hashlib.sha256(given.encode()).hexdigest()[:20]

    @property
    def shard_count(self) -> int:
        """Number of files."""
        return -(-self.count // self.shard_size)

    def samples(self, shard: int) -> range:
        """Numbers of a shard's images."""
        return range(shard * self.shard_size, min((shard + 1) * self.shard_size, self.count))

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}


@dataclass(frozen=True)
class DataSetDescription:
    """What `data-set.json` of a folder says."""

    folder: Path
    settings: DataSetSettings

    @property
    def shards(self) -> tuple[Path, ...]:
        """The shards that are there, in their order."""
        paths = (shard_path(self.folder, number) for number in range(self.settings.shard_count))
        return tuple(path for path in paths if path.is_file())

    @property
    def is_whole(self) -> bool:
        """Whether none is missing."""
        return len(self.shards) == self.settings.shard_count


def shard_path(folder: Path, number: int) -> Path:
    """Where a shard lies."""
    return folder / f"shard-{number:05d}.npz"


def read_data_set_description(folder: str | Path) -> DataSetDescription:
    """What a data set's folder holds. InputError where it is none, or one of a later version."""
    folder = Path(folder)
    path = folder / DESCRIPTION
    if not path.is_file():
        raise InputError(folder, f"holds no {DESCRIPTION}", "Give the folder of a data set.")
    remedy = "Write the data set again into an empty folder."
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        kind, version, given = content["format"], content["version"], dict(content["settings"])
        for name in ("landmark_names", "templates"):
            given[name] = tuple(given[name])
        settings = DataSetSettings(**given)
    except (ValueError, KeyError, TypeError):
        raise InputError(path, "is no description of a data set", remedy) from None
    if (kind, version) != (FORMAT, VERSION):
        raise InputError(path, f"is of “{kind}”, version {version}; expected version {VERSION}", remedy)
    return DataSetDescription(folder, settings)


def read_shard(path: str | Path) -> Shard:
    """Images and labels of a shard. InputError for a file that is none, or damaged."""
    arrays = read_arrays(Path(path))
    image = arrays.pop("image").astype(np.float32) * np.float32(IMAGE_UNIT)
    return Shard(image, **arrays)


def read_arrays(path: Path, fingerprint: str | None = None) -> dict[str, Any]:
    """The arrays as they are stored. InputError as `read_shard`, and for a shard of other settings if asked."""
    remedy = "Delete it and write the data set again: whole shards are kept."
    try:
        # Reading checks each array's sum.
        with np.load(path, allow_pickle=False) as stored:
            if fingerprint is not None and str(stored["settings"]) != fingerprint:
                raise InputError(path, "belongs to a data set of other settings", remedy)
            return {name: stored[name] for name in ARRAYS}
    except (KeyError, ValueError, EOFError, zipfile.BadZipFile, zipfile.LargeZipFile) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(path, "is no shard of a data set, or damaged", remedy) from None


def describe(settings: DataSetSettings) -> str:
    """The text of `data-set.json`."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        "image_unit": IMAGE_UNIT,
        "shards": [shard_path(Path(), number).name for number in range(settings.shard_count)],
        "families": list(settings.views["families"]),
        "arrays": dict(ARRAYS),
        "settings": settings.as_dict(),
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
