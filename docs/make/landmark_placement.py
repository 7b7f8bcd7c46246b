"""The pictures by which the landmarks of the Visible Human's head are checked; pictures and table of a page of docs.

python docs/make/landmark_placement.py [FOLDER]

Writes the table of docs/landmarks-atlas.md, the skull from six sides with all landmarks on it, and slices through
some. With a FOLDER, every landmark is shown there on three slices through it, eight landmarks a sheet. FLUOROREG_DATA
names the folder that has the CT.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from DiffRegistrationLib.xray.attenuation import hounsfield_from_attenuation
from DiffRegistrationLib.xray.geometry import rigid
from jaxtyping import Float32, Float64
from LandmarkDetectionLib.atlas.bone_surface import BONE_HOUNSFIELD
from LandmarkDetectionLib.atlas.definitions import SnapKind, Tissue, skull_landmarks
from LandmarkDetectionLib.atlas.head import Head, visible_human_head
from LandmarkDetectionLib.atlas.head_frame import ct_from_head
from matplotlib.figure import Figure
from scipy import ndimage

DOCS = Path(__file__).parents[1]
IMAGES, PAGE = DOCS / "images", DOCS / "landmarks-atlas.md"
_TABLE_BEGINS, _TABLE_ENDS = "<!-- table of landmarks -->\n", "<!-- end of table -->\n"
_EXAMPLES = ("basion", "porion right", "eye lens right", "asterion left")
# Corners of what is shown, mm in the Frankfurt frame.
_LOW, _HIGH = np.array([-82.0, -100.0, -112.0]), np.array([82.0, 112.0, 124.0])
# Smaller pieces are tubes, and calcified soft tissue.
_SMALLEST_BONE_MM3 = 3000
# Name, the axis along which one looks, from its positive or negative end, the part that is shown (mm).
_VIEWS = (
    ("front", 1, 1, (-112, 112)),
    ("right", 0, 1, (-82, 82)),
    ("left", 0, -1, (-82, 82)),
    ("back", 1, -1, (-100, 112)),
    ("top", 2, 1, (-112, 124)),
    ("below, without jaw and neck", 2, -1, (-32, 124)),
)
_BONE_WINDOW, _LENS_WINDOW = (-300.0, 1500.0), (-60.0, 160.0)
_SLICES = ("sagittal", "coronal", "axial")
_HALF_MM, _A_SHEET = 18.0, 8
_RULES = {
    SnapKind.EXTREME: "farthest point within {radius:g} mm",
    SnapKind.SURFACE: "nearest surface within {radius:g} mm",
    SnapKind.LENS: "densest part of the eye within {radius:g} mm",
    SnapKind.NONE: "–",
}
# How far behind what is seen a landmark may lie and still count as seen, mm.
_HIDDEN_MM = 4.0


@dataclass(frozen=True, eq=False)
class LevelHead:
    """A head in its Frankfurt frame: Hounsfield units [x, y, z] on a grid of 1 mm that begins at `_LOW`."""

    hounsfield: Float32[np.ndarray, "x y z"]
    bone: Float32[np.ndarray, "x y z"]
    points: Float64[np.ndarray, "n 3"]


def main() -> None:
    """Write them."""
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(_TABLE_BEGINS)
    _, _, after = rest.partition(_TABLE_ENDS)
    PAGE.write_text(f"{before}{_TABLE_BEGINS}{table()}{_TABLE_ENDS}{after}", encoding="utf-8")
    head = visible_human_head()
    level = _levelled(head)
    _sides(head, level).savefig(IMAGES / "atlas-landmarks.png", dpi=50, pil_kwargs={"optimize": True})
    examples = [head.landmarks.names.index(name) for name in _EXAMPLES]
    _sheet(head, level, examples).savefig(IMAGES / "atlas-slices.png", dpi=42, pil_kwargs={"optimize": True})
    if len(sys.argv) > 1:
        folder = Path(sys.argv[1])
        folder.mkdir(parents=True, exist_ok=True)
        names = head.landmarks.names
        for first in range(0, len(names), _A_SHEET):
            numbers = list(range(first, min(first + _A_SHEET, len(names))))
            _sheet(head, level, numbers).savefig(folder / f"slices-{first // _A_SHEET + 1}.png", dpi=60)


def table() -> str:
    """All landmarks as rows of Markdown; a pair has one."""
    lines = ["| Landmark | Short | Definition | Refined on a CT | Source |", "|---|---|---|---|---|"]
    for one in skull_landmarks().definitions:
        if one.side == "left":
            continue
        name, short = one.name, one.abbreviation
        if one.side == "right":
            name, short = f"{name.removesuffix(' right')} (right, left)", f"{short.removesuffix('.R')}.R, .L"
        rule = _RULES[one.snap.kind].format(radius=one.snap.radius_mm)
        lines.append(f"| {name} | {short} | {one.definition} | {rule} | {one.source} |")
    return "\n".join(lines) + "\n"


def _levelled(head: Head) -> LevelHead:
    ct, frame = head.ct, ct_from_head(head.landmarks)
    voxel_from_head = np.linalg.inv(ct.ct_from_voxel) @ frame
    axes = [np.arange(low, high + 1) for low, high in zip(_LOW, _HIGH, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    index = rigid.transform_points(voxel_from_head, grid.reshape(-1, 3)).T.reshape(3, *grid.shape[:3])
    hounsfield = hounsfield_from_attenuation(ct.attenuation)
    level = ndimage.map_coordinates(hounsfield, index[::-1], order=1, cval=-1000.0)
    pieces, _ = ndimage.label(level > BONE_HOUNSFIELD)
    large = np.bincount(pieces.ravel()) >= _SMALLEST_BONE_MM3
    bone = np.where(large[pieces] | (pieces == 0), level, -1000.0).astype(np.float32)
    points = rigid.transform_points(rigid.inverse(frame), head.landmarks.points)
    return LevelHead(level.astype(np.float32), bone, points)


def _sides(head: Head, level: LevelHead) -> Figure:
    figure = Figure(figsize=(21, 15), layout="constrained")
    for axes, (name, axis, sign, part) in zip(figure.subplots(2, 3).flat, _VIEWS, strict=True):
        _side(axes, head, level, axis, sign, part)
        axes.set_title(name, fontsize=18)
    return figure


def _side(axes: Any, head: Head, level: LevelHead, axis: int, sign: int, part: tuple[float, float]) -> None:
    """One shaded view of the bone, its landmarks on it: filled where they are seen, hollow behind something."""
    across = [other for other in range(3) if other != axis]
    first, last = (int(np.clip(end - _LOW[axis], 0, level.bone.shape[axis] - 1)) for end in part)
    slab = np.moveaxis(level.bone, axis, 0)[first : last + 1]
    depth = _depth(slab[::-sign])
    position = part[1] - depth if sign > 0 else part[0] + depth
    smooth = ndimage.gaussian_filter(np.where(np.isnan(depth), np.nanmax(depth), depth), 0.8)
    slope = np.gradient(smooth)
    shade = (0.87 + 0.35 * slope[0] + 0.35 * slope[1]) / np.sqrt(1 + slope[0] ** 2 + slope[1] ** 2)
    shade = np.where(np.isnan(depth), 0.0, shade.clip(0.05, 1))
    extent = [end for other in across for end in (_LOW[other] - 0.5, _LOW[other] + level.bone.shape[other] - 0.5)]
    axes.imshow(shade.T, origin="lower", extent=extent, cmap="gray", vmin=0, vmax=1.1, interpolation="bilinear")
    for definition, point in zip(skull_landmarks().definitions, level.points, strict=True):
        u, v = np.rint(point[across] - _LOW[across]).astype(int)
        behind = (position[u, v] - point[axis]) * sign
        if not part[0] <= point[axis] <= part[1] or behind > 40:
            continue
        seen = np.isnan(behind) or behind < _HIDDEN_MM
        axes.plot(*point[across], "o", ms=7, mfc="#ff3b30" if seen else "none", mec="#ff3b30", mew=1.5)
        if seen:
            axes.annotate(
                definition.abbreviation.removesuffix(".R").removesuffix(".L"),
                point[across],
                xytext=(5, 4),
                textcoords="offset points",
                color="#ffe14d",
                fontsize=12,
            )
    # The patient's right is on the viewer's left from the front and from below, front is right on the right side.
    if (axis, sign) in ((1, 1), (0, -1), (2, -1)):
        axes.invert_xaxis()
    axes.set_facecolor("black")


def _depth(slab: Float32[np.ndarray, "depth u v"]) -> Float64[np.ndarray, "u v"]:
    """How deep below the first layer bone begins, mm; NaN where there is none."""
    is_bone = slab > BONE_HOUNSFIELD
    layer = is_bone.argmax(axis=0)
    before = np.take_along_axis(slab, np.maximum(layer - 1, 0)[None], axis=0)[0]
    here = np.take_along_axis(slab, layer[None], axis=0)[0]
    part = np.where(layer > 0, (here - BONE_HOUNSFIELD) / np.maximum(here - before, 1.0), 0.0)
    return np.where(is_bone.any(axis=0), layer - part, np.nan)


def _sheet(head: Head, level: LevelHead, numbers: Sequence[int]) -> Figure:
    rows = -(-len(numbers) // 2)
    figure = Figure(figsize=(28, 4.75 * rows), layout="constrained")
    panels = figure.subplots(rows, 6, squeeze=False)
    for axes in panels.flat:
        axes.axis("off")
    for place, number in enumerate(numbers):
        definition, point = skull_landmarks().definitions[number], level.points[number]
        window = _LENS_WINDOW if definition.tissue is Tissue.SOFT_TISSUE else _BONE_WINDOW
        for axis in range(3):
            axes = panels[place // 2, 3 * (place % 2) + axis]
            _slice(axes, level, point, axis, window)
            sure = head.landmarks.uncertainty_mm[number]
            title = definition.name if axis == 0 else f"± {sure:.1f} mm" if axis == 2 else ""
            axes.set_title(f"{title} {_SLICES[axis]}", fontsize=11)
    return figure


def _slice(
    axes: Any, level: LevelHead, point: Float64[np.ndarray, "3"], axis: int, window: tuple[float, float]
) -> None:
    across = [other for other in range(3) if other != axis]
    steps = np.arange(-_HALF_MM, _HALF_MM + 0.25, 0.5)
    index = np.empty((3, len(steps), len(steps)))
    index[axis] = point[axis] - _LOW[axis]
    index[across[0]] = point[across[0]] + steps[:, None] - _LOW[across[0]]
    index[across[1]] = point[across[1]] + steps[None, :] - _LOW[across[1]]
    image = ndimage.map_coordinates(level.hounsfield, index, order=1, cval=-1000.0)
    u, v = point[across]
    extent = [u - _HALF_MM, u + _HALF_MM, v - _HALF_MM, v + _HALF_MM]
    axes.imshow(image.T, origin="lower", extent=extent, cmap="gray", vmin=window[0], vmax=window[1])
    axes.axhline(v, color="#ff3b30", lw=0.5)
    axes.axvline(u, color="#ff3b30", lw=0.5)
    axes.plot(u, v, "+", color="#00e5ff", ms=9)
    axes.axis("on")
    axes.tick_params(labelsize=7)


if __name__ == "__main__":
    main()
