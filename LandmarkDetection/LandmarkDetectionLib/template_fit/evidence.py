"""What speaks for a placed template: the X-ray's pixels, landmarks that were found, its depth, and how heads are.

Each term is −log of a likelihood with its gradient and Gauss–Newton Hessian by a step of the placed template.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from DiffRegistrationLib.registration.image_features import edges
from DiffRegistrationLib.registration.similarity import Comparison, Similarity, correlation_of
from DiffRegistrationLib.xray.geometry import Camera, PinholeCamera
from DiffRegistrationLib.xray.geometry.pixel_grid import all_pixels
from DiffRegistrationLib.xray.geometry.projection_derivative import projection_derivative
from DiffRegistrationLib.xray.radiograph import Radiograph
from jaxtyping import Float32, Float64
from scipy import ndimage

from .placed_template import PlacedTemplate

# Standard deviations of what no mode holds: how far mouths are open (degrees), and how dense bone is.
_OPENING_DEG, _DENSITY = 5.0, 0.15
# In standard deviations: landmarks that are further off count less and less.
_CAUCHY = 2.5
# Fewer pixels than this are not enough to go by.
LEAST_PIXELS = 100
# Where the template shows so much (line integral), and so far around, the X-ray is compared.
_LEAST_SHOWN, _AROUND_MM = 0.05, 20.0
# Of the values that edges are worth by how alike neighbours are: found by heads that no figure is of.
_WORTH = 4.0
# Sharper than this no image is matched.
_LEAST_RESIDUAL = 1e-3


@dataclass(frozen=True, eq=False)
class Evidence:
    """−log likelihood, and its derivatives."""

    cost: float
    gradient: Float64[np.ndarray, "p"]
    hessian: Float64[np.ndarray, "p p"]

    def __add__(self, other: Evidence) -> Evidence:
        return Evidence(self.cost + other.cost, self.gradient + other.gradient, self.hessian + other.hessian)


Term = Callable[[PlacedTemplate], Evidence]


def usual_heads(placed: PlacedTemplate) -> Evidence:
    """How usual the head's shape is in the population."""
    information = np.ones(6 + len(placed.shape.numbers))
    information[:6], information[6:8] = 0.0, (_OPENING_DEG**-2, _DENSITY**-2)
    off = np.concatenate([np.zeros(6), placed.shape.numbers])
    return Evidence(0.5 * float(information @ off**2), information * off, np.diag(information))


def known_depth(camera: PinholeCamera, depth_mm: float, deviation_mm: float) -> Term:
    """The landmarks' mean lies at a depth that is known."""
    axis = camera.camera_from_world[2]

    def term(placed: PlacedTemplate) -> Evidence:
        points, J = placed.landmarks_with_jacobian
        known = np.isfinite(points).all(axis=1)
        off = (float((points[known] @ axis[:3]).mean() + axis[3]) - depth_mm) / deviation_mm
        slope = (axis[:3] @ J[known].mean(axis=0)) / deviation_mm
        return Evidence(0.5 * off**2, off * slope, np.outer(slope, slope))

    return term


@dataclass(frozen=True, eq=False)
class FoundLandmarks:
    """Landmarks found in an X-ray: `pixels` (u, v), NaN where not, with their `covariance` (px²), each on its own.

    What a network is wrong about it is often wrong about all over, so that each counts by `share`.
    """

    camera: Camera
    pixels: Float64[np.ndarray, "n 2"]
    covariance: Float64[np.ndarray, "n 2 2"]
    share: float

    def __call__(self, placed: PlacedTemplate) -> Evidence:
        points, J = placed.landmarks_with_jacobian
        both = np.isfinite(points).all(axis=1) & np.isfinite(self.pixels).all(axis=1)
        points, whiten = points[both], np.linalg.inv(np.linalg.cholesky(self.covariance[both]))
        A = whiten @ projection_derivative(self.camera, points) @ J[both]
        off = np.einsum("nij,nj->ni", whiten, self.camera.project(points) - self.pixels[both])
        square = (off**2).sum(axis=1) / _CAUCHY**2
        weight = self.share / (1 + square)
        return Evidence(
            0.5 * self.share * _CAUCHY**2 * float(np.log1p(square).sum()),
            np.einsum("nik,n,ni->k", A, weight, off),
            np.einsum("nik,n,nil->kl", A, weight, A),
        )


