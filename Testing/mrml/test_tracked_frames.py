"""What was found in the frames of a CT: smoothed or as measured, as a track in files, and plotted against time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from DiffRegistrationLib.mrml.ct_node import centre_of, world_from_ct
from DiffRegistrationLib.mrml.motion_plot import POSITION, ROTATION, MotionPlot, motion_of
from DiffRegistrationLib.mrml.pose_node import PoseRecord
from DiffRegistrationLib.mrml.pose_sequence import numbers_of, pose_sequence, poses_of_frames, show_poses
from DiffRegistrationLib.mrml.scene_track import smoothed_anew, write_track_of
from DiffRegistrationLib.tracking.track_files import read_track
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import rigid
from made_up_xrays import transform, volume

pytestmark = pytest.mark.mrml

PLACE = rigid.exp([1.2, -0.3, 0.8, 40.0, -20.0, 700.0])
NUMBERS = [3, 4, 6, 7, 8]
COVARIANCE = np.diag([1e-6] * 3 + [0.04] * 3)


@pytest.fixture
def ct(scene: Any) -> Any:
    return volume(np.arange(-1000, 1000, dtype=np.int16).reshape(10, 10, 20))


def turned(ct: Any, degrees: float, mm: float) -> np.ndarray:
    """The CT turned about the superior axis through its centre, and moved to the right."""
    centre = rigid.transform_points(PLACE, [centre_of(ct)])[0]
    return rigid.move_about(centre, [0, 0, np.radians(degrees), mm, 0, 0], PLACE)


def records(ct: Any, verdicts: str = "adfaa") -> list[PoseRecord]:
    """A steady motion of 50° and 2 mm a frame, over half a turn; frame 6 failed, far off."""
    names = {"a": "accepted", "d": "doubtful", "f": "failed"}
    found = []
    for number, verdict in zip(NUMBERS, verdicts, strict=True):
        true = turned(ct, 50.0 * (number - 3), 2.0 * (number - 3))
        content = {"pose": turned(ct, -70.0, 500.0).tolist() if verdict == "f" else true.tolist()}
        content |= {"verdict": names[verdict], "reason": f"frame {number}", "similarity": 0.5, "seconds": 1.5}
        content |= {"covariance": COVARIANCE.tolist(), "std": np.sqrt(np.diag(COVARIANCE)).tolist()}
        found.append(PoseRecord.from_dict({**content, "smoothed": true.tolist(), "views": [0, 1], "start": "AP"}))
    return found


def test_all_that_was_found_is_saved_and_either_pose_can_be_shown(ct: Any, reopened: Callable) -> None:
    written = records(ct)
    _sequence, browser = pose_sequence(ct, written, NUMBERS, frames_per_second=7.5)
    browser.SetSelectedItemNumber(2)
    show_poses(ct, True)
    np.testing.assert_allclose(world_from_ct(ct), turned(ct, 150.0, 6.0), atol=1e-9)
    successor = reopened()
    for find in (lambda node: node, successor):
        there, slider = find(ct), find(browser)
        slicer.mrmlScene = there.GetScene()
        found = poses_of_frames(there)
        assert found is not None and found.smoothed and found.browser is slider
        assert (found.numbers, found.frames_per_second) == (NUMBERS, 7.5)
        assert list(found.records.values()) == written
        slider.SetSelectedItemNumber(2)
        for smoothed, pose in ((False, turned(ct, -70.0, 500.0)), (True, turned(ct, 150.0, 6.0))):
            show_poses(there, smoothed)
            np.testing.assert_allclose(world_from_ct(there), pose, atol=1e-9)
        slider.SetSelectedItemNumber(4)
        np.testing.assert_allclose(world_from_ct(there), turned(ct, 250.0, 10.0), atol=1e-9)


def test_a_ct_that_was_not_followed_has_no_frames(ct: Any, tmp_path: Path) -> None:
    transform(PLACE, ct)
    assert poses_of_frames(ct) is None and poses_of_frames(None) is None
    show_poses(ct, True)
    with pytest.raises(InputError, match="was not followed"):
        write_track_of(ct, tmp_path)


def test_frames_are_written_as_the_engine_writes_them(ct: Any, tmp_path: Path) -> None:
    pose_sequence(ct, records(ct), NUMBERS, frames_per_second=2.0)
    write_track_of(ct, tmp_path)
    track = read_track(tmp_path)
    (body,) = track.bodies
    assert track.times == tuple(NUMBERS) and track.frames_per_second == 2.0
    np.testing.assert_allclose(body.poses, [record.matrix for record in records(ct)])
    np.testing.assert_allclose(body.smoothed, [record.smoothed for record in records(ct)])
    np.testing.assert_allclose(body.frames[0].covariance, COVARIANCE)
    assert [frame.verdict.value for frame in body.frames] == ["accepted", "doubtful", "failed", "accepted", "accepted"]
    table = (tmp_path / "poses.csv").read_text().splitlines()
    assert len(table) == 6 and table[1].startswith("CT,3,1.5,accepted,0.5")


def test_smoothing_anew_bridges_what_says_nothing(ct: Any) -> None:
    frames = dict(zip(map(str, NUMBERS), records(ct), strict=True))
    silent = PoseRecord.from_dict({"pose": PLACE.tolist(), "verdict": "failed", "reason": "dark"})
    anew = smoothed_anew(ct, {**frames, "6": silent})
    bridged = np.array(anew["6"].smoothed)
    centre = rigid.transform_points(PLACE, [centre_of(ct)])[0]
    off = rigid.increment_between(centre, bridged, turned(ct, 150.0, 6.0))
    assert np.degrees(np.linalg.norm(off[:3])) < 1.0 and np.linalg.norm(off[3:]) < 0.5
    assert anew["6"].pose == anew["6"].smoothed and anew["4"].pose == frames["4"].pose


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        (["0", "2", "7"], [0, 2, 7]),
        (["0.0", "0.033", "0.067"], [0, 1, 2]),
        (["5", "3"], [0, 1]),
        ([], []),
    ],
    ids=["frames", "seconds", "not rising", "none"],
)
def test_numbers_of_frames_are_whole_and_rise(values: list[str], numbers: list[int]) -> None:
    assert numbers_of(values) == numbers


def test_motion_is_told_from_the_first_frame_that_did_not_fail_and_over_half_a_turn(ct: Any) -> None:
    pose_sequence(ct, records(ct), NUMBERS)
    found = poses_of_frames(ct)
    assert found is not None
    motion = motion_of(ct, found)
    np.testing.assert_allclose(motion[ROTATION][:, 2], [0, 50, np.nan, 200, 250], atol=1e-6)
    np.testing.assert_allclose(motion[POSITION][:, 0], [0, 2, np.nan, 8, 10], atol=1e-6)
    np.testing.assert_allclose(motion[POSITION][[0, 1, 3, 4], 1:], 0, atol=1e-6)
    show_poses(ct, True)
    found = poses_of_frames(ct)
    assert found is not None
    np.testing.assert_allclose(motion_of(ct, found)[ROTATION][:, 2], [0, 50, 150, 200, 250], atol=1e-6)


def series_of(chart: Any) -> dict[str, Any]:
    nodes = [chart.GetNthPlotSeriesNode(number) for number in range(chart.GetNumberOfPlotSeriesNodes())]
    return {node.GetName(): node for node in nodes}


def points_of(series: Any) -> list[tuple[float, float]]:
    """(x, y) of a series."""
    table = series.GetTableNode().GetTable()
    columns = [table.GetColumnByName(name) for name in (series.GetXColumnName(), series.GetYColumnName())]
    return [tuple(column.GetValue(n) for column in columns) for n in range(columns[0].GetNumberOfTuples())]


def test_the_plot_has_lines_marks_by_verdict_and_a_mark_that_moves(
    ct: Any, unchanged: Callable, reopened: Callable
) -> None:
    pose_sequence(ct, records(ct), NUMBERS)
    show_poses(ct, True)
    plot = MotionPlot()
    chart = plot.show(ct, poses_of_frames(ct), ROTATION)
    plot.mark(ct, "6")
    series = series_of(chart)
    assert list(series) == [
        *(f"About {axis} (°)" for axis in ("right", "anterior", "superior")),
        *("accepted", "doubtful", "failed", "Frame shown"),
    ]
    np.testing.assert_allclose(
        points_of(series["About superior (°)"]), [(3, 0), (4, 50), (6, 150), (7, 200), (8, 250)], atol=1e-6
    )
    np.testing.assert_allclose(points_of(series["doubtful"]), [(4, 0), (4, 0), (4, 50)], atol=1e-6)
    np.testing.assert_allclose(points_of(series["Frame shown"]), [(6, 0), (6, 0), (6, 150)], atol=1e-6)
    assert np.allclose(series["failed"].GetColor(), (0xB3 / 255, 0x26 / 255, 0x1E / 255))
    assert len({series[name].GetMarkerStyle() for name in ("accepted", "doubtful", "failed", "Frame shown")}) == 4
    assert plot.frame_of(series["doubtful"].GetID(), 2) == "4" and plot.frame_of(ct.GetID(), 0) is None
    # Nothing is made twice, and a mark is where there is a frame.
    unchanged()
    plot.mark(ct, "8")
    assert points_of(series["Frame shown"])[2] == pytest.approx((8, 250))
    assert plot.show(ct, poses_of_frames(ct), ROTATION) is chart
    plot.mark(ct, "5")
    assert "Frame shown" not in series_of(chart)
    plot.mark(ct, "4")
    assert "Frame shown" in series_of(chart) and unchanged()
    # As measured nobody knows where the failed frame lies.
    show_poses(ct, False)
    plot.take(ct, poses_of_frames(ct))
    assert len(points_of(series["About superior (°)"])) == 4 and "failed" not in series_of(chart)
    assert plot.show(ct, poses_of_frames(ct), POSITION) is not chart
    find = reopened()
    slicer.mrmlScene = find(ct).GetScene()
    unchanged()
    assert MotionPlot().show(find(ct), poses_of_frames(find(ct)), ROTATION).GetID() == chart.GetID()
