"""The page of a tracking: what its charts show, that a browser shows all of it, and that it needs nothing else."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from DiffRegistrationLib.registration.result import Verdict
from DiffRegistrationLib.report.encode import data_uri
from DiffRegistrationLib.tracking.joint_motion import CONVENTION, joint_motion
from DiffRegistrationLib.tracking.smoothing import smoothed_track
from DiffRegistrationLib.tracking.time_charts import Curve, joint_charts, pose_charts, time_chart
from DiffRegistrationLib.tracking.track import BodyTrack, FramePose, Track
from DiffRegistrationLib.tracking.track_report import FramePicture, write_track_report
from DiffRegistrationLib.xray.geometry import rigid
from DiffRegistrationLib.xray.provenance import Provenance
from made_up_track import DOUBTFUL, FAILED, MISSING, made_up_joint, made_up_track
from page_in_browser import opened


def page_of(path: Path, track: Track, title: str = "Knee", **given: object) -> str:
    joints = given["joints"] if "joints" in given else [made_up_joint(track)]
    picture = np.full((30, 50, 3), 90, dtype=np.uint8)
    pictures = [FramePicture(f"Frame {k}: <accepted>", data_uri(picture + k)) for k in (0, 5, 10)]
    provenance = {"CT": [], "View 1": [Provenance("principal point", "centre", "no tag gave it", assumed=True)]}
    write_track_report(path, track, joints, pictures, provenance, title)  # type: ignore[arg-type]
    return path.read_text(encoding="utf-8")


# What a user would do to the page, tried by the page itself once it has loaded.
HANDS = """<script>
window.addEventListener("load", function () {
  var stage = document.querySelector(".viewer img"), slider = document.querySelector(".viewer input"), seen = [];
  slider.value = 2; slider.dispatchEvent(new Event("input")); seen.push(stage.alt);
  document.querySelectorAll("figure button")[1].click(); seen.push(stage.alt);
  var rows = Array.from(document.querySelectorAll(".frames tbody tr"));
  function shown() { return rows.filter(function (row) { return row.offsetHeight > 0; }).length; }
  seen.push(shown());
  document.querySelector(".only input").click(); seen.push(shown());
  document.body.dataset.hands = seen.join("; ").replace(/[<>]/g, "");
});
</script></body>"""


def test_a_browser_shows_the_whole_page_and_its_controls_work(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    page = page_of(path, made_up_track(), "Trial <script>broken(</script>")
    body, _ = opened(path, page, HANDS)
    # Three pictures, and the viewer's stage.
    assert 'data-pictures="4/4"' in body
    assert 'data-errors="0"' in body
    others = 2 * (len(FAILED) + len(DOUBTFUL) + len(MISSING))
    assert f'data-hands="Frame 10: accepted; Frame 5: accepted; 120; {others}"' in body


def test_the_page_needs_no_network_leaves_no_scrap_and_says_what_was_tracked(tmp_path: Path) -> None:
    page = page_of(tmp_path / "report.html", made_up_track())
    assert [item.name for item in tmp_path.iterdir()] == ["report.html"]
    assert re.findall(r'(?:src|href)\s*=\s*"(?!data:image/jpeg;base64,|#)', page) == []
    assert "://" not in page
    assert "Of 120 poses: 102 accepted, 6 doubtful, 12 failed" in page
    assert "6 without a trusted pose of their own (10 %)" in page
    assert CONVENTION[:60] in page
    assert "two starts ended 4.1 mm apart" in page and "&lt;far&gt; too low" in page
    assert page.count('<tr class="assumed">') == 1
    assert "nan" not in re.sub(r"base64,[^\"]*", "", page).lower().replace("nanodrr", "")


def test_the_head_of_the_page_tells_good_from_bad_and_from_ended_early(tmp_path: Path) -> None:
    track = made_up_track(7)
    page = page_of(tmp_path / "a.html", track)
    assert 'class="verdict accepted"' in page and "Every frame was accepted" in page and "was stopped" not in page
    assert "was stopped before its last frame" in page_of(tmp_path / "b.html", replace(track, stopped=True))
    lost = tuple(FramePose(t, None, Verdict.FAILED, "no X-ray", None, None, (), "none", 0.0) for t in track.times)
    nowhere = BodyTrack("patella", np.zeros(3), lost, np.full((7, 4, 4), np.nan))
    joint = joint_motion(track.body("femur"), nowhere)
    page = page_of(tmp_path / "c.html", Track((*track.bodies, nowhere), track.times), joints=[joint])
    assert 'class="verdict failed"' in page and "Not found in any frame: patella" in page
    empty = Track((), ())
    assert "No frame was tracked" in page_of(tmp_path / "d.html", empty, joints=[])


def marks(chart: str, kind: str) -> int:
    return len(re.findall(f'<path class="{kind}"', chart))


def test_charts_mark_every_frame_by_its_verdict_and_shade_those_without_a_trusted_pose() -> None:
    track = made_up_track()
    for body in track.bodies:
        for chart in pose_charts(body, smoothed_track(body)):
            accepted = 60 - len(DOUBTFUL) - len(FAILED) - len(MISSING)
            assert [marks(chart, kind) for kind in ("accepted", "doubtful", "failed")] == [
                3 * accepted,
                3 * len(DOUBTFUL),
                3 * len(FAILED),
            ]
            assert len(re.findall('class="gap"', chart)) == 3 * 2
            assert len(re.findall('class="curve"', chart)) == len(re.findall('class="spread"', chart)) == 3
    joint = made_up_joint(track)
    angles, _ = joint_charts(joint, made_up_joint(track, smoothed=False))
    assert marks(angles, "accepted") == 3 * accepted and "Internal rotation (°)" in angles


def test_a_curve_lies_where_its_values_are() -> None:
    values = np.array([0.0, 10.0, 20.0])
    curve = Curve("Turn", "°", np.array([np.nan, 10.0, 500.0]), values, np.zeros(3))
    verdicts = [Verdict.FAILED, Verdict.DOUBTFUL, Verdict.FAILED]
    chart = time_chart([0, 1, 3], verdicts, [curve], "words")
    line = re.search(r'class="curve" points="([^"]*)"', chart)
    assert line is not None
    (x0, y0), (x1, y1), (x2, y2) = ([float(v) for v in point.split(",")] for point in line[1].split())
    assert (x2 - x1) == pytest.approx(2 * (x1 - x0), abs=0.2)
    assert y0 > y1 > y2 and y0 - y1 == pytest.approx(y1 - y2, abs=0.2)
    # A failed value far away lies on the edge and leaves the others their room.
    assert "Frame 3: 500.00 °, failed" in chart and y0 - y2 > 70


def test_full_turns_run_on_in_the_charts() -> None:
    centre = np.zeros(3)
    poses = [rigid.rigid(rigid.rotation_exp([0, 0, np.radians(9.0 * k)]), [0, 0, 0]) for k in range(61)]
    covariance = np.diag([1e-4] * 3 + [1e-2] * 3)
    frames = tuple(
        FramePose(k, pose, Verdict.ACCEPTED, "", 0.9, covariance, (0,), "", 0.1) for k, pose in enumerate(poses)
    )
    body = BodyTrack("top", centre, frames, np.array(poses))
    turned, _ = pose_charts(body, smoothed_track(body))
    assert "Frame 60: 540.00 °, accepted" in turned


def test_hundreds_of_frames_make_a_page_of_a_megabyte(tmp_path: Path) -> None:
    track = made_up_track(600)
    page_of(tmp_path / "long.html", track)
    assert (tmp_path / "long.html").stat().st_size < 1.5e6
