"""An X-ray with its landmarks drawn over it, also those beyond its edges: a picture, and an SVG that stays sharp.

Sides differ in colour and in shape (right ●, left ■, midline ◆), so that colour is never alone: orange, blue and white
are told apart by colour-blind readers. Filled marks are seen, hollow ones are not.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from DiffRegistrationLib.report.encode import mask_on_screen, on_screen, screen_size
from DiffRegistrationLib.report.pictures import grey_window, light_box
from DiffRegistrationLib.xray.radiograph import Radiograph
from jaxtyping import Bool, Float64
from PIL import Image

from ..atlas.definitions import skull_landmarks
from ..exposure.point_organs import LENS_RADIUS_MM
from .landmark_detections import LandmarkDetections

if TYPE_CHECKING:
    from markupsafe import Markup

# How far the canvas may grow beyond each edge of the image, in parts of the image.
_MOST_GROWTH = 0.4
# Sizes are in parts of the page: a canvas this wide or high is shown pixel by pixel.
_PAGE = (1100.0, 850.0)
_MARK, _LENS, _ARROW, _FONT = 5.0, 10.0, 8.0, 13.0
_LETTER = 0.62
# Where a label may stand: so far off its mark's edge, and so many ways around it.
_LABEL_GAPS, _LABEL_WAYS = (3.0, 13.0, 26.0, 42.0, 60.0), 24


class Standing(StrEnum):
    """Where a landmark is to the image."""

    VISIBLE = "visible"
    HIDDEN = "hidden"
    """Within the image's edges, but on no usable pixel, or less likely visible than not."""
    OUTSIDE = "outside"
    UNKNOWN = "unknown"
    """The network's heads do not have it."""


@dataclass(frozen=True, eq=False)
class Canvas:
    """The image (screen pixels) and what is around it: `left` and `top` are how far it begins before the image."""

    image: tuple[float, float]
    left: float
    top: float
    width: float
    height: float

    @property
    def unit(self) -> float:
        """What is about a pixel of the page."""
        return max(self.width / _PAGE[0], self.height / _PAGE[1])

    @property
    def ends(self) -> Float64[np.ndarray, "2 2"]:
        """First and last (x, y)."""
        return np.array([[-self.left, -self.top], [self.width - self.left, self.height - self.top]])


@dataclass(frozen=True, eq=False)
class Label:
    """A label's text and box (its middle and half its size, canvas units), and its mark's place."""

    landmark: int
    text: str
    middle: Float64[np.ndarray, "2"]
    half: Float64[np.ndarray, "2"]
    leader: Float64[np.ndarray, "2 2"] | None


@dataclass(frozen=True, eq=False)
class LandmarkPicture:
    """`image` is a PNG as a data: address, `place` its left, top, width and height in per cent of the canvas.

    `numbered` are the landmarks whose labels are numbers, `unlabelled` those that had no room for one.
    """

    image: str
    place: tuple[float, float, float, float]
    canvas: Canvas
    overlay: Markup
    numbered: tuple[int, ...]
    unlabelled: tuple[int, ...]


def standings(found: LandmarkDetections, size: tuple[int, int]) -> tuple[Standing, ...]:
    """Where each landmark is to an image of `size` (rows, columns)."""
    inside = _within(found.pixels, np.array([[-0.5, -0.5], [size[1] - 0.5, size[0] - 0.5]]))
    known = np.isfinite(found.pixels).all(axis=1)
    return tuple(
        Standing.UNKNOWN if not k else Standing.OUTSIDE if not i else Standing.VISIBLE if s else Standing.HIDDEN
        for k, i, s in zip(known, inside, found.is_shown, strict=True)
    )


