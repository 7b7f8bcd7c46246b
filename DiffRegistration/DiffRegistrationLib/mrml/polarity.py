"""Whether bone is bright or dark in the file of an X-ray, said after the X-ray was added."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import slicer

from ..xray.errors import InputError
from ..xray.files.xray_files import frame_count, image_size, read_xray_frames
from ..xray.geometry import PinholeCamera
from .attributes import MASK, ROLE
from .camera_attributes import of_camera, of_pixels, read_provenance, write_provenance
from .sequence_items import browser_of, node_and_items
from .xray_node import layout_of, show_window, size_of

_BRIGHT = "high values are bone"


def bone_is_bright(node: Any) -> bool | None:
    """What the file of an X-ray that the engine read was taken for; None for other volumes."""
    said = [line.value for line in read_provenance(node) if line.quantity == "polarity"]
    return said[0] == _BRIGHT if said else None


def read_again(node: Any, path: Path, bright: bool) -> None:
    """Compute the line integrals and the mask of an X-ray anew from its file, with bone bright or dark in it.

    Camera and place stay. InputError for a file that cannot be read any more, or has become another image.
    """
    path = Path(path)
    turn, stored = layout_of(node), image_size(path)
    nodes, mask = node_and_items(node), node.GetNodeReference(MASK)
    # A mask that someone drew stays as it is.
    masks = node_and_items(mask) if mask is not None and mask.GetAttribute(ROLE) == "mask" else []
    if turn.pair(stored) != size_of(node) or frame_count(path) != max(1, len(nodes) - 1):
        raise InputError(path, "is not the image any more that it was", "Add it as another X-ray.")
    # Of the camera only its size is looked at.
    camera = PinholeCamera(np.eye(3), np.eye(4), stored)
    radiographs = list(read_xray_frames(path, camera=camera, bone_is_bright=bright))
    if len(nodes) > 1:
        # The first node is the one that shows one of the others.
        radiographs.insert(0, radiographs[max(browser_of(node).GetSelectedItemNumber(), 0)])
    for number, (one, radiograph) in enumerate(zip(nodes, radiographs, strict=True)):
        slicer.util.updateVolumeFromArray(one, turn.image(radiograph.attenuation)[None])
        if len(masks) == len(nodes):
            slicer.util.updateVolumeFromArray(masks[number], turn.image(radiograph.mask)[None].astype(np.uint8))
        write_provenance(one, (*of_camera(read_provenance(one)), *of_pixels(radiograph.provenance)))
    show_window(node, turn.image(radiographs[0].attenuation), turn.image(radiographs[0].mask))
