"""`fluororeg landmarks exposure` on files, as a user calls it: which half of a head a beam enters, and refusals."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from DiffRegistrationLib.registration.result import Verdict
from DiffRegistrationLib.tracking.track import BodyTrack, FramePose, Track
from DiffRegistrationLib.tracking.track_files import write_track
from DiffRegistrationLib.xray.files.transform_files import write_pose
from fluororeg_runs import Case, head, refused, run, truth, write_case
from LandmarkDetectionLib.atlas.head import phantom_head
from LandmarkDetectionLib.atlas.landmark_files import write_landmarks
from LandmarkDetectionLib.population.head_folder import landmarks_beside

pytest.importorskip("vtkmodules")


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """A head seen from the front, its landmarks beside it, and its pose."""
    case = write_case(tmp_path_factory.mktemp("exposure"))
    write_landmarks(landmarks_beside(case.ct), phantom_head(4.0).landmarks)
    write_pose(case.folder / "pose.tfm", truth())
    return case


def exposed(case: Case, *options: object) -> tuple[object, ...]:
    return ("landmarks", "exposure", case.ct, case.xray, "--camera", case.camera, "--out", case.out, *options)


def test_a_beam_from_the_front_enters_the_face_and_reaches_both_lenses(case: Case) -> None:
    outcome = run(*exposed(case, "--pose", case.folder / "pose.tfm", "--mas", 4, "--json"))
    assert outcome.code == 0, outcome.stderr
    found = outcome.json
    regions = {region["name"]: region["entered_percent"] for region in found["regions"]}
    # The cheeks turn away from the beam.
    assert regions["face"] > 45 and regions["neck"] < regions["face"]
    lenses = [organ for organ in found["organs"] if organ["name"].startswith("eye lens")]
    assert len(lenses) == 2
    for lens in lenses:
        assert lens["frames_in_field"] == 1 and lens["exposure_toward_source"] > 0 == lens["exposure_behind_head"]
    assert found["amount"] == {"unit": "mAs", "sum": 4.0} and "not a dose" in found["meaning"]
    with Path(found["table"]).open(encoding="utf-8", newline="") as file:
        assert {row["frame"] for row in csv.DictReader(file)} == {"view 1, frame 0"}
    assert Path(found["surface"]).is_file()
    # The same in words.
    words = run(*exposed(case, "--pose", case.folder / "pose.tfm")).stderr
    assert "eye lens left: in the field in 1 frame," in words and "not a dose" in words


def test_frames_that_a_track_lost_are_left_out_and_its_rate_counts(case: Case) -> None:
    def frame(time: int, verdict: Verdict) -> FramePose:
        return FramePose(time, truth(), verdict, "", 0.9, None, (0,), "truth", 0.1)

    for verdict, name in ((Verdict.ACCEPTED, "good"), (Verdict.FAILED, "lost")):
        body = BodyTrack("head", head().centre, (frame(0, verdict),), truth()[None])
        write_track(case.folder / name, Track((body,), (0,), 25.0))
    outcome = run(*exposed(case, "--track", case.folder / "good", "--json"))
    assert outcome.code == 0, outcome.stderr
    assert outcome.json["amount"] == {"unit": "s", "sum": pytest.approx(0.04)}
    refused(case.folder, exposed(case, "--track", case.folder / "lost"), "none of the X-rays' frames has one")


def test_what_cannot_be_used_is_refused(case: Case) -> None:
    pose = ("--pose", case.folder / "pose.tfm")
    refused(case.folder, exposed(case), "Give --track or --pose")
    refused(case.folder, exposed(case, *pose, "--model", case.folder / "heads.pt"), "- and --model")
    without = ("landmarks", "exposure", "-", case.xray, "--camera", case.camera, "--out", case.out)
    refused(case.folder, (*without, "--model", case.folder / "heads.pt", *pose), "--pose", "without a CT")
    refused(case.folder, exposed(case, *pose, "--track", case.folder), "not both")
    refused(case.folder, exposed(case, *pose, "--rate", 0), "frames per second", "above zero")
    refused(case.folder, exposed(case, *pose, "--landmarks", case.folder / "away.mrk.json"), "away.mrk.json")
    content = json.loads(landmarks_beside(case.ct).read_text(encoding="utf-8"))
    for point in content["markups"][0]["controlPoints"]:
        point["label"] += " of another atlas"
    (case.folder / "foreign.mrk.json").write_text(json.dumps(content), encoding="utf-8")
    refused(case.folder, exposed(case, *pose, "--landmarks", case.folder / "foreign.mrk.json"), "foreign")
