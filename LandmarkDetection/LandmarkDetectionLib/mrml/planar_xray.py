"""X-rays whose geometry nobody gave: landmarks are found in them as in any other, in two dimensions only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from DiffRegistrationLib.mrml.attributes import PIXELS
from DiffRegistrationLib.mrml.camera_attributes import read_camera
from DiffRegistrationLib.mrml.sequence_items import items_of, sequence_of
from DiffRegistrationLib.mrml.taken_xray import TakenXray, layout_of
from DiffRegistrationLib.mrml.xray_pixels import image_of, mask_of, size_of
from DiffRegistrationLib.mrml.xray_sequence import take_frames
from DiffRegistrationLib.xray.geometry import PinholeCamera
from DiffRegistrationLib.xray.provenance import Provenance
from DiffRegistrationLib.xray.radiograph import Radiograph, WorldFrame

# A usual fluoroscope: its source-detector distance, and what its detector is as wide as.
_SDD_MM, _WIDTH_MM = 1000.0, 300.0


def is_planar(node: Any) -> bool:
    """Whether an X-ray has no geometry of its own."""
    return read_camera(node) is None


def take_frames_to_look_at(node: Any, places: Sequence[int]) -> Callable[[], list[Radiograph]]:
    """What makes the radiographs of an X-ray's frames (places from 0) without touching a node.

    Where its geometry is not known, a usual one stands in, and every radiograph says that it is assumed. InputError
    as `xray_sequence.take_frames`.
    """
    if not is_planar(node):
        return take_frames(node, places, spare_unusable=True)
    sequence, mask = sequence_of(node), mask_of(node)
    items = [node] if sequence is None else items_of(sequence)
    taken = [_taken(node.GetName(), items[place], mask) for place in places]
    return partial(_made, taken)


def _taken(name: str, item: Any, mask: Any) -> TakenXray:
    size = size_of(item)
    column, row, _slice = item.GetSpacing()
    said = not (column == row == 1.0)
    spacing = (row, column) if said else (_WIDTH_MM / size[1], _WIDTH_MM / size[1])
    camera = PinholeCamera.from_distances(_SDD_MM, spacing, size, np.eye(4))
    lines = (
        Provenance("SDD", f"{_SDD_MM:g} mm", "no geometry was given; landmarks are found in the image only", True),
        Provenance(
            "pixel spacing",
            f"{spacing[0]:.4f} × {spacing[1]:.4f} mm",
            "the image's own" if said else f"a detector {_WIDTH_MM:g} mm wide",
            not said,
        ),
    )
    values = image_of(item)
    return TakenXray(
        name, values, mask, item.GetAttribute(PIXELS), layout_of(item), camera, lines, None, WorldFrame.CALIBRATION
    )


def _made(taken: Sequence[TakenXray]) -> list[Radiograph]:
    return [one.radiograph() for one in taken]
