"""How points of a template move when its landmarks go to a patient's: a Gaussian process of displacements.

Landmarks are observations with their own covariances, so that an uncertain one pulls less, and every point comes with
a covariance of its own (Lüthi et al., Gaussian Process Morphable Models, IEEE TPAMI 40(8), 2018; Rasmussen & Williams,
Gaussian Processes for Machine Learning, eq. 2.23). With exact landmarks the process passes through them, as a
thin-plate spline does; unlike it, it needs no landmarks all around and knows how unsure it is between them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.linalg import cho_solve, cholesky, solve_triangular

# Exact landmarks would make the system singular where two of them meet.
_LEAST_NOISE_MM = 0.05
# Points that are conditioned at a time; bounds the memory.
_CHUNK = 4000


@dataclass(frozen=True)
class Smoothness:
    """What is expected of displacements beside any basis: a linear map that deviates from the identity by `strain`
    (standard deviation of each entry) and local ones of `local_mm` along each axis that agree over `reach_mm`.
    """

    strain: float
    local_mm: float
    reach_mm: float

    def covariance(
        self, first: Float64[np.ndarray, "n 3"], second: Float64[np.ndarray, "m 3"]
    ) -> Float64[np.ndarray, "n m"]:
        """Covariance (mm²) of displacements along one axis, the same for each; points are seen from the middle.

        The local part has Matérn's covariance of order 3/2: displacements have first derivatives.
        """
        squares = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1) - 2 * first @ second.T
        scaled = np.sqrt(3 * np.maximum(squares, 0)) / self.reach_mm
        local = self.local_mm**2 * (1 + scaled) * np.exp(-scaled)
        return self.strain**2 * first @ second.T + local

    def variance(self, points: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n"]:
        """The same of each point with itself."""
        return self.strain**2 * (points**2).sum(axis=1) + self.local_mm**2


@dataclass(frozen=True, eq=False)
class Displaced:
    """Where points are expected (mm), and their covariances (mm²)."""

    points: Float64[np.ndarray, "n 3"]
    covariance: Float64[np.ndarray, "n 3 3"]


class Warp:
    """Displacements of a template, given where its landmarks went.

    `landmarks` are the template's (mm, seen from its middle), `basis` displacements of them that are expected beside
    the smooth ones, each with a coefficient of variance 1; `target` and `covariance` (mm, mm²) where they went.
    """

    def __init__(
        self,
        smoothness: Smoothness,
        landmarks: Float64[np.ndarray, "l 3"],
        basis: Float64[np.ndarray, "b l 3"],
        target: Float64[np.ndarray, "l 3"],
        covariance: Float64[np.ndarray, "l 3 3"],
    ) -> None:
        self._smoothness, self._landmarks = smoothness, landmarks
        self._basis = basis.reshape(len(basis), -1)
        count = len(landmarks)
        prior = self._basis.T @ self._basis + np.kron(smoothness.covariance(landmarks, landmarks), np.eye(3))
        noise = np.zeros((count, 3, count, 3))
        noise[np.arange(count), :, np.arange(count)] = covariance + _LEAST_NOISE_MM**2 * np.eye(3)
        self._factor = cholesky(prior + noise.reshape(3 * count, 3 * count), lower=True)
        self._weights = cho_solve((self._factor, True), (target - landmarks).ravel())

    @property
    def coefficients(self) -> Float64[np.ndarray, "b"]:
        """The likeliest coefficients of the basis."""
        return self._basis @ self._weights

    def displaced(self, points: Float64[np.ndarray, "n 3"], basis: Float64[np.ndarray, "b n 3"]) -> Displaced:
        """Where points of the template (mm, seen from its middle) go; `basis` holds the same displacements at them."""
        parts = [
            self._displaced(points[start : start + _CHUNK], basis[:, start : start + _CHUNK])
            for start in range(0, len(points), _CHUNK)
        ]
        return Displaced(
            np.concatenate([part.points for part in parts]), np.concatenate([part.covariance for part in parts])
        )

    def _displaced(self, points: Float64[np.ndarray, "n 3"], basis: Float64[np.ndarray, "b n 3"]) -> Displaced:
        flat = basis.reshape(len(basis), -1)
        across = self._basis.T @ flat
        smooth = self._smoothness.covariance(self._landmarks, points)
        by_axis = across.reshape(len(self._landmarks), 3, len(points), 3)
        for axis in range(3):
            by_axis[:, axis, :, axis] += smooth
        moved = points + (self._weights @ across).reshape(-1, 3)
        explained = solve_triangular(self._factor, across, lower=True).reshape(-1, len(points), 3)
        covariance = np.einsum("bni,bnj->nij", basis, basis) - np.einsum("kni,knj->nij", explained, explained)
        covariance += self._smoothness.variance(points)[:, None, None] * np.eye(3)
        return Displaced(moved, covariance)
