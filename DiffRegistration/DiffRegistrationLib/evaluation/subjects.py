"""Whose X-rays are simulated: the CT that they come from, the poorer CT that is registered, and the target points."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from ..xray.attenuation import hounsfield_from_attenuation
from ..xray.ct import CT
from ..xray.errors import InputError
from ..xray.files.sample_data import sample

# A clinical CT: thicker voxels than those that the X-rays come from, off their grid, with noise.
REGISTERED_VOXEL_MM = 1.5
_OFFSET = (0.2, 0.45, 0.3)
_NOISE_HOUNSFIELD = 20.0
_NOISE_SEED = 7

_PHANTOM_TARGETS = (
    *("sella", "basion", "opisthion", "glabella", "nasion", "anterior nasal spine", "menton"),
    *("euryon right", "euryon left", "gonion right", "gonion left", "mastoid tip right", "mastoid tip left"),
)


@dataclass(frozen=True, eq=False)
class Subject:
    """A head: `full` is what X-rays are simulated from, `targets` are named points in its frame (RAS mm)."""

    name: str
    words: str
    full: CT
    targets: Mapping[str, Float64[np.ndarray, "3"]]

    @property
    def target_points(self) -> Float64[np.ndarray, "n 3"]:
        """All targets."""
        return np.array(list(self.targets.values()))

    @cached_property
    def registered(self) -> CT:
        """The CT that is registered: voxels of 1.5 mm on a grid of their own, with noise of 20 HU."""
        return resampled(self.full, REGISTERED_VOXEL_MM, _NOISE_HOUNSFIELD, np.random.default_rng(_NOISE_SEED))


def resampled(ct: CT, voxel_mm: float, noise_hounsfield: float, random: np.random.Generator) -> CT:
    """The CT as another scan would show it: cubic voxels of `voxel_mm` that average, shifted off the grid, noise."""
    import SimpleITK

    image = SimpleITK.GetImageFromArray(hounsfield_from_attenuation(ct.attenuation))
    image.SetSpacing([float(edge) for edge in ct.voxel_size])
    # A voxel's own size is the width over which a scanner averages; σ of a box of that width, less what is there.
    sigmas = [float(np.sqrt(max(voxel_mm**2 - edge**2, 0.01) / 12)) for edge in ct.voxel_size]
    smooth = SimpleITK.SmoothingRecursiveGaussian(image, sigmas)
    size = [int((n - 1) * edge / voxel_mm - 0.5) for n, edge in zip(ct.size, ct.voxel_size, strict=True)]
    first = [voxel_mm * part for part in _OFFSET]
    out = SimpleITK.Resample(
        smooth, size, SimpleITK.Transform(), SimpleITK.sitkLinear, first, [voxel_mm] * 3, image.GetDirection(), -1000.0
    )
    hounsfield = SimpleITK.GetArrayFromImage(out)
    hounsfield += random.normal(0, noise_hounsfield, hounsfield.shape).astype(np.float32)
    shift = np.eye(4)
    shift[:3, 3] = first / ct.voxel_size
    scale = np.diag([*(voxel_mm / ct.voxel_size), 1.0])
    return CT.from_hounsfield(hounsfield, ct.ct_from_voxel @ shift @ scale)


def visible_human() -> Subject:
    """The Visible Human female's head and neck. InputError, which says how to get it, where the data is absent."""
    from ..xray.files.ct_files import read_ct

    try:
        path = sample("visible-human-head")
    except InputError as error:
        raise InputError(error.subject, error.problem, f"{error.remedy} Or use --subject phantom.") from None
    entries = json.loads((Path(__file__).parent / "visible_human_targets.json").read_text(encoding="utf-8"))
    targets = {name: np.array(point, dtype=np.float64) for name, point in entries["points"].items()}
    return Subject("visible-human", "Visible Human head (U.S. National Library of Medicine)", read_ct(path), targets)


def phantom() -> Subject:
    """The computed head, for which nothing needs to be downloaded."""
    from ..xray.phantom import head_phantom

    head = head_phantom(1.0)
    targets = {name: head.landmarks[name] for name in _PHANTOM_TARGETS}
    return Subject("phantom", "computed head of the program", head.ct, targets)


SUBJECTS = {"visible-human": visible_human, "phantom": phantom}


def subject_named(name: str) -> Subject:
    """The subject of this name. InputError that lists the names for any other, or where its data is absent."""
    if name not in SUBJECTS:
        raise InputError(f"subject {name!r}", "is not known", f"Use one of {', '.join(SUBJECTS)}.")
    return SUBJECTS[name]()
