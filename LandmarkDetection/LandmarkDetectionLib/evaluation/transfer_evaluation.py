"""How well landmarks are carried over: to heads deformed by a known smooth field, and to a mirror image, so that the
truth is known."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from DiffRegistrationLib.xray.attenuation import hounsfield_from_attenuation
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.geometry import rigid
from jaxtyping import Float64, Int64

from ..atlas.definitions import skull_landmarks
from ..atlas.deformable_fit import Lattice
from ..atlas.head import Head
from ..atlas.landmark_set import LandmarkSet, LandmarkStatus
from ..atlas.transfer import transferred
from ..population.population import mirrored_head

_VOXEL_MM = 1.25
_NOISE_HOUNSFIELD = 20.0
# Standard deviation of the displacement along each axis, over a lattice of this spacing; stretch and turn of the head.
_DISPLACEMENT_MM = 5.0
_LATTICE_MM = 80.0
_STRETCH = 0.06
_TURN_DEGREES = 20.0
_SHIFT_MM = 40.0
# The field is evaluated this far apart and linear between.
_FIELD_MM = 8.0


WITHIN_MM = 10.0


@dataclass(frozen=True, eq=False)
class TransferEvaluation:
    """Errors of carried landmarks (mm; NaN where the CT does not show the truth), what was said of them, and how long
    each transfer took. In the mirror image also how far each lies from its partner's place.
    """

    names: tuple[str, ...]
    errors_mm: Float64[np.ndarray, "heads n"]
    uncertainty_mm: Float64[np.ndarray, "heads n"]
    seconds: Float64[np.ndarray, "heads"]
    mirror_mm: Float64[np.ndarray, "n"]
    mirror_partner_mm: Float64[np.ndarray, "n"]


def evaluated_transfer(
    head: Head, count: int, seed: int, tell: Callable[[int], None] = lambda done: None
) -> TransferEvaluation:
    """The head's landmarks carried to `count` deformations of itself, which the seed fixes, and to its mirror."""
    errors, sigmas, seconds = [], [], []
    for number in range(count):
        other = smoothly_deformed(head, np.random.default_rng([seed, number]))
        start = time.perf_counter()
        found = transferred(head, other.ct).landmarks
        seconds.append(time.perf_counter() - start)
        errors.append(_apart(found, other.landmarks))
        sigmas.append(found.uncertainty_mm)
        tell(number + 1)
    mirror = mirrored_head(head)
    found = transferred(head, mirror.ct).landmarks
    tell(count + 1)
    names, known = head.landmarks.names, skull_landmarks()
    partners = mirror.landmarks.named([known.names[known.partners[known.names.index(name)]] for name in names])
    return TransferEvaluation(
        names,
        np.array(errors),
        np.array(sigmas),
        np.array(seconds),
        _apart(found, mirror.landmarks),
        _apart(found, partners),
    )


def figures_of(found: TransferEvaluation) -> dict[str, Any]:
    """All figures, for JSON."""
    errors = found.errors_mm[np.isfinite(found.errors_mm)]
    # A landmark in the middle is its own partner.
    sided = np.isfinite(found.mirror_mm - found.mirror_partner_mm) & (found.mirror_partner_mm != found.mirror_mm)
    return {
        "heads": len(found.errors_mm),
        "mean_mm": float(errors.mean()),
        "p95_mm": float(np.percentile(errors, 95)),
        "within_10_mm": float((errors <= WITHIN_MM).mean()),
        "seconds": float(np.median(found.seconds)),
        "by_landmark_mm": dict(zip(found.names, np.nanmean(found.errors_mm, axis=0).tolist(), strict=True)),
        "mirrored": {
            "mean_mm": float(np.nanmean(found.mirror_mm)),
            "sided": int(sided.sum()),
            "sides_swapped": int((found.mirror_mm < found.mirror_partner_mm)[sided].sum()),
            "by_landmark_mm": dict(zip(found.names, found.mirror_mm.tolist(), strict=True)),
        },
    }


def _apart(found: LandmarkSet, true: LandmarkSet) -> Float64[np.ndarray, "n"]:
    """Distances (mm), NaN where the CT does not show the truth."""
    return np.asarray(np.where(true.is_in_ct, np.linalg.norm(found.points - true.points, axis=1), np.nan))


