"""A CT's pose as the linear transform that it lies under: set, undone, and judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import slicer
from jaxtyping import Float64

from ..xray.files.rigid_values import rigid_from_file
from . import pose_history
from .attributes import (
    CENTRE,
    POSE,
    REASON,
    REPORT,
    RESULT_POSE,
    SECONDS,
    SIMILARITY,
    START,
    STD,
    VERDICT,
)
from .pose_history import can_undo
from .pose_record import PoseRecord
from .registration_summary import RegistrationSummary
from .scene import belonging_to, matrix_of, nothing_left_on_error, set_matrix, world_from_local

__all__ = [
    "SAME_PLACE",
    "PoseRecord",
    "can_undo",
    "moved_since_result",
    "put_under_pose",
    "read_result",
    "registered_cts",
    "report_of",
    "result_attributes",
    "undo_pose",
    "write_result",
]

_RESULT = (RESULT_POSE, VERDICT, REASON, SIMILARITY, STD, CENTRE, START, SECONDS, REPORT)
# A pose that differs by less than this (rad and mm) was not moved.
SAME_PLACE = 1e-6


def put_under_pose(
    ct_node: Any, pose: Float64[np.ndarray, "4 4"], name: str | None = None, undoable: bool = True
) -> Any:
    """Put a CT under a linear transform with this pose (world_from_ct, RAS mm), and return the transform's node.

    The transform is made once and reused; what the CT lay under before is remembered for `undo_pose`, unless
    `undoable` is False. A result that the transform carried is taken off it, unless it is that of this very pose.
    InputError for a pose that is not rigid.
    """
    pose = rigid_from_file(ct_node.GetName(), "the pose", pose)
    if undoable:
        pose_history.push(ct_node, _RESULT)
    with nothing_left_on_error():
        transform = belonging_to(ct_node, POSE, "vtkMRMLLinearTransformNode", name or f"{ct_node.GetName()} pose")
    with slicer.util.NodeModify(transform):
        if name is not None:
            transform.SetName(name)
        if not _is_of(transform, pose):
            for attribute in _RESULT:
                transform.SetAttribute(attribute, None)
        # The pose is that in the world, whatever the transform was put under meanwhile.
        transform.SetAndObserveTransformNodeID(None)
        set_matrix(transform, pose)
    ct_node.SetAndObserveTransformNodeID(transform.GetID())
    return transform


def undo_pose(ct_node: Any) -> bool:
    """Put a CT back to where it lay before the last `put_under_pose`, result and all; False if it was never moved."""
    return pose_history.pop(ct_node, _RESULT)


def write_result(transform_node: Any, summary: RegistrationSummary, report: Path | None = None) -> None:
    """Note on a pose node what a registration found, and where its report lies."""
    for name, value in result_attributes(PoseRecord.of(summary)).items():
        transform_node.SetAttribute(name, value)
    transform_node.SetAttribute(CENTRE, json.dumps(list(summary.centre)))
    transform_node.SetAttribute(REPORT, None if report is None else str(report))


def read_result(transform_node: Any) -> RegistrationSummary | None:
    """What `write_result` noted; None where there is nothing, as on a frame of a tracking."""
    if transform_node.GetAttribute(RESULT_POSE) is None or transform_node.GetAttribute(CENTRE) is None:
        return None
    content = {
        "pose": json.loads(transform_node.GetAttribute(RESULT_POSE)),
        "verdict": transform_node.GetAttribute(VERDICT),
        "reason": transform_node.GetAttribute(REASON) or "",
        "similarity": float(transform_node.GetAttribute(SIMILARITY)),
        "std": json.loads(transform_node.GetAttribute(STD)),
        "centre": json.loads(transform_node.GetAttribute(CENTRE)),
        "start": transform_node.GetAttribute(START) or "",
        "seconds": float(transform_node.GetAttribute(SECONDS)),
    }
    return RegistrationSummary.from_dict(content)


def report_of(transform_node: Any) -> Path | None:
    """The report of the registration that found this pose, if it was kept."""
    written = transform_node.GetAttribute(REPORT)
    return None if written is None else Path(written)


def registered_cts() -> list[tuple[Any, Any]]:
    """The volumes of the scene that lie under a pose that a registration found, each with the pose's node."""
    volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode", slicer.mrmlScene)
    pairs = [(volume, volume.GetParentTransformNode()) for volume in volumes]
    return [(ct, transform) for ct, transform in pairs if transform is not None and read_result(transform)]


def moved_since_result(transform_node: Any) -> bool:
    """Whether a pose node, or what it lies under, has moved from where its result had it: verdict and numbers then do
    not hold any more.
    """
    if transform_node.GetAttribute(RESULT_POSE) is None:
        return False
    above = world_from_local(transform_node)
    return above is None or not _is_of(transform_node, above @ matrix_of(transform_node))


def _is_of(transform_node: Any, pose: Float64[np.ndarray, "4 4"]) -> bool:
    """Whether the result that a pose node carries found this pose."""
    written = transform_node.GetAttribute(RESULT_POSE)
    return written is not None and np.allclose(pose, np.array(json.loads(written)), rtol=0, atol=SAME_PLACE)


def result_attributes(record: PoseRecord) -> dict[str, str]:
    """A record as attributes that a person can read."""
    return {
        RESULT_POSE: json.dumps([list(row) for row in record.pose]),
        VERDICT: record.verdict,
        REASON: record.reason,
        SIMILARITY: repr(float(record.similarity)),
        STD: json.dumps(list(record.std)),
        START: record.start,
        SECONDS: repr(float(record.seconds)),
    }
