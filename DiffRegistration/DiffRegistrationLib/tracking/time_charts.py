"""Motion over time as SVG that takes its colours from the page around it.

The page defines the CSS variables ink, soft, line, curve, gap, accepted-mark, doubtful-mark and failed-mark, and the
classes of the chart's parts (see track_report.html). Verdicts differ in shape too, so that colour is never alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64
from markupsafe import Markup, escape

from ..registration.result import Verdict
from .joint_motion import JointMotion
from .smoothing import Smoothing
from .steady_motion import rotation_vectors
from .track import BodyTrack

_WIDTH, _LEFT, _RIGHT = 860, 48, 14
_TOP, _PANEL, _GAP, _BOTTOM = 20, 100, 30, 42
# More points than that lie so close that a smaller mark is clearer, and words for each would only swell the page.
_POINTS_WITH_WORDS = 400
_LEAST_SPAN = 0.5
_SIGMAS = 2.0


@dataclass(frozen=True, eq=False)
class Curve:
    """One quantity over time: `points` as measured, `line` and its standard deviation `std` as smoothed."""

    name: str
    unit: str
    points: Float64[np.ndarray, "times"]
    line: Float64[np.ndarray, "times"]
    std: Float64[np.ndarray, "times"]


def pose_charts(body: BodyTrack, smoothing: Smoothing) -> tuple[Markup, Markup]:
    """How a body turned and where its centre was, about and along the world's x, y and z.

    `smoothing` is the one that the track's smoothed poses come from. Rotations are those from the first trusted frame.
    """
    times = [frame.time for frame in body.frames]
    verdicts = [frame.verdict for frame in body.frames]
    turned, turned_points = _turns(body)
    std = np.sqrt(np.maximum(np.einsum("tii->ti", smoothing.covariances), 0))
    line, points = (_positions(poses, body.centre) for poses in (body.smoothed, body.poses))
    turns = [
        Curve(f"About {axis}", "°", turned_points[:, k], turned[:, k], np.degrees(std[:, k]))
        for k, axis in enumerate("xyz")
    ]
    places = [Curve(f"Along {axis}", "mm", points[:, k], line[:, k], std[:, 3 + k]) for k, axis in enumerate("xyz")]
    return (
        time_chart(times, verdicts, turns, f"How {body.name} turned from its first trusted frame"),
        time_chart(times, verdicts, places, f"Where the centre of {body.name} was"),
    )


def joint_charts(joint: JointMotion, measured: JointMotion) -> tuple[Markup, Markup]:
    """A joint's angles and translations: lines from `joint`, points from the frames themselves, `measured`."""
    name = f"{joint.distal} in {joint.proximal}"
    # Failed frames may begin a branch of their own: points belong where the line is.
    points = measured.angles + 360 * np.round(np.nan_to_num(joint.angles - measured.angles) / 360)
    angles = [
        Curve(words, "°", points[:, k], joint.angles[:, k], joint.angles_std[:, k])
        for k, words in enumerate(("Flexion", "Abduction", "Internal rotation"))
    ]
    shifts = [
        Curve(words, "mm", measured.translations[:, k], joint.translations[:, k], joint.translations_std[:, k])
        for k, words in enumerate(("To the right", "To the front", "Upwards"))
    ]
    return (
        time_chart(joint.times, measured.verdicts, angles, f"Angles of {name}"),
        time_chart(joint.times, measured.verdicts, shifts, f"Translations of {name}"),
    )


def verdict_ribbon(times: Sequence[int], verdicts: Sequence[Verdict], words: str) -> Markup:
    """A strip with every frame in the colour of its verdict; failed frames are low, doubtful ones half as high."""
    left, right = _edges(times)
    scale = _Scale(left[0], right[-1])
    parts = [f'<svg class="chart ribbon" viewBox="0 0 {_WIDTH} 34" role="img" aria-label="{escape(words)}">']
    for verdict, height in ((Verdict.ACCEPTED, 18), (Verdict.DOUBTFUL, 11), (Verdict.FAILED, 5)):
        for first, last in _runs(np.array([one == verdict for one in verdicts])):
            x, wide = scale(left[first]), scale(right[last]) - scale(left[first])
            place = f'x="{x:.1f}" y="{18 - height}" width="{wide:.1f}" height="{height}"'
            parts.append(f'<rect class="{verdict.value}" {place}/>')
    parts += _frame_numbers(scale, 18)
    return Markup("\n".join([*parts, "</svg>"]))


