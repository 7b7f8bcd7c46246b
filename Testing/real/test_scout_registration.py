"""The real lateral X-ray of a skull, registered to its CT, against the scanner's own pose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from DiffRegistrationLib.benchmarks.scout import run, seeded_starts
from DiffRegistrationLib.registration.metrics import split_along_ray
from DiffRegistrationLib.registration.result import Verdict
from DiffRegistrationLib.registration.workflow import register_files
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.ct_files import read_ct
from DiffRegistrationLib.xray.files.sample_data import sample
from DiffRegistrationLib.xray.files.transform_files import read_pose, write_pose
from DiffRegistrationLib.xray.files.xray_with_geometry import XrayFile

pytestmark = pytest.mark.real


@pytest.mark.slow
def test_starts_all_around_reach_the_scanners_pose() -> None:
    figures = run(8)
    assert figures["converged"] == 8
    assert figures["rotation_deg"] < 0.5
    assert figures["in_plane_mm"] < 1.0
    assert figures["from_search_ok"]
    assert figures["accepted"] == 8


def test_files_in_files_out_from_the_shared_frame(real_data: Path, tmp_path: Path) -> None:
    scout = real_data / "skull_phantom" / "lateral_scout.dcm"
    result = register_files(sample("skull-phantom-ct"), [scout], output=tmp_path)
    assert result.verdict == Verdict.ACCEPTED
    assert result.start == "shared frame of CT and X-ray"
    for name in ("pose.tfm", "pose.h5", "pose.json"):
        np.testing.assert_allclose(read_pose(tmp_path / name), result.pose, atol=1e-9)
    again = register_files(sample("skull-phantom-ct"), [scout], output=tmp_path, start=str(tmp_path / "pose.tfm"))
    ct, camera = read_ct(sample("skull-phantom-ct")), XrayFile(scout).read().camera
    assert split_along_ray(again.pose, result.pose, ct.centre, camera)[0] < 0.1


def test_the_wrong_side_is_not_accepted(real_data: Path, tmp_path: Path) -> None:
    scout = real_data / "skull_phantom" / "lateral_scout.dcm"
    result = register_files(sample("skull-phantom-ct"), [scout], output=tmp_path, start="ap")
    assert result.verdict != Verdict.ACCEPTED


def test_a_start_that_is_no_rigid_motion_is_refused(real_data: Path, tmp_path: Path) -> None:
    pose = tmp_path / "pose.json"
    write_pose(pose, seeded_starts(np.zeros(3), 1)[0])
    pose.write_text(
        pose.read_text().replace("0.0,\n      0.0,\n      0.0,\n      1.0", "0.0,\n      0.0,\n      1.0,\n      1.0")
    )
    with pytest.raises(InputError):
        register_files(
            sample("skull-phantom-ct"),
            [real_data / "skull_phantom" / "lateral_scout.dcm"],
            output=tmp_path / "out",
            start=str(pose),
        )
    assert not (tmp_path / "out").exists()
