"""A CT's poses frame by frame: a sequence of transforms that a browser plays, each with what was found there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import slicer
from jaxtyping import Float64

from ..xray.errors import InputError
from ..xray.files.rigid_values import rigid_from_file
from .attributes import (
    COVARIANCE,
    FRAMES_PER_SECOND,
    POSE,
    POSE_SEQUENCE,
    REASON,
    RESULT_POSE,
    ROLE,
    SECONDS,
    SHOWN,
    SIMILARITY,
    SMOOTHED,
    START,
    STD,
    VERDICT,
    VIEWS_USED,
    read_json,
    write_json,
)
from .pose_node import PoseRecord, put_under_pose, result_attributes
from .registration_summary import RegistrationSummary
from .scene import belonging_to, new_node, nothing_left_on_error, set_matrix
from .sequence_items import browser_of, index_text, items_of, play_through

_SMOOTHED, _MEASURED = "smoothed", "measured"


@dataclass(frozen=True, eq=False)
class PosesOfFrames:
    """What a scene holds of a CT that was followed: a record for each of its frames, by the frame's index value.

    `smoothed` tells which poses are shown. `browser` plays them, None where it is gone.
    """

    records: Mapping[str, PoseRecord]
    smoothed: bool
    frames_per_second: float | None
    sequence: Any
    browser: Any

    @property
    def numbers(self) -> list[int]:
        """The frames' numbers, which rise."""
        return numbers_of(list(self.records))


def pose_sequence(
    ct_node: Any,
    poses: Sequence[PoseRecord | RegistrationSummary | Float64[np.ndarray, "4 4"]],
    index_values: Sequence[float | str],
    browser: Any = None,
    *,
    smoothed: bool = False,
    frames_per_second: float | None = None,
) -> tuple[Any, Any]:
    """Let a browser play a CT through `poses`, one for each of `index_values`; (sequence node, browser).

    The values are those of the X-rays' frames (`xray_sequence.index_values_of`), or numbers. Each item carries its
    verdict. With the `browser` of X-rays one slider moves both; without, the CT gets one of its own. Sequence and
    browser are reused when poses come again. With `smoothed` those poses are shown, where they are known. InputError
    for poses that are not rigid, and where their number or the frames do not fit.
    """
    records = [PoseRecord.of(pose) for pose in poses]
    frames = [index_text(value) for value in index_values]
    if not records or len(records) != len(frames) or len(set(frames)) != len(frames):
        raise InputError(
            ct_node.GetName(),
            f"{len(records)} poses and {len(set(frames))} different frames were given",
            "Give one pose for each frame, and at least one.",
        )
    matrices = [
        rigid_from_file(ct_node.GetName(), f"the pose of frame {frame}", record.shown(smoothed))
        for frame, record in zip(frames, records, strict=True)
    ]
    with nothing_left_on_error():
        sequence = belonging_to(ct_node, POSE_SEQUENCE, "vtkMRMLSequenceNode", f"{ct_node.GetName()} poses")
        transform = put_under_pose(ct_node, matrices[0])
        former = browser_of(transform)
        browser = browser or former or new_node("vtkMRMLSequenceBrowserNode", f"{ct_node.GetName()} poses")
        if former is not None and former is not browser:
            former.RemoveSynchronizedSequenceNode(sequence.GetID())
        with slicer.util.NodeModify(browser):
            _fill(sequence, frames, matrices, records, transform.GetAttribute(ROLE))
            sequence.SetAttribute(SHOWN, _SMOOTHED if smoothed else _MEASURED)
            write_json(sequence, FRAMES_PER_SECOND, frames_per_second)
            play_through(browser, sequence, transform)
        if browser.GetSelectedItemNumber() < 0:
            browser.SetSelectedItemNumber(0)
    return sequence, browser


def poses_of_frames(ct_node: Any) -> PosesOfFrames | None:
    """What `pose_sequence` put into the scene for this CT; None where it was not followed."""
    sequence = _sequence_of(ct_node)
    if sequence is None or not sequence.GetNumberOfDataNodes():
        return None
    frames = [sequence.GetNthIndexValue(number) for number in range(sequence.GetNumberOfDataNodes())]
    records = {
        frame: _record(item)
        for frame, item in zip(frames, items_of(sequence), strict=True)
        # While a scene is read, its sequences come before what they hold.
        if item is not None and item.GetAttribute(RESULT_POSE) is not None
    }
    if not records:
        return None
    browser = browser_of(ct_node.GetNodeReference(POSE))
    # The CT's pose may have been put under another browser's care.
    plays = browser is not None and browser.IsSynchronizedSequenceNodeID(sequence.GetID(), True)
    rate = read_json(sequence, FRAMES_PER_SECOND)
    shown = sequence.GetAttribute(SHOWN) == _SMOOTHED
    return PosesOfFrames(records, shown, rate, sequence, browser if plays else None)