def time_chart(times: Sequence[int], verdicts: Sequence[Verdict], curves: Sequence[Curve], words: str) -> Markup:
    """Curves below each other over the same frames; empty without a frame. `words` say what is to be seen."""
    if not len(times):
        return Markup("")
    height = _TOP + len(curves) * (_PANEL + _GAP) - _GAP + _BOTTOM
    left, right = _edges(times)
    scale = _Scale(left[0], right[-1])
    x = np.array([scale(time) for time in times])
    parts = [f'<svg class="chart" viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(words)}">']
    untrusted = np.array([verdict == Verdict.FAILED for verdict in verdicts])
    for number, curve in enumerate(curves):
        top = _TOP + number * (_PANEL + _GAP)
        for first, last in _runs(untrusted):
            start, end = scale(left[first]), scale(right[last])
            parts.append(
                f'<rect class="gap" x="{start:.1f}" y="{top}" width="{max(end - start, 1):.1f}" height="{_PANEL}"/>'
            )
        parts += _panel(curve, times, verdicts, x, top)
    parts += _frame_numbers(scale, height - _BOTTOM)
    middle = _LEFT + (_WIDTH - _LEFT - _RIGHT) / 2
    parts.append(f'<text class="label" x="{middle:.0f}" y="{height - 6}" text-anchor="middle">Frame</text>')
    return Markup("\n".join([*parts, "</svg>"]))


@dataclass(frozen=True)
class _Scale:
    """Frame numbers to the chart's width."""

    low: float
    high: float

    def __call__(self, time: float) -> float:
        return _LEFT + (time - self.low) / (self.high - self.low) * (_WIDTH - _LEFT - _RIGHT)


def _panel(
    curve: Curve, times: Sequence[int], verdicts: Sequence[Verdict], x: Float64[np.ndarray, "times"], top: int
) -> list[str]:
    low, high = _range(curve, np.array([verdict != Verdict.FAILED for verdict in verdicts]))

    def y(value: Float64[np.ndarray, "n"] | float) -> np.ndarray:
        return top + _PANEL * (high - np.clip(value, low, high)) / (high - low)

    parts = [f'<text class="label" x="{_LEFT}" y="{top - 7}">{escape(curve.name)} ({curve.unit})</text>']
    for tick in _ticks(low, high, 4):
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>')
        text = f"{tick:.6g}".replace("-", "−")
        parts.append(f'<text x="{_LEFT - 7}" y="{y(tick) + 4:.1f}" text-anchor="end">{text}</text>')
    for first, last in _runs(np.isfinite(curve.line) & np.isfinite(curve.std)):
        run = slice(first, last + 1)
        upper, lower = y(curve.line[run] + _SIGMAS * curve.std[run]), y(curve.line[run] - _SIGMAS * curve.std[run])
        around = [*zip(x[run], upper, strict=True), *reversed(list(zip(x[run], lower, strict=True)))]
        parts.append(f'<polygon class="spread" points="{_joined(around)}"/>')
    for first, last in _runs(np.isfinite(curve.line)):
        run = slice(first, last + 1)
        parts.append(f'<polyline class="curve" points="{_joined(zip(x[run], y(curve.line[run]), strict=True))}"/>')
    return parts + _points(curve, times, verdicts, x, y(curve.points))


def _points(
    curve: Curve,
    times: Sequence[int],
    verdicts: Sequence[Verdict],
    x: Float64[np.ndarray, "times"],
    y: Float64[np.ndarray, "times"],
) -> list[str]:
    """A mark for each frame's own value, its words with it unless there are very many."""
    shown = np.flatnonzero(np.isfinite(curve.points)).tolist()
    size = 2.6 if len(times) <= _POINTS_WITH_WORDS else 1.5
    if len(times) <= _POINTS_WITH_WORDS:
        return [
            f'<path class="{verdicts[k].value}" d="{_mark(verdicts[k], x[k], y[k], size)}"><title>'
            f"Frame {times[k]}: {curve.points[k]:.2f} {curve.unit}, {verdicts[k].value}</title></path>"
            for k in shown
        ]
    parts = []
    for verdict in Verdict:
        marks = "".join(_mark(verdict, x[k], y[k], size) for k in shown if verdicts[k] == verdict)
        if marks:
            parts.append(f'<path class="{verdict.value}" d="{marks}"/>')
    return parts


def _mark(verdict: Verdict, x: float, y: float, r: float) -> str:
    """Accepted: a disc. Doubtful: a square. Failed: a cross."""
    if verdict == Verdict.ACCEPTED:
        return f"M{x - r:.1f} {y:.1f}a{r} {r} 0 1 0 {2 * r} 0a{r} {r} 0 1 0 {-2 * r} 0z"
    if verdict == Verdict.DOUBTFUL:
        return f"M{x - r:.1f} {y - r:.1f}h{2 * r}v{2 * r}h{-2 * r}z"
    return f"M{x - r:.1f} {y - r:.1f}l{2 * r} {2 * r}M{x - r:.1f} {y + r:.1f}l{2 * r} {-2 * r}"


