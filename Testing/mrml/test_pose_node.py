"""A CT is put under its pose, judged, and put back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from DiffRegistrationLib.mrml.attributes import POSE, VERDICT
from DiffRegistrationLib.mrml.ct_node import world_from_ct
from DiffRegistrationLib.mrml.pose_node import (
    can_undo,
    moved_since_result,
    put_under_pose,
    read_result,
    report_of,
    undo_pose,
    write_result,
)
from DiffRegistrationLib.mrml.registration_summary import RegistrationSummary
from DiffRegistrationLib.registration.result import RegistrationResult, Verdict
from DiffRegistrationLib.registration.workflow import result_as_dict
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import rigid
from made_up_xrays import transform, volume

pytestmark = pytest.mark.mrml

FIRST = rigid.exp([0.4, -1.9, 0.3, 120.0, -330.0, 80.0])
SECOND = rigid.exp([-0.2, 0.6, 1.3, -12.0, 33.0, 801.0])
BEFORE = rigid.exp([0.0, 0.3, 0.0, 5.0, 0.0, 0.0])


@pytest.fixture
def ct(scene: Any) -> Any:
    return volume(np.arange(-1000, 1000, dtype=np.int16).reshape(10, 10, 20))


def summary(pose: np.ndarray, verdict: Verdict = Verdict.DOUBTFUL) -> RegistrationSummary:
    result = RegistrationResult(
        pose, verdict, "depth is vague: ±3 mm; “look” & see", 0.9123456789, np.diag(np.arange(1.0, 7) / 7),
        np.array([1 / 3, -2.0, 3.0]), 0.731, (), "AP", (), (),
    )  # fmt: skip
    return RegistrationSummary.from_dict(result_as_dict(result))


def test_the_ct_lies_at_the_pose_and_the_transform_is_reused(ct: Any, unchanged: Callable) -> None:
    node = put_under_pose(ct, FIRST)
    unchanged()
    np.testing.assert_array_equal(slicer.util.arrayFromTransformMatrix(node), FIRST)
    np.testing.assert_array_equal(world_from_ct(ct), FIRST)
    assert put_under_pose(ct, SECOND, "Found") is node
    np.testing.assert_array_equal(world_from_ct(ct), SECOND)
    assert unchanged() and node.GetName() == "Found"


def test_a_pose_under_another_transform_is_that_in_the_world_again(ct: Any) -> None:
    node = put_under_pose(ct, FIRST)
    transform(BEFORE, node)
    np.testing.assert_allclose(world_from_ct(ct), BEFORE @ FIRST, atol=1e-9)
    put_under_pose(ct, SECOND)
    np.testing.assert_array_equal(world_from_ct(ct), SECOND)
    assert undo_pose(ct)
    np.testing.assert_allclose(world_from_ct(ct), BEFORE @ FIRST, atol=1e-9)


def test_undo_goes_back_step_by_step_to_where_the_ct_lay_at_first(ct: Any, reopened: Callable) -> None:
    former = transform(BEFORE, ct)
    assert not can_undo(ct)
    node = put_under_pose(ct, FIRST)
    write_result(node, summary(FIRST), Path("/results/report.html"))
    put_under_pose(ct, SECOND)
    assert read_result(node) is None, "the verdict was that of another pose"
    # A hand moves it on; the next registration begins from there.
    slicer.util.updateTransformMatrixFromArray(node, SECOND @ BEFORE)
    put_under_pose(ct, FIRST)
    successor = reopened()
    ct, node, former = (successor(one) for one in (ct, node, former))
    assert undo_pose(ct)
    np.testing.assert_allclose(world_from_ct(ct), SECOND @ BEFORE, atol=1e-9)
    assert undo_pose(ct)
    np.testing.assert_allclose(world_from_ct(ct), FIRST, atol=1e-9)
    assert read_result(node) == summary(FIRST) and report_of(node) == Path("/results/report.html")
    assert undo_pose(ct)
    assert ct.GetParentTransformNode() is former and not can_undo(ct) and not undo_pose(ct)
    assert not [role for role in roles(ct) if "Former" in role], "nothing is left of the steps"


def roles(node: Any) -> list[str]:
    return [node.GetNthNodeReferenceRole(n) for n in range(node.GetNumberOfNodeReferenceRoles())
            if node.GetNodeReferenceID(node.GetNthNodeReferenceRole(n))]  # fmt: skip


def test_undo_survives_that_its_transforms_were_deleted(ct: Any) -> None:
    former = transform(BEFORE, ct)
    node = put_under_pose(ct, FIRST)
    put_under_pose(ct, SECOND)
    slicer.mrmlScene.RemoveNode(former)
    slicer.mrmlScene.RemoveNode(node)
    assert undo_pose(ct) and undo_pose(ct) and not undo_pose(ct)
    assert ct.GetParentTransformNode() is None
    np.testing.assert_array_equal(world_from_ct(ct), np.eye(4))
    put_under_pose(ct, SECOND)
    np.testing.assert_array_equal(world_from_ct(ct), SECOND)


def test_a_move_that_shall_not_be_undone_leaves_no_step(ct: Any) -> None:
    put_under_pose(ct, FIRST)
    for part in (0.1, 0.2, 0.3):
        put_under_pose(ct, rigid.exp([part, 0, 0, 0, 0, 0]) @ FIRST, undoable=False)
    assert undo_pose(ct) and not can_undo(ct)


def test_the_steps_that_are_kept_are_bounded(ct: Any) -> None:
    transform(BEFORE, ct)
    for step in range(60):
        put_under_pose(ct, rigid.exp([0, 0, 0, step, 0, 0]))
    undone = 0
    while undo_pose(ct):
        undone += 1
    assert undone == 50
    assert world_from_ct(ct)[0, 3] == 9 and not [role for role in roles(ct) if "Former" in role]


def test_a_result_is_saved_with_the_scene_and_knows_when_it_no_longer_holds(ct: Any, reopened: Callable) -> None:
    node = put_under_pose(ct, FIRST)
    assert read_result(node) is None and report_of(node) is None
    found = summary(FIRST)
    write_result(node, found, Path("/results/große Köpfe/report.html"))
    assert node.GetAttribute(VERDICT) == "doubtful"
    loaded = reopened()(node)
    assert read_result(loaded) == found
    assert report_of(loaded) == Path("/results/große Köpfe/report.html")
    assert not moved_since_result(loaded)
    moved = slicer.util.arrayFromTransformMatrix(loaded) @ rigid.exp([0, 0, 0, 0, 1e-3, 0])
    slicer.util.updateTransformMatrixFromArray(loaded, moved)
    assert moved_since_result(loaded)


def test_a_result_that_is_not_known_in_full_comes_back(ct: Any) -> None:
    node = put_under_pose(ct, FIRST)
    vague = RegistrationSummary.from_dict({**vars(summary(FIRST)), "std": [None] * 6, "similarity": None, "start": ""})
    write_result(node, vague)
    back = read_result(node)
    assert back is not None and back.start == "" and np.isnan(back.std).all() and np.isnan(back.similarity)


@pytest.mark.parametrize(
    "pose", [np.diag([2.0, 1, 1, 1]), np.eye(3), np.full((4, 4), np.nan)], ids=["scaled", "3 × 3", "NaN"]
)
def test_what_is_no_pose_is_refused_and_the_ct_stays(ct: Any, unchanged: Callable, pose: np.ndarray) -> None:
    former = transform(BEFORE, ct)
    unchanged()
    with pytest.raises(InputError):
        put_under_pose(ct, pose)
    assert unchanged() and ct.GetParentTransformNode() is former and not can_undo(ct)
    assert ct.GetNodeReference(POSE) is None


def test_each_ct_has_a_pose_of_its_own_even_a_clone(ct: Any) -> None:
    node = put_under_pose(ct, FIRST)
    clone = volume(np.zeros((2, 2, 2), np.int16))
    clone.CopyReferences(ct)
    assert put_under_pose(clone, SECOND) is not node
    np.testing.assert_array_equal(world_from_ct(ct), FIRST)
