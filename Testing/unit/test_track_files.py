"""A track's files: everything comes back, tables hold what they say, and nothing is half written."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from DiffRegistrationLib.registration.result import Verdict
from DiffRegistrationLib.tracking.track_files import joint_file, read_track, write_track
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import rigid
from made_up_track import FAILED, MISSING, made_up_joint, made_up_track


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def same(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    if one is None or other is None:
        return one is other
    return np.array_equal(one, other, equal_nan=True)


@pytest.mark.parametrize("frames_per_second", [None, 12.5])
def test_a_track_comes_back_bit_by_bit(tmp_path: Path, frames_per_second: float | None) -> None:
    track = made_up_track(45, frames_per_second)
    write_track(tmp_path / "new", track)
    for back in (read_track(tmp_path / "new"), read_track(tmp_path / "new" / "track.json")):
        assert (back.times, back.frames_per_second, back.stopped) == (track.times, frames_per_second, False)
        for ours, theirs in zip(track.bodies, back.bodies, strict=True):
            assert (
                ours.name == theirs.name and same(ours.centre, theirs.centre) and same(ours.smoothed, theirs.smoothed)
            )
            for a, b in zip(ours.frames, theirs.frames, strict=True):
                assert same(a.pose, b.pose) and same(a.covariance, b.covariance)
                assert (a.time, a.verdict, a.reason, a.similarity, a.views, a.start, a.seconds) == (
                    *(b.time, b.verdict, b.reason, b.similarity, b.views, b.start, b.seconds),
                )


def test_the_table_of_poses_says_where_each_body_is_and_how_sure_that_is(tmp_path: Path) -> None:
    track = made_up_track(45)
    write_track(tmp_path, track)
    rows = table(tmp_path / "poses.csv")
    assert len(rows) == 90
    body, row = track.body("tibia"), rows[45 + 10]
    assert (row["body"], row["frame"], row["verdict"]) == ("tibia", "10", "accepted")
    assert float(row["time_s"]) == pytest.approx(10 / 30)
    pose = body.poses[10]
    matrix = [float(v) for name, v in row.items() if name.startswith("world_from_ct_")]
    assert np.reshape(matrix, (4, 4)) == pytest.approx(pose, abs=1e-6)
    assert [float(row[f"centre_{axis}_mm"]) for axis in "xyz"] == pytest.approx(
        rigid.transform_points(pose, body.centre[None])[0].tolist()
    )
    assert [float(row[f"rotation_{axis}_deg"]) for axis in "xyz"] == pytest.approx(
        np.degrees(rigid.rotation_log(pose[:3, :3])).tolist()
    )
    assert float(row["std_rotation_z_deg"]) == pytest.approx(np.degrees(0.006))
    assert float(row["std_centre_z_mm"]) == pytest.approx(0.6)
    smoothed = [float(v) for name, v in row.items() if name.startswith("smoothed_world_from_ct_")]
    assert np.reshape(smoothed, (4, 4)) == pytest.approx(body.smoothed[10], abs=1e-6)
    failed, missing = rows[FAILED[0]], rows[MISSING[0]]
    assert failed["verdict"] == "failed" and failed["centre_x_mm"] and failed["smoothed_centre_x_mm"]
    assert not missing["centre_x_mm"] and not missing["similarity"] and missing["smoothed_centre_x_mm"]
    assert not any("nan" in value.lower() for line in rows for value in line.values())


def test_times_in_seconds_are_left_empty_where_nobody_said_the_rate(tmp_path: Path) -> None:
    write_track(tmp_path, made_up_track(8, None))
    assert {row["time_s"] for row in table(tmp_path / "poses.csv")} == {""}


def test_the_table_of_a_joint_has_a_name_that_every_system_takes(tmp_path: Path) -> None:
    track = made_up_track(12)
    joint = made_up_joint(track)
    write_track(tmp_path, track, [joint])
    rows = table(tmp_path / "joint-femur-tibia.csv")
    assert len(rows) == 12
    assert float(rows[6]["flexion_deg"]) == pytest.approx(joint.angles[6, 0])
    assert float(rows[6]["std_superior_mm"]) == pytest.approx(joint.translations_std[6, 2])
    assert float(rows[6]["helical_angle_deg"]) == pytest.approx(joint.helical_angle[6])
    assert rows[0]["helical_axis_right"] == "" and rows[6]["near_gimbal_lock"] == "no"
    assert rows[7]["verdict"] == Verdict.DOUBTFUL
    assert joint_file(replace(joint, proximal="os: femur/left?", distal="Schienbein ö")) == (
        "joint-os_femur_left_-Schienbein_ö.csv"
    )


def test_what_is_no_track_is_refused_and_a_failed_writing_leaves_the_old_one(tmp_path: Path) -> None:
    write_track(tmp_path, made_up_track(6))
    before = (tmp_path / "track.json").read_bytes()
    broken = made_up_track(6)
    object.__setattr__(broken.bodies[0].frames[2], "seconds", float("nan"))
    with pytest.raises(ValueError, match="JSON"):
        write_track(tmp_path, broken)
    assert (tmp_path / "track.json").read_bytes() == before
    assert sorted(item.name for item in tmp_path.iterdir()) == ["poses.csv", "track.json"]

    content = json.loads(before)
    del content["bodies"][1]["frames"][3]["verdict"]
    (tmp_path / "track.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="is not whole"):
        read_track(tmp_path)
    for text, problem in (("{}", "is no “fluoro registration track”"), ("frame 1", "is no JSON")):
        (tmp_path / "track.json").write_text(text)
        with pytest.raises(InputError, match=problem):
            read_track(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        read_track(tmp_path / "none.json")
