"""Cameras that are wrong by known amounts are found together with the pose; right ones stay where they are."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from DiffRegistrationLib.command_line import register as command
from DiffRegistrationLib.registration.calibration_prior import CalibrationPrior
from DiffRegistrationLib.registration.calibration_refinement import RefinedCalibration, refine_calibration
from DiffRegistrationLib.registration.camera_numbers import camera_jacobian, moved_camera
from DiffRegistrationLib.registration.metrics import pose_error
from DiffRegistrationLib.registration.registration import register
from DiffRegistrationLib.registration.starts import start_from_pose
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.camera_files import read_camera
from DiffRegistrationLib.xray.files.camera_json import write_camera
from DiffRegistrationLib.xray.files.radiograph_files import write_image
from DiffRegistrationLib.xray.files.transform_files import read_pose, write_pose
from DiffRegistrationLib.xray.geometry import PinholeCamera, rigid
from DiffRegistrationLib.xray.geometry.c_arm import c_arm_camera
from DiffRegistrationLib.xray.geometry.lens_distortion import BrownDistortion
from DiffRegistrationLib.xray.geometry.slit import ScanningSlitCamera
from DiffRegistrationLib.xray.phantom import head_phantom
from DiffRegistrationLib.xray.projector import Projector
from DiffRegistrationLib.xray.radiograph import Radiograph, WorldFrame
from fluororeg_runs import camera as camera_on_disk
from fluororeg_runs import intensity, refused, run, truth, write_case
from scipy import ndimage

OFFSET, SCALE = CalibrationPrior(offset_px=3.0), CalibrationPrior(focal_scale=0.005)
BETWEEN = CalibrationPrior(camera_rotation_deg=0.5, camera_translation_mm=2.0)
EVERYTHING = CalibrationPrior(2.0, 0.002, 0.3, 1.0)
RIGHT = np.zeros(9)


@cache
def head() -> CT:
    return head_phantom(2.0).ct


@cache
def projector() -> Projector:
    return Projector(head())


def pose() -> np.ndarray:
    """A head that is turned, and off the isocentre, where a wrong distance moves it."""
    centred = rigid.rigid(np.eye(3), -head().centre)
    return rigid.move_about(np.zeros(3), [0.1, -0.05, 0.08, 25.0, -20.0, 30.0], centred)


def centre() -> np.ndarray:
    return rigid.transform_points(pose(), [head().centre])[0]


def c_arm(primary_angle_deg: float, size: int = 160) -> PinholeCamera:
    return c_arm_camera(
        source_detector_distance=1020.0,
        source_object_distance=700.0,
        pixel_spacing=(320 / size, 320 / size),
        size=(size, size),
        primary_angle_deg=primary_angle_deg,
    )


def views_with(errors: dict[float, np.ndarray]) -> list[Radiograph]:
    """X-rays from these C-arm angles; the camera that comes with each is wrong, and right once moved by its error."""
    views = []
    for angle, error in errors.items():
        given = c_arm(angle)
        camera = moved_camera(given, error, centre())
        image = projector().render(camera.rays(), pose(), step_mm=0.5)[0].reshape(camera.size)
        image = 0.8 * image + 0.3 + 0.01 * np.random.default_rng(int(angle)).normal(size=image.shape)
        image = ndimage.gaussian_filter(image, 0.6).astype(np.float32)
        views.append(Radiograph(image, np.ones(image.shape, dtype=bool), given, world=WorldFrame.PATIENT))
    return views


def refined(errors: dict[float, np.ndarray], prior: CalibrationPrior) -> tuple[RefinedCalibration, float, float]:
    """What refinement finds, and the pose's error (mTRE in mm) before and after."""
    views = views_with(errors)
    near = rigid.move_about(centre(), [0.01, -0.01, 0.02, 1.0, 1.0, -1.0], pose())
    start = register(projector(), views, start_from_pose(near), wants_drrs=False).pose
    found = refine_calibration(projector(), views, start, prior)

    def error(of: np.ndarray) -> float:
        return pose_error(of, pose(), head().corners(0.5), head().centre, c_arm(180.0)).mtre_mm

    return found, error(start), error(found.pose)


