"""Coarse global search: many orientations, and for each the in-plane position by correlation instead of by trial.

A DRR of a tilted CT, slid over the X-ray, correlates best where the CT belongs: one FFT replaces thousands of renders.
Masks on both sides (Padfield, IEEE TIP 21(5), 2012) let X-ray and CT each show parts that the other lacks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64
from scipy import fft, ndimage

from ..xray.geometry import Camera, Rays, rigid
from ..xray.projector import Projector
from ..xray.radiograph import Radiograph
from .result import Iteration
from .scene import PlacedBody, line_integrals_of
from .shifts import ShiftMap, places
from .surroundings import lacks_surroundings
from .views import comparable

# Correlation on images of this many pixels a side finds a head to about its own pixel; more only costs time. A small
# bone in a large image needs this many for itself.
_SEARCH_PIXELS, _LEAST_OBJECT_PIXELS = 24, 8
# A bone without what surrounds it agrees in fine structure only, which needs more of them: blurred by so many pixels,
# what is left of an image is structure, where it is stronger than this part of the whole image's.
_LEAST_STRUCTURE_PIXELS = 16
_STRUCTURE_SIGMA, _FLATNESS = 3.0, 0.1
# A match must use this part of what DRR and X-ray could share.
_LEAST_OVERLAP = 0.4


@dataclass(frozen=True, eq=False)
class Candidate:
    """A pose worth refining, how well it correlates, the start it came from, and the steps that led from there.

    `is_given` marks a start as it was given, in contrast to what a search about it found.
    """

    pose: Float64[np.ndarray, "4 4"]
    score: float
    name: str
    iterations: tuple[Iteration, ...] = ()
    is_given: bool = False


@dataclass(frozen=True, eq=False)
class _SearchView:
    """One X-ray at search size, and a wider camera that also sees what a shift would bring into view.

    `xray` holds its structure alone if only that can be compared (`structure`).
    """

    xray: Float32[np.ndarray, "rows columns"]
    mask: Bool[np.ndarray, "rows columns"]
    wide: Camera
    rays: Rays
    margin: tuple[int, int]
    structure: bool

    def comparable(
        self, drr: Float32[np.ndarray, "rows columns"], mask: Bool[np.ndarray, "rows columns"]
    ) -> Float32[np.ndarray, "rows columns"]:
        """What of a DRR is compared."""
        return _structure(drr, mask) if self.structure else drr


def search_binning(camera: Camera, projector: Projector, pose: Float64[np.ndarray, "4 4"]) -> int:
    """Power of two that brings an image to some 24 pixels a side, but the CT's shadow in it not below 8 (or 16)."""
    pixels = camera.project(rigid.transform_points(pose, projector.ct.corners()))
    shadow = float(np.sqrt(np.prod(np.ptp(pixels, axis=0)))) if np.isfinite(pixels).all() else np.inf
    wanted = round(np.log2(np.sqrt(np.prod(camera.size)) / _SEARCH_PIXELS))
    least = _LEAST_STRUCTURE_PIXELS if lacks_surroundings(projector.ct) else _LEAST_OBJECT_PIXELS
    allowed = np.floor(np.log2(max(shadow / least, 1)))
    return int(2 ** max(0, min(wanted, allowed)))


def around(
    radiograph: Radiograph, projector: Projector, pose: Float64[np.ndarray, "4 4"], reach_mm: float
) -> Radiograph:
    """The part of the X-ray that the CT's shadow can reach by moving `reach_mm`; all of it if that is unclear."""
    camera = radiograph.camera
    pixels = camera.project(rigid.transform_points(pose, projector.ct.corners()))
    centre = rigid.transform_points(pose, [projector.ct.centre])[0]
    margin = reach_mm / camera.pixel_footprint_mm(centre)
    if not (np.isfinite(pixels).all() and np.isfinite(margin)):
        return radiograph
    size = np.array(camera.size[::-1])
    low = np.clip(np.floor(pixels.min(axis=0) - margin), 0, size).astype(int)
    high = np.clip(np.ceil(pixels.max(axis=0) + margin), 0, size).astype(int)
    if np.any(high - low < _LEAST_OBJECT_PIXELS):
        return radiograph
    return radiograph.cropped(low[1], low[0], (int(high[1] - low[1]), int(high[0] - low[0])))


