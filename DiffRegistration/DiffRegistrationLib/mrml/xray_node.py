"""Radiographs as volume nodes of one slice, and back without the loss of a bit; volumes of others made radiographs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import slicer
from jaxtyping import Bool, Num

from ..report.pictures import grey_window
from ..xray.errors import InputError
from ..xray.files.pixel_grid_symmetry import GridSymmetry
from ..xray.files.xray_with_geometry import XrayFile
from ..xray.geometry import Camera
from ..xray.provenance import Provenance
from ..xray.radiograph import Radiograph, WorldFrame
from .attributes import LAYOUT, MASK, OWNER, PIXELS, PROVENANCE, ROLE, write_json
from .beam_model import beam_is_shown, hide_beam, show_beam
from .camera_attributes import (
    of_camera,
    of_pixels,
    read_camera,
    read_provenance,
    write_camera,
    write_provenance,
)
from .detector_node import place_on_detector, set_spacing
from .scanner_session import note_session
from .scene import new_node, nothing_left_on_error, ras_from_ijk, remove_with_displays, set_ras_from_ijk
from .sequence_items import node_and_items, sequence_of, set_attribute
from .taken_xray import layout_of, take_xray
from .xray_geometry import GeometryState, XrayGeometry, geometry_of
from .xray_pixels import (
    ATTENUATION,
    PIXELS_NAMES,
    check_xray,
    mask_array,
    pixels_of,
    size_of,
)

__all__ = [
    "GeometryState",
    "XrayGeometry",
    "add_radiograph",
    "add_xray",
    "camera_of",
    "check_xray",
    "fill_mask",
    "fill_xray",
    "geometry_of",
    "layout_of",
    "mask_node_of",
    "pixels_of",
    "radiograph_from_node",
    "set_camera",
    "set_mask",
    "set_pixels",
    "size_of",
    "source_file",
]


def add_xray(xray_file: XrayFile, name: str | None = None) -> Any:
    """Read an X-ray file by the engine and add it to the scene: image, mask, camera and place; the image's node.

    Without a `name` it is called “X-ray”: names of files may name the patient. InputError for what cannot be used.
    """
    node = add_radiograph(xray_file.read(), name)
    note_session(node, xray_file.path)
    return node


def add_radiograph(radiograph: Radiograph, name: str | None = None, calibrated: bool = True) -> Any:
    """Add a radiograph to the scene, so that `radiograph_from_node` gives it back exactly; the image's node.

    With `calibrated` False its camera only stood in for one that is not known yet, and is left out.
    """
    with nothing_left_on_error():
        node = new_node("vtkMRMLScalarVolumeNode", name or "X-ray")
        mask = new_node("vtkMRMLLabelMapVolumeNode", f"{node.GetName()} mask", "mask")
        mask.SetNodeReferenceID(OWNER, node.GetID())
        node.SetNodeReferenceID(MASK, mask.GetID())
        fill_xray(node, radiograph, calibrated)
        fill_mask(mask, radiograph.mask, node)
        if calibrated:
            place_on_detector(node, radiograph.camera)
        node.CreateDefaultDisplayNodes()
        mask.CreateDefaultDisplayNodes()
        show_window(node, radiograph.attenuation, radiograph.mask)
    return node


def fill_xray(node: Any, radiograph: Radiograph, calibrated: bool = True) -> None:
    """Write a radiograph, all but its mask and place, into a volume node, whether that is in the scene or not."""
    slicer.util.updateVolumeFromArray(node, np.array(radiograph.attenuation[None]))
    set_ras_from_ijk(node, np.diag([-1.0, -1.0, 1.0, 1.0]))
    node.SetAttribute(PIXELS, ATTENUATION)
    if not calibrated:
        write_provenance(node, of_pixels(radiograph.provenance))
        return
    set_spacing(node, radiograph.camera)
    write_camera(node, radiograph.camera, of_camera(radiograph.provenance), radiograph.world)
    write_provenance(node, radiograph.provenance)
    written = {line.value for line in radiograph.provenance if line.quantity == "image layout"}
    layout = next((one for one in GridSymmetry.every() if str(one) in written), GridSymmetry.identity())
    write_json(node, LAYOUT, layout.matrix)


def fill_mask(mask: Any, usable: Bool[np.ndarray, "rows columns"], node: Any) -> None:
    """Write where an X-ray may be used into a label map node in the place of the X-ray's `node`."""
    slicer.util.updateVolumeFromArray(mask, usable[None].astype(np.uint8))
    set_ras_from_ijk(mask, ras_from_ijk(node))


def show_window(
    node: Any, image: Num[np.ndarray, "rows columns"], mask: Bool[np.ndarray, "rows columns"] | None
) -> None:
    """Set the grey window of a volume to show what may be used of it, and keep it from changing by itself."""
    usable = np.ones(image.shape, dtype=bool) if mask is None else mask
    window = grey_window(image.astype(np.float32), usable)
    display = node.GetDisplayNode()
    display.AutoWindowLevelOff()
    display.SetWindowLevelMinMax(window.black, window.white)