def values(found: RefinedCalibration) -> np.ndarray:
    return np.array([[shift.value for shift in shifts] for shifts in found.shifts if shifts])


def test_a_detector_that_is_off_in_one_view_is_found() -> None:
    found, before, after = refined({180.0: RIGHT, 90.0: np.array([3.0, 0, *RIGHT[2:]])}, OFFSET)
    np.testing.assert_allclose(values(found), [[0, 0], [3, 0]], atol=0.3)
    assert before > 2.0 and after < before / 5


def test_a_wrong_source_detector_distance_is_found() -> None:
    wrong = np.array([0, 0, 0.005, *RIGHT[3:]])
    found, before, after = refined({180.0: wrong, 90.0: wrong}, SCALE)
    np.testing.assert_allclose(values(found), [[0.5], [0.5]], atol=0.04)
    assert before > 0.15 and after < before / 5


def test_a_camera_that_has_moved_against_the_first_is_found() -> None:
    twist = np.array([*np.radians([0.3, -0.25, 0.31]), 1.2, -1.0, 1.25])
    found, before, after = refined({180.0: RIGHT, 90.0: np.array([0, 0, 0, *twist]), 135.0: RIGHT}, BETWEEN)
    assert found.shifts[0] == ()
    off = np.abs(values(found) - [[0.3, -0.25, 0.31, 1.2, -1.0, 1.25], [0] * 6])
    assert off[:, :3].max() < 0.05 and off[:, 3:].max() < 0.3
    assert before > 0.5 and after < before / 5
    assert found.converged and found.reason == ""


def test_right_cameras_stay_within_what_was_allowed() -> None:
    found, _, after = refined(dict.fromkeys((180.0, 90.0, 135.0), RIGHT), EVERYTHING)
    assert found.moved < 1.0
    # Freedom costs certainty, and the stated one says so.
    assert after < 3 * np.sqrt(np.trace(found.covariance[3:, 3:]))


def test_what_the_images_do_not_tell_stays_with_the_prior_and_is_named() -> None:
    found, _, _ = refined({180.0: RIGHT}, CalibrationPrior(offset_px=0.2))
    assert not any(shift.determined for shift in found.shifts[0])
    assert "hardly determine of view 1: detector offset along image rows" in found.reason


def test_derivatives_by_cameras_agree_with_finite_differences() -> None:
    exact = Projector(head_phantom(8.0).ct, dtype=np.float64)
    at = rigid.move_about(exact.ct.centre, [0.02, 0.03, -0.01, 4.0, -6.0, 5.0], np.eye(4))
    middle = rigid.transform_points(at, [exact.ct.centre])[0]
    given = c_arm(90.0).moved(rigid.rigid(np.eye(3), middle + np.array([8.0, -5.0, 3.0])))
    # Square pixels without skew would hide a mixed-up axis.
    K = given.intrinsic.copy()
    K[0, 1], K[1, 1] = 5.0, 1.3 * K[1, 1]
    given = replace(given, intrinsic=K)
    pivot = middle + np.array([3.0, -2.0, 5.0])
    numbers = np.array([2.0, -1.0, 0.01, 0.02, -0.015, 0.01, 2.0, 1.0, -3.0])
    pixels = np.random.default_rng(0).uniform(40, 120, (400, 2))

    def image(changed: np.ndarray) -> np.ndarray:
        return exact.render(moved_camera(given, changed, pivot).rays(pixels), at, step_mm=0.05)[0]

    camera = moved_camera(given, numbers, pivot)
    by_pose = exact.render_with_jacobian(camera.rays(pixels), at, step_mm=0.05)[1][0].T
    found = camera_jacobian(camera, pixels, by_pose, middle, numbers, pivot)
    steps = np.array([1e-2, 1e-2, 1e-5, *[1e-5] * 3, *[1e-2] * 3])
    differences = np.array(
        [(image(numbers + change) - image(numbers - change)) / (2 * change.max()) for change in np.diag(steps)]
    )
    # Numbers of one unit are measured by the largest effect among them: moving along the beam has hardly any.
    for alike in ([0, 1], [2], [3, 4, 5], [6, 7, 8]):
        largest = np.linalg.norm(differences[alike], axis=1).max()
        error = np.linalg.norm(found[alike] - differences[alike], axis=1).max() / largest
        assert error < 0.006, f"numbers {alike}: {error:.4f}"


