"""Views of one registration, ready for the solver: levels of their images with rays, CT level and similarity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64

from ..xray.geometry import Camera, Rays, rigid
from ..xray.geometry.pixel_grid import all_pixels
from ..xray.projector import Projector
from ..xray.radiograph import Radiograph
from .scene import PlacedBody, line_integrals_of
from .similarity import SIMILARITIES, Comparison, Similarity

# Fewer pixels than this cannot tell six parameters apart.
LEAST_PIXELS = 64
# Of the rays that cross the CT: fewer than this are not enough to go by, more than that are as good as all.
_LEAST_WHOLE, _NEARLY_ALL = 0.4, 0.97


@dataclass(frozen=True, eq=False)
class ViewLevel:
    """One view at one image binning. `background` is what bodies other than the CT add to the rays."""

    camera: Camera
    mask: Bool[np.ndarray, "rows columns"]
    rays: Rays
    ct_binning: int
    similarity: Similarity
    background: Float32[np.ndarray, "rays"] | None = None
    weight: float = 1.0

    def drr(
        self, projector: Projector, pose: Float64[np.ndarray, "4 4"]
    ) -> tuple[Float32[np.ndarray, "rows columns"], Float32[np.ndarray, "6 rows columns"]]:
        """DRR of all bodies and its derivative by the CT's pose on the level's grid; 0 where the mask is False."""
        values, derivative = projector.render_with_jacobian(self.rays, pose, binning=self.ct_binning)
        image = np.zeros(self.mask.shape, dtype=np.float32)
        image[self.mask] = values[0] if self.background is None else values[0] + self.background
        jacobian = np.zeros((6, *self.mask.shape), dtype=np.float32)
        jacobian[:, self.mask] = derivative[0].T
        return image, jacobian

    def compare(self, projector: Projector, pose: Float64[np.ndarray, "4 4"]) -> Comparison:
        """DRR of `pose` against the X-ray."""
        return self.similarity(*self.drr(projector, pose))


def comparable(rays: Rays, projector: Projector, pose: Float64[np.ndarray, "4 4"]) -> Bool[np.ndarray, "n"]:
    """The rays on which X-ray and DRR must agree: an X-ray shows more than a CT holds.

    Those are the rays whose whole way through the patient the CT knows; or all that cross the CT, where only few of
    them know less, which the robust weights settle, or where too few would be left: a CT may end in tissue all around.
    """
    covered = projector.coverage(rays, pose)
    crossing, whole = int(covered.crosses.sum()), int(covered.whole.sum())
    return covered.whole if _LEAST_WHOLE * crossing <= whole <= _NEARLY_ALL * crossing else covered.crosses


def nothing_in_view(
    drr: Float32[np.ndarray, "rows columns"], jacobian: Float32[np.ndarray, "6 rows columns"]
) -> Comparison:
    """Similarity of a view that the CT is not in: as bad as can be, and no way to turn."""
    return Comparison(1.0, np.zeros(6), 1e-12 * np.eye(6), -1.0, 1.0, 7.0, -1.0)


def view_level(
    radiograph: Radiograph,
    binning: int,
    projector: Projector,
    pose: Float64[np.ndarray, "4 4"],
    similarity: str,
    others: Sequence[PlacedBody] = (),
    weight: float = 1.0,
) -> ViewLevel:
    """Level of `radiograph` binned by `binning`; the CT level follows from the pixel's footprint at the patient.

    `others` are bodies in the picture that stay where they are; `weight` is what the view counts beside others.
    """
    coarse = radiograph.binned(binning)
    mask = coarse.mask.copy()
    rays = coarse.camera.rays(all_pixels(coarse.camera.size)[mask.ravel()])
    seen = comparable(rays, projector, pose)
    mask[mask] = seen
    centre = rigid.transform_points(pose, [projector.ct.centre])[0]
    footprint = coarse.camera.pixel_footprint_mm(centre)
    return ViewLevel(
        coarse.camera,
        mask,
        rays[seen],
        projector.binning_for(footprint),
        SIMILARITIES[similarity](coarse.attenuation, mask) if mask.sum() >= LEAST_PIXELS else nothing_in_view,
        line_integrals_of(others, rays[seen], footprint),
        weight,
    )


def compare_all(levels: Sequence[ViewLevel], projector: Projector, pose: Float64[np.ndarray, "4 4"]) -> Comparison:
    """All views together: one increment moves them all, so their normal equations add up, each by its weight."""
    parts = [level.compare(projector, pose) for level in levels]
    total = sum(level.weight for level in levels)
    # Weights of mean 1: without any they change nothing.
    weights = [level.weight * len(levels) / total for level in levels]

    def mean(values: Sequence[float]) -> float:
        return float(np.average(values, weights=weights))

    return Comparison(
        sum(weight * part.cost for weight, part in zip(weights, parts, strict=True)),
        np.sum([weight * part.gradient for weight, part in zip(weights, parts, strict=True)], axis=0),
        np.sum([weight * part.hessian for weight, part in zip(weights, parts, strict=True)], axis=0),
        mean([part.score for part in parts]),
        float(np.sqrt(mean([part.residual**2 for part in parts]))),
        mean([part.samples for part in parts]),
        mean([part.agreement for part in parts]),
    )