def smoothly_deformed(head: Head, random: np.random.Generator) -> Head:
    """Another head made of this one: stretched up to 6 % along each axis, bent by a smooth field of 5 mm, turned up to
    20°, shifted, on voxels of another size, with noise. Its landmarks are exact."""
    import SimpleITK

    from ..atlas.simple_itk import image_of

    low, high = head.ct.corners().min(axis=0), head.ct.corners().max(axis=0)
    middle = (low + high) / 2
    turn = random.normal(size=3)
    turn *= np.radians(random.uniform(0, _TURN_DEGREES)) / np.linalg.norm(turn)
    shift = random.uniform(-_SHIFT_MM, _SHIFT_MM, 3)
    stretch = 1 + random.uniform(-_STRETCH, _STRETCH, 3)
    # head_from_other: turned back about the middle, shrunk, then displaced by a field that lives in the head's frame.
    linear = np.diag(1 / stretch) @ rigid.rotation_exp(turn).T
    straight = np.eye(4)
    straight[:3, :3] = linear
    straight[:3, 3] = middle - linear @ (middle + shift)
    size = np.ceil((high - low) * 1.1 / _VOXEL_MM).astype(int)
    other_from_voxel = np.diag([_VOXEL_MM] * 3 + [1.0])
    other_from_voxel[:3, 3] = middle + shift - (size - 1) / 2 * _VOXEL_MM
    field = _field(straight, other_from_voxel, size, random)
    out = SimpleITK.Resample(
        image_of(hounsfield_from_attenuation(head.ct.attenuation), head.ct.ct_from_voxel),
        [int(n) for n in size],
        field,
        SimpleITK.sitkLinear,
        [float(x) for x in other_from_voxel[:3, 3]],
        [_VOXEL_MM] * 3,
        [1.0, 0, 0, 0, 1, 0, 0, 0, 1],
        -1000.0,
    )
    hounsfield = SimpleITK.GetArrayFromImage(out)
    hounsfield += random.normal(0, _NOISE_HOUNSFIELD, hounsfield.shape).astype(np.float32)
    ct = CT.from_hounsfield(hounsfield, other_from_voxel)
    points = _undone(field, head.landmarks.points, straight)
    index = rigid.transform_points(np.linalg.inv(other_from_voxel), points)
    there = ((index > -0.5) & (index < size - 0.5)).all(axis=1) & head.landmarks.is_in_ct
    status = [LandmarkStatus.PLACED if inside else LandmarkStatus.OUTSIDE for inside in there]
    landmarks = LandmarkSet(head.landmarks.names, points, head.landmarks.uncertainty_mm, tuple(status))
    return Head(f"{head.name}, deformed", ct, landmarks)


def _field(
    straight: Float64[np.ndarray, "4 4"],
    other_from_voxel: Float64[np.ndarray, "4 4"],
    size: Int64[np.ndarray, "3"],
    random: np.random.Generator,
) -> Any:
    """SimpleITK transform head_from_other: the straight map and the random displacement as one field."""
    import SimpleITK

    count = np.ceil(size * _VOXEL_MM / _FIELD_MM).astype(int) + 3
    first = other_from_voxel[:3, 3] - _FIELD_MM
    nodes = first + _FIELD_MM * np.moveaxis(np.indices(tuple(count[::-1])), 0, -1)[..., ::-1].reshape(-1, 3)
    there = rigid.transform_points(straight, nodes)
    lattice = Lattice.around(there, _LATTICE_MM)
    weights = lattice.weights(there)
    # Scaled so that the displacement has the standard deviation wanted, whatever the lattice's overlap.
    bend = weights @ random.normal(size=(lattice.nodes, 3))
    bend *= _DISPLACEMENT_MM / np.sqrt(weights.power(2).sum(axis=1).mean())
    moves = (there + bend - nodes).reshape(*count[::-1], 3)
    image = SimpleITK.GetImageFromArray(moves, isVector=True)
    image.SetOrigin([float(x) for x in first])
    image.SetSpacing([_FIELD_MM] * 3)
    return SimpleITK.DisplacementFieldTransform(image)


def _undone(
    field: Any, points: Float64[np.ndarray, "n 3"], straight: Float64[np.ndarray, "4 4"]
) -> Float64[np.ndarray, "n 3"]:
    """Where the field brings these points from, by fixed-point steps: the bend is gentle."""
    back = np.linalg.inv(straight)
    places = rigid.transform_points(back, points)
    for _ in range(60):
        reached = np.array([field.TransformPoint([float(x) for x in place]) for place in places])
        places = places + (points - reached) @ back[:3, :3].T
    return places
