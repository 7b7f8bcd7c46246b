"""The report: what its pictures mean, what its numbers say, and that a browser shows all of it."""

from __future__ import annotations

import re
import time
from pathlib import Path

import numpy as np
import pytest
from DiffRegistrationLib.registration.result import Iteration, RegistrationResult, Verdict
from DiffRegistrationLib.report import pictures, write_report
from DiffRegistrationLib.report.encode import screen_size
from DiffRegistrationLib.report.intensity import correlation, matched_to_xray
from DiffRegistrationLib.report.pose_in_words import angles_deg, displacement_mm, measured, view_uncertainties
from DiffRegistrationLib.xray.geometry import PinholeCamera, ScanningSlitCamera, rigid
from DiffRegistrationLib.xray.provenance import Provenance
from DiffRegistrationLib.xray.radiograph import Radiograph
from page_in_browser import opened

LINEAR = pictures.GreyWindow(0.0, 1.0)
CENTRE = np.array([4.0, -7.0, 30.0])


def camera(size: tuple[int, int], spacing: tuple[float, float] | None = (0.5, 0.5)) -> PinholeCamera:
    """A camera that looks along world A: image x is world R, image y is world −S."""
    K = np.array([[2000.0, 0, size[1] / 2], [0, 2000.0, size[0] / 2], [0, 0, 1]])
    world = rigid.rigid([[1, 0, 0], [0, 0, -1], [0, 1, 0]], [0, 0, 800])
    return PinholeCamera(K, world, size, spacing)


def bone(size: tuple[int, int], column: float = 0.4) -> np.ndarray:
    """A bright disc off the middle on a ramp."""
    row, col = np.indices(size)
    disc = (row - 0.6 * size[0]) ** 2 + (col - column * size[1]) ** 2 < (0.2 * min(size)) ** 2
    return (0.5 + 0.5 * col / size[1] + 2.0 * disc).astype(np.float32)


