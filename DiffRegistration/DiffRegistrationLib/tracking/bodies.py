"""The bodies that are followed: a CT as a whole, or bones of it, each by a label, a mask or a CT of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..xray.ct import CT
from ..xray.errors import InputError
from ..xray.files.ct_files import read_ct
from ..xray.files.label_map import read_label_map
from ..xray.projector import Projector
from ..xray.projector.accelerated_projector import MakeProjector

WHOLE_CT = "CT"
# Fewer voxels than this have no shadow that could be followed.
_FEWEST_VOXELS = 64


@dataclass(frozen=True, eq=False)
class Body:
    """What moves as one: its name, and the projector of the CT that holds it alone."""

    name: str
    projector: Projector


@dataclass(frozen=True)
class BodyFile:
    """A bone to follow, by one of: its `label` in the label map, a `mask` image, a `ct` that holds it alone."""

    name: str
    label: int | None = None
    mask: Path | None = None
    ct: Path | None = None


def bodies_of(
    ct: CT | None,
    files: Sequence[BodyFile],
    labels: Path | None = None,
    make_projector: MakeProjector = Projector,
) -> tuple[Body, ...]:
    """The bodies that `files` name, in their order; the CT as a whole without any.

    `ct` is needed unless every body has one of its own, `labels` (a label map) where bodies are named by label. The
    bones that have labels are cut out of the CT; all else of it is left out. InputError for names that are double, for
    labels that the map does not hold, and for masks and labels that hold next to nothing.
    """
    if not files:
        assert ct is not None
        return (Body(WHOLE_CT, make_projector(ct)),)
    names = [file.name for file in files]
    if len(set(names)) != len(names):
        raise InputError("bodies", f"their names are {', '.join(names)}", "Give each body a name of its own.")
    if labels is not None and ct is not None:
        values, line = read_label_map(labels, ct.ct_from_voxel, ct.size)
        ct = replace(ct, labels=values, provenance=(*ct.provenance, line))
    return tuple(Body(file.name, make_projector(_checked(_cut_out(ct, file, labels), file))) for file in files)


def _cut_out(ct: CT | None, file: BodyFile, labels: Path | None) -> CT:
    if (file.label is not None) + (file.mask is not None) + (file.ct is not None) != 1:
        raise InputError(
            f"body {file.name}",
            "needs one of a label, a mask or a CT of its own",
            f"Write {file.name}=label:3, for example.",
        )
    if file.ct is not None:
        return read_ct(file.ct)
    if ct is None:
        raise InputError(f"body {file.name}", "is part of a CT, which was not given", "Give the CT.")
    if file.mask is not None:
        values, _ = read_label_map(file.mask, ct.ct_from_voxel, ct.size)
        return replace(ct, labels=(values != 0).astype(np.uint8)).masked(1)
    assert file.label is not None
    if ct.labels is None:
        raise InputError(
            f"body {file.name}", f"is label {file.label}, but no label map was given", "Give one with --labels."
        )
    there = [int(value) for value in np.unique(ct.labels) if value]
    if file.label not in there:
        raise InputError(
            labels or "label map",
            f"holds no label {file.label} for {file.name}, only {', '.join(map(str, there))}",
            "Name one of those, or draw the missing structure.",
        )
    return ct.masked(file.label)


def _checked(ct: CT, file: BodyFile) -> CT:
    """InputError for a body of next to nothing."""
    count = int(np.count_nonzero(ct.attenuation))
    if count < _FEWEST_VOXELS:
        raise InputError(
            f"body {file.name}",
            f"{count} of its voxels hold anything, at least {_FEWEST_VOXELS} are needed",
            "Check the label or the mask: it may be empty, or lie beside the CT.",
        )
    return cropped(ct)


def cropped(ct: CT, margin: int = 2) -> CT:
    """The part of a CT that is not air, with `margin` voxels around: increments then turn about the body itself."""
    where = [np.flatnonzero(ct.attenuation.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    cut, first = [], []
    for axis, found in enumerate(where):
        low, high = max(found[0] - margin, 0), min(found[-1] + margin + 1, ct.attenuation.shape[axis])
        cut.append(slice(low, high))
        first.append(low)
    ct_from_voxel = ct.ct_from_voxel.copy()
    ct_from_voxel[:3, 3] += ct.ct_from_voxel[:3, :3] @ np.array(first[::-1], dtype=np.float64)
    labels = None if ct.labels is None else ct.labels[tuple(cut)]
    return replace(ct, attenuation=ct.attenuation[tuple(cut)], ct_from_voxel=ct_from_voxel, labels=labels)
