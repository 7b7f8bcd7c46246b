"""`fluororeg track` on files, as a user calls it: what it writes, and what it refuses before it writes anything."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from DiffRegistrationLib.tracking.joint_motion import CONVENTION
from DiffRegistrationLib.tracking.journal import JOURNAL
from DiffRegistrationLib.tracking.track_files import read_track
from fluororeg_runs import refused, run, tree
from moving_bones import LOWER, UPPER, bones, camera, error_mm, truth
from PIL import Image
from test_bodies import write_labels
from tracking_files import FIRST, SequenceOnDisk, write_frame, write_sequence

COUNT = 6


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> SequenceOnDisk:
    """A sequence in which frame 2 lacks a view and frame 4 is dark in both."""
    files = write_sequence(tmp_path_factory.mktemp("sequence"), range(COUNT))
    files.frame(2, FIRST + 2).unlink()
    for view in (1, 2):
        write_frame(files.frame(view, FIRST + 4), np.full(camera(180.0).size, 12.0))
    return files


@pytest.fixture
def copied(files: SequenceOnDisk, tmp_path: Path) -> SequenceOnDisk:
    """The same, to be changed; without results."""
    shutil.copytree(files.folder, tmp_path / "in", ignore=shutil.ignore_patterns("out"))
    return SequenceOnDisk(tmp_path / "in", files.count)


def test_bones_are_followed_from_files_to_files_and_a_second_run_takes_what_is_known(
    copied: SequenceOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = copied.track("--rate", 15, "--movie", "gif", "--json")
    outcome = run(*asked)
    assert outcome.code == 0, outcome.stderr
    bodies = outcome.json["bodies"]
    assert outcome.json["frames"] == COUNT and list(bodies) == ["upper", "lower"]
    assert all(counts["failed"] == 1 and sum(counts.values()) == COUNT for counts in bodies.values())
    assert {path.name for path in copied.out.iterdir()} == {
        *("track.json", "poses.csv", "joint-upper-lower.csv", "report.html", "movie.gif", JOURNAL)
    }
    track = read_track(copied.out)
    assert track.times == tuple(range(FIRST, FIRST + COUNT)) and track.frames_per_second == 15
    for label, followed in zip((UPPER, LOWER), track.bodies, strict=True):
        assert followed.frames[2].views == (0,) and followed.frames[4].pose is None
        for place, pose in enumerate(followed.smoothed):
            assert error_mm(label, pose, truth(label, place)) < 1.0
    with (copied.out / "joint-upper-lower.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    # The lower bone's top tips backward about the right axis, by 2.5° a frame.
    bend = np.array([float(row["flexion_deg"]) for row in rows])
    np.testing.assert_allclose(bend - bend[0], -2.5 * np.arange(COUNT), atol=0.5)
    assert [float(row["time_s"]) for row in rows] == pytest.approx([(FIRST + n) / 15 for n in range(COUNT)])
    with Image.open(copied.out / "movie.gif") as movie:
        assert movie.n_frames == COUNT - 1
    page = (copied.out / "report.html").read_text(encoding="utf-8")
    assert "upper" in page and f"view 1, frame {FIRST + 4}" in page
    for path in ("track.json", "report.html", JOURNAL):
        assert str(copied.folder) not in (copied.out / path).read_text(encoding="utf-8")

    for name in ("register", "register_sound_views"):
        monkeypatch.setattr(f"DiffRegistrationLib.tracking.registrations.{name}", None)
    again = run(*asked)
    assert again.code == 0 and again.json["bodies"] == bodies
    one, other = read_track(copied.out), track
    for a, b in zip(one.bodies, other.bodies, strict=True):
        np.testing.assert_array_equal(a.poses, b.poses)
        np.testing.assert_array_equal(a.smoothed, b.smoothed)

    # What is asked of other numbers is not known.
    with pytest.raises(TypeError):
        run(*copied.track("--first", FIRST + 1))


def test_frames_without_any_usable_pair_end_with_1_or_a_message(copied: SequenceOnDisk) -> None:
    dark = copied.frame(1, FIRST + 4).read_bytes()
    for view in (1, 2):
        for path in (copied.folder / f"cam{view}").iterdir():
            path.write_bytes(dark)
    refused(copied.folder, copied.track(), "shot-")


REFUSALS = {
    "movie": (("--movie", "avi"), ("--movie", "avi", "gif or mp4")),
    "rate": (("--rate", "0"), ("--rate", "above zero")),
    "endless rate": (("--rate", "inf"), ("--rate", "above zero")),
    "unknown body": (("--joint", "upper:hand"), ("body hand", "lower, upper")),
    "joint with itself": (("--joint", "upper:upper"), ("joint upper:upper", "itself")),
    "no joint": (("--joint", "upper"), ("--joint", "PROXIMAL:DISTAL")),
    "no body": (("--body", "hand=label:--3"), ("--body", "hand=label:--3")),
    "double body": (("--body", "upper=label:2"), ("names", "a name of its own")),
    "label": (("--body", "hand=label:7"), ("labels.nrrd", "no label 7 for hand")),
    "start of nobody": (("--body-start", "hand=any"), ("body hand",)),
    "start": (("--body-start", "lower=away.tfm"), ("away.tfm",)),
    "key frame": (("--key-frame", "99"), ("key frame 99", f"{FIRST} to {FIRST + COUNT - 1}")),
    "dark key frame": (("--key-frame", FIRST + 4), (f"view 1, frame {FIRST + 4}", "saturated")),
    "no frames left": (("--first", "80"), ("between 80",)),
    "weights": (("--weight", "1"), ("weights", "1 for 2 views")),
    "weight": (("--weight", "1", "--weight", "0"), ("weights", "above zero")),
    "axes": (("--anatomical-frame", "upper=away.json"), ("away.json", "cannot be read")),
    "similarity": (("--similarity", "likeness"), ("likeness",)),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_options_that_cannot_be_are_refused_and_nothing_is_written(files: SequenceOnDisk, name: str) -> None:
    options, words = REFUSALS[name]
    out = files.folder / "refused"
    refused(files.folder, (*files.track(*options), "--out", out), *words)


def test_files_that_do_not_fit_are_refused_and_nothing_is_written(copied: SequenceOnDisk) -> None:
    folder = copied.folder
    write_labels(folder / "empty.nrrd", np.zeros(bones().labels.shape), bones())
    refused(folder, copied.track(labels="empty.nrrd"), "empty.nrrd", "no voxel carries a label")
    refused(folder, copied.track(labels="no.nrrd"), "no.nrrd")

    camera_file = (folder / "cam2.json").read_bytes()
    wide = (folder / "cam2.json").read_text(encoding="utf-8").replace("80", "96")
    (folder / "cam2.json").write_text(wide, encoding="utf-8")
    refused(folder, copied.track(), "80", "96")
    (folder / "cam2.json").write_bytes(camera_file)

    for path in sorted((folder / "cam2").iterdir(), reverse=True):
        path.rename(path.with_name(path.name.replace("00", "10")))
    refused(folder, copied.track(), "cam2", "out of step", "share 0")
    shutil.rmtree(folder / "cam2")
    (folder / "cam2").mkdir()
    refused(folder, copied.track(), "cam2", "names no file")


def test_results_of_before_stay_when_an_input_is_refused(copied: SequenceOnDisk) -> None:
    copied.out.mkdir()
    for name in ("track.json", JOURNAL, "report.html"):
        (copied.out / name).write_text("of before", encoding="utf-8")
    before = tree(copied.folder)
    refused(copied.folder, copied.track("--key-frame", 99), "key frame 99")
    assert tree(copied.folder) == before


def test_the_page_on_tracking_says_how_joint_angles_are_counted() -> None:
    page = (Path(__file__).parents[2] / "docs" / "tracking.md").read_text(encoding="utf-8")
    assert CONVENTION in " ".join(page.split())
