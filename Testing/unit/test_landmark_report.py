"""The page of landmarks: marks lie where landmarks are, it says what is doubtful, and a browser shows all of it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from DiffRegistrationLib.xray.geometry import PinholeCamera
from DiffRegistrationLib.xray.radiograph import Radiograph
from LandmarkDetectionLib.atlas.definitions import skull_landmarks
from LandmarkDetectionLib.detection.landmark_detections import LandmarkDetections
from LandmarkDetectionLib.detection.landmark_pictures import (
    Standing,
    canvas_for,
    landmark_picture,
    placed_labels,
    standings,
)
from LandmarkDetectionLib.detection.landmark_report import write_landmark_report
from LandmarkDetectionLib.detection.workflow import DetectedView
from LandmarkDetectionLib.network.landmark_network import NetworkForm
from LandmarkDetectionLib.network.landmark_networks import LandmarkNetworks
from LandmarkDetectionLib.network.model_file import TrainedDetector
from LandmarkDetectionLib.population.view_ranges import view_ranges
from LandmarkDetectionLib.shape_prior.landmark_shape import LandmarkShape
from page_in_browser import opened

NAMES = skull_landmarks().names
COUNT = len(NAMES)
SIZE = (120, 100)
# Landmarks of which something is special: behind the shutter, outside, far outside, not known.
SHUT, OUT, FAR, UNKNOWN = 3, 4, 5, 6


def radiograph(spacing: tuple[float, float] = (0.5, 0.5)) -> Radiograph:
    """A ramp whose upper rows are shut off; `spacing` between rows and between columns (mm)."""
    camera = PinholeCamera.from_distances(1000, spacing, SIZE, np.eye(4))
    row, column = np.indices(SIZE)
    return Radiograph((row + column).astype(np.float32) / 50, row >= 10, camera)


def detections() -> LandmarkDetections:
    """Landmarks spread over the image, but for those with a name above."""
    random = np.random.default_rng(1)
    pixels = random.uniform([5, 20], [95, 115], (COUNT, 2))
    pixels[SHUT], pixels[OUT], pixels[FAR], pixels[UNKNOWN] = (40, 4), (50, 130), (400, 60), np.nan
    covariance = np.tile(np.diag([9.0, 4.0]), (COUNT, 1, 1))
    points = np.column_stack([pixels, np.full(COUNT, 750.0)])
    visibility = np.full(COUNT, 0.9)
    visibility[[SHUT, OUT, FAR, UNKNOWN]] = 0.04, 0.03, 0.0, 0.0
    inside = np.ones(COUNT, dtype=bool)
    inside[[SHUT, OUT, FAR, UNKNOWN]] = False
    spatial = np.tile(np.diag([1.0, 1.0, 900.0]), (COUNT, 1, 1))
    for values in (points, covariance, spatial):
        values[UNKNOWN] = np.nan
    return LandmarkDetections(
        NAMES, pixels, covariance, points, spatial, visibility, inside, pixels, covariance, 0.4, 0.7, True, ""
    )


def trained(**changes: Any) -> TrainedDetector:
    ranges = view_ranges("any-view")
    figures = {"seen_mm": 3.2, "hidden_mm": 7.9, "within_2d": 0.96, "within_3d": 0.88, "aspect": 0.99}
    metadata = {
        "ct_fingerprint": None,
        "views": {"name": ranges.name, **ranges.content},
        "seed": 5,
        "steps": 900,
        "seconds": 754.0,
        "milestones": [
            {"step": 450 * k, "seconds": 377.0 * k, "loss": 1.0, "validation": figures | {"seen_mm": 6.4 / k}}
            for k in (1, 2)
        ],
        "versions": {"torch": "2.8"},
    }
    shape = LandmarkShape(np.zeros((COUNT, 3)), np.zeros((0, COUNT, 3)), np.zeros(COUNT))
    forms = NetworkForm(64, COUNT, 4), NetworkForm(64, COUNT, 4)
    network = LandmarkNetworks(forms, torch.zeros(2, 4, COUNT, 3))
    return TrainedDetector(network, shape, None, metadata | changes)


def page_of(path: Path, views: list[DetectedView], of: TrainedDetector | None = None) -> str:
    write_landmark_report(path, views, of or trained())
    return path.read_text(encoding="utf-8")


def two_views() -> list[DetectedView]:
    words = "the places found are 3.4 standard deviations from those of any <head>"
    doubtful = replace(detections(), is_sure=False, words=words, misfit=3.4)
    return [
        DetectedView("View <b>1</b>", radiograph(), detections()),
        DetectedView("View 2", radiograph((0.5, 0.25)), doubtful),
    ]


# What a user would do to the page, tried by the page itself once it has loaded.
HANDS = """<script>
window.addEventListener("load", function () {
  var view = document.querySelector(".view"), labels = view.querySelector(".labels"), seen = [];
  var names = view.querySelector('input[value="no-labels"]');
  function shown() { return getComputedStyle(labels).display === "none" ? "hidden" : "shown"; }
  seen.push(shown()); names.click(); seen.push(shown());
  view.querySelector('tr[data-n="5"]').dispatchEvent(new Event("mouseenter"));
  seen.push(view.querySelector(".marks .picked title").textContent.split(" (")[0]);
  var image = view.querySelector("img").getBoundingClientRect();
  var edge = view.querySelector(".edge").getBoundingClientRect();
  seen.push(Math.abs(image.left - edge.left) < 1.5 && Math.abs(image.bottom - edge.bottom) < 1.5);
  document.body.dataset.hands = seen.join("; ");
});
</script></body>"""


def test_a_browser_shows_the_whole_page_and_the_marks_over_the_image(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    body, _ = opened(path, page_of(path, two_views()), HANDS)
    assert 'data-pictures="2/2"' in body
    assert 'data-errors="0"' in body
    assert f'data-hands="shown; hidden; {NAMES[5]}; true"' in body


def test_a_depth_that_was_told_is_said_to_be(tmp_path: Path) -> None:
    told = replace(detections(), depth_told_mm=750.0)
    page = page_of(tmp_path / "told.html", [DetectedView("View 1", radiograph(), told)])
    assert "its middle, as told, 750 mm" in page and "was told: all depths" in page
    by_size = page_of(tmp_path / "found.html", two_views())
    registered = page_of(
        tmp_path / "ct.html", [DetectedView("View 1", radiograph(), replace(told, is_registered=True))]
    )
    assert "told" not in by_size and "as told" not in registered


def test_the_page_names_every_landmark_says_what_is_doubtful_and_needs_no_network(tmp_path: Path) -> None:
    page = page_of(tmp_path / "report.html", two_views())
    assert [item.name for item in tmp_path.iterdir()] == ["report.html"]
    assert re.findall(r'(?:src|href)\s*=\s*"(?!data:image/png;base64,|#)', page) == []
    assert "://" not in page
    for name in NAMES:
        assert page.count(f"</svg>{name}</td>") == 2
    assert "View &lt;b&gt;1&lt;/b&gt;" in page and "<b>" not in page
    assert "1 of 2 X-rays is doubtful" in page and 'class="verdict doubtful"' in page
    assert "Doubtful: the places found are 3.4 standard deviations from those of any &lt;head&gt;." in page
    # The median of seen landmarks: a pixel is 0.4 mm, and √(13/2) of them the deviation along an axis.
    assert "51 of 55 landmarks are in the image, typically known to 1.0 mm; 2 lie outside it, known to 1.0 mm." in page
    assert "nan" not in re.sub(r"base64,[^\"]*", "", page).lower()


def test_the_page_says_what_the_network_knows_and_whence_depth_comes(tmp_path: Path) -> None:
    population = page_of(tmp_path / "a.html", two_views()[:1])
    assert "the heads of a population" in population and "13 minutes, 900 steps" in population
    assert "left lateral or right lateral" in population and "−180° to 180°" in population
    assert "<dd>3.2 mm</dd>" in population and "<dd>7.9 mm</dd>" in population
    assert "follows from how large heads are" in population
    begun = {"words": "network of the heads of a population, 2307 steps", "weights": "89ab"}
    patient = page_of(tmp_path / "b.html", two_views()[:1], trained(ct_fingerprint="0123abcd", begun_with=begun))
    assert "population, 2307 steps" in patient and "Began with" not in population
    assert "one patient&#39;s head" in patient and "0123abcd" in patient
    assert "follows from the size of that patient's head" in patient
    # A file that tells nothing of its making still makes a page.
    bare = {"ct_fingerprint": None, "views": {"field": [0.1, 0.5]}}
    assert "not recorded" in page_of(tmp_path / "c.html", two_views()[:1], replace(trained(), metadata=bare))


def places(overlay: str, kind: str) -> np.ndarray:
    """Where the marks of a kind lie, with their landmark's number before."""
    found = re.findall(rf'<g class="[^"]*{kind}" data-n="(\d+)" transform="translate\(([-.\d]+) ([-.\d]+)\)"', overlay)
    return np.array(found, dtype=float)


