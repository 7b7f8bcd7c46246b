"""An X-ray's place in the scene: its pixels lie on the detector, so that 2D and 3D views show the same thing."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
from jaxtyping import Float64

from ..xray.errors import InputError
from ..xray.files.radiograph_files import image_plane
from ..xray.geometry import Camera
from .attributes import DETECTOR, DRR, MASK, OVERLAY
from .camera_attributes import read_camera
from .scene import belonging_to, nothing_left_on_error, ras_from_ijk, set_matrix, set_ras_from_ijk
from .sequence_items import node_and_items, sequence_of


def place_on_detector(node: Any, camera: Camera) -> Any:
    """Put an X-ray node under a transform that brings its pixels to where `camera` has them, and return it.

    The node's spacing becomes that of the pixels on the plane (mm), which keeps the transform rigid unless the
    camera's axes are skewed; direction and origin of its IJKToRAS stay. The transform is made once and reused. Mask,
    DRR and overlay of the X-ray come along. Frames of a sequence all get this place.
    """
    with nothing_left_on_error():
        transform = belonging_to(node, DETECTOR, "vtkMRMLLinearTransformNode", f"{node.GetName()} detector")
        before = ras_from_ijk(node)
        for one in node_and_items(node):
            set_spacing(one, camera)
        now = ras_from_ijk(node)
        for one in node_and_items(transform):
            set_matrix(one, world_from_detector(now, camera))
    node.SetAndObserveTransformNodeID(transform.GetID())
    for reference in (MASK, DRR, OVERLAY):
        companion = node.GetNodeReference(reference)
        if companion is not None:
            for one in node_and_items(companion):
                set_ras_from_ijk(one, now @ np.linalg.inv(before) @ ras_from_ijk(one))
            companion.SetAndObserveTransformNodeID(transform.GetID())
    return transform


def set_spacing(node: Any, camera: Camera) -> None:
    """Give a volume node the spacing (mm) of the camera's pixels where they lie; its third one stays."""
    dx, dy = np.linalg.norm(image_plane(camera)[:3, :2], axis=0)
    node.SetSpacing(float(dx), float(dy), node.GetSpacing()[2] or 1.0)


def lay_beside(companion: Any, node: Any, pixel_from_pixel: Float64[np.ndarray, "4 4"]) -> None:
    """Give an image of an X-ray its place: `pixel_from_pixel` leads from its (u, v, k) to those of the X-ray."""
    set_ras_from_ijk(companion, ras_from_ijk(node) @ pixel_from_pixel)
    companion.SetAndObserveTransformNodeID(node.GetTransformNodeID())


def world_from_detector(ras_from_pixel: Float64[np.ndarray, "4 4"], camera: Camera) -> Float64[np.ndarray, "4 4"]:
    """World (RAS mm) from the frame in which an image has this IJKToRAS, so that its pixels lie where `camera` says.

    The third axis, on which no pixel depends, is chosen so that nothing is scaled or mirrored along it.
    """
    plane = image_plane(camera)
    plane[:3, 2] *= np.linalg.norm(ras_from_pixel[:3, 2]) * np.sign(np.linalg.det(ras_from_pixel[:3, :3]))
    return plane @ np.linalg.inv(ras_from_pixel)


def restore_places(nodes: list[Any]) -> int:
    """Put X-rays on their detectors again whose file lost their spacing when the scene was saved (PNG, JPEG …).

    Gives how many had to be moved. One whose camera is damaged stays where it is.
    """
    moved = 0
    for node in nodes:
        calibrated = None
        with suppress(InputError):
            calibrated = read_camera(node)
        transform = node.GetNodeReference(DETECTOR)
        if calibrated is None or transform is None or sequence_of(node) is not None:
            continue
        spacing = np.linalg.norm(image_plane(calibrated.camera)[:3, :2], axis=0)
        if not np.allclose(node.GetSpacing()[:2], spacing, rtol=1e-9, atol=0):
            place_on_detector(node, calibrated.camera)
            moved += 1
    return moved
