"""A DRR on its X-ray: a volume node of line integrals for each X-ray, and pictures that lay one over the other."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import slicer
from jaxtyping import Bool, Float32, Float64

from ..report.intensity import matched_to_xray
from ..report.pictures import GreyWindow, checkerboard, edges, grey_window, overlay
from ..xray.errors import InputError
from .attributes import DRR, MASK, OVERLAY, OWNER, PIXELS
from .detector_node import lay_beside
from .scene import belonging_to, nothing_left_on_error, remove_with_displays
from .xray_pixels import ATTENUATION, BONE_DARK, image_of, line_integrals_of, mask_of, pixels_of, size_of

# How a DRR can be laid over its X-ray: as an image of its own that fades in, or as a picture of both.
OVERLAY_MODES = ("fade", "colours", "checkerboard", "edges")
_PICTURES = {"colours": overlay, "checkerboard": checkerboard, "edges": edges}
_GREY, _INVERTED_GREY = "vtkMRMLColorTableNodeGrey", "vtkMRMLColorTableNodeInvertedGrey"
# Longest side of a picture of both images.
_LONGEST_PICTURE = 1024
# Enough pixels to find two numbers from, few enough for a DRR that follows a hand.
_PIXELS_FOR_TONE = 16_000
# X-rays of this many views, at two sizes each, are kept as line integrals between two frames.
_VIEWS_KEPT = 8


def drr_of(xray_node: Any) -> Any:
    """The DRR node of an X-ray, None if there is none."""
    return xray_node.GetNodeReference(DRR)


def take_drr_away(xray_node: Any) -> None:
    """Take the DRR of an X-ray and the picture of both out of the scene, if there are any."""
    for reference in (DRR, OVERLAY):
        node = xray_node.GetNodeReference(reference)
        # A clone refers to what belongs to the X-ray that it was cloned from.
        if node is not None and node.GetNodeReferenceID(OWNER) == xray_node.GetID():
            remove_with_displays(node)


def show_drr(xray_node: Any, drr: Float32[np.ndarray, "rows columns"]) -> Any:
    """Lay a DRR (line integrals) over an X-ray as a volume node, made once and reused, which is returned.

    A DRR of another size than the X-ray's lies on the same field: on means of n × n pixels (`Camera.binned`) where
    its size is theirs, else stretched over the whole of it (`Camera.resampled`). Its greys are shown like those of
    the X-ray. InputError for what is no image.
    """
    drr = np.asarray(drr, dtype=np.float32)
    if drr.ndim != 2 or not drr.size:
        raise InputError("DRR", f"expected rows × columns, got shape {drr.shape}", "Give one image.")
    grid = _xray_pixel_from_pixel(size_of(xray_node), drr.shape)
    with nothing_left_on_error():
        node = belonging_to(xray_node, DRR, "vtkMRMLScalarVolumeNode", f"{xray_node.GetName()} DRR")
        with slicer.util.NodeModify(node):
            slicer.util.updateVolumeFromArray(node, drr[None])
            lay_beside(node, xray_node, grid)
        if node.GetDisplayNode() is None:
            node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    black, white = _window_like_xray(xray_node, drr, grid)
    inverted = pixels_of(xray_node) == BONE_DARK
    with slicer.util.NodeModify(display):
        display.AutoWindowLevelOff()
        display.SetWindowLevelMinMax(black, white)
        display.SetAndObserveColorNodeID(_INVERTED_GREY if inverted else _GREY)
    return node


def show_overlay(xray_node: Any, mode: str) -> Any:
    """Make the picture of an X-ray and its DRR in one of OVERLAY_MODES; its node, made once and reused.

    The picture has the DRR's pixels, or of a large one the means of n × n of them. “fade” needs no picture: it gives
    the DRR's node. InputError for another mode, and for an X-ray without a DRR.
    """
    if mode not in OVERLAY_MODES:
        raise InputError(f"overlay {mode!r}", "is not known", f"Use one of {', '.join(OVERLAY_MODES)}.")
    drr_node = drr_of(xray_node)
    if drr_node is None:
        raise InputError(xray_node.GetName(), "has no DRR to lay over it", "Register, or compute its DRR first.")
    if mode == "fade":
        return drr_node
    drr = _for_screen(image_of(drr_node))
    grid = _xray_pixel_from_pixel(size_of(xray_node), drr.shape)
    xray, mask = _xray_on(xray_node, drr.shape, grid)
    gain, offset = _tone(drr, xray, mask) or (1.0, 0.0)
    alike = np.float32(gain) * drr + np.float32(offset)
    picture = _PICTURES[mode](xray, alike, mask, _window_of(xray_node, xray, mask))
    with nothing_left_on_error():
        node = belonging_to(xray_node, OVERLAY, "vtkMRMLVectorVolumeNode", f"{xray_node.GetName()} overlay")
        with slicer.util.NodeModify(node):
            node.SetVoxelVectorType(node.VoxelVectorTypeColorRGB)
            slicer.util.updateVolumeFromArray(node, np.ascontiguousarray(picture[None]))
            lay_beside(node, xray_node, grid)
        if node.GetDisplayNode() is None:
            node.CreateDefaultDisplayNodes()
            node.GetDisplayNode().AutoWindowLevelOff()
            node.GetDisplayNode().SetWindowLevelMinMax(0, 255)
    return node


def _for_screen(drr: Float32[np.ndarray, "rows columns"]) -> Float32[np.ndarray, "r c"]:
    """A DRR with no more pixels than a view shows: a window that draws more stands still meanwhile."""
    n = min(-(-max(drr.shape) // _LONGEST_PICTURE), *drr.shape)
    rows, columns = drr.shape[0] // n, drr.shape[1] // n
    return drr[: rows * n, : columns * n].reshape(rows, n, columns, n).mean(axis=(1, 3))


def _xray_pixel_from_pixel(xray: tuple[int, int], drr: tuple[int, ...]) -> Float64[np.ndarray, "4 4"]:
    """(u, v, k) of the X-ray from those of a DRR of the same field; pixel centres are whole numbers."""
    scale = _binning(xray, drr) or (xray[0] / drr[0], xray[1] / drr[1])
    matrix = np.diag([scale[1], scale[0], 1.0, 1.0])
    matrix[:2, 3] = (scale[1] - 1) / 2, (scale[0] - 1) / 2
    return matrix


def _binning(xray: tuple[int, int], drr: tuple[int, ...]) -> tuple[float, float] | None:
    """The n for which means of n × n pixels of the X-ray, incomplete ones dropped, make an image of the DRR's size."""
    nearest = max(1, round(max(xray) / max(drr)))
    for n in (nearest, nearest - 1, nearest + 1):
        if n >= 1 and (xray[0] // n, xray[1] // n) == tuple(drr):
            return float(n), float(n)
    return None


def _window_like_xray(
    xray_node: Any, drr: Float32[np.ndarray, "rows columns"], grid: Float64[np.ndarray, "4 4"]
) -> tuple[float, float]:
    """The values of the DRR to show as black and white, so that bone looks as in the X-ray."""
    display, tone = xray_node.GetDisplayNode(), None
    if pixels_of(xray_node) == ATTENUATION and display is not None:
        tone = _tone(drr, *_xray_on(xray_node, drr.shape, grid))
    if display is None or tone is None:
        own = grey_window(drr, np.ones(drr.shape, dtype=bool))
        return own.black, own.white
    gain, offset = tone
    return (display.GetWindowLevelMin() - offset) / gain, (display.GetWindowLevelMax() - offset) / gain


def _tone(
    drr: Float32[np.ndarray, "r c"], xray: Float32[np.ndarray, "r c"], mask: Bool[np.ndarray, "r c"]
) -> tuple[float, float] | None:
    """Gain and offset that make the DRR like the X-ray, as the report has it; None where there is nothing to fit."""
    step = max(1, round((drr.size / _PIXELS_FOR_TONE) ** 0.5))
    drr, xray, mask = drr[::step, ::step], xray[::step, ::step], mask[::step, ::step]
    values = np.where(np.isfinite(drr), drr, np.float32(np.nan))
    if np.isnan(values).all():
        return None
    low, high = (np.unravel_index(at, drr.shape) for at in (np.nanargmin(values), np.nanargmax(values)))
    if not drr[high] > drr[low]:
        return None
    matched = matched_to_xray(drr, xray, mask)
    gain = float(matched[high] - matched[low]) / float(drr[high] - drr[low])
    return (gain, float(matched[low]) - gain * float(drr[low])) if gain > 0 else None


def _window_of(xray_node: Any, xray: Float32[np.ndarray, "r c"], mask: Bool[np.ndarray, "r c"]) -> GreyWindow:
    """The greys that the user sees the X-ray in, where its node holds line integrals."""
    display = xray_node.GetDisplayNode()
    if pixels_of(xray_node) != ATTENUATION or display is None or display.GetAutoWindowLevel():
        return grey_window(xray, mask)
    black, white = display.GetWindowLevelMin(), display.GetWindowLevelMax()
    return GreyWindow(black, white) if white > black else grey_window(xray, mask)


def _xray_on(
    xray_node: Any, shape: tuple[int, ...], grid: Float64[np.ndarray, "4 4"]
) -> tuple[Float32[np.ndarray, "r c"], Bool[np.ndarray, "r c"]]:
    """Line integrals and mask of an X-ray at the pixels of an image of `shape`, the nearest ones."""
    mask = xray_node.GetNodeReference(MASK)
    changed = (xray_node.GetImageData().GetMTime(), 0 if mask is None else mask.GetImageData().GetMTime())
    said = xray_node.GetAttribute(PIXELS)
    return _kept_xray(xray_node.GetID(), None if mask is None else mask.GetID(), said, changed, shape, grid.tobytes())


@lru_cache(maxsize=2 * _VIEWS_KEPT)
def _kept_xray(
    node_id: str,
    mask_id: str | None,
    said: str | None,
    changed: tuple[int, int],
    shape: tuple[int, ...],
    grid: bytes,
) -> tuple[Float32[np.ndarray, "r c"], Bool[np.ndarray, "r c"]]:
    """What `_xray_on` gives. Grey values take time to become line integrals, and twenty DRRs a second are shown.

    Times of change never come twice in a program, so that a node of another scene is never taken for this one.
    """
    node = slicer.mrmlScene.GetNodeByID(node_id)
    image, mask = image_of(node), mask_of(node)
    matrix = np.frombuffer(grid, dtype=np.float64).reshape(4, 4)
    rows, columns = image.shape
    v = np.clip(np.rint(np.arange(shape[0]) * matrix[1, 1] + matrix[1, 3]).astype(int), 0, rows - 1)
    u = np.clip(np.rint(np.arange(shape[1]) * matrix[0, 0] + matrix[0, 3]).astype(int), 0, columns - 1)
    # Only of these, as it is for the eye alone.
    at = np.ix_(v, u)
    integrals = line_integrals_of(image[at], said, None if mask is None else mask[at], node.GetName())
    return integrals.attenuation, integrals.mask
