"""A CT plays through the poses of frames, in step with its X-rays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import slicer
from DiffRegistrationLib.mrml.attributes import POSE, REASON, VERDICT
from DiffRegistrationLib.mrml.ct_node import world_from_ct
from DiffRegistrationLib.mrml.pose_node import PoseRecord, put_under_pose, undo_pose
from DiffRegistrationLib.mrml.pose_sequence import pose_sequence
from DiffRegistrationLib.mrml.xray_sequence import add_radiograph_sequence, browser_of
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import rigid
from made_up_xrays import radiograph, volume

pytestmark = pytest.mark.mrml

POSES = [rigid.exp([0.3 * n, -0.2, 0.1 * n, 100 / 3 * n, -40.0, 700.0]) for n in range(5)]


@pytest.fixture
def ct(scene: Any) -> Any:
    return volume(np.arange(-1000, 1000, dtype=np.int16).reshape(10, 10, 20))


def records(verdicts: str) -> list[PoseRecord]:
    names = {"a": "accepted", "f": "failed"}
    return [
        PoseRecord.from_dict({"pose": pose.tolist(), "verdict": names[v], "reason": f"frame {n}", "std": None})
        for n, (pose, v) in enumerate(zip(POSES, verdicts, strict=True))
    ]


def test_the_slider_moves_the_ct_and_tells_each_frame_s_verdict_also_after_saving(ct: Any, reopened: Callable) -> None:
    sequence, browser = pose_sequence(ct, records("aafaa"), [0, 2, 4, 6, 10])
    successor = reopened()
    for find in (lambda node: node, successor):
        there, slider = find(ct), find(browser)
        for item in (2, 0, 4):
            slider.SetSelectedItemNumber(item)
            np.testing.assert_allclose(world_from_ct(there), POSES[item], rtol=0, atol=1e-9)
            pose = there.GetNodeReference(POSE)
            assert pose is there.GetParentTransformNode()
            assert pose.GetAttribute(VERDICT) == ("failed" if item == 2 else "accepted")
            assert pose.GetAttribute(REASON) == f"frame {item}"
        assert find(sequence).GetNthIndexValue(4) == "10"
        assert find(sequence).GetIndexName() == "frame"


def test_bare_poses_are_enough_and_playing_them_again_multiplies_nothing(ct: Any, unchanged: Callable) -> None:
    first = pose_sequence(ct, POSES, range(5))
    unchanged()
    pose = ct.GetNodeReference(POSE)
    name = pose.GetName()
    sequence, browser = pose_sequence(ct, POSES[:3], [7, 8, 9])
    assert unchanged() and (sequence, browser) == first
    assert browser.GetNumberOfItems() == 3 and pose.GetName() == name
    browser.SetSelectedItemNumber(1)
    np.testing.assert_array_equal(world_from_ct(ct), POSES[1])


def test_one_slider_moves_x_ray_and_ct(ct: Any, reopened: Callable) -> None:
    xray, browser = add_radiograph_sequence([radiograph(seed=n) for n in range(5)], range(5))
    # Frames 1 to 3 were followed.
    _sequence, used = pose_sequence(ct, POSES[1:4], [1, 2, 3], browser)
    assert used is browser and browser_of(ct.GetNodeReference(POSE)) is browser
    successor = reopened()
    for find in (lambda node: node, successor):
        for item in (3, 1):
            find(browser).SetSelectedItemNumber(item)
            np.testing.assert_array_equal(
                slicer.util.arrayFromVolume(find(xray))[0], radiograph(seed=item).attenuation
            )
            np.testing.assert_allclose(world_from_ct(find(ct)), POSES[item], rtol=0, atol=1e-9)


def test_poses_that_had_a_browser_of_their_own_move_to_that_of_the_x_rays(ct: Any) -> None:
    _sequence, own = pose_sequence(ct, POSES, range(5))
    _xray, browser = add_radiograph_sequence([radiograph(seed=n) for n in range(5)], range(5))
    sequence, used = pose_sequence(ct, POSES, range(5), browser)
    assert used is browser and browser_of(ct.GetNodeReference(POSE)) is browser
    assert not own.IsSynchronizedSequenceNode(sequence)
    browser.SetSelectedItemNumber(4)
    np.testing.assert_array_equal(world_from_ct(ct), POSES[4])


def test_where_the_ct_lay_before_can_be_had_back(ct: Any) -> None:
    put_under_pose(ct, POSES[4])
    pose_sequence(ct, POSES[:2], range(2))
    assert undo_pose(ct)
    np.testing.assert_array_equal(world_from_ct(ct), POSES[4])


@pytest.mark.parametrize(
    ("poses", "frames"),
    [([], []), (POSES, [0, 1]), (POSES[:2], [3, 3]), ([POSES[0], np.diag([2.0, 1, 1, 1])], [0, 1])],
    ids=["none", "too few frames", "a frame twice", "not rigid"],
)
def test_poses_that_do_not_fit_are_refused(ct: Any, unchanged: Callable, poses: list, frames: list) -> None:
    unchanged()
    with pytest.raises(InputError):
        pose_sequence(ct, poses, frames)
    assert unchanged() and ct.GetParentTransformNode() is None