class Pixels:
    """An X-ray at one binning, compared by its edges as the registration of a CT does."""

    def __init__(
        self, radiograph: Radiograph, binning: int, compared: Sequence[PlacedTemplate], step_mm: float
    ) -> None:
        """Rays on which one of those `compared` says what the X-ray shows are used, sampled every `step_mm`."""
        coarse = radiograph.binned(binning)
        mask = coarse.mask.copy()
        rays = coarse.camera.rays(all_pixels(coarse.camera.size)[mask.ravel()])
        told = np.zeros(len(rays), dtype=bool)
        for placed in compared:
            shown, _ = placed.template.cast(placed.shape, placed.world_from_head, rays, step_mm, with_jacobian=False)
            about = np.zeros_like(mask)
            about[mask] = shown > _LEAST_SHOWN
            reach = round(_AROUND_MM / coarse.camera.pixel_footprint_mm(placed.world_from_head[:3, 3]))
            about = ndimage.binary_dilation(about, iterations=max(1, reach))
            told |= ~placed.template.ends_on(rays, placed.world_from_head) & about[mask]
        mask[mask] = told
        self._rays, self._step_mm, self._mask, self._attenuation = rays[told], step_mm, mask, coarse.attenuation
        self._similarity = self._afresh() if len(self._rays) >= LEAST_PIXELS else None
        self._information: float | None = None

    @property
    def are_enough(self) -> bool:
        """Whether there are enough of them to go by; fewer cannot be compared."""
        return self._similarity is not None

    def compared(self, placed: PlacedTemplate) -> Comparison:
        """The X-ray against the template's DRR."""
        values, derivative = placed.template.cast(placed.shape, placed.world_from_head, self._rays, self._step_mm)
        image = self._image(values)
        jacobian = np.zeros((derivative.shape[1], *self._mask.shape), dtype=np.float32)
        jacobian[:, self._mask] = derivative.T
        assert self._similarity is not None, "too few pixels"
        return self._similarity(image, jacobian)

    def agreement(self, placed: PlacedTemplate) -> float:
        """How much of the X-ray's edges a template explains, in the tone that is best for it: whatever was compared
        before it.
        """
        return self._agreement(placed, self._afresh())

    def agreement_in_one_tone(self, placed: PlacedTemplate) -> float:
        """The same in the tone that was best for what was compared first: a few times as fast."""
        assert self._similarity is not None, "too few pixels"
        return self._agreement(placed, self._similarity)

    def _agreement(self, placed: PlacedTemplate, similarity: Similarity) -> float:
        values, _ = placed.template.cast(
            placed.shape, placed.world_from_head, self._rays, self._step_mm, with_jacobian=False
        )
        return similarity(self._image(values), np.zeros((0, *self._mask.shape), dtype=np.float32)).agreement

    def _afresh(self) -> Similarity:
        return correlation_of(edges)(self._attenuation, self._mask)

    def _image(self, values: Float32[np.ndarray, "n"]) -> Float32[np.ndarray, "rows columns"]:
        image = np.zeros(self._mask.shape, dtype=np.float32)
        image[self._mask] = values
        return image

    def __call__(self, placed: PlacedTemplate) -> Evidence:
        compared = self.compared(placed)
        if self._information is None:
            # As the robust weights' scale, from the first template on.
            self._information = _WORTH * compared.samples / max(compared.residual**2, _LEAST_RESIDUAL)
        scale = self._information
        return Evidence(scale * compared.cost, scale * compared.gradient, scale * compared.hessian)