def test_marks_lie_where_landmarks_are_and_tell_seen_from_hidden() -> None:
    found = detections()
    standing = standings(found, SIZE)
    assert [standing[n] for n in (SHUT, OUT, FAR, UNKNOWN)] == [
        Standing.HIDDEN,
        Standing.OUTSIDE,
        Standing.OUTSIDE,
        Standing.UNKNOWN,
    ]
    # Columns are twice as close as rows: the picture has two screen rows for each of the image's.
    picture = landmark_picture(radiograph((0.5, 0.25)), found)
    assert picture.canvas.image == (100, 240)
    seen = places(picture.overlay, "visible")
    assert len(seen) == COUNT - 4
    expected = (found.pixels[seen[:, 0].astype(int)] + 0.5) * [1, 2]
    np.testing.assert_allclose(seen[:, 1:], expected, atol=0.06)
    np.testing.assert_allclose(places(picture.overlay, "hidden")[0], [SHUT, 40.5, 9.0], atol=0.06)
    np.testing.assert_allclose(places(picture.overlay, "outside")[0], [OUT, 50.5, 261.0], atol=0.06)
    # 300 pixels beyond the edge: an arrow at the border, 40 % of the width away, pointing right.
    number, x, y = places(picture.overlay, "far")[0]
    assert number == FAR and 100 < x < 140 and 110 < y < 135
    assert picture.canvas.width == pytest.approx(140)
    # Deviations of 3 and 2 pixels, twice, of which rows count double on the screen.
    assert 'rx="8.0" ry="6.0" transform="rotate(' in picture.overlay
    assert picture.overlay.count("<ellipse") == COUNT - 2


def test_labels_cover_neither_each_other_nor_marks() -> None:
    random = np.random.default_rng(3)
    canvas = canvas_for(np.zeros((0, 2)), (800.0, 600.0))
    radii = np.full(COUNT, 5.0)
    for spread, fewest in ((1.0, COUNT), (0.15, 10)):
        marks = np.array([400.0, 300.0]) + spread * random.uniform([-390, -290], [390, 290], (COUNT, 2))
        labels = placed_labels(NAMES, marks, radii, range(COUNT), canvas)
        assert len(labels) >= fewest
        for n, label in enumerate(labels):
            assert (np.abs(marks - label.middle) > label.half).any(axis=1).all()
            for other in labels[:n]:
                assert (np.abs(label.middle - other.middle) >= label.half + other.half - 1e-9).any()
