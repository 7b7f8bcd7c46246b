"""A calibration checked against itself: what points that several views show say of their cameras, in words.

Where cameras and points contradict each other, what files often get wrong is tried on one view at a time: a world in
LPS, an image upside down, mirrored or turned, a camera whose axes mean something else, views in another order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float64

from ..errors import InputError
from .camera import Camera
from .epipolar import ONE_SOURCE_MM, PairGeometry, geometry_of_matrices
from .pinhole import PinholeCamera

# Fewer points than these agree with wrong cameras by chance now and then.
_FEW = 4


@dataclass(frozen=True, eq=False)
class CheckedPair:
    """Two views, counted from 0, and how the points that both show fit them."""

    first: int
    second: int
    geometry: PairGeometry


@dataclass(frozen=True)
class Explanation:
    """What would make the points fit, in `words`, and the largest median `residual` (px) that is then left."""

    words: str
    residual: float


@dataclass(frozen=True, eq=False)
class CalibrationCheck:
    """Whether cameras fit what they show: each pair, what would explain a contradiction, best first, and a verdict."""

    pairs: tuple[CheckedPair, ...]
    explanations: tuple[Explanation, ...]
    fits: bool
    verdict: str


def calibration_check(
    cameras: Sequence[Camera], pixels: Float64[np.ndarray, "views points 2"], *, limit_px: float = 2.0
) -> CalibrationCheck:
    """Check cameras by points (u, v; px of images without distortion; NaN where a view does not show one).

    A pair fits when its median residual is at most `limit_px` and the points lie in front of both sources.

    InputError for scanning slits, which have no epipolar geometry, for views from one source and for no point that two
    views show; ValueError for fewer than two cameras, and for other shapes.
    """
    pixels = np.asarray(pixels, dtype=np.float64)
    if len(cameras) < 2:
        raise ValueError(f"two cameras are needed at least, got {len(cameras)}")
    if pixels.ndim != 3 or pixels.shape[0] != len(cameras) or pixels.shape[2] != 2:
        raise ValueError(f"expected pixels of shape ({len(cameras)}, points, 2), got {pixels.shape}")
    pinholes = []
    for number, camera in enumerate(cameras, start=1):
        if not isinstance(camera, PinholeCamera):
            raise InputError(f"camera {number}", "is a scanning slit, which has no epipolar lines", "Leave it out.")
        pinholes.append(camera)
    _refuse_one_source(pinholes)
    matrices = [camera.projection_matrix for camera in pinholes]
    pairs = _pairs(matrices, pixels)
    if not pairs:
        raise InputError("points", "none is shown by two views", "Give points that at least two views show.")
    fits = all(pair.geometry.fits(limit_px) for pair in pairs)
    explanations = () if fits else _explanations(pinholes, pixels, limit_px, len(pairs))
    return CalibrationCheck(pairs, explanations, fits, _verdict(pairs, explanations, fits, limit_px))


def _refuse_one_source(cameras: Sequence[PinholeCamera]) -> None:
    for (i, first), (j, second) in combinations(enumerate(cameras, start=1), 2):
        if np.linalg.norm(first.source - second.source) < ONE_SOURCE_MM:
            raise InputError(
                f"cameras {i} and {j}",
                "have one source, so that any points fit them",
                "Check that they are not the same file, and leave one out.",
            )


def _pairs(
    matrices: Sequence[Float64[np.ndarray, "3 4"]], pixels: Float64[np.ndarray, "views points 2"]
) -> tuple[CheckedPair, ...]:
    """All pairs that show a point in common."""
    found = (
        CheckedPair(i, j, geometry_of_matrices(matrices[i], matrices[j], pixels[i], pixels[j]))
        for i, j in combinations(range(len(matrices)), 2)
    )
    return tuple(pair for pair in found if pair.geometry.count)


def _changes(camera: PinholeCamera) -> dict[str, Float64[np.ndarray, "3 4"]]:
    """Projection matrices that the camera has if its file or its image means something else than we took it for."""
    K, E, (rows, columns) = camera.intrinsic, camera.camera_from_world, camera.size
    P = K @ E[:3]
    upside_down = np.array([[1.0, 0, 0], [0, -1, rows - 1], [0, 0, 1]])
    mirrored = np.array([[-1.0, 0, columns - 1], [0, 1, 0], [0, 0, 1]])
    return {
        "the world of {view} is LPS (negate its x and y)": P @ np.diag([-1.0, -1, 1, 1]),
        "the world of {view} has z reversed (negate it)": P @ np.diag([1.0, 1, -1, 1]),
        "the image of {view} is upside down (count v from below)": upside_down @ P,
        "the image of {view} is mirrored (count u from the right)": mirrored @ P,
        "the image of {view} is turned by 180°": upside_down @ mirrored @ P,
        "the camera of {view} looks along −z (negate its z)": K @ np.diag([1.0, 1, -1]) @ E[:3],
        "the camera of {view} looks along −z with y up (negate its y and z)": K @ np.diag([1.0, -1, -1]) @ E[:3],
        "the camera of {view} looks along −z with x left (negate its x and z)": K @ np.diag([-1.0, 1, -1]) @ E[:3],
        "the pose of {view} is world from camera (invert it)": K @ np.linalg.inv(E)[:3],
    }


def _explanations(
    cameras: Sequence[PinholeCamera], pixels: Float64[np.ndarray, "views points 2"], limit_px: float, pair_count: int
) -> tuple[Explanation, ...]:
    """What would make all pairs fit, the best first: a change of one view, of every view, or of their order."""
    matrices = [camera.projection_matrix for camera in cameras]
    changes = [_changes(camera) for camera in cameras]
    tried: dict[str, list[np.ndarray]] = {}
    for words in changes[0]:
        for view, of_view in enumerate(changes):
            changed = [*matrices[:view], of_view[words], *matrices[view + 1 :]]
            tried[words.format(view=f"view {view + 1}")] = changed
        tried[words.format(view="every view")] = [of_view[words] for of_view in changes]
    for i, j in combinations(range(len(cameras)), 2):
        order = list(matrices)
        order[i], order[j] = order[j], order[i]
        tried[f"cameras {i + 1} and {j + 1} stand in each other's place"] = order
    found = []
    for words, changed in tried.items():
        pairs = _pairs(changed, pixels)
        # A change that moves two sources together leaves nothing to contradict.
        if len(pairs) == pair_count and all(pair.geometry.fits(limit_px) for pair in pairs):
            found.append(Explanation(words, max(pair.geometry.median for pair in pairs)))
    return tuple(sorted(found, key=lambda one: one.residual))


def _verdict(pairs: Sequence[CheckedPair], explanations: Sequence[Explanation], fits: bool, limit_px: float) -> str:
    worst = max(pairs, key=lambda pair: pair.geometry.median)
    count = sum(pair.geometry.count for pair in pairs)
    few = f" {count} point{'' if count == 1 else 's'} prove little: give more." if count < _FEW else ""
    if fits:
        beyond = [pair for pair in pairs if pair.geometry.maximum > limit_px or pair.geometry.behind]
        odd = " Some points do not: they may be picked wrongly." if beyond else ""
        return f"The cameras fit the points: median residual at most {worst.geometry.median:.2f} px.{odd}{few}"
    bad = [pair for pair in pairs if not pair.geometry.fits(limit_px)]
    said = []
    for pair in bad:
        where, geometry = f"views {pair.first + 1} and {pair.second + 1}", pair.geometry
        if geometry.median > limit_px:
            said.append(f"{where} contradict each other by {geometry.median:.1f} px (median)")
        if 10 * geometry.behind > geometry.count:
            sides = ((pair.first, geometry.behind_first), (pair.second, geometry.behind_second))
            said += [
                f"{n} of {geometry.count} points lie behind the source of view {view + 1}"
                for view, behind in sides
                if (n := int(behind.sum()))
            ]
    facts = "; ".join(said)
    if explanations:
        best = explanations[0].residual
        # What is as good as the best is not told apart by the points.
        alike = " or if ".join(one.words for one in explanations if one.residual <= 2 * best + 0.05)
        return f"The cameras do not fit the points: {facts}. They would, to {best:.2f} px, if {alike}.{few}"
    return (
        f"The cameras do not belong together: {facts}. They are of different studies or sessions, or the table moved "
        f"between them, the points are not the same ones, or the images are distorted.{few}"
    )
