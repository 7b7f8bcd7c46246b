"""How a real image is bent against the ideal one of a pinhole camera, and how to undo it on points and images.

Two models: Brown–Conrady as OpenCV defines it (Brown, Photogrammetric Engineering 32:444, 1966), and a polynomial of
two variables fitted to a grid of beads, as is usual for image intensifiers (Gronenschild, Med Phys 24:1875, 1997).
Points are pixels (u, v), centres at integers, in both images.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64
from numpy.typing import ArrayLike

from ..errors import InputError
from .arrays import frozen_float64
from .newton import Mapped, preimages

# Pixels that are mapped at once: enough to be quick, little enough for a cache.
_CHUNK = 1 << 14
# Newton's error may not cost the outermost row and column.
_EDGE_PX = 1e-6
_SUBJECT = "distortion"
_DEGREES = range(1, 10)


class LensDistortion(ABC):
    """Pairs each point of the ideal image with the one where the real image shows it."""

    def undistorted(self, points: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n 2"]:
        """Where an ideal image would show what the real one shows at `points` (finite px), to 1e-6 px.

        InputError for points where the image folds over, so that no or several ideal points belong to them.
        """
        return self._checked(np.asarray(points, dtype=np.float64), self._undistorted)

    def distorted(self, points: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n 2"]:
        """Where the real image shows what an ideal one would show at `points` (finite px), to 1e-6 px.

        InputError as for `undistorted`.
        """
        return self._checked(np.asarray(points, dtype=np.float64), self._distorted)

    def correction(self, size: tuple[int, int]) -> ImageCorrection:
        """What makes ideal images of real ones of `size` (rows, columns), computed once for a sequence."""
        rows, columns = size
        seen_at = np.full((rows * columns, 2), np.nan)
        for first in range(0, rows * columns, _CHUNK):
            pixels = np.arange(first, min(first + _CHUNK, rows * columns))
            ideal = np.column_stack([pixels % columns, pixels // columns]).astype(np.float64)
            there, single = self._distorted(ideal)
            seen_at[pixels] = np.where(single[:, None], there, np.nan)
        return ImageCorrection(seen_at.reshape(rows, columns, 2))

    def corrected_image(
        self, image: Float64[np.ndarray, "rows columns"], mask: Bool[np.ndarray, "rows columns"]
    ) -> tuple[Float64[np.ndarray, "rows columns"], Bool[np.ndarray, "rows columns"]]:
        """The ideal image of a real one, and which of its pixels were seen; as `ImageCorrection` does it."""
        return self.correction((image.shape[0], image.shape[1]))(image, mask)

    @abstractmethod
    def _undistorted(self, points: Float64[np.ndarray, "n 2"]) -> Mapped:
        """Ideal points, and which of them are the only ones that there can be."""

    @abstractmethod
    def _distorted(self, points: Float64[np.ndarray, "n 2"]) -> Mapped:
        """Real points, and which of them are the only ones that there can be."""

    @staticmethod
    def _checked(
        points: Float64[np.ndarray, "n 2"], mapping: Callable[[Float64[np.ndarray, "n 2"]], Mapped]
    ) -> Float64[np.ndarray, "n 2"]:
        mapped, single = mapping(points)
        if not single.all():
            u, v = points[np.argmin(single)]
            raise InputError(
                _SUBJECT,
                f"folds the image over at {int((~single).sum())} of {len(points)} points, the first at "
                f"({u:.1f}, {v:.1f}) px",
                "Check its numbers, and that the points lie in the image that it was measured on.",
            )
        return mapped


@dataclass(frozen=True, eq=False)
class ImageCorrection:
    """Makes ideal images of real ones; `seen_at` (u, v) is where these show each ideal pixel, NaN: nowhere."""

    seen_at: Float64[np.ndarray, "rows columns 2"]

    def __call__(
        self, image: Float64[np.ndarray, "rows columns"], mask: Bool[np.ndarray, "rows columns"]
    ) -> tuple[Float64[np.ndarray, "rows columns"], Bool[np.ndarray, "rows columns"]]:
        """The ideal image by bilinear interpolation of pixel values, and which of its pixels were seen.

        A pixel was seen if it lies in the real image and all that it is made from is in `mask`; others are 0.
        """
        from scipy import ndimage  # only here, as cameras are read where nothing else needs it

        if image.shape != self.seen_at.shape[:2] or mask.shape != image.shape:
            raise ValueError(f"image {image.shape}, mask {mask.shape} and correction {self.seen_at.shape[:2]} differ")
        rows, columns = image.shape
        u, v = self.seen_at[..., 0], self.seen_at[..., 1]
        # A comparison with NaN is false.
        inside = (u >= -_EDGE_PX) & (u <= columns - 1 + _EDGE_PX) & (v >= -_EDGE_PX) & (v <= rows - 1 + _EDGE_PX)
        places = np.stack([np.clip(v[inside], 0, rows - 1), np.clip(u[inside], 0, columns - 1)])
        usable = ndimage.map_coordinates(mask.astype(np.float64), places, order=1, mode="nearest") > 1 - _EDGE_PX
        values = ndimage.map_coordinates(np.where(mask, image, 0).astype(np.float64), places, order=1, mode="nearest")
        corrected, seen = np.zeros(image.shape), np.zeros(image.shape, dtype=bool)
        corrected[inside], seen[inside] = np.where(usable, values, 0), usable
        return corrected, seen


@dataclass(frozen=True, eq=False)
class BrownDistortion(LensDistortion):
    """OpenCV's model: ideal (x, y) = ((u − cᵤ)/fᵤ, (v − cᵥ)/fᵥ), without unit, appears at

        x (1 + k₁r² + k₂r⁴ + k₃r⁶) + 2p₁xy + p₂(r² + 2x²)
        y (1 + k₁r² + k₂r⁴ + k₃r⁶) + p₁(r² + 2y²) + 2p₂xy

    `radial` is (k₁, k₂, k₃), `tangential` (p₁, p₂), `focal_length` (fᵤ, fᵥ) and `centre` (cᵤ, cᵥ) in px: those of the
    camera matrix that the numbers were calibrated with. ValueError for numbers that are not finite and for no focal
    length.
    """

    radial: tuple[float, float, float]
    tangential: tuple[float, float]
    focal_length: tuple[float, float]
    centre: tuple[float, float]

    def __post_init__(self) -> None:
        for name, count in (("radial", 3), ("tangential", 2), ("focal_length", 2), ("centre", 2)):
            values = tuple(float(value) for value in getattr(self, name))
            if len(values) != count or not np.isfinite(values).all():
                raise ValueError(f"{name} must be {count} finite numbers, got {values}")
            object.__setattr__(self, name, values)
        if not min(self.focal_length) > 0:
            raise ValueError(f"focal lengths must be positive, got {self.focal_length} px")

    def _distorted(self, points: Float64[np.ndarray, "n 2"]) -> Mapped:
        with np.errstate(over="ignore", invalid="ignore"):
            real, jacobian = self._appearance(points)
        normalised = (points - self.centre) / self.focal_length
        before_fold = (normalised**2).sum(axis=1) < self._fold()
        determinant = jacobian[:, 0, 0] * jacobian[:, 1, 1] - jacobian[:, 0, 1] * jacobian[:, 1, 0]
        upright = (determinant > 0) & (jacobian[:, 0, 0] + jacobian[:, 1, 1] > 0)
        return real, before_fold & upright & np.isfinite(real).all(axis=1)

    def _undistorted(self, points: Float64[np.ndarray, "n 2"]) -> Mapped:
        ideal, single = preimages(self._appearance, points, start=points)
        normalised = (ideal - self.centre) / self.focal_length
        with np.errstate(over="ignore", invalid="ignore"):
            return ideal, single & ((normalised**2).sum(axis=1) < self._fold())

    def _appearance(
        self, points: Float64[np.ndarray, "n 2"]
    ) -> tuple[Float64[np.ndarray, "n 2"], Float64[np.ndarray, "n 2 2"]]:
        """Where ideal points (px) appear (px), and how that moves with them."""
        (k1, k2, k3), (p1, p2), (fu, fv) = self.radial, self.tangential, self.focal_length
        x, y = ((points - self.centre) / self.focal_length).T
        r2 = x**2 + y**2
        radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
        slope = k1 + r2 * (2 * k2 + r2 * 3 * k3)
        real = np.column_stack(
            [
                x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x**2),
                y * radial + p1 * (r2 + 2 * y**2) + 2 * p2 * x * y,
            ]
        )
        mixed = 2 * x * y * slope + 2 * p1 * x + 2 * p2 * y
        jacobian = np.empty((len(points), 2, 2))
        jacobian[:, 0, 0] = radial + 2 * x**2 * slope + 2 * p1 * y + 6 * p2 * x
        jacobian[:, 1, 1] = radial + 2 * y**2 * slope + 6 * p1 * y + 2 * p2 * x
        jacobian[:, 0, 1], jacobian[:, 1, 0] = mixed * fu / fv, mixed * fv / fu
        return real * self.focal_length + self.centre, jacobian

    def _fold(self) -> float:
        """The smallest r² at which points farther out begin to appear nearer; infinite where there is none."""
        k1, k2, k3 = self.radial
        roots = np.roots([7 * k3, 5 * k2, 3 * k1, 1])
        real = roots.real[(np.abs(roots.imag) < 1e-9 * np.abs(roots)) & (roots.real > 0)]
        return float(real.min(initial=np.inf))


@dataclass(frozen=True, eq=False)
class PolynomialDistortion(LensDistortion):
    """What is seen at (u, v) belongs to (u, v) + Σ c xⁱyʲ, i + j ≤ degree, (x, y) = ((u, v) − centre)/scale.

    `coefficients` (px) has a row for each of 1, x, y, x², xy, y², x³ … and columns for u and v; `centre` (u, v) and
    `scale` in px bring the points to about ±1. ValueError for other shapes, numbers that are not finite, or no scale.
    """

    coefficients: Float64[np.ndarray, "terms 2"]
    centre: tuple[float, float]
    scale: float

    def __post_init__(self) -> None:
        terms = len(self.coefficients)
        if terms not in map(number_of_terms, _DEGREES):
            raise ValueError(f"{terms} coefficients are those of no polynomial of degree 1 to {_DEGREES[-1]}")
        object.__setattr__(self, "coefficients", frozen_float64(self.coefficients, (terms, 2)))
        if not (np.isfinite([*self.centre, self.scale]).all() and self.scale > 0):
            raise ValueError(f"centre {self.centre} and scale {self.scale} must be finite, the scale positive")

    @property
    def degree(self) -> int:
        """The highest i + j."""
        return next(d for d in _DEGREES if number_of_terms(d) == len(self.coefficients))

    def _undistorted(self, points: Float64[np.ndarray, "n 2"]) -> Mapped:
        ideal, jacobian = self._origin(points)
        determinant = jacobian[:, 0, 0] * jacobian[:, 1, 1] - jacobian[:, 0, 1] * jacobian[:, 1, 0]
        return ideal, (determinant > 0) & (jacobian[:, 0, 0] + jacobian[:, 1, 1] > 0)

    def _distorted(self, points: Float64[np.ndarray, "n 2"]) -> Mapped:
        return preimages(self._origin, points, start=2 * points - self._origin(points)[0])

    def _origin(
        self, points: Float64[np.ndarray, "n 2"]
    ) -> tuple[Float64[np.ndarray, "n 2"], Float64[np.ndarray, "n 2 2"]]:
        """The ideal points (px) of what is seen at `points` (px), and how they move with them."""
        terms = _terms((points - self.centre) / self.scale, self.degree)
        along_x, along_y = _slopes(self.coefficients / self.scale, self.degree)
        # Not @: on so few rows BLAS starts threads that cost more than they bring.
        shift_and_slopes = np.einsum("tc,tn->cn", np.hstack([self.coefficients, along_x, along_y]), terms)
        ideal = points + shift_and_slopes[:2].T
        return ideal, np.eye(2) + shift_and_slopes[2:].reshape(2, 2, -1).transpose(2, 1, 0)


@dataclass(frozen=True, eq=False)
class PolynomialFit:
    """A polynomial, and how far (px) it leaves each bead from where an ideal image would show it."""

    distortion: PolynomialDistortion
    residual: Float64[np.ndarray, "n"]

    @property
    def rms(self) -> float:
        """Root mean square of the residuals (px)."""
        return float(np.sqrt((self.residual**2).mean()))


def fit_polynomial_distortion(seen: ArrayLike, true: ArrayLike, degree: int) -> PolynomialFit:
    """The polynomial of `degree` that brings beads from where they are `seen` to their `true` places (both n 2, px).

    Least squares, centre and scale from the beads. InputError for too few beads, beads along a curve that leaves the
    polynomial open, numbers that are not finite and a fit that folds over; ValueError for a degree or shapes that
    cannot be.
    """
    seen, true = np.asarray(seen, dtype=np.float64), np.asarray(true, dtype=np.float64)
    if degree not in _DEGREES:
        raise ValueError(f"the degree must be 1 to {_DEGREES[-1]}, got {degree}")
    if seen.ndim != 2 or seen.shape[1] != 2 or seen.shape != true.shape:
        raise ValueError(f"expected two arrays of n × 2 px, got {seen.shape} and {true.shape}")
    subject, count = "bead grid", number_of_terms(degree)
    if not (np.isfinite(seen).all() and np.isfinite(true).all()):
        raise InputError(subject, "some points are not finite", "Leave out beads that were not found.")
    remedy = "Give more beads, spread over the whole image, or a lower degree."
    if len(seen) < count:
        raise InputError(subject, f"has {len(seen)} points, degree {degree} needs {count} at least", remedy)
    low, high = seen.min(axis=0), seen.max(axis=0)
    scale = float((high - low).max() / 2)
    if scale == 0:
        raise InputError(subject, "all points are the same", remedy)
    centre = (low + high) / 2
    terms = _terms((seen - centre) / scale, degree)
    coefficients, _, rank, _ = np.linalg.lstsq(terms.T, true - seen, rcond=1e-9)
    if rank < count:
        raise InputError(subject, f"its points do not determine a polynomial of degree {degree}", remedy)
    distortion = PolynomialDistortion(coefficients, (float(centre[0]), float(centre[1])), scale)
    residual = np.linalg.norm(distortion.undistorted(seen) - true, axis=1)
    return PolynomialFit(distortion, residual)


def number_of_terms(degree: int) -> int:
    """How many xⁱyʲ there are with i + j ≤ degree."""
    return (degree + 1) * (degree + 2) // 2


def _terms(points: Float64[np.ndarray, "n 2"], degree: int) -> Float64[np.ndarray, "terms n"]:
    """1, x, y, x², xy, y² … of each point."""
    x, y = np.ascontiguousarray(points.T)
    terms = np.empty((number_of_terms(degree), len(points)))
    terms[0] = 1
    for total in range(1, degree + 1):
        first, before = number_of_terms(total - 1), number_of_terms(total - 2)
        np.multiply(terms[before:first], x, out=terms[first : first + total])
        np.multiply(terms[first - 1], y, out=terms[first + total])
    return terms


def _slopes(coefficients: Float64[np.ndarray, "terms 2"], degree: int) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients, in the same terms, of the derivatives along x and y."""
    along_x, along_y = np.zeros_like(coefficients), np.zeros_like(coefficients)
    for total in range(1, degree + 1):
        for j in range(total + 1):
            here, below = number_of_terms(total - 1) + j, number_of_terms(total - 2)
            if j < total:
                along_x[below + j] += (total - j) * coefficients[here]
            if j > 0:
                along_y[below + j - 1] += j * coefficients[here]
    return along_x, along_y