def test_a_single_view_cannot_tell_scale_from_depth() -> None:
    (view,) = views_with({180.0: RIGHT})
    with pytest.raises(InputError, match=r"single view: a longer source-detector distance and a patient nearer"):
        refine_calibration(projector(), [view], pose(), SCALE)
    with pytest.raises(InputError, match="between the first camera and others"):
        refine_calibration(projector(), [view], pose(), BETWEEN)


def test_only_cone_beams_have_such_numbers() -> None:
    (view,) = views_with({180.0: RIGHT})
    slit = ScanningSlitCamera(view.camera.camera_from_world, view.camera.size, (1.0, 1.0), (79.5, 79.5), 500.0, 900.0)
    with pytest.raises(InputError, match="that of cone beams can"):
        OFFSET.check_fits([view, replace(view, camera=slit)])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("offset", ("'offset'", "offset, scale, rotation, translation")),
        ("shift=2", ("'shift=2'",)),
        ("offset=2,offset=3", ("'offset=3'", "at most once")),
        ("offset=-1", ("offset_px is -1.0", "0 or more")),
        ("offset=nan", ("offset_px is nan",)),
        ("offset=0", ("lets nothing move",)),
        ("scale=0.002", ("single view", "nearer to the source")),
    ],
)
def test_priors_that_cannot_be(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    refused(tmp_path, write_case(tmp_path).register("--refine-calibration", text), *words)


def test_the_command_refines_and_writes_the_cameras(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    off = moved_camera(camera_on_disk(90.0), np.array([-1.0, 0, *RIGHT[2:]]), np.zeros(3))
    lateral, given, near = tmp_path / "lateral.nrrd", tmp_path / "lateral.json", tmp_path / "near.tfm"
    write_image(lateral, intensity(90.0), camera_on_disk(90.0))
    bent = BrownDistortion((1e-4, 0.0, 0.0), (0.0, 0.0), (312.5, 312.5), (47.5, 47.5))
    write_camera(given, off, distortion=bent)
    write_pose(near, truth())
    outcome = run(
        *("register", case.ct, case.xray, lateral, "--camera", case.camera, "--camera", given, "--out", case.out),
        *("--start", near, "--refine-calibration", "offset=1", "--json"),
    )
    assert outcome.code == 0, outcome.stderr
    found = json.loads((case.out / "result.json").read_text(encoding="utf-8"))
    assert outcome.json["calibration"] == found["calibration"]
    shift = found["calibration"]["views"][1]["offset_u_px"]
    assert abs(shift["value"] - 1) < 0.3 and shift["prior_std"] == 1 and shift["determined"]
    np.testing.assert_allclose(read_pose(case.out / "pose.tfm"), found["pose"], atol=1e-6)
    refined = read_camera(case.out / "camera-2.json")
    assert isinstance(refined.camera, PinholeCamera) and str(refined.distortion) == str(bent)
    np.testing.assert_allclose(refined.camera.intrinsic[0, 2], off.intrinsic[0, 2] + shift["value"], atol=1e-9)
    assert "Cameras, refined with the pose" in (case.out / "report.html").read_text(encoding="utf-8")
    assert command._prior("rotation=0.3, translation=1") == CalibrationPrior(0, 0, 0.3, 1)
