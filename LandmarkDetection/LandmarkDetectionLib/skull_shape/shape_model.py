"""Skulls of a population: their mean, the modes in which they differ, and what no mode explains.

A point distribution model (Cootes et al., Active shape models, CVIU 61(1), 1995) of landmarks and surface together.
Heads are brought together without scaling: size is part of how skulls differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import rigid
from jaxtyping import Float64

from .procrustes import best_rigid
from .surface import Surface

# Of so many examples some mode can be left out and be told by the others.
FEWEST_EXAMPLES = 5
MOST_MODES = 40
_EXPLAINED = 0.995
_TOLD_OF_OTHERS = 0.3
_ALIGNMENT_STEPS = 5


@dataclass(frozen=True, eq=False)
class SkullTemplate:
    """Landmarks (mm, NaN where unknown) and a surface of one head, in one frame. ValueError where numbers differ."""

    names: tuple[str, ...]
    landmarks: Float64[np.ndarray, "l 3"]
    surface: Surface

    def __post_init__(self) -> None:
        landmarks = np.array(self.landmarks, dtype=np.float64)
        if landmarks.shape != (len(self.names), 3):
            raise ValueError(f"landmarks have shape {landmarks.shape} for {len(self.names)} names")
        landmarks.flags.writeable = False
        object.__setattr__(self, "landmarks", landmarks)

    def points(self) -> Float64[np.ndarray, "l+n 3"]:
        """Landmarks, then vertices."""
        return np.concatenate([self.landmarks, self.surface.vertices])


@dataclass(frozen=True, eq=False)
class ShapeModel:
    """Skulls that are `mean` plus modes, each times a normal number of variance 1, plus a smooth rest.

    `modes` are displacements (mm) of the landmarks, then of the vertices. `residual_mm` is the standard deviation,
    along each axis, of what the modes do not explain of a skull that they were not made from.
    """

    mean: SkullTemplate
    modes: Float64[np.ndarray, "m l+n 3"]
    residual_mm: float
    example_count: int

    def __post_init__(self) -> None:
        expected = len(self.mean.names) + len(self.mean.surface.vertices)
        if self.modes.ndim != 3 or self.modes.shape[1:] != (expected, 3):
            raise ValueError(f"modes have shape {self.modes.shape} for {expected} points")

    def shape(self, coefficients: Float64[np.ndarray, "k"]) -> SkullTemplate:
        """The skull with these coefficients of the first modes."""
        moved = self.mean.points() + np.tensordot(coefficients, self.modes[: len(coefficients)], axes=1)
        count = len(self.mean.names)
        return SkullTemplate(self.mean.names, moved[:count], Surface(moved[count:], self.mean.surface.faces))


def shape_model(examples: Sequence[SkullTemplate]) -> ShapeModel:
    """The model of skulls whose landmarks and vertices correspond, number by number.

    InputError for fewer than five, for examples that do not correspond and for landmarks that are not known.
    """
    if len(examples) < FEWEST_EXAMPLES:
        raise InputError(
            "shape model", f"{len(examples)} heads, expected {FEWEST_EXAMPLES} at least", "Give more heads."
        )
    first = examples[0]
    for number, example in enumerate(examples, start=1):
        same = example.names == first.names and np.array_equal(example.surface.faces, first.surface.faces)
        if not same or not np.isfinite(example.landmarks).all():
            raise InputError(
                f"head {number} of the shape model",
                "its landmarks or triangles differ from the first head's, or one is unknown",
                "Carry one template's landmarks and surface to every head.",
            )
    aligned, mean = _aligned(np.stack([example.points() for example in examples]))
    flat = (aligned - mean).reshape(len(examples), -1)
    modes = _modes(flat)
    left = _unexplained(flat, len(modes))
    # Modes that are accidents of these few heads would be counted twice, as modes and as what no mode explains.
    kept = _that_tell(modes, left)
    modes = modes[:kept]
    count = len(first.names)
    return ShapeModel(
        SkullTemplate(first.names, mean[:count], Surface(mean[count:], first.surface.faces)),
        modes.reshape(len(modes), -1, 3),
        float(np.sqrt(left[kept])),
        len(examples),
    )


def _aligned(
    points: Float64[np.ndarray, "k p 3"],
) -> tuple[Float64[np.ndarray, "k p 3"], Float64[np.ndarray, "p 3"]]:
    """Shapes moved rigidly onto their mean, and the mean, which stays in the first one's frame."""
    aligned, mean = points.copy(), points[0]
    for _ in range(_ALIGNMENT_STEPS):
        aligned = np.stack([rigid.transform_points(best_rigid(shape, mean), shape) for shape in aligned])
        mean = aligned.mean(axis=0)
        # The first one says which way is up.
        back = best_rigid(mean, points[0])
        mean = rigid.transform_points(back, mean)
        aligned = np.stack([rigid.transform_points(back, shape) for shape in aligned])
    return aligned, mean


def _modes(deviations: Float64[np.ndarray, "k q"]) -> Float64[np.ndarray, "m q"]:
    """Principal displacements, as long as one standard deviation, largest first; none of a few like shapes."""
    # Few long rows: their products hold the same eigenvalues as the huge covariance matrix.
    values, vectors = np.linalg.eigh(deviations @ deviations.T)
    values, vectors = values[::-1].clip(0), vectors[:, ::-1]
    if values[0] == 0:
        return np.zeros((0, deviations.shape[1]))
    share = np.cumsum(values) / values.sum()
    kept = min(int(np.searchsorted(share, _EXPLAINED)) + 1, MOST_MODES, len(values) - 1)
    # Unit direction dᵀu/√λ times the standard deviation √(λ/(k − 1)).
    return vectors[:, :kept].T @ deviations / np.sqrt(len(deviations) - 1)


def _unexplained(deviations: Float64[np.ndarray, "k q"], most: int) -> Float64[np.ndarray, "most+1"]:
    """Mean square (mm²) of what is left of each shape by the first 0, 1, … modes and the mean of all the others."""
    left = np.zeros(most + 1)
    for number in range(len(deviations)):
        others = np.delete(deviations, number, axis=0)
        mean = others.mean(axis=0)
        modes = _modes(others - mean)[:most]
        rest = deviations[number] - mean
        directions = modes / np.linalg.norm(modes, axis=1, keepdims=True)
        told = np.zeros(most)
        told[: len(modes)] = np.cumsum((directions @ rest) ** 2)
        told[len(modes) :] = told[len(modes) - 1] if len(modes) else 0
        left += ((rest**2).sum() - np.concatenate([[0.0], told])) / rest.size
    return left.clip(0) / len(deviations)


def _that_tell(modes: Float64[np.ndarray, "m q"], left: Float64[np.ndarray, "m+1"]) -> int:
    """How many of the first modes tell enough of shapes left out, measured by what they tell of their own."""
    own = (modes**2).mean(axis=1)
    fails = np.flatnonzero(left[:-1] - left[1:] < _TOLD_OF_OTHERS * own)
    return int(fails[0]) if fails.size else len(modes)
