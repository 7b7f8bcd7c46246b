"""A camera as attributes of an X-ray node, with the origin of every number."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from ..xray.errors import InputError
from ..xray.files.calibrated_camera import CalibratedCamera
from ..xray.files.camera_json import camera_from_json, camera_to_json
from ..xray.geometry import Camera
from ..xray.provenance import Provenance
from ..xray.radiograph import WorldFrame
from .attributes import CAMERA, PROVENANCE, WORLD, read_json, write_json

# What these lines speak of lies in the pixels, whatever the camera is.
_OF_PIXELS = {
    *("frame", "polarity", "pixel intensity relationship", "pixel values", "line integrals", "field of view"),
    *("unattenuated intensity I₀", "black level", "white level", "shutter", "collimator"),
}


def of_camera(lines: Iterable[Provenance]) -> tuple[Provenance, ...]:
    """Those lines that say where the camera comes from."""
    return tuple(line for line in lines if line.quantity not in _OF_PIXELS)


def of_pixels(lines: Iterable[Provenance]) -> tuple[Provenance, ...]:
    """Those lines that say what the pixel values are."""
    return tuple(line for line in lines if line.quantity in _OF_PIXELS)


def write_camera(
    node: Any,
    camera: Camera,
    provenance: tuple[Provenance, ...] = (),
    world: WorldFrame = WorldFrame.CALIBRATION,
) -> None:
    """Give `node` a camera of its pixels as they lie, and say where its numbers come from and what its world is."""
    write_json(node, CAMERA, camera_to_json(camera, provenance))
    node.SetAttribute(WORLD, world.value)


def read_camera(node: Any, size: tuple[int, int] | None = None) -> CalibratedCamera | None:
    """The camera of `node` as `write_camera` was given it; None if it has none.

    InputError if it is damaged, or made for another `size` (rows, columns).
    """
    content = _content(node)
    if content is None:
        return None
    calibrated = camera_from_json(node.GetName(), content, size)
    # The reader of files makes up lines where there are none.
    return calibrated if content.get("provenance") else CalibratedCamera(calibrated.camera)


def camera_lines(node: Any) -> tuple[Provenance, ...]:
    """Where each number of the camera of `node` comes from, for people; without a word from its giver its numbers."""
    content = _content(node)
    return () if content is None else camera_from_json(node.GetName(), content).provenance


def world_frame(node: Any) -> WorldFrame:
    """What the world axes of the camera of `node` mean."""
    written = node.GetAttribute(WORLD)
    return WorldFrame(written) if written in set(WorldFrame) else WorldFrame.CALIBRATION


def write_provenance(node: Any, lines: tuple[Provenance, ...] | None) -> None:
    """Note every origin of an X-ray's numbers, camera and pixels; None takes it away."""
    write_json(node, PROVENANCE, None if lines is None else [asdict(line) for line in lines])


def read_provenance(node: Any) -> tuple[Provenance, ...]:
    """What `write_provenance` noted."""
    return tuple(Provenance(**line) for line in read_json(node, PROVENANCE) or ())


def _content(node: Any) -> Any:
    try:
        content = read_json(node, CAMERA)
    except json.JSONDecodeError:
        raise InputError(node.GetName(), f"its attribute {CAMERA} is no camera", "Give it a camera again.") from None
    if content is not None and not isinstance(content, dict):
        raise InputError(node.GetName(), f"its attribute {CAMERA} is no camera", "Give it a camera again.")
    return content
