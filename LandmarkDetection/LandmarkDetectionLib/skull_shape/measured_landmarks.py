"""Landmarks of a patient as they were measured: in space, each with its own uncertainty in every direction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from DiffRegistrationLib.xray.errors import InputError
from jaxtyping import Bool, Float64

from ..atlas.landmark_set import LandmarkSet

# Three points fix a pose; the fourth is the first that says something about the shape.
FEWEST = 4


@dataclass(frozen=True, eq=False)
class MeasuredLandmarks:
    """Points (mm, in any right-handed frame) with covariances (mm²); NaN where a landmark was not measured.

    ValueError for arrays that do not belong together.
    """

    names: tuple[str, ...]
    points: Float64[np.ndarray, "n 3"]
    covariance: Float64[np.ndarray, "n 3 3"]

    def __post_init__(self) -> None:
        count = len(self.names)
        for name, shape in (("points", (count, 3)), ("covariance", (count, 3, 3))):
            array = np.array(getattr(self, name), dtype=np.float64)
            if array.shape != shape:
                raise ValueError(f"{name} have shape {array.shape} for {count} names")
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @classmethod
    def from_landmarks(cls, landmarks: LandmarkSet) -> Self:
        """Landmarks that are as uncertain in every direction."""
        return cls(landmarks.names, landmarks.points, landmarks.uncertainty_mm[:, None, None] ** 2 * np.eye(3))

    @property
    def is_known(self) -> Bool[np.ndarray, "n"]:
        """Which landmarks were measured."""
        return np.isfinite(self.points).all(axis=1) & np.isfinite(self.covariance).all(axis=(1, 2))

    def named(self, names: tuple[str, ...]) -> Self:
        """These landmarks in this order; those that are not there are unknown."""
        places = [self.names.index(name) if name in self.names else None for name in names]
        points, covariance = np.full((len(names), 3), np.nan), np.full((len(names), 3, 3), np.nan)
        for row, place in enumerate(places):
            if place is not None:
                points[row], covariance[row] = self.points[place], self.covariance[place]
        return type(self)(names, points, covariance)

    def checked(self) -> Self:
        """These, if a shape can be told from them.

        InputError for fewer than four known landmarks, for those that lie on a line, and for what is no covariance.
        """
        known = self.is_known
        if np.count_nonzero(known) < FEWEST:
            raise InputError(
                "landmarks",
                f"{np.count_nonzero(known)} of them are known in space, expected {FEWEST} at least",
                "Detect or place more landmarks, best spread over the whole skull.",
            )
        points = self.points[known]
        _, spread, _ = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)
        if spread[1] < 1e-3 * spread[0] or spread[0] == 0:
            raise InputError("landmarks", "they all lie on one line", "Add landmarks beside it.")
        for name, covariance in zip(np.array(self.names)[known], self.covariance[known], strict=True):
            symmetric = np.allclose(covariance, covariance.T, rtol=1e-6, atol=1e-9)
            if not symmetric or np.linalg.eigvalsh(covariance)[0] < -1e-6 * max(1.0, np.trace(covariance)):
                raise InputError(
                    f"landmark {name}", "its covariance is no covariance", "Give a symmetric positive 3×3 matrix."
                )
        return self
