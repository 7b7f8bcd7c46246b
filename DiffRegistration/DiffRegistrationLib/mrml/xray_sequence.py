"""X-rays of several frames as sequences that a browser plays through: image, mask, and place where it changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import slicer
from jaxtyping import Bool

from ..xray.errors import InputError
from ..xray.files.c_arm_view import CArmSource
from ..xray.files.camera_json import camera_to_json
from ..xray.files.xray_dicom import is_dicom, is_localizer, read_header
from ..xray.files.xray_dicom_geometry import c_arm_source
from ..xray.files.xray_dicom_images import open_dicom
from ..xray.files.xray_dicom_tags import FrameTags

# The collimator of a sequence is looked for as the file reader does.
from ..xray.files.xray_files import field_of_all, frame_count, image_size, read_xray_frames
from ..xray.files.xray_pictures import Picture
from ..xray.files.xray_with_geometry import XrayFile
from ..xray.geometry import PinholeCamera
from ..xray.radiograph import Radiograph
from .attributes import DETECTOR, MASK, ROLE
from .detector_node import world_from_detector
from .given_geometry import write_c_arm
from .scanner_session import note_session
from .scene import new_node, nothing_left_on_error, ras_from_ijk, set_matrix
from .sequence_items import browser_of, index_text, items_of, node_and_items, play_through, sequence_of
from .taken_xray import TakenXray, take_item, take_xray
from .xray_node import add_radiograph, fill_mask, fill_xray
from .xray_pixels import ATTENUATION, check_xray, mask_array, mask_of, meaning_of

__all__ = [
    "add_radiograph_sequence",
    "add_xray_file",
    "add_xray_sequence",
    "browser_of",
    "frames_of",
    "index_values_of",
    "radiographs_of",
    "take_frames",
]


def add_xray_sequence(
    source: XrayFile | Any, frames: Sequence[int] | None = None, name: str | None = None
) -> tuple[Any, Any]:
    """Add frames of an X-ray file (all if None), or make X-rays of a sequence of volumes that Slicer has loaded.

    `source` is an `XrayFile`, or a sequence node, all of whose frames are taken. Gives the proxy, which is the X-ray
    node and shows one frame at a time, and its browser. InputError for what cannot be used.
    """
    if isinstance(source, XrayFile):
        radiographs = source.read_frames(frames)
        if not radiographs:
            raise InputError(source.path, "no frame was asked for", "Ask for one frame at least.")
        return add_radiograph_sequence(radiographs, range(len(radiographs)) if frames is None else frames, name)
    if frames is not None:
        raise InputError(source.GetName(), "is in the scene with all its frames", "Choose frames when they are used.")
    return _played(source, name)


def add_xray_file(path: Path, name: str | None = None) -> Any:
    """Add an X-ray file, of one frame or several, and give its node.

    A file that does not tell its geometry comes without a camera, which is then given to the node (`given_geometry`).
    InputError for what is no X-ray or cannot be read.
    """
    path = Path(path)
    numbers = range(frame_count(path))
    missing = _lacks_geometry(path)
    camera = PinholeCamera(np.eye(3), np.eye(4), image_size(path)) if missing else None
    radiographs = read_xray_frames(path, camera=camera)
    with nothing_left_on_error():
        if len(radiographs) > 1:
            node, _browser = add_radiograph_sequence(radiographs, numbers, name, calibrated=not missing)
        else:
            node = add_radiograph(radiographs[0], name, calibrated=not missing)
        note_session(node, path)
        if is_dicom(path):
            items = node_and_items(node)
            for frame, one in zip([0, *numbers][: len(items)], items, strict=True):
                said = _said_of_c_arm(path, frame)
                if said is not None:
                    write_c_arm(one, said)
    return node


def add_radiograph_sequence(
    radiographs: Sequence[Radiograph],
    frames: Sequence[float | str],
    name: str | None = None,
    calibrated: bool = True,
) -> tuple[Any, Any]:
    """Add radiographs of one size, one for each of `frames`; (proxy, browser). `calibrated` as in `add_radiograph`."""
    indices = [index_text(frame) for frame in frames]
    if len({radiograph.camera.size for radiograph in radiographs}) != 1:
        raise InputError(name or "X-rays", "the frames differ in size", "Add them one by one.")
    if len(set(indices)) != len(radiographs):
        raise InputError(
            name or "X-rays", f"{len(radiographs)} frames have the numbers {indices}", "Number each once."
        )
    with nothing_left_on_error():
        proxy = add_radiograph(radiographs[0], name, calibrated)
        browser = new_node("vtkMRMLSequenceBrowserNode", f"{proxy.GetName()} browser")
        images = _sequence(f"{proxy.GetName()} frames")
        masks = _sequence(f"{proxy.GetName()} masks")
        for index, radiograph in zip(indices, radiographs, strict=True):
            image = slicer.vtkMRMLScalarVolumeNode()
            fill_xray(image, radiograph, calibrated)
            _put(images, image, index)
            mask = slicer.vtkMRMLLabelMapVolumeNode()
            fill_mask(mask, radiograph.mask, image)
            mask.SetAttribute(ROLE, proxy.GetNodeReference(MASK).GetAttribute(ROLE))
            _put(masks, mask, index)
        play_through(browser, images, proxy)
        play_through(browser, masks, proxy.GetNodeReference(MASK))
        if calibrated and len({str(camera_to_json(radiograph.camera)) for radiograph in radiographs}) > 1:
            _let_detector_move(browser, proxy, indices, radiographs)
        browser.SetSelectedItemNumber(0)
    return proxy, browser


def frames_of(node: Any) -> int:
    """How many frames an X-ray node can show: 1 where it is no sequence's."""
    sequence = sequence_of(node)
    return 1 if sequence is None else sequence.GetNumberOfDataNodes()