def landmark_picture(radiograph: Radiograph, found: LandmarkDetections) -> LandmarkPicture:
    """The X-ray as on a light box, dimmed where it is not usable, and its landmarks as an SVG for the same canvas."""
    size = screen_size(radiograph.camera)
    scale = np.array([size[1] / radiograph.camera.size[1], size[0] / radiograph.camera.size[0]])
    standing = standings(found, radiograph.camera.size)
    points = (found.pixels + 0.5) * scale
    known = np.array([one is not Standing.UNKNOWN for one in standing], dtype=bool)
    canvas = canvas_for(points[known], (float(size[1]), float(size[0])))
    inset = canvas.ends + 1.6 * _ARROW * canvas.unit * np.array([[1], [-1]])
    far = known & ~_within(points, inset)
    marks = points.copy()
    marks[far] = _on_border(points[far], inset, np.array(canvas.image) / 2, 2.4 * _ARROW * canvas.unit)
    lens_px = 2 * LENS_RADIUS_MM / found.mm_per_pixel * float(np.sqrt(scale.prod()))
    radii = np.array([_radius(name, lens_px / canvas.unit) for name in found.names]) * canvas.unit
    radii[far] = _ARROW * canvas.unit
    order = sorted(
        np.flatnonzero(known), key=lambda n: (not _is_lens(found.names[n]), list(Standing).index(standing[n]))
    )
    labels = placed_labels(found.names, marks, radii, [int(n) for n in order], canvas)
    covariance = scale[:, None] * found.pixel_covariance * scale
    overlay = _overlay(found, standing, points, marks, radii, far, covariance, labels, canvas)
    labelled = {label.landmark for label in labels}
    per_cent = 100 / np.array([canvas.width, canvas.height])
    left, top = np.array([canvas.left, canvas.top]) * per_cent
    width, height = np.array(canvas.image) * per_cent
    return LandmarkPicture(
        _png(radiograph, size),
        (float(left), float(top), float(width), float(height)),
        canvas,
        overlay,
        tuple(sorted(label.landmark for label in labels if label.text.isdigit())),
        tuple(int(n) for n in np.flatnonzero(known) if n not in labelled),
    )


def canvas_for(points: Float64[np.ndarray, "n 2"], image: tuple[float, float]) -> Canvas:
    """A canvas that shows `points` with an image of (width, height), but never more than _MOST_GROWTH on any side."""
    size = np.array(image)
    room = 0.035 * size.max()
    if not len(points):
        return Canvas(image, 0.0, 0.0, *image)
    before = np.where(points.min(axis=0) < room, room - points.min(axis=0), 0)
    after = np.where(points.max(axis=0) > size - room, points.max(axis=0) + room - size, 0)
    before, after = (np.minimum(np.maximum(side, 0), _MOST_GROWTH * size) for side in (before, after))
    width, height = size + before + after
    return Canvas(image, float(before[0]), float(before[1]), float(width), float(height))


def placed_labels(
    names: Sequence[str],
    marks: Float64[np.ndarray, "n 2"],
    radii: Float64[np.ndarray, "n"],
    order: Sequence[int],
    canvas: Canvas,
) -> list[Label]:
    """Labels that cover neither each other nor any mark: abbreviations, else numbers; none where there is no room.

    `order` are the landmarks to label, the most important first.
    """
    unit = canvas.unit
    shown = np.array(order, dtype=int)
    middles = [*marks[shown]]
    halves = [np.full(2, radii[n] + unit) for n in shown]
    labels = []
    for n in order:
        label = _placed(n, skull_landmarks().definition(names[n]).abbreviation, marks, radii, middles, halves, canvas)
        label = label or _placed(n, str(n + 1), marks, radii, middles, halves, canvas)
        if label is None:
            continue
        labels.append(label)
        middles.append(label.middle)
        halves.append(label.half)
        if label.leader is not None:
            for part in (0.3, 0.7):
                middles.append(label.leader[0] + part * (label.leader[1] - label.leader[0]))
                halves.append(np.full(2, unit))
    return labels


def _placed(
    n: int,
    text: str,
    marks: Float64[np.ndarray, "n 2"],
    radii: Float64[np.ndarray, "n"],
    middles: Sequence[Float64[np.ndarray, "2"]],
    halves: Sequence[Float64[np.ndarray, "2"]],
    canvas: Canvas,
) -> Label | None:
    """The nearest free place for a label, away from its neighbours rather than among them."""
    unit = canvas.unit
    half = unit * np.array([_LETTER * _FONT * len(text) / 2 + 1, 0.55 * _FONT])
    taken, sizes = np.array(middles), np.array(halves)
    others = np.abs(taken - marks[n]).sum(axis=1) > 1e-9
    # A leader may leave what its mark lies within, such as a lens's ring.
    across = (np.abs(taken - marks[n]) >= sizes).any(axis=1)
    nearest = taken[others][np.argsort(np.linalg.norm(taken[others] - marks[n], axis=1))[:5]]
    away = marks[n] - nearest.mean(axis=0) if len(nearest) else np.array([0.0, -1.0])
    first = np.arctan2(away[1], away[0])
    turns = np.pi * np.arange(_LABEL_WAYS) / _LABEL_WAYS * np.where(np.arange(_LABEL_WAYS) % 2, 1, -1)
    for gap in _LABEL_GAPS:
        for turn in turns:
            way = np.array([np.cos(first + turn), np.sin(first + turn)])
            begin, end = marks[n] + way * radii[n], marks[n] + way * (radii[n] + gap * unit)
            # The box touches the leader's end with the side or the edge that faces the mark.
            middle = end + way * min(half / np.maximum(np.abs(way), 1e-9))
            if not _within(np.array([middle - half, middle + half]), canvas.ends).all():
                continue
            if (np.abs(taken - middle) < sizes + half).all(axis=1).any():
                continue
            line = begin + np.linspace(0, 1, 8)[:, None] * (end - begin)
            crossed = (np.abs(taken[across] - line[:, None]) < sizes[across]).all(axis=2).any()
            if gap > _LABEL_GAPS[0] and crossed:
                continue
            leader = np.array([begin, end]) if gap > _LABEL_GAPS[0] else None
            return Label(n, text, middle, half, leader)
    return None


