"""What the landmarks of a frame come to in space: triangulated where two views see them, else as one view has them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from DiffRegistrationLib.xray.geometry import Camera, rigid
from DiffRegistrationLib.xray.geometry.triangulation import Triangulation, triangulate
from jaxtyping import Bool, Float64

from ..atlas.definitions import skull_landmarks
from ..detection.landmark_detections import LandmarkDetections
from ..detection.standing_camera import standing_for

# What is likelier than not to be in the usable part of the image counts as seen.
SEEN = 0.5
# Up to this standard deviation (mm) a place counts as sure.
SURE_MM = 3.0
# Views contradict each other beyond so many standard deviations; no pixel is known better than this (px).
_CONTRADICTING = 3.5
_SHARPEST_PX = 0.05


class Source(StrEnum):
    """How a point came to its place in space."""

    TRIANGULATED = "triangulated"
    ONE_VIEW = "one view"
    """By how large heads are: its depth is much less sure than the rest."""
    NONE = "none"


@dataclass(frozen=True, eq=False)
class StudyPoints:
    """All landmarks in space (world mm), NaN for those that have no place there.

    `used` are the views that a point was made from. `pixels` are what each view says of it for that, `residual_px`
    how far these lie from the triangulated point's image, and `residual_mm` the same at the head; NaN where there is
    no such point. `outliers` are points whose views contradict each other more than their errors explain.
    `is_sure` tells where the error is small, and nothing speaks against it.
    """

    names: tuple[str, ...]
    points: Float64[np.ndarray, "n 3"]
    covariance: Float64[np.ndarray, "n 3 3"]
    how: tuple[Source, ...]
    used: Bool[np.ndarray, "views n"]
    pixels: Float64[np.ndarray, "views n 2"]
    residual_px: Float64[np.ndarray, "views n"]
    residual_mm: Float64[np.ndarray, "views n"]
    outliers: Bool[np.ndarray, "n"]
    is_sure: Bool[np.ndarray, "n"]

    @property
    def is_known(self) -> Bool[np.ndarray, "n"]:
        """Which landmarks have a place in space."""
        return np.isfinite(self.points).all(axis=1)

    @property
    def is_triangulated(self) -> Bool[np.ndarray, "n"]:
        """Which of them two views or more have put there."""
        return np.array([one is Source.TRIANGULATED for one in self.how], dtype=bool)

    @property
    def uncertainty_mm(self) -> Float64[np.ndarray, "n"]:
        """Standard deviation along each axis, on the average of the axes (mm)."""
        return np.sqrt(np.trace(self.covariance, axis1=1, axis2=2) / 3)

    @property
    def mean_residual_mm(self) -> float:
        """Mean of `residual_mm` over the pixels that were used; NaN where nothing was triangulated."""
        there = self.residual_mm[self.used & np.isfinite(self.residual_mm)]
        return float(there.mean()) if there.size else float("nan")


def study_points(
    found: Sequence[LandmarkDetections | None],
    cameras: Sequence[Camera | None],
    planar: Sequence[bool],
    switched_off: Sequence[Collection[str]] = (),
) -> StudyPoints:
    """The landmarks of one frame in space, from what was `found` in each view (None: nothing).

    Views that are `planar`, or that have no camera, say nothing of space. Landmarks that are `switched_off` in a view
    take no part there. Those that two views or more see are triangulated, each pixel with its own error; other ones
    are where the view has them that knows their depth best.
    """
    names = skull_landmarks().names
    off = [set(one) for one in switched_off] or [set() for _ in found]
    allowed = np.array([[name not in one for name in names] for one in off], dtype=bool)
    views = [
        _View(one, camera) if one is not None and camera is not None and not flat else None
        for one, camera, flat in zip(found, cameras, planar, strict=True)
    ]
    points, errors, used = _by_single_views(views, allowed)
    how = [Source.ONE_VIEW if of_views.any() else Source.NONE for of_views in used.T]
    pixels, covariance = _said_by_views(views, len(names))
    residual_px, residual_mm = np.full((2, *allowed.shape), np.nan)
    outliers = np.zeros(len(names), dtype=bool)
    spatial = np.flatnonzero([view is not None for view in views])
    if len(spatial) >= 2:
        chosen = [view.camera for view in views if view is not None]
        seen = allowed & _which(views, len(names), lambda one: (one.visibility > SEEN) | one.is_in_image)
        crossing = _crossing(chosen, np.where(seen[..., None], pixels, np.nan)[spatial], covariance[spatial])
        there = crossing.found
        points[there], errors[there] = crossing.points[there], crossing.covariance[there]
        used[:, there] = False
        used[np.ix_(spatial, there)] = crossing.used[:, there]
        how = [Source.TRIANGULATED if new else old for new, old in zip(there, how, strict=True)]
        off_px = np.stack([camera.project(crossing.points) for camera in chosen]) - pixels[spatial]
        residual_px[spatial] = np.linalg.norm(off_px, axis=2)
        residual_mm[spatial] = residual_px[spatial] * _pixel_widths(chosen, crossing.points[there])[:, None]
        outliers = _contradicting(off_px, covariance[spatial], used[spatial] & there)
    sure = (used & _which(views, len(names), lambda one: (one.visibility > SEEN) & one.is_sure)).any(axis=0)
    spread = np.nan_to_num(np.sqrt(np.trace(errors, axis1=1, axis2=2) / 3), nan=np.inf)
    sure &= ~outliers & (spread <= SURE_MM)
    return StudyPoints(names, points, errors, tuple(how), used, pixels, residual_px, residual_mm, outliers, sure)


class _View(NamedTuple):
    """A view that says something of space."""

    found: LandmarkDetections
    camera: Camera


def _crossing(
    cameras: Sequence[Camera],
    pixels: Float64[np.ndarray, "views n 2"],
    covariance: Float64[np.ndarray, "views n 2 2"],
) -> Triangulation:
    variances = np.trace(covariance, axis1=2, axis2=3)[np.isfinite(pixels).all(axis=2)] / 2
    outlier_px = _CONTRADICTING * float(np.sqrt(np.median(variances))) if variances.size else None
    return triangulate(cameras, pixels, pixel_covariance=covariance, outlier_px=outlier_px)


def _pixel_widths(cameras: Sequence[Camera], points: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "views"]:
    """Width of a pixel of each view at the head (mm)."""
    if not len(points):
        return np.full(len(cameras), np.nan)
    return np.array([camera.pixel_footprint_mm(points.mean(axis=0)) for camera in cameras])


def _said_by_views(
    views: Sequence[_View | None], count: int
) -> tuple[Float64[np.ndarray, "views n 2"], Float64[np.ndarray, "views n 2 2"]]:
    """Pixels and their errors (px²), each landmark's own: not what the shape of heads made of them together.

    Where a CT was registered to the X-ray, or a template laid over it, its landmarks are meant.
    """
    pixels = np.full((len(views), count, 2), np.nan)
    covariance = np.tile(np.eye(2), (len(views), count, 1, 1))
    for number, view in enumerate(views):
        if view is not None:
            one = view.found
            of_head = one.is_registered or one.is_fitted
            places = one.pixels if of_head else one.network_pixels
            errors = one.pixel_covariance if of_head else one.network_covariance
            known = np.isfinite(places).all(axis=1) & np.isfinite(errors).all(axis=(1, 2))
            pixels[number, known] = places[known]
            covariance[number, known] = errors[known] + _SHARPEST_PX**2 * np.eye(2)
    return pixels, covariance


def _by_single_views(
    views: Sequence[_View | None], allowed: Bool[np.ndarray, "views n"]
) -> tuple[Float64[np.ndarray, "n 3"], Float64[np.ndarray, "n 3 3"], Bool[np.ndarray, "views n"]]:
    """World points and covariances (mm²) as the view that is surest of each has them, and which view that is."""
    points = np.full((*allowed.shape, 3), np.nan)
    covariance = np.full((*allowed.shape, 3, 3), np.nan)
    for number, view in enumerate(views):
        if view is not None:
            world_from_camera = rigid.inverse(standing_for(view.camera).camera_from_world)
            turn, known = (
                world_from_camera[:3, :3],
                allowed[number] & np.isfinite(view.found.camera_points).all(axis=1),
            )
            points[number, known] = rigid.transform_points(world_from_camera, view.found.camera_points[known])
            covariance[number, known] = turn @ view.found.camera_covariance[known] @ turn.T
    known = np.asarray(np.isfinite(points).all(axis=2))
    surest = np.argmin(np.where(known, np.trace(covariance, axis1=2, axis2=3), np.inf), axis=0)
    at = np.arange(known.shape[1])
    used = np.zeros_like(known)
    used[surest, at] = known[surest, at]
    return points[surest, at], covariance[surest, at], used


def _which(
    views: Sequence[_View | None], count: int, of: Callable[[LandmarkDetections], Bool[np.ndarray, "n"]]
) -> Bool[np.ndarray, "views n"]:
    return np.stack([np.zeros(count, dtype=bool) if view is None else of(view.found) for view in views])


def _contradicting(
    off_px: Float64[np.ndarray, "views n 2"],
    covariance: Float64[np.ndarray, "views n 2 2"],
    used: Bool[np.ndarray, "views n"],
) -> Bool[np.ndarray, "n"]:
    """Where the pixels that were used lie farther from the point's image than their errors explain."""
    squared = np.einsum("vni,vnij,vnj->vn", off_px, np.linalg.inv(covariance), off_px)
    total = np.where(used, squared, 0.0).sum(axis=0)
    # Two numbers a view, of which three go into the point.
    freedom = np.maximum(2 * used.sum(axis=0) - 3, 1)
    return total > _CONTRADICTING**2 * freedom