def index_values_of(node: Any, frames: Sequence[int] | None = None) -> list[str]:
    """By which values the sequence of an X-ray node knows these frames (places from 0, all if None)."""
    sequence = sequence_of(node)
    chosen = _checked(node, frames)
    return [index_text(n) if sequence is None else sequence.GetNthIndexValue(n) for n in chosen]


def radiographs_of(node: Any, frames: Sequence[int] | None = None) -> list[Radiograph]:
    """Radiographs of an X-ray node's frames, by their place in the sequence from 0 (all if None).

    As `radiograph_from_node` gives them, except that for volumes of others without a mask the collimator's edges are
    looked for once, in the mean of these frames. InputError for a frame that is not there, and as that function.
    """
    return take_frames(node, frames)()


def take_frames(
    node: Any, frames: Sequence[int] | None = None, *, spare_unusable: bool = False
) -> Callable[[], list[Radiograph]]:
    """What makes the radiographs of `radiographs_of`, which may take long, without touching a node.

    With `spare_unusable` a frame that none can be made of, such as a dark one, becomes one without a usable pixel,
    unless all are so.
    """
    sequence = sequence_of(node)
    chosen = _checked(node, frames)
    if sequence is None:
        taken = [take_xray(node) for _ in chosen]
    else:
        indices = [sequence.GetNthIndexValue(frame) for frame in chosen]
        items = zip(chosen, indices, strict=True)
        taken = [
            take_item(sequence.GetNthDataNode(frame), _mask_at(node, index, spare_unusable)) for frame, index in items
        ]
    shares = len(taken) > 1 and taken[0].mask is None and taken[0].pixels != ATTENUATION
    make = _with_shared_field(taken) if shares else [one.radiograph for one in taken]
    return lambda: _made(make, taken, spare_unusable)


def _checked(node: Any, frames: Sequence[int] | None) -> list[int]:
    """The places of frames, all if None. InputError for one that is not there."""
    count = frames_of(node)
    chosen = list(range(count)) if frames is None else [int(frame) for frame in frames]
    for frame in chosen:
        if not 0 <= frame < count:
            raise InputError(
                node.GetName(),
                f"frame {frame} was asked for, it has {count} (0 to {count - 1})",
                "Choose a frame that exists; frames count from 0.",
            )
    return chosen


def _lacks_geometry(path: Path) -> bool:
    """Whether an X-ray file does not tell its whole geometry."""
    xray = open_dicom(path) if is_dicom(path) else Picture(path)
    try:
        xray.view(0, None)
    except InputError:
        return True
    return False


def _said_of_c_arm(path: Path, frame: int) -> CArmSource | None:
    """What the tags of a DICOM file do say of the C-arm; None for a localizer, which has none."""
    header = read_header(path)
    return None if is_localizer(header) else c_arm_source(FrameTags(header, frame, path), None)


