"""Slice views turned to X-rays, with what lies over them."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float64

from .attributes import DRR, OVERLAY
from .scene import ras_from_ijk, world_from_local
from .xray_pixels import size_of


def show_in_view(
    slice_logic: Any, xray_node: Any, mode: str = "fade", opacity: float = 0.5, fit: bool = False
) -> None:
    """Show an X-ray in a slice view as its detector has it: row 0 at the top, columns to the right.

    Over it lies its DRR in the mode “fade”, else the picture of both (`drr_node.show_overlay`), at `opacity` (0 … 1),
    as far as there is one. The view is fitted to the image with `fit`, and when it showed another one before.
    InputError for a node that is no X-ray.
    """
    size = size_of(xray_node)
    composite, slice_node = slice_logic.GetSliceCompositeNode(), slice_logic.GetSliceNode()
    over = xray_node.GetNodeReference(DRR if mode == "fade" else OVERLAY)
    fit = fit or composite.GetBackgroundVolumeID() != xray_node.GetID()
    # Volumes that are loaded later must not take the X-ray's place.
    composite.SetDoPropagateVolumeSelection(False)
    composite.SetBackgroundVolumeID(xray_node.GetID())
    composite.SetForegroundVolumeID(None if over is None else over.GetID())
    composite.SetLabelVolumeID(None)
    composite.SetCompositing(composite.Alpha)
    composite.SetForegroundOpacity(float(opacity))
    if _turn_to(slice_node, xray_node, size) or fit:
        slice_logic.FitSliceToAll()


def _turn_to(slice_node: Any, xray_node: Any, size: tuple[int, int]) -> bool:
    """Turn a slice view to an X-ray's plane, u to the right and v down; whether it had to be turned.

    Slicer's own RotateToVolumePlane mirrors images that are not seen along an axis of the patient.
    """
    placed = world_from_local(xray_node)
    world_from_pixel = (np.eye(4) if placed is None else placed) @ ras_from_ijk(xray_node)
    right, down = (_unit(world_from_pixel[:3, axis]) for axis in (0, 1))
    # With skewed pixels right and down are not at right angles; the view's up is.
    up = _unit(right * (right @ down) - down)
    normal = np.cross(right, up)
    middle = world_from_pixel[:3] @ np.array([(size[1] - 1) / 2, (size[0] - 1) / 2, 0.0, 1.0])
    wanted = np.eye(4)
    wanted[:3] = np.column_stack([right, up, normal, middle])
    matrix = slice_node.GetSliceToRAS()
    present = np.array([[matrix.GetElement(i, j) for j in range(4)] for i in range(4)])
    off_plane = abs((present[:3, 3] - middle) @ normal)
    if np.allclose(present[:3, :3], wanted[:3, :3], atol=1e-9) and off_plane < 1e-6:
        return False
    slice_node.SetSliceToRASByNTP(*normal, *right, *middle, 0)
    return True


def _unit(vector: Float64[np.ndarray, "3"]) -> Float64[np.ndarray, "3"]:
    return vector / np.linalg.norm(vector)
