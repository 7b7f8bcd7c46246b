"""Motion of one bone in another: signs that people know, no jumps, honest uncertainty; and frames from files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from DiffRegistrationLib.registration.result import Verdict
from DiffRegistrationLib.tracking.anatomical_frame import default_frame, read_anatomical_frame
from DiffRegistrationLib.tracking.joint_motion import JointMotion, joint_motion
from DiffRegistrationLib.tracking.track import BodyTrack, FramePose
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import rigid

RIGHT, ANTERIOR, SUPERIOR = np.eye(3)
COVARIANCE = np.diag([0.002, 0.003, 0.004, 0.1, 0.2, 0.9]) ** 2
# The X-rays' world lies askew to the patient, and the bones' origins away from their CTs' centres.
WORLD = rigid.rigid(rigid.rotation_exp([0.4, -1.1, 0.7]), [30.0, -500.0, 80.0])
PROXIMAL = rigid.rigid(rigid.rotation_exp([0.2, 0.5, -0.3]), [10.0, -20.0, 5.0])
DISTAL = rigid.rigid(rigid.rotation_exp([-0.6, 0.1, 0.9]), [-7.0, 15.0, 44.0])
FRAMES = {"femur": PROXIMAL, "tibia": DISTAL}


def body(name: str, poses: list[np.ndarray], failed: tuple[int, ...] = ()) -> BodyTrack:
    frames = tuple(
        FramePose(
            number,
            pose,
            Verdict.FAILED if number in failed else Verdict.ACCEPTED,
            "",
            0.9,
            COVARIANCE,
            (0,),
            "",
            0.1,
        )
        for number, pose in enumerate(poses)
    )
    return BodyTrack(name, np.array([20.0, -30.0, 10.0]), frames, np.array(poses))


def moved(relative: list[np.ndarray], smoothed: bool = False, failed: tuple[int, ...] = ()) -> JointMotion:
    """The joint motion where the anatomical frames lie to each other as in `relative` (proximal_from_distal)."""
    femur = [WORLD @ rigid.inverse(PROXIMAL)] * len(relative)
    tibia = [WORLD @ one @ rigid.inverse(DISTAL) for one in relative]
    return joint_motion(body("femur", femur), body("tibia", tibia, failed), FRAMES, smoothed)


def turned(*rotations: np.ndarray, shift: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> np.ndarray:
    """Rotation vectors in degrees, the last one first, then a shift in mm."""
    R = np.eye(3)
    for vector in rotations:
        R = R @ rigid.rotation_exp(np.radians(vector))
    return rigid.rigid(R, shift)


def test_each_angle_is_positive_the_way_it_is_said_to_be() -> None:
    def turned_by(vector: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        relative = turned(vector)
        return relative[:3, :3], moved([relative]).angles[0]

    R, angles = turned_by(-30 * RIGHT)
    assert angles == pytest.approx([30, 0, 0], abs=1e-9)
    assert (R @ SUPERIOR) @ ANTERIOR > 0.4 and (R @ ANTERIOR) @ SUPERIOR < -0.4
    R, angles = turned_by(-20 * ANTERIOR)
    assert angles == pytest.approx([0, 20, 0], abs=1e-9)
    assert (R @ SUPERIOR) @ RIGHT < -0.3 and (R @ -SUPERIOR) @ RIGHT > 0.3
    R, angles = turned_by(10 * SUPERIOR)
    assert angles == pytest.approx([0, 0, 10], abs=1e-9)
    assert (R @ ANTERIOR) @ RIGHT < -0.1


def test_combined_turns_come_apart_about_proximal_right_floating_and_distal_superior() -> None:
    relative = turned(-75 * RIGHT, -12 * ANTERIOR, 25 * SUPERIOR, shift=(3.0, -8.0, 21.0))
    for smoothed in (False, True):
        found = moved([relative] * 3, smoothed)
        assert found.angles[1] == pytest.approx([75, 12, 25], abs=1e-9)
        assert found.translations[1] == pytest.approx([3, -8, 21], abs=1e-9)
    # The floating axis is at right angles to the fixed two: Grood and Suntay's own definition of flexion.
    distal_up = relative[:3, 2]
    floating = np.cross(distal_up, RIGHT) / np.linalg.norm(np.cross(distal_up, RIGHT))
    assert np.degrees(np.arcsin(-floating @ SUPERIOR)) == pytest.approx(75)
    assert np.degrees(np.arccos(distal_up @ RIGHT)) - 90 == pytest.approx(12)


def test_without_given_frames_the_ct_s_own_axes_about_the_centre_are_used() -> None:
    poses = [rigid.rigid(np.eye(3), [0, 0, 0]), rigid.rigid(rigid.rotation_exp([-0.3, 0, 0]), [0, 0, 0])]
    found = joint_motion(body("a", [np.eye(4)] * 2), body("b", poses), smoothed=False)
    assert found.angles[1] == pytest.approx([np.degrees(0.3), 0, 0], abs=1e-9)
    centre = np.array([20.0, -30.0, 10.0])
    assert found.translations[1] == pytest.approx(poses[1][:3, :3] @ centre - centre)
    assert np.array_equal(default_frame(centre)[:3, 3], centre)


def test_angles_run_on_past_half_a_turn_and_past_ninety_degrees_of_abduction() -> None:
    flexion, abduction = np.linspace(0, 300, 61), np.linspace(20, 140, 61)
    around = moved([turned(-f * RIGHT, -10 * ANTERIOR, 2 * f * SUPERIOR) for f in flexion])
    assert np.abs(around.angles - np.column_stack([flexion, np.full(61, 10), 2 * flexion])).max() < 1e-6
    over = moved([turned(-30 * RIGHT, -a * ANTERIOR, 15 * SUPERIOR) for a in abduction])
    assert np.abs(over.angles - np.column_stack([np.full(61, 30), abduction, np.full(61, 15)])).max() < 1e-6
    assert np.array_equal(over.near_gimbal_lock, np.abs(abduction - 90) < 5)
    # Without the frame before, flexion and rotation are known in sum alone.
    locked = moved([turned(-30 * RIGHT, -90 * ANTERIOR, 15 * SUPERIOR)])
    assert locked.near_gimbal_lock[0] and np.isfinite(locked.angles).all()


def test_standard_deviations_are_the_spread_of_noisy_poses() -> None:
    relative = turned(-40 * RIGHT, -25 * ANTERIOR, 15 * SUPERIOR, shift=(3.0, -8.0, 21.0))
    said = moved([turned(5 * RIGHT), relative])
    rng = np.random.default_rng(1)
    poses = []
    for pose in (said_pose.frames[1].pose for said_pose in bodies(relative)):
        assert pose is not None
        centre = rigid.transform_points(pose, np.array([[20.0, -30.0, 10.0]]))[0]
        noise = rng.normal(size=(4000, 6)) * np.sqrt(np.diag(COVARIANCE))
        poses.append([rigid.move_about(centre, one, pose) for one in noise])
    noisy = joint_motion(body("femur", poses[0]), body("tibia", poses[1]), FRAMES, smoothed=False)
    assert said.angles_std[1] == pytest.approx(noisy.angles.std(axis=0), rel=0.06)
    assert said.translations_std[1] == pytest.approx(noisy.translations.std(axis=0), rel=0.06)


def bodies(relative: np.ndarray) -> tuple[BodyTrack, BodyTrack]:
    femur = WORLD @ rigid.inverse(PROXIMAL)
    return body("femur", [femur] * 2), body("tibia", [WORLD @ relative @ rigid.inverse(DISTAL)] * 2)


def test_the_helical_axis_of_a_known_screw_is_found() -> None:
    axis = np.array([2.0, -1.0, 2.0]) / 3
    through = np.array([40.0, 5.0, -10.0])
    start = turned(20 * RIGHT, shift=(1.0, 2.0, 3.0))
    screws = [
        rigid.about(through, rigid.rigid(rigid.rotation_exp(angle * axis), shift * axis))
        for angle, shift in ((0.0, 0.0), (0.0, 0.0), (0.5, 4.0), (2.8, -6.0))
    ]
    found = moved([screw @ start for screw in screws], failed=(0,))
    assert found.reference == 1
    assert np.isnan(found.helical_axis[:2]).all() and found.helical_angle[1] == pytest.approx(0, abs=1e-6)
    assert found.helical_angle[2:] == pytest.approx(np.degrees([0.5, 2.8]))
    assert np.abs(found.helical_axis[2:] - axis).max() < 1e-9
    assert found.helical_shift[2:] == pytest.approx([4, -6])
    for point in found.helical_point[2:]:
        assert np.linalg.norm(np.cross(point - through, axis)) < 1e-9
        assert (point - [1.0, 2.0, 3.0]) @ axis == pytest.approx(0, abs=1e-9)


def test_frames_that_failed_say_nothing_and_the_worse_verdict_counts() -> None:
    found = moved([turned(10 * RIGHT)] * 3, failed=(1,))
    assert np.isnan(found.angles[1]).all() and np.isfinite(found.angles[[0, 2]]).all()
    assert found.verdicts == (Verdict.ACCEPTED, Verdict.FAILED, Verdict.ACCEPTED)
    with pytest.raises(ValueError, match="different frames"):
        joint_motion(body("a", [np.eye(4)]), body("b", [np.eye(4)] * 2))


def markups(system: str, **points: tuple[float, float, float]) -> dict[str, Any]:
    """What 3D Slicer writes for points placed at RAS positions."""
    flip = np.array([-1, -1, 1]) if system == "LPS" else np.ones(3)
    control = [
        {"id": str(k), "label": name, "position": (flip * position).tolist(), "positionStatus": "defined"}
        for k, (name, position) in enumerate(points.items())
    ]
    one = {"type": "Fiducial", "coordinateSystem": system, "coordinateUnits": "mm", "controlPoints": control}
    return {"@schema": "https://example.org/markups-schema-v1.0.3.json#", "markups": [one]}


def read(path: Path, content: object) -> np.ndarray:
    path.write_text(json.dumps(content), encoding="utf-8")
    return read_anatomical_frame(path)


@pytest.mark.parametrize("system", ["LPS", "RAS"])
def test_points_of_slicer_make_the_axes_whatever_system_they_are_in(tmp_path: Path, system: str) -> None:
    origin, R = np.array([12.0, -34.0, 56.0]), rigid.rotation_exp([0.3, -0.8, 1.4])
    up, front, right = origin + 200 * R[:, 2], origin + 30 * R[:, 1] + 17 * R[:, 2], origin + 45 * R[:, 0]
    # In front, but higher up: the long axis stays, the other is turned to be at right angles.
    found = read(tmp_path / "a.mrk.json", markups(system, origin=origin, Superior=up, anterior=front, note=right))
    assert np.abs(found - rigid.rigid(R, origin)).max() < 1e-9
    found = read(tmp_path / "b.mrk.json", markups(system, origin=origin, anterior=origin + 9 * R[:, 1], right=right))
    assert np.abs(found - rigid.rigid(R, origin)).max() < 1e-9
    three = markups(system, origin=origin, superior=up, anterior=origin + 9 * R[:, 1], right=right)
    assert np.abs(read(tmp_path / "c.mrk.json", three) - rigid.rigid(R, origin)).max() < 1e-9


def test_a_matrix_is_read_and_one_that_is_no_motion_refused(tmp_path: Path) -> None:
    assert np.array_equal(read(tmp_path / "a.json", {"ct_from_anatomical_ras_mm": PROXIMAL.tolist()}), PROXIMAL)
    with pytest.raises(InputError, match="mirrors"):
        read(tmp_path / "a.json", {"ct_from_anatomical_ras_mm": np.diag([1, 1, -1, 1]).tolist()})


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ([1, 2], "holds neither"),
        ({"markups": [{"controlPoints": []}]}, "no markups as 3D Slicer"),
        (markups("IJK", origin=(0, 0, 0)), "expected LPS or RAS"),
        (markups("RAS", origin=(0, 0, 0), right=(1, 0, 0)), "too few points.*origin, right"),
        (markups("RAS", origin=(0, 0, 0), right=(0, 0, 0), superior=(0, 0, 1)), "are the same"),
        (markups("RAS", origin=(0, 0, 0), right=(9, 1, 0), anterior=(-9, 0, 0)), "nearly on a line"),
        (
            markups("RAS", origin=(0, 0, 0), right=(-9, 1, 0), anterior=(0, 9, 0), superior=(0, 0, 5)),
            "wrong side",
        ),
    ],
)
def test_points_that_give_no_axes_are_refused_with_a_reason(tmp_path: Path, content: object, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        read(tmp_path / "points.mrk.json", content)


def test_a_file_that_is_missing_or_no_json_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.json: cannot be read"):
        read_anatomical_frame(tmp_path / "none.json")
    (tmp_path / "x.json").write_text("origin 1 2 3")
    with pytest.raises(InputError, match="is no JSON"):
        read_anatomical_frame(tmp_path / "x.json")
