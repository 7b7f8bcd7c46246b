"""The geometry that a user gives to an X-ray of the scene, in the words of files and consoles.

Both speak of the image as it is stored. The pixels of the node are turned or mirrored where the camera, which looks
from the source, needs that, and turned back where it does not.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import slicer

from ..xray.errors import InputError
from ..xray.files.c_arm_geometry import CArmGeometry
from ..xray.files.c_arm_view import CArmSource, c_arm_view
from ..xray.files.camera_files import read_camera
from ..xray.files.pixel_grid_symmetry import GridSymmetry
from ..xray.geometry import ScanningSlitCamera
from ..xray.provenance import Provenance
from ..xray.radiograph import WorldFrame
from . import camera_attributes
from .attributes import C_ARM, LAYOUT, MASK, read_json, write_json
from .drr_node import take_drr_away
from .sequence_items import node_and_items
from .xray_node import layout_of, set_camera, size_of


def use_c_arm(node: Any, geometry: CArmGeometry) -> None:
    """Give an X-ray the C-arm that `geometry` describes, completed by what its file said.

    InputError that lists what is missing, names the number that no C-arm has, or says that the image is a localizer's,
    or that the C-arm turned during the run, so that one camera is not enough; all is then as it was.
    """
    calibrated = camera_attributes.read_camera(node)
    if calibrated is not None and isinstance(calibrated.camera, ScanningSlitCamera):
        raise InputError(
            node.GetName(),
            "is a localizer of a CT scanner, which no C-arm took",
            "Its geometry comes with its file; give a camera file to replace it.",
        )
    if len({one.GetAttribute(C_ARM) for one in node_and_items(node)[1:]}) > 1:
        raise InputError(
            node.GetName(),
            "the C-arm moved from frame to frame, so that the frames need a camera each",
            "Add the file anew with these numbers (add_xray_sequence with an XrayFile and its geometry).",
        )
    stored_size = layout_of(node).inverse().pair(size_of(node))
    view = c_arm_view(node.GetName(), stored_size, geometry, read_c_arm(node))
    _lay_out(node, view.camera_from_stored)
    set_camera(node, view.camera, view.provenance, view.world)


def use_camera_file(node: Any, path: Path) -> None:
    """Give an X-ray the camera of a calibration file.

    InputError if it is none, or that of an image of another size; all is then as it was.
    """
    calibrated = read_camera(path, size=layout_of(node).inverse().pair(size_of(node)))
    if calibrated.distortion is not None:
        raise InputError(
            path,
            "tells of a distortion, which must be undone on the image as stored",
            "Add the X-ray's file anew together with this camera file (add_xray_sequence with an XrayFile).",
        )
    _lay_out(node, GridSymmetry.identity())
    set_camera(node, calibrated.camera, calibrated.provenance, WorldFrame.CALIBRATION)


def write_c_arm(node: Any, source: CArmSource) -> None:
    """Note what the file of an X-ray says of its C-arm."""
    content = {
        "geometry": asdict(source.geometry),
        "provenance": [asdict(line) for line in source.provenance],
        "where": source.where,
        "stored_from_detector": source.stored_from_detector.matrix,
    }
    write_json(node, C_ARM, content)


def read_c_arm(node: Any) -> CArmSource | None:
    """What `write_c_arm` noted; None where there is nothing."""
    content = read_json(node, C_ARM)
    if content is None:
        return None
    numbers: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in content["geometry"].items()
    }
    (a, b), (c, d) = content["stored_from_detector"]
    return CArmSource(
        CArmGeometry(**numbers),
        tuple(Provenance(**line) for line in content["provenance"]),
        content["where"],
        GridSymmetry(((a, b), (c, d))),
    )


def _lay_out(node: Any, wanted: GridSymmetry) -> None:
    """Turn the pixels of an X-ray and its mask from the layout that they have into the `wanted` one."""
    turn = wanted.after(layout_of(node).inverse())
    if turn == GridSymmetry.identity():
        return
    mask = node.GetNodeReference(MASK)
    for one in [*node_and_items(node), *(node_and_items(mask) if mask is not None else ())]:
        pixels = slicer.util.arrayFromVolume(one)[0]
        slicer.util.updateVolumeFromArray(one, turn.image(np.array(pixels))[None])
    for one in node_and_items(node):
        write_json(one, LAYOUT, wanted.matrix)
    # They show the X-ray as it was.
    take_drr_away(node)