def _search_view(
    radiograph: Radiograph,
    binning: int,
    structure: bool,
    others: Sequence[PlacedBody],
    centre: Float64[np.ndarray, "3"],
) -> _SearchView:
    coarse = radiograph.binned(binning)
    rows, columns = coarse.camera.size
    margin = (rows // 2, columns // 2)
    wide = coarse.camera.cropped(-margin[0], -margin[1], (rows + 2 * margin[0], columns + 2 * margin[1]))
    background = line_integrals_of(others, coarse.camera.rays(), coarse.camera.pixel_footprint_mm(centre))
    xray = coarse.attenuation
    if background is not None:
        xray = _without(xray, background.reshape(xray.shape), coarse.mask, structure)
    elif structure:
        xray = _structure(xray, coarse.mask)
    return _SearchView(xray, coarse.mask, wide, wide.rays(), margin, structure)


def _structure(
    image: Float32[np.ndarray, "rows columns"], mask: Bool[np.ndarray, "rows columns"]
) -> Float32[np.ndarray, "rows columns"]:
    """Deviations from the blurred image, in units of their usual size about each pixel; 0 outside the mask."""
    if not mask.any():
        return np.zeros_like(image)
    weight = mask.astype(np.float32)
    total = np.maximum(ndimage.gaussian_filter(weight, _STRUCTURE_SIGMA), np.float32(1e-3))
    detail = (image - ndimage.gaussian_filter(image * weight, _STRUCTURE_SIGMA) / total) * weight
    size = np.sqrt(ndimage.gaussian_filter(detail**2, _STRUCTURE_SIGMA) / total)
    return detail / (size + np.float32(_FLATNESS * (float(detail[mask].std()) or 1.0)))


def _without(
    xray: Float32[np.ndarray, "rows columns"],
    background: Float32[np.ndarray, "rows columns"],
    mask: Bool[np.ndarray, "rows columns"],
    structure: bool,
) -> Float32[np.ndarray, "rows columns"]:
    """The X-ray less as much of the other bodies' shadow as explains it best."""
    if structure:
        xray, background = _structure(xray, mask), _structure(background, mask)
    seen = mask & (background != 0)
    if not seen.any():
        return xray
    f, g = xray[seen] - xray[seen].mean(), background[seen] - background[seen].mean()
    gain = max(float(f @ g) / (float(g @ g) or 1.0), 0.0)
    return xray - np.float32(gain) * background


def masked_correlation(
    fixed: Float32[np.ndarray, "h w"],
    fixed_mask: Bool[np.ndarray, "h w"],
    moving: Float32[np.ndarray, "H W"],
    moving_mask: Bool[np.ndarray, "H W"],
) -> tuple[Float64[np.ndarray, "sh sw"], tuple[int, int]]:
    """NCC of `moving`, shifted by every (rows, columns), with `fixed`, over what both masks allow.

    Returns the map and the index of zero shift in it. Shifts with too little overlap score −1.
    """
    shape = [fft.next_fast_len(a + b - 1, real=True) for a, b in zip(fixed.shape, moving.shape, strict=True)]
    centred_fixed = np.where(fixed_mask, fixed - fixed[fixed_mask].mean(), 0).astype(np.float64)
    centred_moving = np.where(moving_mask, moving - moving[moving_mask].mean(), 0).astype(np.float64)
    # Reversing one side turns convolution into correlation.
    F = fft.rfft2(np.stack([fixed_mask.astype(float), centred_fixed, centred_fixed**2]), shape)
    reverse = np.s_[:, ::-1, ::-1]
    M = fft.rfft2(np.stack([moving_mask.astype(float), centred_moving, centred_moving**2])[reverse], shape)
    products = np.stack([F[0] * M[0], F[1] * M[0], F[2] * M[0], F[0] * M[1], F[0] * M[2], F[1] * M[1]])
    n, sum_f, sum_ff, sum_m, sum_mm, sum_fm = fft.irfft2(products, shape)
    n = np.maximum(n, 1e-6)
    variance = np.maximum(sum_ff - sum_f**2 / n, 0) * np.maximum(sum_mm - sum_m**2 / n, 0)
    floor = 1e-8 * float((centred_fixed**2).sum() * (centred_moving**2).sum()) + 1e-300
    correlation = (sum_fm - sum_f * sum_m / n) / np.sqrt(np.maximum(variance, floor))
    enough = n >= _LEAST_OVERLAP * min(fixed_mask.sum(), moving_mask.sum())
    return np.where(enough, correlation, -1.0), (moving.shape[0] - 1, moving.shape[1] - 1)


def _turned_to_face(
    camera: Camera, pose: Float64[np.ndarray, "4 4"], old: Float64[np.ndarray, "3"], new: Float64[np.ndarray, "3"]
) -> Float64[np.ndarray, "4 4"]:
    """`pose` with the CT's centre moved from `old` to `new`, turned so that the camera sees the same side of it."""
    rays = camera.rays(camera.project(np.stack([old, new])))
    before, after = rays.target - rays.source
    before, after = before / np.linalg.norm(before), after / np.linalg.norm(after)
    axis = np.cross(before, after)
    sine = float(np.linalg.norm(axis))
    omega = axis / sine * np.arcsin(min(sine, 1.0)) if sine > 1e-9 else np.zeros(3)
    return rigid.move_about(old, np.concatenate([omega, new - old]), pose)


def correlate_in_plane(
    radiographs: Sequence[Radiograph],
    projector: Projector,
    starts: Sequence[tuple[Float64[np.ndarray, "4 4"], str]],
    reach_mm: float,
    others: Sequence[PlacedBody] = (),
) -> list[Candidate]:
    """Each start, moved by at most `reach_mm` to where it correlates best with all views; best first.

    `others` are bodies that the X-rays show as well.
    """
    structure = lacks_surroundings(projector.ct)
    about = rigid.transform_points(starts[0][0], [projector.ct.centre])[0]
    views = [
        _search_view(radiograph, search_binning(radiograph.camera, projector, starts[0][0]), structure, others, about)
        for radiograph in radiographs
    ]
    candidates = []
    for start, name in starts:
        centre = rigid.transform_points(start, [projector.ct.centre])[0]
        maps = []
        for view in views:
            moving_mask = comparable(view.rays, projector, start).reshape(view.wide.size)
            if not moving_mask.any():
                continue
            binning = projector.binning_for(view.wide.pixel_footprint_mm(centre))
            drr = projector.render(view.rays, start, binning=binning)[0].reshape(view.wide.size)
            drr = view.comparable(drr, moving_mask)
            correlation, zero = masked_correlation(view.xray, view.mask, drr, moving_mask)
            # The wide image starts `margin` before the X-ray: index 0 of the one is −margin of the other.
            none = (zero[0] - view.margin[0], zero[1] - view.margin[1])
            rows, columns = np.ogrid[: correlation.shape[0], : correlation.shape[1]]
            reach = max(1.5, reach_mm / view.wide.pixel_footprint_mm(centre))
            near = (rows - none[0]) ** 2 + (columns - none[1]) ** 2 <= reach**2
            maps.append(ShiftMap(view.wide, np.where(near, correlation, -1.0), none))
        # A view that does not see the CT speaks against the start.
        unseen = len(views) - len(maps)
        for score, moved in places(maps, centre, reach_mm):
            pose = _turned_to_face(views[0].wide, start, centre, moved)
            candidates.append(Candidate(pose, (score * len(maps) - unseen) / len(views), name))
    return sorted(candidates, key=lambda candidate: -candidate.score)


def orientations_around(
    pose: Float64[np.ndarray, "4 4"], centre: Float64[np.ndarray, "3"], reach_deg: float, step_deg: float
) -> list[Float64[np.ndarray, "4 4"]]:
    """`pose` turned about `centre` (world mm) by a ball of rotation vectors on a grid, nearest first."""
    n = int(reach_deg // step_deg)
    grid = np.stack(np.meshgrid(*[np.arange(-n, n + 1)] * 3, indexing="ij"), axis=-1).reshape(-1, 3) * step_deg
    grid = grid[np.linalg.norm(grid, axis=1) <= reach_deg + 1e-9]
    grid = grid[np.argsort(np.linalg.norm(grid, axis=1), kind="stable")]
    return [rigid.move_about(centre, [*np.radians(turn), 0, 0, 0], pose) for turn in grid]


def distinct(
    candidates: Iterable[Candidate],
    centre_of_ct: Float64[np.ndarray, "3"],
    cameras: Sequence[Camera],
    most: int,
    angle_deg: float,
    apart_mm: float,
) -> list[Candidate]:
    """The first `most` candidates that differ from all chosen ones by `angle_deg` or by `apart_mm` of the CT's centre.

    Distance counts across the rays of `cameras`: to a single view, two depths are one place.
    """
    chosen: list[Candidate] = []

    def same(one: Candidate, other: Candidate) -> bool:
        centre = rigid.transform_points(other.pose, [centre_of_ct])[0]
        increment = rigid.increment_between(centre, one.pose, other.pose)
        if np.degrees(np.linalg.norm(increment[:3])) >= angle_deg:
            return False
        rays = [camera.rays(camera.project(centre[None])) for camera in cameras]
        beams = [(ray.target - ray.source)[0] / np.linalg.norm(ray.target - ray.source) for ray in rays]
        return all(np.linalg.norm(np.cross(increment[3:], beam)) < apart_mm for beam in beams)

    for candidate in candidates:
        if not any(same(candidate, other) for other in chosen):
            chosen.append(candidate)
        if len(chosen) == most:
            break
    return chosen
