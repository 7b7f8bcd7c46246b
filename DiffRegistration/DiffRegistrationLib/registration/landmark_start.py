"""A start from landmarks that a detector or a person saw in the X-rays: near where they agree, wider where not."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from jaxtyping import Float64
from numpy.typing import ArrayLike

from ..xray.errors import InputError
from ..xray.geometry import Camera, rigid
from ..xray.geometry.resection import Resection, resected
from .starts import Start

# A landmark that is less likely to be seen where it is said to be is not asked.
_LEAST_WEIGHT = 0.1
# Fewer that agree, or a smaller part of them, may agree by chance; or by being so many times off what they state.
_LEAST_AGREEING, _LEAST_PART, _MOST_SCALE = 6, 0.5, 2.0
# Exchanged names are believed if they are so much likelier, as twice the logarithm of the odds.
_LIKELIER = 10.0
# From this ratio of the costs on the second pose is tried as well.
_AMBIGUOUS = 0.5
# The truth lies within so many standard deviations.
_REACH = 3.0
# Within this reach the solver arrives from the pose itself, and within the first one in its last detail.
_NEAR_DEG, _NEAR_ACROSS_MM, _NEAR_DEPTH_MM = 3.0, 6.0, 20.0
_SOLVED_DEG, _SOLVED_DEPTH_MM = 6.0, 30.0
# Beyond this reach nothing can be said to be trusted.
_TRUSTED_DEG, _TRUSTED_ACROSS_MM = 20.0, 40.0
_MOST_DEPTH_MM = 120.0
_LEAST_REACH_MM = 15.0


@dataclass(frozen=True, eq=False)
class SeenLandmarks:
    """Landmarks of one X-ray: `pixels` (u, v), NaN where one is not seen, and their `covariance` (px²).

    `weight` (0 to 1) is what each counts: a detector's probability that it is visible, 1 for what a person marked.
    ValueError for shapes that do not agree, and for a name that is there twice.
    """

    names: tuple[str, ...]
    pixels: Float64[np.ndarray, "n 2"]
    covariance: Float64[np.ndarray, "n 2 2"]
    weight: Float64[np.ndarray, "n"]

    def __post_init__(self) -> None:
        _check_names(self.names)
        for field, shape in (("pixels", (2,)), ("covariance", (2, 2)), ("weight", ())):
            value = np.asarray(getattr(self, field), dtype=np.float64)
            if value.shape != (len(self.names), *shape):
                raise ValueError(f"expected {field} of shape {(len(self.names), *shape)}, got {value.shape}")
            object.__setattr__(self, field, value)

    @classmethod
    def marked(cls, names: Sequence[str], pixels: ArrayLike, sigma_px: float) -> Self:
        """Landmarks that a person marked, to `sigma_px` along each axis."""
        n = len(names)
        return cls(
            tuple(names), np.asarray(pixels, dtype=np.float64), np.tile(sigma_px**2 * np.eye(2), (n, 1, 1)), np.ones(n)
        )


@dataclass(frozen=True, eq=False)
class CTLandmarks:
    """Landmarks of a CT: `points` (RAS mm, the CT's frame), NaN where one is not known, and how sure each is.

    `std_mm` is the standard deviation along each axis. ValueError for shapes that do not agree, and for a name that is
    there twice.
    """

    names: tuple[str, ...]
    points: Float64[np.ndarray, "n 3"]
    std_mm: Float64[np.ndarray, "n"]

    def __post_init__(self) -> None:
        _check_names(self.names)
        for field, shape in (("points", (3,)), ("std_mm", ())):
            value = np.asarray(getattr(self, field), dtype=np.float64)
            if value.shape != (len(self.names), *shape):
                raise ValueError(f"expected {field} of shape {(len(self.names), *shape)}, got {value.shape}")
            object.__setattr__(self, field, value)

    @classmethod
    def of(cls, points: Mapping[str, ArrayLike], std_mm: float) -> Self:
        """Landmarks by name, all known to `std_mm`."""
        places = np.array([np.asarray(point, dtype=np.float64) for point in points.values()]).reshape(-1, 3)
        return cls(tuple(points), places, np.full(len(places), float(std_mm)))


def start_from_landmarks(
    known: CTLandmarks,
    seen: Sequence[SeenLandmarks],
    centre: Float64[np.ndarray, "3"],
    cameras: Sequence[Camera],
    name: str = "landmarks",
) -> Start:
    """What the landmarks of all X-rays together (`seen`, one for each camera) say of the pose.

    `centre` (mm, the CT's frame) is what poses are judged about. Landmarks go by their names; those that are not in
    the CT are not asked. InputError as for `resected`: too few, on a line, of no agreement at all, or behind a source.
    """
    found = resected_landmarks(known, seen, centre, cameras)
    exchanged = _exchanged(known, seen, centre, cameras, found)
    words, poses = [_in_words(found, cameras)], [found.pose]
    if exchanged is not None:
        words = [
            f"left and right exchanged, as fits far better, {_in_words(exchanged, cameras)}",
            f"as named, {words[0]}",
        ]
        poses, found = [exchanged.pose, found.pose], exchanged
    agree = _agree(found)
    lacking = [str(number) for number, used in enumerate(found.used, 1) if not used.any()]
    # A view may have no part because it shows too little, or because it says something else.
    apart = _apart_alone(known, seen, centre, cameras) if lacking or not agree else ""
    if not agree:
        words[0] += "; they fit badly: " + (apart or "wrong names, a mirrored X-ray or its camera may be the reason")
    elif apart:
        words[0] += f"; {apart}"
    if lacking:
        words[0] += f"; X-ray {' and '.join(lacking)} has no part in it"
    if found.rival is not None and found.ambiguity > _AMBIGUOUS:
        words.append("the second pose, which fits nearly as well")
        poses.append(found.rival)
    named = tuple((f"{name}, {said}", pose) for said, pose in zip(words, poses, strict=True))
    degrees, across, depth = _reach(found, cameras)
    if not agree or apart or degrees > _TRUSTED_DEG or across > _TRUSTED_ACROSS_MM:
        return Start(named, 20.0, 10.0, (-60.0, 0.0, 60.0), np.inf, trusted=False)
    trusted = len(poses) == 1
    if trusted and degrees < _NEAR_DEG and across < _NEAR_ACROSS_MM and depth < _NEAR_DEPTH_MM:
        return Start(named, 0.0, 1.0, (0.0,), _LEAST_REACH_MM, trusted, near=True)
    reach_deg = degrees if degrees > _SOLVED_DEG else 0.0
    far = min(depth, _MOST_DEPTH_MM) / 1.5
    depths = (-far, 0.0, far) if depth > _SOLVED_DEPTH_MM else (0.0,)
    # A step of two thirds of the reach tries each axis, and each pair of them, once either way.
    return Start(named, reach_deg, max(reach_deg / 1.5, 1.0), depths, max(_LEAST_REACH_MM, across), trusted)


def resected_landmarks(
    known: CTLandmarks, seen: Sequence[SeenLandmarks], centre: Float64[np.ndarray, "3"], cameras: Sequence[Camera]
) -> Resection:
    """The pose from landmarks by `resected`, its points those of `known`; covariance about `centre`."""
    if len(seen) != len(cameras):
        raise ValueError(f"expected landmarks for each of {len(cameras)} cameras, got {len(seen)}")
    where = {name: number for number, name in enumerate(known.names)}
    pixels = np.full((len(seen), len(where), 2), np.nan)
    covariance = np.tile(np.eye(2), (len(seen), len(where), 1, 1))
    for view, landmarks in enumerate(seen):
        usable = [n for n, name in enumerate(landmarks.names) if name in where and landmarks.weight[n] > _LEAST_WEIGHT]
        there = [where[landmarks.names[n]] for n in usable]
        pixels[view, there] = landmarks.pixels[usable]
        covariance[view, there] = landmarks.covariance[usable] / landmarks.weight[usable, None, None]
    return resected(
        cameras, pixels, known.points, pixel_covariance=covariance, point_std_mm=known.std_mm, centre=centre
    )


def _check_names(names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"landmarks are there twice: {', '.join(twice)}")


def _agree(found: Resection) -> bool:
    """Whether so many landmarks agree, and so well, that it is no chance."""
    many = found.points_used >= _LEAST_AGREEING and found.used.sum() >= _LEAST_PART * found.seen.sum()
    return bool(many and found.scale <= _MOST_SCALE)


def _apart_alone(
    known: CTLandmarks, seen: Sequence[SeenLandmarks], centre: Float64[np.ndarray, "3"], cameras: Sequence[Camera]
) -> str:
    """How far apart the poses are that two views make alone, if either view agrees with itself; else no words."""
    alone: list[tuple[int, Resection]] = []
    for number, (landmarks, camera) in enumerate(zip(seen, cameras, strict=True), 1):
        try:
            found = resected_landmarks(known, [landmarks], centre, [camera])
        except InputError:
            continue
        if _agree(found):
            alone.append((number, found))
    if len(alone) < 2:
        return ""
    (first, one), (second, other) = alone[:2]
    degrees = np.degrees(rigid.angle_between(one.pose, other.pose))
    millimetres = np.linalg.norm(one.centre - other.centre)
    return (
        f"X-rays {first} and {second} contradict each other, alone they place the CT {degrees:.0f}° and "
        f"{millimetres:.0f} mm apart; their cameras must share one frame, and be of one moment"
    )


def _exchanged(
    known: CTLandmarks,
    seen: Sequence[SeenLandmarks],
    centre: Float64[np.ndarray, "3"],
    cameras: Sequence[Camera],
    found: Resection,
) -> Resection | None:
    """The pose with left and right exchanged in all names, if it agrees and is far likelier than `found`."""
    others = {"left": "right", "right": "left"}
    exchanged = [
        replace(
            one,
            names=tuple(re.sub(r"\b(left|right)\b", lambda match: others[match[0]], name) for name in one.names),
        )
        for one in seen
    ]
    if all(one.names == other.names for one, other in zip(exchanged, seen, strict=True)):
        return None
    try:
        other = resected_landmarks(known, exchanged, centre, cameras)
    except InputError:
        return None
    return other if _agree(other) and found.cost - other.cost > _LIKELIER else None


def _reach(found: Resection, cameras: Sequence[Camera]) -> tuple[float, float, float]:
    """How far the truth may be from the pose: by rotation (degrees), across the beam and along it (mm).

    The beam is that of the first camera that has a part in it: others may have the CT behind them.
    """
    camera = next((camera for camera, used in zip(cameras, found.used, strict=True) if used.any()), cameras[0])
    ray = camera.rays(camera.project(found.centre[None]))
    beam = (ray.target - ray.source)[0]
    beam = beam / np.linalg.norm(beam)
    across = np.eye(3) - np.outer(beam, beam)
    turn, move = found.covariance[:3, :3], found.covariance[3:, 3:]
    std = [
        np.degrees(np.sqrt(np.linalg.eigvalsh(turn)[2])),
        np.sqrt(np.linalg.eigvalsh(across @ move @ across)[2]),
        np.sqrt(beam @ move @ beam),
    ]
    return float(_REACH * std[0]), float(_REACH * std[1]), float(_REACH * std[2])


def _in_words(found: Resection, cameras: Sequence[Camera]) -> str:
    millimetres = np.array([camera.pixel_footprint_mm(found.centre) for camera in cameras])
    off = (found.reprojection * millimetres[:, None])[found.used]
    degrees, across, depth = (reach / _REACH for reach in _reach(found, cameras))
    views = "" if len(cameras) == 1 else f" in {len(cameras)} X-rays"
    return (
        f"{found.points_used} of {found.points_seen}{views} agreeing to {np.sqrt((off**2).mean()):.1f} mm, which "
        f"expect to be off by {degrees:.1f}°, {across:.1f} mm across and {depth:.1f} mm in depth"
    )