def _overlay(
    found: LandmarkDetections,
    standing: Sequence[Standing],
    points: Float64[np.ndarray, "n 2"],
    marks: Float64[np.ndarray, "n 2"],
    radii: Float64[np.ndarray, "n"],
    far: Bool[np.ndarray, "n"],
    covariance: Float64[np.ndarray, "n 2 2"],
    labels: Sequence[Label],
    canvas: Canvas,
) -> Markup:
    from markupsafe import Markup, escape  # comes with jinja2

    (x, y), unit = canvas.ends[0], canvas.unit
    width, height = canvas.image
    parts = [
        f'<svg viewBox="{x:.1f} {y:.1f} {canvas.width:.1f} {canvas.height:.1f}" role="img" aria-label="Landmarks">',
        f'<rect class="edge" x="0" y="0" width="{width:.1f}" height="{height:.1f}"/>',
    ]
    drawn = [n for n, one in enumerate(standing) if one is not Standing.UNKNOWN]
    kinds = {n: f"{skull_landmarks().definition(found.names[n]).side} {standing[n]}" for n in drawn}
    said = {n: f"<title>{escape(in_words(found, n, standing[n]))}</title>" for n in drawn}
    parts.append('<g class="spread">')
    parts += [
        f'<g class="{kinds[n]}" data-n="{n}">{_ellipse(points[n], covariance[n])}</g>' for n in drawn if not far[n]
    ]
    parts.append('</g><g class="leaders">')
    for label in labels:
        if label.leader is not None:
            (x1, y1), (x2, y2) = label.leader
            side = kinds[label.landmark]
            parts.append(f'<line class="{side}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>')
    parts.append('</g><g class="marks">')
    # What is seen lies over what is not.
    for n in sorted(drawn, key=lambda n: -list(Standing).index(standing[n])):
        side = skull_landmarks().definition(found.names[n]).side
        if far[n]:
            shape = _arrow(points[n] - marks[n], unit)
        else:
            shape = _shape(side, unit)
            if _is_lens(found.names[n]):
                shape += f'<circle class="lens" r="{radii[n]:.2f}"/>'
        kind = f"{kinds[n]} far" if far[n] else kinds[n]
        parts.append(
            f'<g class="{kind}" data-n="{n}" transform="translate({marks[n][0]:.1f} {marks[n][1]:.1f})">{said[n]}'
            f'<circle class="hand" r="{radii[n] + 3 * unit:.1f}"/>{shape}</g>'
        )
    parts.append('</g><g class="labels">')
    for label in labels:
        n = label.landmark
        kind = f"{kinds[n]} lens" if _is_lens(found.names[n]) else kinds[n]
        left, low = label.middle[0], label.middle[1] + 0.35 * _FONT * unit
        parts.append(
            f'<text class="{kind}" data-n="{n}" x="{left:.1f}" y="{low:.1f}" '
            f'font-size="{_FONT * unit:.2f}" text-anchor="middle">{said[n]}{escape(label.text)}</text>'
        )
    parts.append("</g></svg>")
    return Markup("\n".join(parts))


def in_words(found: LandmarkDetections, n: int, standing: Standing) -> str:
    """What there is to say of a landmark, line by line."""
    u, v = found.pixels[n]
    where = {
        Standing.VISIBLE: "in the image",
        Standing.HIDDEN: "within the image's edges, but probably not visible",
        Standing.OUTSIDE: "outside the image",
    }[standing]
    return (
        f"{found.names[n]} ({skull_landmarks().definition(found.names[n]).abbreviation})\n"
        f"{where}; visible: {100 * found.visibility[n]:.0f} %\n"
        f"pixel {u:.1f}, {v:.1f} ± {found.uncertainty_mm[n]:.1f} mm\n"
        f"{found.camera_points[n, 2]:.0f} mm from the source"
    ).replace("-", "−")