def radiograph(size: tuple[int, int]) -> Radiograph:
    mask = np.ones(size, dtype=bool)
    mask[:, : size[1] // 8] = False
    provenance = (
        Provenance("source–detector distance", "1000 mm", "DistanceSourceToDetector (0018,1110)"),
        Provenance("principal point", "centre", "no tag gave it", assumed=True),
    )
    return Radiograph(bone(size), mask, camera(size), provenance)


def result(drrs: tuple[np.ndarray, ...], verdict: Verdict = Verdict.DOUBTFUL) -> RegistrationResult:
    pose = rigid.move_about(CENTRE - [1, 2, 3], [0.1, 0, 0, 1, 2, 3], np.eye(4))
    covariance = np.diag([0.001, 0.002, 0.003, 0.1, 5.0, 0.2]) ** 2
    steps = tuple(
        Iteration(binning, n, 0.6 + 0.05 * n, 0.9 - 0.1 * n, 1.0, 2.0, n != 1) for binning in (4, 2) for n in range(3)
    )
    reason = "two starts ended 4.1 mm apart"
    return RegistrationResult(
        pose, verdict, reason, 0.93, covariance, CENTRE, 0.4, steps, "coarse search", (), tuple(drrs)
    )


# What a user would do to the page, tried by the page itself once it has loaded.
HANDS = """<script>
window.addEventListener("load", function () {
  var viewer = document.querySelector(".viewer"), flicker = viewer.querySelector("button");
  var slider = viewer.querySelector("input");
  var drr = viewer.querySelectorAll(".stack img")[1], seen = [drr.style.opacity];
  slider.value = 100; slider.dispatchEvent(new Event("input")); seen.push(drr.style.opacity);
  flicker.click(); seen.push(drr.style.opacity);
  setTimeout(function () {
    seen.push(drr.style.opacity); flicker.click(); seen.push(drr.style.opacity);
    document.querySelector("figure button").click();
    seen.push(document.querySelector("figure").className);
    document.body.dataset.hands = seen.join(" ");
  }, 700);
});
</script></body>"""


def test_a_browser_shows_the_whole_report_and_its_controls_work(tmp_path: Path) -> None:
    sizes = ((96, 160), (128, 64))
    views = [radiograph(size) for size in sizes]
    drrs = tuple(bone(size, 0.45) for size in sizes)
    path = tmp_path / "report.html"
    write_report(
        path,
        radiographs=views,
        result=result(drrs),
        ct_provenance=[Provenance("voxel spacing", "1 mm", "header")],
        title="Trial <script>broken(</script>",
    )
    body, shown = opened(path, path.read_text(encoding="utf-8"), HANDS)
    # Six pictures a view, and two layers of its viewer.
    assert 'data-pictures="16/16"' in body
    assert 'data-errors="0"' in body
    assert 'data-hands="0.5 1 0 1 1 xray large"' in body
    assert "Doubtful" in shown and "two starts ended 4.1 mm apart" in shown
    assert shown.count('class="assumed"') == 2


def test_the_page_needs_no_network_and_leaves_no_scrap(tmp_path: Path) -> None:
    size = (40, 60)
    write_report(
        tmp_path / "report.html",
        radiographs=[radiograph(size)],
        result=result((bone(size),)),
        ct_provenance=[],
        title="x",
    )
    assert [item.name for item in tmp_path.iterdir()] == ["report.html"]
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert re.findall(r'(?:src|href)\s*=\s*"(?!data:image/jpeg;base64,|#)', page) == []
    assert "://" not in page


@pytest.mark.parametrize("verdict", list(Verdict))
def test_every_verdict_says_what_to_do(tmp_path: Path, verdict: Verdict) -> None:
    size = (40, 60)
    write_report(
        tmp_path / "r.html",
        radiographs=[radiograph(size)],
        result=result((bone(size),), verdict),
        ct_provenance=[],
        title="x",
    )
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert f'class="verdict {verdict.value}"' in page
    assert "What to do next" in page


def test_a_report_of_one_view_takes_less_than_seven_tenths_of_a_second(tmp_path: Path) -> None:
    size = (256, 512)
    one, found = radiograph(size), result((bone(size),))
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        write_report(tmp_path / "r.html", radiographs=[one], result=found, ct_provenance=[], title="x")
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.7


def test_drrs_that_do_not_belong_to_the_views_are_refused(tmp_path: Path) -> None:
    one = radiograph((40, 60))
    with pytest.raises(ValueError, match="1 radiographs, but 0 DRRs"):
        write_report(tmp_path / "r.html", radiographs=[one], result=result(()), ct_provenance=[], title="x")
    with pytest.raises(ValueError, match="differ in size"):
        write_report(
            tmp_path / "r.html", radiographs=[one], result=result((bone((60, 40)),)), ct_provenance=[], title="x"
        )
    assert list(tmp_path.iterdir()) == []


def test_matching_recovers_gain_and_offset_beside_a_tool_the_ct_lacks() -> None:
    drr = bone((80, 120))
    xray = (1.7 * drr - 0.4).astype(np.float32)
    xray[:, 100:112] = 9.0
    matched = matched_to_xray(drr, xray, np.ones_like(drr, dtype=bool))
    assert np.abs(matched - xray)[:, :100].max() < 0.01
    assert correlation(drr, (3 * drr + 1).astype(np.float32), np.ones_like(drr, dtype=bool)) == pytest.approx(1)


def test_a_drr_that_runs_against_the_xray_is_not_shown_inverted() -> None:
    drr = bone((80, 120))
    matched = matched_to_xray(drr, (5 - drr).astype(np.float32), np.ones_like(drr, dtype=bool))
    assert correlation(matched, drr, np.ones_like(drr, dtype=bool)) == pytest.approx(1)


def test_colours_tell_which_image_is_denser() -> None:
    xray = np.array([[0.0, 1.0, 0.5, 1.0]], dtype=np.float32)
    drr = np.array([[1.0, 0.0, 0.5, 1.0]], dtype=np.float32)
    mask = np.array([[True, True, True, False]])
    over = pictures.overlay(xray, drr, mask, LINEAR)[0]
    assert over[0].tolist() == [255, 0, 255] and over[1].tolist() == [0, 255, 0]
    assert over[2, 0] == over[2, 1] == over[2, 2]
    apart = pictures.difference(xray, drr, mask, LINEAR)[0]
    assert apart[0].tolist() == list(pictures.DRR_COLOUR) and apart[1].tolist() == list(pictures.XRAY_COLOUR)
    assert len({tuple(pixel) for pixel in apart[[0, 1, 2, 3]].tolist()}) == 4
    lit = pictures.light_box(np.ones_like(xray), mask, LINEAR)[0]
    assert lit[0].tolist() == [255, 255, 255] and lit[3, 0] < 140


def test_greys_suit_a_head_as_well_as_a_skull_in_air() -> None:
    mask = np.ones((100, 100), dtype=bool)
    ramp = np.linspace(0, 1, 10_000, dtype=np.float32).reshape(100, 100)
    for bent in (ramp, ramp**3, ramp ** np.float32(0.4)):
        image = 7 * bent - 2
        window = pictures.grey_window(image, mask)
        shown = window.brightness(image)
        assert shown[image < np.percentile(image, 1)].max() == 0 and shown[image > np.percentile(image, 99)].min() == 1
        body = (image > np.percentile(image, 1) + 0.7) & (image < np.percentile(image, 99))
        assert 0.4 < np.median(shown[body]) < 0.5
    flat = pictures.grey_window(np.full((10, 10), 3.0, dtype=np.float32), np.ones((10, 10), dtype=bool))
    assert np.isfinite(flat.brightness(np.full((10, 10), 3.0, dtype=np.float32))).all()


def test_checkerboard_starts_with_the_xray_and_takes_turns() -> None:
    xray, drr = np.ones((100, 100), dtype=np.float32), np.zeros((100, 100), dtype=np.float32)
    board = pictures.checkerboard(xray, drr, np.ones((100, 100), dtype=bool), LINEAR)[..., 0]
    assert board[5, 5] == 255 and board[5, 15] == 0 and board[15, 5] == 0 and board[15, 15] == 255


def test_contours_run_along_the_edge_of_a_disc() -> None:
    row, column = np.indices((120, 200))
    distance = np.hypot(row - 70, column - 60)
    drawn = pictures.contours((distance < 30).astype(np.float32), np.ones((120, 200), dtype=bool))
    assert np.abs(distance[drawn] - 30).max() < 1.6
    directions = np.arctan2(row - 70, column - 60)[drawn]
    assert len(np.unique(np.round(np.degrees(directions) / 10))) >= 36


def test_pictures_of_oblong_pixels_have_the_patient_s_shape() -> None:
    assert screen_size(camera((100, 200), (0.5, 0.5))) == (100, 200)
    assert screen_size(camera((100, 200), (1.0, 0.5))) == (200, 200)
    assert screen_size(camera((100, 200), (0.5, 1.0))) == (100, 400)
    assert screen_size(camera((1800, 900))) == (900, 450)
    # Without a spacing the focal lengths tell: twice as many pixels per length along x.
    K = np.array([[2000.0, 0, 100], [0, 1000.0, 50], [0, 0, 1]])
    assert screen_size(PinholeCamera(K, np.eye(4), (100, 200))) == (200, 200)
    assert screen_size(ScanningSlitCamera(np.eye(4), (100, 200), (1.0, 0.5), (0, 0), 500.0, 900.0)) == (200, 200)


def test_pose_in_words_gives_back_known_angles_and_displacement() -> None:
    found = result(())
    assert displacement_mm(found) == pytest.approx([1, 2, 3])
    assert angles_deg(found.pose) == pytest.approx((np.degrees(0.1), 0, 0))
    about_s, about_a = rigid.rotation_exp([0, 0, 0.3]), rigid.rotation_exp([0, -0.2, 0])
    assert angles_deg(rigid.rigid(about_s @ about_a, [0, 0, 0])) == pytest.approx(
        (0, np.degrees(-0.2), np.degrees(0.3))
    )


def test_uncertainty_along_the_rays_is_called_depth() -> None:
    row = view_uncertainties(result(()), [camera((40, 60))])[0]
    assert (row.along_rows, row.along_columns, row.depth) == ("0.10 mm", "0.20 mm", "5.0 mm")
    assert measured(float("inf"), " mm") == "unknown"
