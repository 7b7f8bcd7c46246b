"""Where a CT lay before, kept on its node and saved with it."""

from __future__ import annotations

from typing import Any

from .attributes import POSE, POSE_HISTORY, PREFIX, read_json, write_json
from .scene import matrix_of, set_matrix

# Enough for a session; a scene that is saved for years need not grow with every try.
_MOST_STEPS = 50
_ON_POSE = "on pose node"


def push(ct: Any, result_names: tuple[str, ...]) -> None:
    """Note what the CT lies under, and matrix, parent and result of its pose node, before any of it changes.

    `result_names` are the attributes of the pose node that make up a result.
    """
    steps = _steps(ct)
    number = steps[-1]["number"] + 1 if steps else 1
    pose, parent = ct.GetNodeReference(POSE), ct.GetParentTransformNode()
    step: dict[str, Any] = {"number": number, "under": None, "pose": None}
    if parent is not None and parent is pose:
        step["under"] = _ON_POSE
    elif parent is not None:
        step["under"] = _role(number, "Parent")
        ct.SetNodeReferenceID(step["under"], parent.GetID())
    if pose is not None:
        above = pose.GetParentTransformNode()
        role = None if above is None else _role(number, "PoseParent")
        if above is not None:
            ct.SetNodeReferenceID(role, above.GetID())
        result = {name: pose.GetAttribute(name) for name in result_names if pose.GetAttribute(name) is not None}
        step["pose"] = {"matrix": matrix_of(pose).tolist(), "under": role, "result": result}
    steps.append(step)
    for forgotten in steps[:-_MOST_STEPS]:
        _forget(ct, forgotten)
    write_json(ct, POSE_HISTORY, steps[-_MOST_STEPS:])


def pop(ct: Any, result_names: tuple[str, ...]) -> bool:
    """Put CT and pose node back to where they were at the last `push`; False if there was none.

    A transform that was deleted meanwhile counts as none.
    """
    steps = _steps(ct)
    if not steps:
        return False
    step = steps.pop()
    pose = ct.GetNodeReference(POSE)
    if pose is not None and step["pose"] is not None:
        above = ct.GetNodeReference(step["pose"]["under"]) if step["pose"]["under"] else None
        pose.SetAndObserveTransformNodeID(above.GetID() if above is not None else None)
        set_matrix(pose, step["pose"]["matrix"])
        for name in result_names:
            pose.SetAttribute(name, step["pose"]["result"].get(name))
    under = step["under"]
    parent = pose if under == _ON_POSE else ct.GetNodeReference(under) if under else None
    ct.SetAndObserveTransformNodeID(parent.GetID() if parent is not None else None)
    _forget(ct, step)
    write_json(ct, POSE_HISTORY, steps or None)
    return True


def can_undo(ct: Any) -> bool:
    """Whether there is a step to go back."""
    return bool(_steps(ct))


def last_step(ct: Any) -> int | None:
    """The number of the newest step; None if there is none."""
    steps = _steps(ct)
    return steps[-1]["number"] if steps else None


def _steps(ct: Any) -> list[dict[str, Any]]:
    return read_json(ct, POSE_HISTORY) or []


def _role(number: int, what: str) -> str:
    """A reference of its own for each step: those that share one move up when a node before them is deleted."""
    return f"{PREFIX}Former{what}{number}"


def _forget(ct: Any, step: dict[str, Any]) -> None:
    ct.SetNodeReferenceID(_role(step["number"], "Parent"), None)
    ct.SetNodeReferenceID(_role(step["number"], "PoseParent"), None)