def side_symbol(side: str) -> Markup:
    """A side's mark, for a key or a table."""
    from markupsafe import Markup

    return Markup(
        f'<svg class="key-mark {side} visible" viewBox="-8 -8 16 16" aria-hidden="true">{_shape(side, 1)}</svg>'
    )


def _shape(side: str, unit: float) -> str:
    """The side's mark about the origin."""
    r = _MARK * unit
    if side == "right":
        return f'<circle class="dot" r="{r:.2f}"/>'
    if side == "left":
        return (
            f'<rect class="dot" x="{-0.9 * r:.2f}" y="{-0.9 * r:.2f}" width="{1.8 * r:.2f}" height="{1.8 * r:.2f}"/>'
        )
    return f'<path class="dot" d="M0 {-1.25 * r:.2f}L{1.25 * r:.2f} 0L0 {1.25 * r:.2f}L{-1.25 * r:.2f} 0z"/>'


def _arrow(way: Float64[np.ndarray, "2"], unit: float) -> str:
    r = _ARROW * unit
    degrees = float(np.degrees(np.arctan2(way[1], way[0])))
    corners = f"M{r:.2f} 0L{-0.7 * r:.2f} {0.7 * r:.2f}L{-0.3 * r:.2f} 0L{-0.7 * r:.2f} {-0.7 * r:.2f}z"
    return f'<path class="dot" d="{corners}" transform="rotate({degrees:.1f})"/>'


def _ellipse(middle: Float64[np.ndarray, "2"], covariance: Float64[np.ndarray, "2 2"]) -> str:
    """Two standard deviations."""
    variances, axes = np.linalg.eigh(np.nan_to_num(covariance))
    short, long = 2 * np.sqrt(np.maximum(variances, 0))
    degrees = float(np.degrees(np.arctan2(axes[1, 1], axes[0, 1])))
    x, y = middle
    return (
        f'<ellipse cx="{x:.1f}" cy="{y:.1f}" rx="{long:.1f}" ry="{short:.1f}" '
        f'transform="rotate({degrees:.1f} {x:.1f} {y:.1f})"/>'
    )


def _on_border(
    points: Float64[np.ndarray, "n 2"],
    ends: Float64[np.ndarray, "2 2"],
    middle: Float64[np.ndarray, "2"],
    apart: float,
) -> Float64[np.ndarray, "n 2"]:
    """Where the ways from the `middle` to points leave the box between `ends`, moved along its sides to be `apart`."""
    ways = points - middle
    reach = np.where(ways > 0, ends[1] - middle, ends[0] - middle) / np.where(ways == 0, np.inf, ways)
    reach = np.where(ways == 0, np.inf, reach)
    places = middle + ways * reach.min(axis=1, keepdims=True)
    side = 2 * reach.argmin(axis=1) + (np.take_along_axis(ways, reach.argmin(axis=1)[:, None], 1)[:, 0] > 0)
    for one in range(4):
        along = 1 - one // 2
        here = np.flatnonzero(side == one)
        here = here[np.argsort(places[here, along])]
        if len(here):
            low, high = ends[:, along]
            places[here, along] = _spread(places[here, along], low, high, min(apart, (high - low) / len(here)))
    return places


def _spread(values: Float64[np.ndarray, "n"], low: float, high: float, apart: float) -> Float64[np.ndarray, "n"]:
    """Sorted values moved to be `apart` at least, between `low` and `high`."""
    steps = apart * np.arange(len(values))
    # Less the steps, they must only not fall: neither do both one-sided answers, nor their mean.
    loose = values - steps
    even = (np.maximum.accumulate(loose) + np.minimum.accumulate(loose[::-1])[::-1]) / 2
    return np.clip(even, low, high - steps[-1]) + steps


def _within(points: Float64[np.ndarray, "n 2"], ends: Float64[np.ndarray, "2 2"]) -> Bool[np.ndarray, "n"]:
    """Which points lie between the ends; NaN does not."""
    return ((points >= ends[0]) & (points <= ends[1])).all(axis=1)


def _is_lens(name: str) -> bool:
    return name.startswith("eye lens")


def _radius(name: str, lens: float) -> float:
    """A mark's radius in units; a lens has a ring of its own size."""
    return float(np.clip(lens / 2, _LENS, 4 * _LENS)) if _is_lens(name) else _MARK


def _png(radiograph: Radiograph, size: tuple[int, int]) -> str:
    image, mask = on_screen(radiograph.attenuation, size), mask_on_screen(radiograph.mask, size)
    # The three colours of a light box are one grey.
    picture = light_box(image, mask, grey_window(image, mask))[..., 0]
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(stream, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