def _range(curve: Curve, trusted: Bool[np.ndarray, "times"]) -> tuple[float, float]:
    """What a panel shows: the line with its spread, and the points that did not fail."""
    # Where hardly anything is known the spread would flatten all the rest.
    spread = np.minimum(_SIGMAS * np.nan_to_num(curve.std), 10 * np.nan_to_num(np.nanmedian(np.append(curve.std, 0))))
    values = np.concatenate([curve.line - spread, curve.line + spread, curve.points[trusted]])
    values = values[np.isfinite(values)]
    if not len(values):
        values = curve.points[np.isfinite(curve.points)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    span = max(1.12 * (high - low), _LEAST_SPAN)
    return (low + high - span) / 2, (low + high + span) / 2


def _turns(body: BodyTrack) -> tuple[Float64[np.ndarray, "times 3"], Float64[np.ndarray, "times 3"]]:
    """Rotation vectors (°) from the first trusted frame, in world axes: smoothed, and as measured."""
    line, points = np.full((2, len(body.frames), 3), np.nan)
    trusted = np.flatnonzero(body.trusted & np.isfinite(body.smoothed).all(axis=(1, 2)))
    if not len(trusted):
        return line, points
    first = body.smoothed[trusted[0], :3, :3].T
    last = np.zeros(3)
    for k in np.flatnonzero(np.isfinite(body.smoothed).all(axis=(1, 2))):
        last = line[k] = _nearest(rotation_vectors(body.smoothed[k : k + 1, :3, :3] @ first)[0], last)
    for k in np.flatnonzero(np.isfinite(body.poses).all(axis=(1, 2))):
        last = line[k] if np.isfinite(line[k]).all() else last
        points[k] = _nearest(rotation_vectors(body.poses[k : k + 1, :3, :3] @ first)[0], last)
    return np.degrees(line), np.degrees(points)


def _nearest(vector: Float64[np.ndarray, "3"], to: Float64[np.ndarray, "3"]) -> Float64[np.ndarray, "3"]:
    """Of all rotation vectors (rad) of the same rotation, the nearest to `to`."""
    angle = float(np.linalg.norm(vector))
    if angle == 0:
        # Full turns about any axis are no rotation.
        length = float(np.linalg.norm(to))
        return to / length * 2 * np.pi * round(length / (2 * np.pi)) if length > np.pi else vector
    axis = vector / angle
    return axis * (angle + 2 * np.pi * round((float(to @ axis) - angle) / (2 * np.pi)))


def _positions(
    poses: Float64[np.ndarray, "times 4 4"], centre: Float64[np.ndarray, "3"]
) -> Float64[np.ndarray, "times 3"]:
    return poses[:, :3, :3] @ centre + poses[:, :3, 3]


def _edges(times: Sequence[int]) -> tuple[Float64[np.ndarray, "times"], Float64[np.ndarray, "times"]]:
    """Where each frame begins and ends along the axis: half way to its neighbours."""
    t = np.asarray(times, dtype=np.float64)
    halves = (t[1:] + t[:-1]) / 2
    ends = (t[0] - 0.5, t[-1] + 0.5) if len(t) < 2 else (t[0] - (halves[0] - t[0]), t[-1] + (t[-1] - halves[-1]))
    return np.concatenate([ends[:1], halves]), np.concatenate([halves, ends[1:]])


def _runs(chosen: Bool[np.ndarray, "times"]) -> list[tuple[int, int]]:
    """First and last index of each run of chosen frames."""
    change = np.diff(np.concatenate([[False], chosen, [False]]).astype(int))
    starts, ends = np.flatnonzero(change == 1), np.flatnonzero(change == -1)
    return [(int(start), int(end) - 1) for start, end in zip(starts, ends, strict=True)]


def _joined(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _frame_numbers(scale: _Scale, y: float) -> list[str]:
    # There is no frame between two frames.
    ticks = [tick for tick in _ticks(scale.low, scale.high, 10) if tick == int(tick)]
    return [f'<text x="{scale(tick):.1f}" y="{y + 15:.0f}" text-anchor="middle">{tick:.0f}</text>' for tick in ticks]


def _ticks(low: float, high: float, about: int) -> list[float]:
    """Round values between the two, at most a few more than `about`."""
    raw = (high - low) / about
    magnitude = 10.0 ** np.floor(np.log10(raw))
    step = next(magnitude * factor for factor in (1, 2, 5, 10) if magnitude * factor >= 0.999 * raw)
    first = np.ceil(low / step)
    return [float(round(k * step, 9)) + 0.0 for k in np.arange(first, np.floor(high / step) + 1)]