def _played(sequence: Any, name: str | None) -> tuple[Any, Any]:
    """Proxy and browser of a sequence of volumes that is in the scene; made where it has none."""
    if not sequence.IsA("vtkMRMLSequenceNode") or not sequence.GetNumberOfDataNodes():
        raise InputError(sequence.GetName(), "is no sequence of images", "Choose a sequence with one frame at least.")
    for item in items_of(sequence):
        check_xray(item)
    for browser in slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode", slicer.mrmlScene):
        proxy = browser.GetProxyNode(sequence)
        if proxy is not None:
            return proxy, browser
    with nothing_left_on_error():
        proxy = new_node("vtkMRMLScalarVolumeNode", name or sequence.GetName())
        browser = new_node("vtkMRMLSequenceBrowserNode", f"{proxy.GetName()} browser")
        play_through(browser, sequence, proxy)
        browser.SetSelectedItemNumber(0)
        proxy.CopyContent(sequence.GetNthDataNode(0))
        proxy.CreateDefaultDisplayNodes()
    return proxy, browser


def _let_detector_move(browser: Any, proxy: Any, indices: Sequence[str], radiographs: Sequence[Radiograph]) -> None:
    """The detector's place for each frame, as the C-arm turned."""
    transform = proxy.GetNodeReference(DETECTOR)
    places = _sequence(f"{transform.GetName()} places")
    for index, radiograph in zip(indices, radiographs, strict=True):
        item = slicer.vtkMRMLLinearTransformNode()
        set_matrix(item, world_from_detector(ras_from_ijk(proxy), radiograph.camera))
        item.SetAttribute(ROLE, transform.GetAttribute(ROLE))
        _put(places, item, index)
    # The usual file of linear transforms keeps six digits; this one keeps all.
    storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceStorageNode")
    places.SetAndObserveStorageNodeID(storage.GetID())
    play_through(browser, places, transform)


def _sequence(name: str) -> Any:
    sequence = new_node("vtkMRMLSequenceNode", name)
    sequence.SetIndexName("frame")
    sequence.SetIndexUnit("")
    sequence.SetIndexType(sequence.NumericIndex)
    return sequence


def _put(sequence: Any, item: Any, index: str) -> None:
    item.SetName(f"{sequence.GetName()} {index}")
    sequence.SetDataNodeAtValue(item, index)


def _made(
    make: Sequence[Callable[[], Radiograph]], taken: Sequence[TakenXray], spare_unusable: bool
) -> list[Radiograph]:
    """The radiographs that are made of what was taken."""
    radiographs: list[Radiograph] = []
    problems: list[InputError] = []
    for one, radiograph in zip(taken, make, strict=True):
        try:
            radiographs.append(radiograph())
        except InputError as error:
            problems.append(error)
            if not spare_unusable or len(problems) == len(taken):
                raise problems[0] from None
            nothing = np.zeros(one.camera.size, dtype=np.float32)
            radiographs.append(Radiograph(nothing, nothing > 0, one.camera, (), one.world))
    return radiographs


def _mask_at(node: Any, index: str, spare_unusable: bool) -> Bool[np.ndarray, "rows columns"] | None:
    """The mask of an X-ray node for the frame of this index value."""
    mask = node.GetNodeReference(MASK)
    masks = sequence_of(mask)
    if masks is None:
        return mask_of(node)
    columns, rows, _slices = node.GetImageData().GetDimensions()
    try:
        return mask_array(masks.GetDataNodeAtValue(index), (rows, columns))
    except InputError:
        if not spare_unusable:
            raise
        return np.zeros((rows, columns), dtype=bool)


def _with_shared_field(taken: Sequence[TakenXray]) -> list[Callable[[], Radiograph]]:
    """What makes radiographs of grey-valued frames, with the collimator's opening that their mean shows."""

    @cache
    def field() -> Bool[np.ndarray, "rows columns"]:
        return field_of_all(
            [(one.values.astype(np.float32), meaning_of(one.values.dtype, one.pixels)) for one in taken]
        )

    def made(one: TakenXray) -> Radiograph:
        radiograph = replace(one, mask=field()).radiograph()
        origin = "edges of the collimator in the mean of the frames"
        lines = (
            replace(line, origin=origin, assumed=True) if line.quantity == "field of view" else line
            for line in radiograph.provenance
        )
        return replace(radiograph, provenance=tuple(lines))

    return [partial(made, one) for one in taken]
