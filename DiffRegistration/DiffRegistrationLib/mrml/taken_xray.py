"""What is taken from an X-ray node at once, to make its radiograph of later, where no node may be touched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Num

from ..xray.errors import InputError
from ..xray.files.pixel_grid_symmetry import GridSymmetry
from ..xray.geometry import Camera
from ..xray.provenance import Provenance
from ..xray.radiograph import Radiograph, WorldFrame
from .attributes import LAYOUT, PIXELS, PROVENANCE, read_json
from .camera_attributes import read_camera, read_provenance, world_frame
from .xray_pixels import image_of, line_integrals_of, mask_of, size_of


@dataclass(frozen=True, eq=False)
class TakenXray:
    """The pixels of an X-ray node, their mask (True = usable), and all that the node says of both.

    `pixels` is one of `xray_pixels.PIXELS_NAMES`, `layout` how the stored image was turned to become the node's;
    `written` are the origins of numbers that came with line integrals, None for other images.
    """

    name: str
    values: Num[np.ndarray, "rows columns"]
    mask: Bool[np.ndarray, "rows columns"] | None
    pixels: str | None
    layout: GridSymmetry
    camera: Camera
    said_of_camera: tuple[Provenance, ...]
    written: tuple[Provenance, ...] | None
    world: WorldFrame

    def radiograph(self) -> Radiograph:
        """The radiograph: for grey values of a large image a matter of seconds. InputError as in `take_xray`."""
        # As the file reader does: what is looked for in an image is looked for in the stored one.
        turn, back = self.layout.image, self.layout.inverse().image
        mask = None if self.mask is None else back(self.mask)
        integrals = line_integrals_of(back(self.values), self.pixels, mask, self.name)
        lines = (*self.said_of_camera, *integrals.provenance) if self.written is None else self.written
        return Radiograph(turn(integrals.attenuation), turn(integrals.mask), self.camera, lines, self.world)


def take_xray(node: Any) -> TakenXray:
    """What a radiograph of this node, an X-ray in the scene, is made of; with its mask.

    InputError, naming the node, without a camera, for a camera or mask of another size, and, here or when the
    radiograph is made, for what is no grey-valued image of one slice with finite values.
    """
    return take_item(node, mask_of(node))


def take_item(node: Any, mask: Bool[np.ndarray, "rows columns"] | None) -> TakenXray:
    """As `take_xray`, with another mask, or with none; also for the items of a sequence."""
    calibrated = read_camera(node, size_of(node))
    if calibrated is None:
        raise InputError(
            node.GetName(),
            "its geometry is not known: where the source was, where the detector, how large a pixel is",
            "Give it a camera: a camera file, or the distances, pixel spacing and angles of the C-arm.",
        )
    return TakenXray(
        node.GetName(),
        image_of(node),
        mask,
        node.GetAttribute(PIXELS),
        layout_of(node),
        calibrated.camera,
        calibrated.provenance,
        None if node.GetAttribute(PROVENANCE) is None else read_provenance(node),
        world_frame(node),
    )


def layout_of(node: Any) -> GridSymmetry:
    """How the image as stored in its file was turned or mirrored to become that of the node."""
    matrix = read_json(node, LAYOUT)
    if matrix is None:
        return GridSymmetry.identity()
    (a, b), (c, d) = matrix
    return GridSymmetry(((a, b), (c, d)))