def show_poses(ct_node: Any, smoothed: bool) -> None:
    """Let the browser play the smoothed poses or those that were measured; both are kept."""
    sequence = _sequence_of(ct_node)
    if sequence is None or (sequence.GetAttribute(SHOWN) == _SMOOTHED) == smoothed:
        return
    for item in items_of(sequence):
        set_matrix(item, _record(item).shown(smoothed))
    sequence.SetAttribute(SHOWN, _SMOOTHED if smoothed else _MEASURED)
    # What the browser shows now is a copy of an item.
    browser, transform = browser_of(ct_node.GetNodeReference(POSE)), ct_node.GetNodeReference(POSE)
    frame = shown_frame(browser)
    if frame is not None and (item := sequence.GetDataNodeAtValue(frame)) is not None:
        set_matrix(transform, _record(item).shown(smoothed))


def shown_frame(browser: Any) -> str | None:
    """The index value of the frame that a browser shows; None where it shows none."""
    if browser is None or (master := browser.GetMasterSequenceNode()) is None:
        return None
    number = browser.GetSelectedItemNumber()
    return master.GetNthIndexValue(number) if 0 <= number < master.GetNumberOfDataNodes() else None


def show_frame(browser: Any, frame: str) -> None:
    """Have a browser show the frame of this index value, if it has that."""
    master = None if browser is None else browser.GetMasterSequenceNode()
    number = -1 if master is None else master.GetItemNumberFromIndexValue(frame)
    if number >= 0 and number != browser.GetSelectedItemNumber():
        browser.SetSelectedItemNumber(number)


def numbers_of(index_values: Sequence[str]) -> list[int]:
    """Numbers of frames for people and for time: the index values where these are whole and rise, else places from 0.

    Values in seconds, for one, are none.
    """
    try:
        numbers = [int(value) for value in index_values]
    except ValueError:
        return list(range(len(index_values)))
    rises = all(later > before for before, later in pairwise(numbers))
    return numbers if rises else list(range(len(index_values)))


def _sequence_of(ct_node: Any) -> Any:
    return None if ct_node is None else ct_node.GetNodeReference(POSE_SEQUENCE)


def _fill(
    sequence: Any,
    frames: Sequence[str],
    matrices: Sequence[Float64[np.ndarray, "4 4"]],
    records: Sequence[PoseRecord],
    role: str | None,
) -> None:
    sequence.RemoveAllDataNodes()
    sequence.SetIndexName("frame")
    sequence.SetIndexUnit("")
    sequence.SetIndexType(sequence.NumericIndex)
    for frame, matrix, record in zip(frames, matrices, records, strict=True):
        item = slicer.vtkMRMLLinearTransformNode()
        item.SetName(f"{sequence.GetName()} {frame}")
        set_matrix(item, matrix)
        item.SetAttribute(ROLE, role)
        for name, value in result_attributes(record).items():
            item.SetAttribute(name, value)
        write_json(item, COVARIANCE, [_numbers_or_none(row) for row in record.covariance] or None)
        write_json(item, SMOOTHED, record.smoothed)
        write_json(item, VIEWS_USED, record.views)
        sequence.SetDataNodeAtValue(item, frame)
    if sequence.GetStorageNode() is None:
        # The usual file of linear transforms keeps six digits and no attributes; this one keeps all.
        storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceStorageNode")
        sequence.SetAndObserveStorageNodeID(storage.GetID())


def _numbers_or_none(row: Sequence[float]) -> list[float | None]:
    return [x if np.isfinite(x) else None for x in row]


def _record(item: Any) -> PoseRecord:
    """What an item says of its frame."""
    return PoseRecord.from_dict(
        {
            "pose": json.loads(item.GetAttribute(RESULT_POSE)),
            "verdict": item.GetAttribute(VERDICT),
            "reason": item.GetAttribute(REASON),
            "similarity": item.GetAttribute(SIMILARITY),
            "std": read_json(item, STD),
            "start": item.GetAttribute(START),
            "seconds": item.GetAttribute(SECONDS),
            "covariance": read_json(item, COVARIANCE),
            "smoothed": read_json(item, SMOOTHED),
            "views": read_json(item, VIEWS_USED),
        }
    )
