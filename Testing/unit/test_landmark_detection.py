"""From an X-ray's pixels to the network's image and back, whatever the camera; and the commands all the way."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import Camera, PinholeCamera, ScanningSlitCamera, rigid
from DiffRegistrationLib.xray.projector import Projector
from DiffRegistrationLib.xray.radiograph import Radiograph
from fluororeg_runs import camera, intensity, run, truth, write_case
from LandmarkDetectionLib.atlas.definitions import skull_landmarks
from LandmarkDetectionLib.atlas.head import Head, phantom_head
from LandmarkDetectionLib.atlas.landmark_files import read_landmarks, write_landmarks
from LandmarkDetectionLib.detection import detector, translated_detection
from LandmarkDetectionLib.detection.close_look import CloseLook
from LandmarkDetectionLib.detection.landmark_detections import LandmarkDetections
from LandmarkDetectionLib.detection.mirror_image import brought_together, mirrored, mirrored_back
from LandmarkDetectionLib.detection.named_landmarks import seen_in
from LandmarkDetectionLib.detection.network_image import SeenByNetwork, seen_by_network, seen_closely
from LandmarkDetectionLib.detection.refinement import KnownHead, refined
from LandmarkDetectionLib.detection.registration_start import start_of
from LandmarkDetectionLib.detection.skull import skull_of, skull_template
from LandmarkDetectionLib.detection.standing_camera import standing_for
from LandmarkDetectionLib.network.close_up import Aim, turned_toward
from LandmarkDetectionLib.network.landmark_network import NetworkAnswer
from LandmarkDetectionLib.network.model_file import read_detector
from LandmarkDetectionLib.shape_prior.shape_fit import MeasuredPlaces
from LandmarkDetectionLib.skull_shape.extraction import skull_surface
from LandmarkDetectionLib.skull_shape.surface_distance import surface_distance
from LandmarkDetectionLib.style.generator import Generator, GeneratorForm
from LandmarkDetectionLib.style.translation_file import read_translation, write_translation
from untrained_detector import untrained

PINHOLE = PinholeCamera(np.array([[2500.0, 0, 190], [0, 2000, 260], [0, 0, 1]]), np.eye(4), (400, 500))
SLIT = ScanningSlitCamera(np.eye(4), (300, 512), (0.8, 0.9), (250.0, 3.0), 570.0, 1000.0)
DOT = (310.0, 150.0)


def blob(seen_by: Camera) -> Radiograph:
    """A blob at `DOT` (u, v) in an otherwise empty image, part of whose edge is not usable."""
    rows, columns = np.indices(seen_by.size)
    image = np.exp(-((columns - DOT[0]) ** 2 + (rows - DOT[1]) ** 2) / (2 * 4.0**2))
    mask = np.ones(seen_by.size, dtype=bool)
    mask[:, :40] = False
    return Radiograph(image.astype(np.float32), mask, seen_by)


@pytest.mark.parametrize("seen_by", [PINHOLE, SLIT], ids=["pinhole", "slit"])
@pytest.mark.parametrize("look", ["whole", "close"])
def test_a_place_in_the_network_s_image_is_the_pixel_that_it_shows(seen_by: Camera, look: str) -> None:
    seen = seen_by_network(blob(seen_by), 96, (0.1, 0.5))
    if look == "close":
        way = np.array([0.02, -0.02, 1.0])
        seen = seen_closely(blob(seen_by), seen, 96, Aim(turned_toward(way, 0.4), 0.8 * seen.field))
    image = np.where(seen.image.mask, seen.image.attenuation, 0).astype(np.float64)
    bright = np.where(image > 0.2 * image.max(), image, 0)
    rows, columns = np.indices(image.shape)
    at = np.array([[(bright * axis).sum() / bright.sum() for axis in (columns, rows)]])
    place = (2 * at + 1) / 96 - 1
    np.testing.assert_allclose(seen.pixels(place)[0], DOT, atol=1.5)
    moved = seen.pixels(place + np.array([1e-3, 2e-3])) - seen.pixels(place)
    np.testing.assert_allclose(moved[0], seen.pixel_derivative(place)[0] @ [1e-3, 2e-3], rtol=1e-2)


def test_the_camera_in_whose_frame_a_localizer_s_points_are_shows_the_same_at_the_isocentre() -> None:
    tilted = replace(SLIT, camera_from_world=rigid.exp([0.2, -0.1, 0.3, 5.0, -8.0, 20.0]))
    world_from_camera = rigid.inverse(tilted.camera_from_world)
    points = rigid.transform_points(world_from_camera, np.array([[0.0, -40.0, 570.0], [60.0, 90.0, 570.0]]))
    standing = standing_for(tilted)
    np.testing.assert_allclose(standing.project(points), tilted.project(points), atol=1e-9)
    assert np.linalg.norm(standing.camera_from_world[:3, 3] - tilted.camera_from_world[:3, 3]) > 50


@pytest.mark.parametrize("seen_by", [PINHOLE, SLIT], ids=["pinhole", "slit"])
def test_a_mirrored_x_ray_shows_a_mirrored_patient(seen_by: Camera) -> None:
    view = blob(seen_by)
    there = mirrored(view)
    points = np.array([[30.0, -40.0, 560.0], [-12.0, 9.0, 600.0]])
    u, v = seen_by.project(points).T
    expected = np.column_stack([seen_by.size[1] - 1 - u, v])
    np.testing.assert_allclose(there.camera.project(points * [-1, 1, 1]), expected, atol=1e-9)
    at = tuple(np.rint(expected[0]).astype(int)[::-1])
    assert there.attenuation[at] == view.attenuation[at[0], seen_by.size[1] - 1 - at[1]]
    np.testing.assert_array_equal(mirrored(there).mask, view.mask)


def looked(seen: SeenByNetwork, points: np.ndarray, across: float) -> CloseLook:
    """A look that finds points (camera's frame, mm) where they are; the first is seen, the others may be."""
    x, y, z = (points @ seen.camera_from_network).T
    half = 0.5 * seen.field
    places = np.column_stack([x / (half * z), y / (half * z), (z / z.mean() - 1) / half])
    deviations = np.full(len(points), across) / half
    visibility = np.where(np.arange(len(points)) == 0, 1.0, 0.5)
    return CloseLook(seen, MeasuredPlaces(places, deviations, 2 * deviations, seen.field), visibility)


@pytest.mark.parametrize("seen_by", [PINHOLE, SLIT], ids=["pinhole", "slit"])
def test_what_is_found_in_the_mirror_image_is_brought_back_with_its_sides_exchanged(seen_by: Camera) -> None:
    view, partners = blob(seen_by), skull_landmarks().partners
    points = np.array([20.0, -40.0, 900.0]) + np.random.default_rng(0).normal(scale=50, size=(len(partners), 3))
    aims = (
        Aim(turned_toward(np.array([0.05, 0.02, 1.0]), 0.2), 0.15),
        Aim(turned_toward(np.array([0, -0.1, 1]), -1), 0.2),
    )
    here, there = (
        seen_closely(one, seen_by_network(one, 64, (0.01, 1.0)), 64, aim)
        for one, aim in zip((view, mirrored(view)), aims, strict=True)
    )
    expected = looked(here, points, 0.01)
    back = mirrored_back(looked(there, (points * [-1, 1, 1])[partners], 0.01), here)
    for name in ("places", "across", "depth"):
        np.testing.assert_allclose(getattr(back.places, name), getattr(expected.places, name), atol=1e-9)
    assert back.visibility[partners[0]] == 1.0
    to_the_right = np.array([1.0, 0, 0])
    # Of two looks, one of which is twice as sure, the surer counts four times.
    together = brought_together(looked(here, points + 5 * to_the_right, 0.02), back)
    np.testing.assert_allclose(
        together.seen.pixels(together.places.places[:, :2]),
        here.pixels(looked(here, points + to_the_right, 0.01).places.places[:, :2]),
        atol=0.1,
    )
    assert (together.places.across > back.places.across).all()
    assert (together.places.across < 2 * back.places.across).all()


def test_the_whole_image_is_looked_at_in_the_middle_of_what_can_be_used() -> None:
    seen = seen_by_network(blob(PINHOLE), 96, (0.01, 1.0))
    (middle,) = seen.pixels(np.zeros((1, 2)))
    np.testing.assert_allclose(middle, [(40 + 499) / 2, 399 / 2], atol=1e-6)
    # 460 columns and 400 rows are usable.
    assert seen.field == pytest.approx(max(460 / 2500, 400 / 2000))
    assert rigid.is_rigid(seen.image.camera_from_world)


@pytest.mark.slow
def test_commands_lead_from_a_ct_with_landmarks_to_those_in_an_x_ray(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    network, seen = tmp_path / "head.pt", ("--camera", case.camera)
    train = ("landmarks", "train", case.ct, "--out", network, "--views", "frontal")
    missing = run(*train)
    assert missing.code == 2 and "fluororeg landmarks transfer" in missing.stderr
    write_landmarks(tmp_path / "head.mrk.json", phantom_head(4.0).landmarks)
    trained = run(*train, "--minutes", 0.03, "--size", 64, "--batch", 8, "--plain", "--json")
    assert trained.code == 0, trained.stderr
    last = json.loads(trained.stdout.splitlines()[-1])
    assert last["validation"]["seen_mm"] > 0 and (tmp_path / "head.views.png").is_file()
    found = run("landmarks", "detect", network, case.xray, *seen, "--out", tmp_path / "found", "--json")
    (view,) = json.loads(found.stdout)["views"]
    assert len(view["landmarks"]) == 55 and found.code == (0 if view["sure"] else 1)
    rows = list(csv.DictReader((tmp_path / "found" / "landmarks-1.csv").open(encoding="utf-8")))
    assert [row["name"] for row in rows] == [one["name"] for one in view["landmarks"]]
    assert read_landmarks(tmp_path / "found" / "landmarks-1.mrk.json").is_known.all()
    assert (tmp_path / "found" / "report.html").is_file()
    deep = ("--depth", 640, "--out", tmp_path / "deep", "--json")
    (told,) = json.loads(run("landmarks", "detect", network, case.xray, *seen, *deep).stdout)["views"]
    assert np.mean([one["camera_point"][2] for one in told["landmarks"]]) == pytest.approx(640, abs=5)
    nowhere = run("landmarks", "detect", network, case.xray, *seen, "--depth", 0)
    assert nowhere.code == 2 and "expected a distance in mm" in nowhere.stderr
    again = (*train[:3], "--views", "frontal", "--out", tmp_path / "begun.pt", "--minutes", 0.01, "--batch", 8)
    begun = run(*again, "--begin-with", network)
    assert begun.code == 0, begun.stderr
    assert read_detector(tmp_path / "begun.pt").metadata["begun_with"]["words"] == read_detector(network).words
    unfit = run("landmarks", "detect", network, case.xray, *seen, "--template")
    assert unfit.code == 2 and "a template cannot stand" in unfit.stderr
    other = run("landmarks", "evaluate", network, "--count", 1)
    assert other.code == 2 and "one patient's head" in other.stderr
    moving = run("landmarks", "evaluate-motion", network, "--count", 2)
    assert moving.code == 2 and "was trained on another CT" in moving.stderr
    style = tmp_path / "style.pt"
    write_translation(style, Generator(GeneratorForm(4, 1)), None, 64, {"method": "cut"})
    through = ("--style", style, "--out", tmp_path / "translated", "--json")
    (translated,) = json.loads(run("landmarks", "detect", network, case.xray, *seen, *through).stdout)["views"]
    assert translated["landmarks"] != view["landmarks"]
    wrong = run("style", "evaluate", case.ct, "--network", network)
    assert wrong.code == 2 and "NAME=FILE" in wrong.stderr


def test_the_skull_of_what_was_found_lies_where_the_head_is() -> None:
    template, other = (phantom_head(3.0, variant) for variant in (0, 2))
    placed = rigid.transform_points(camera().camera_from_world @ truth(), other.landmarks.points)
    count = len(placed)
    nothing = np.zeros((count, 2)), np.tile(np.eye(2), (count, 1, 1))
    found = LandmarkDetections(
        other.landmarks.names,
        *nothing,
        placed,
        np.tile(np.eye(3), (count, 1, 1)),
        np.ones(count),
        np.ones(count, dtype=bool),
        *nothing,
        1.0,
        0.7,
        True,
        "",
    )
    skull = skull_of(found, camera().camera_from_world, skull_template(template))
    true = skull_surface(other.ct).carried(lambda points: rigid.transform_points(truth(), points))
    assert surface_distance(skull.surface, true).mean_mm < 1.0


def places_found(head: Head) -> LandmarkDetections:
    """As a trained detector gives them: here they are the true ones, a quarter of them far off."""
    random = np.random.default_rng(1)
    pixels = camera().project(rigid.transform_points(truth(), head.landmarks.points))
    off = random.normal(0, 0.7, pixels.shape)
    off[::4] = random.uniform(-30, 30, off[::4].shape)
    count = len(pixels)
    return LandmarkDetections(
        head.landmarks.names,
        pixels + off,
        np.tile(0.5 * np.eye(2), (count, 1, 1)),
        np.full((count, 3), np.nan),
        np.full((count, 3, 3), np.nan),
        np.ones(count),
        np.ones(count, dtype=bool),
        pixels + off,
        np.tile(0.5 * np.eye(2), (count, 1, 1)),
        2.2,
        0.7,
        True,
        "",
    )


def test_a_detector_s_places_start_a_registration() -> None:
    head = phantom_head(4.0)
    view = Radiograph(np.zeros(camera().size, np.float32), np.ones(camera().size, bool), camera())
    start = start_of([places_found(head)], head.landmarks, head.ct, [view])
    centre = rigid.transform_points(truth(), [head.ct.centre])[0]
    error = rigid.increment_between(centre, start.poses[0][1], truth())
    assert np.degrees(np.linalg.norm(error[:3])) < 2 and np.linalg.norm(error[3:]) < 12
    assert "agreeing" in start.poses[0][0]


@pytest.mark.parametrize(
    ("doubt", "chosen"),
    [
        ({"translated": 1.0, "as it is": 2.0}, "translated"),
        ({"translated": 2.0, "as it is": 1.0}, "as it is"),
        ({"translated": 1.0, "as it is": 2.0, "unsure": "translated"}, "as it is"),
        ({"translated": 1.0, "as it is": 2.0, "sees nothing": "translated"}, "as it is"),
        ({"translated": 1.0, "as it is": 2.0, "misfits": "translated"}, "as it is"),
    ],
)
def test_a_network_of_many_looks_goes_by_the_x_ray_translated_or_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, doubt: dict[str, Any], chosen: str
) -> None:
    view = blob(PINHOLE)
    write_translation(tmp_path / "style.pt", Generator(GeneratorForm(4, 1)), None, 64, {"method": "cut"})
    translation = read_translation(tmp_path / "style.pt")
    usual = places_found(phantom_head(4.0))

    def detected(trained: Any, seen: Radiograph, _depth_mm: None, with_less_likely: bool) -> LandmarkDetections:
        which = "as it is" if seen is view else "translated"
        return replace(
            usual,
            pixel_covariance=doubt[which] ** 2 * np.tile(np.eye(2), (len(usual.names), 1, 1)),
            visibility=np.zeros(55) if doubt.get("sees nothing") == which else usual.visibility,
            misfit=2.3 if doubt.get("misfits") == which else usual.misfit,
            is_sure=doubt.get("unsure") != which,
            words=which,
        )

    monkeypatch.setattr(translated_detection, "detect", detected)
    of_looks, of_drrs = (read_detector(untrained(tmp_path / "head.pt", plain=plain)) for plain in (False, True))
    assert translated_detection.detect_through(translation, of_looks, view).words == chosen
    assert translated_detection.detect_through(translation, of_drrs, view).words == "translated"
    assert translated_detection.detect_through(None, of_drrs, view).words == "as it is"


class OfHeadsInGeneral:
    """A network that knows no patient, and takes two sides of a head for possible."""

    is_of_patient = False

    def overview(self, *_: Any) -> tuple[None, NetworkAnswer]:
        nothing = torch.zeros(1)
        return None, NetworkAnswer(nothing, nothing, torch.tensor([[0.6, 0.4, 0.0, 0.0]]).log(), nothing, nothing)


@pytest.mark.parametrize("narrow", ["another side", "mirror"])
def test_a_look_that_shows_too_little_takes_no_other_away(monkeypatch: pytest.MonkeyPatch, narrow: str) -> None:
    view, trained = blob(PINHOLE), OfHeadsInGeneral()
    found, looks = places_found(phantom_head(4.0)), []

    def look(trained: Any, seen: Radiograph, whole: Any, first: NetworkAnswer) -> SimpleNamespace:
        which = "mirror" if seen is not view else "another side" if first.aspect[0].argmax() == 1 else "likeliest"
        looks.append(which)
        if which == narrow:
            raise InputError("X-ray", "shows too little", "Give another.")
        return SimpleNamespace(seen=which)

    monkeypatch.setattr(detector, "overview", trained.overview)
    monkeypatch.setattr(detector, "looked_closely", look)
    monkeypatch.setattr(detector, "_detections", lambda *_: found)
    monkeypatch.setattr(detector, "mirrored_back", lambda in_mirror, _: in_mirror)
    monkeypatch.setattr(detector, "brought_together", lambda one, _: one)
    kept = detector.detect(trained, view, with_less_likely=True)
    assert looks == ["likeliest", "another side", "mirror"]
    np.testing.assert_array_equal(kept.pixels, found.pixels)
    assert len(kept.less_likely) == (0 if narrow == "another side" else 1)
    assert kept.is_sure == (narrow == "another side") and ("mirrored image" in kept.words) == (narrow == "mirror")
    looks.clear()
    detector.detect(trained, view)
    assert looks == ["likeliest", "mirror"]


def test_where_the_mirror_image_says_another_both_are_doubtful_and_the_other_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    view, trained = blob(PINHOLE), OfHeadsInGeneral()
    found = replace(places_found(phantom_head(4.0)), is_sure=True, words="")
    elsewhere = replace(found, pixels=found.pixels + 20 / found.mm_per_pixel)
    monkeypatch.setattr(detector, "overview", trained.overview)
    monkeypatch.setattr(detector, "looked_closely", lambda *_: SimpleNamespace(seen="itself"))
    monkeypatch.setattr(detector, "mirrored_back", lambda *_: SimpleNamespace(seen="in the mirror"))
    monkeypatch.setattr(
        detector, "_detections", lambda _, __, look, ___: elsewhere if look.seen == "in the mirror" else found
    )
    kept = detector.detect(trained, view, with_less_likely=True)
    np.testing.assert_array_equal(kept.pixels, found.pixels)
    first = kept.less_likely[0]
    np.testing.assert_array_equal(first.pixels, elsewhere.pixels)
    assert not kept.is_sure and not first.is_sure and "28 mm elsewhere" in kept.words == first.words
    assert len(kept.less_likely) == 2 and not detector.detect(trained, view).less_likely


def test_what_is_registered_says_itself_whether_it_is_seen_and_makes_poses(monkeypatch: pytest.MonkeyPatch) -> None:
    head = phantom_head(4.0)
    known = KnownHead(Projector(head.ct), head.landmarks)
    view = Radiograph(np.log(3000.5 / intensity()).astype(np.float32), np.ones(camera().size, bool), camera())
    true = rigid.transform_points(camera().camera_from_world @ truth(), head.landmarks.points)
    found = replace(places_found(head), camera_points=0.8 * true, visibility=np.full(len(true), 0.3))
    shown = refined(found, known, view)
    assert shown.is_registered
    assert shown.visibility[shown.is_in_image].min() > 0.4 and np.median(shown.visibility) == 1.0
    assert shown.mm_per_pixel == pytest.approx(found.mm_per_pixel / 0.8, rel=0.01)
    (said,) = seen_in([shown])
    np.testing.assert_array_equal(said.pixels, shown.pixels)
    np.testing.assert_array_equal(said.covariance, shown.pixel_covariance)
    (said,) = seen_in([found])
    np.testing.assert_array_equal(said.pixels, found.network_pixels)


def test_with_its_ct_a_head_s_landmarks_are_shown_where_the_ct_has_them() -> None:
    head = phantom_head(4.0)
    known = KnownHead(Projector(head.ct), head.landmarks)
    attenuation = np.log(3000.5 / intensity()).astype(np.float32)
    view = Radiograph(attenuation, np.ones(camera().size, bool), camera())
    found = places_found(head)
    shown = refined(found, known, view)
    world = rigid.transform_points(truth(), head.landmarks.points)
    off = np.linalg.norm(shown.pixels - camera().project(world), axis=1)
    assert off.max() < 0.5 and np.linalg.norm(found.pixels - camera().project(world), axis=1).max() > 10
    assert shown.is_sure and shown.is_registered and not found.is_registered
    assert (np.sqrt(np.trace(shown.pixel_covariance, axis1=1, axis2=2)) < 1).all()
    # The same landmarks over an X-ray of something else.
    other = Radiograph(attenuation[::-1].copy(), view.mask, camera())
    assert refined(found, known, other) is found