def radiograph_from_node(node: Any) -> Radiograph:
    """The radiograph of a volume node that has a camera.

    What `add_radiograph` was given comes back exactly. Grey values of other volumes become line integrals by the
    rules for picture files (see `set_pixels`). InputError, naming the node, without a camera, for a camera or mask of
    another size, and for what is no grey-valued image of one slice with finite values.
    """
    return take_xray(node).radiograph()


def camera_of(node: Any) -> Camera:
    """The camera of an X-ray node. InputError if it has none or one of another size."""
    calibrated = read_camera(node, size_of(node))
    if calibrated is None:
        raise InputError(
            node.GetName(), "its geometry is not known", "Give it a camera file, or the numbers of the C-arm."
        )
    return calibrated.camera


def set_camera(
    node: Any,
    camera: Camera,
    provenance: tuple[Provenance, ...] = (),
    world: WorldFrame = WorldFrame.CALIBRATION,
) -> None:
    """Give a volume of one slice, or every frame of a sequence, the camera of its pixels as they lie.

    The node moves to the detector, and its beam, if shown, follows. InputError for a camera of another size, which
    leaves all as it was. (`given_geometry` takes cameras of images as they are stored in files.)
    """
    size = size_of(node)
    if tuple(camera.size) != size:
        raise InputError(
            node.GetName(),
            f"the image has {size[0]} rows × {size[1]} columns, its camera {camera.size[0]} × {camera.size[1]}",
            "Give the camera of this image; a camera of a resampled image must be resampled with it.",
        )
    for one in node_and_items(node):
        write_camera(one, camera, provenance, world)
        if one.GetAttribute(PROVENANCE) is not None:
            write_provenance(one, (*provenance, *of_pixels(read_provenance(one))))
    place_on_detector(node, camera)
    shown = beam_is_shown(node)
    if shown is not None:
        show_beam(node)
        if not shown:
            hide_beam(node)


def set_pixels(node: Any, pixels: str) -> None:
    """Say what the values of an X-ray node are, for all frames of a sequence: one of `xray_pixels.PIXELS_NAMES`.

    InputError for any other word, and for saying of line integrals that they are grey values.
    """
    check_xray(node)
    if pixels not in PIXELS_NAMES:
        raise InputError(f"pixel values {pixels!r}", "are not known", f"Use one of {', '.join(PIXELS_NAMES)}.")
    if node.GetAttribute(PROVENANCE) is not None and pixels != ATTENUATION:
        raise InputError(
            node.GetName(),
            "holds line integrals that were computed from its file",
            "Leave its pixel values as they are.",
        )
    set_attribute(node, PIXELS, pixels)


def set_mask(node: Any, mask: Bool[np.ndarray, "rows columns"] | Any | None) -> None:
    """Say which part of an X-ray may be used: an array (True = usable), a label map node (above 0), or None for all.

    A node that is given becomes the X-ray's mask itself and moves to its place, so that what is painted into it later
    counts. InputError for a mask of another size or one that covers everything.
    """
    size = size_of(node)
    if mask is None:
        former = node.GetNodeReference(MASK)
        node.SetNodeReferenceID(MASK, None)
        if former is not None and former.GetAttribute(ROLE) == "mask" and sequence_of(former) is None:
            remove_with_displays(former)
        _note_field(node, None)
        return
    usable = mask_array(mask, size)
    if isinstance(mask, np.ndarray):
        with nothing_left_on_error():
            chosen = node.GetNodeReference(MASK)
            if chosen is None or chosen.GetNodeReferenceID(OWNER) != node.GetID() or sequence_of(chosen) is not None:
                chosen = new_node("vtkMRMLLabelMapVolumeNode", f"{node.GetName()} mask", "mask")
                chosen.SetNodeReferenceID(OWNER, node.GetID())
            fill_mask(chosen, usable, node)
            chosen.CreateDefaultDisplayNodes()
    else:
        chosen = mask
        set_ras_from_ijk(chosen, ras_from_ijk(node))
    chosen.SetAndObserveTransformNodeID(node.GetTransformNodeID())
    node.SetNodeReferenceID(MASK, chosen.GetID())
    _note_field(node, usable)


def mask_node_of(node: Any) -> Any:
    """The label map that says which part of an X-ray may be used; None where there is none."""
    return node.GetNodeReference(MASK)


def _note_field(node: Any, usable: Bool[np.ndarray, "rows columns"] | None) -> None:
    """Have the origins of a radiograph's numbers tell of the mask that it was given."""
    value, origin = ("100 % of the image", "mask taken away")
    if usable is not None:
        value, origin = f"{100 * usable.mean():.1f} % of the image", "given mask"
    for one in node_and_items(node):
        if one.GetAttribute(PROVENANCE) is not None:
            others = (line for line in read_provenance(one) if line.quantity != "field of view")
            write_provenance(one, (*others, Provenance("field of view", value, origin)))


def source_file(node: Any) -> Path | None:
    """The file that another reader than ours loaded the node from, for the engine to read; None if there is none."""
    storage = node.GetStorageNode()
    if storage is None or pixels_of(node) == ATTENUATION or not storage.GetFileName():
        return None
    return Path(storage.GetFullNameFromFileName())
