"""Registration of the head phantom: poses whose truth is known, starts that are wrong, images that cannot fit."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from DiffRegistrationLib.registration.metrics import pose_error
from DiffRegistrationLib.registration.registration import register
from DiffRegistrationLib.registration.result import RegistrationResult, Verdict
from DiffRegistrationLib.registration.similarity import SIMILARITIES
from DiffRegistrationLib.registration.starts import pose_of_view, start_from_name, start_from_pose, twin
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import PinholeCamera, rigid
from DiffRegistrationLib.xray.geometry.c_arm import c_arm_camera
from DiffRegistrationLib.xray.phantom import head_phantom
from DiffRegistrationLib.xray.projector import Projector
from DiffRegistrationLib.xray.radiograph import Radiograph, WorldFrame
from scipy import ndimage


@cache
def head() -> CT:
    return head_phantom(2.0).ct


@cache
def projector() -> Projector:
    return Projector(head())


def c_arm(primary_angle_deg: float, size: int = 160) -> PinholeCamera:
    return c_arm_camera(
        source_detector_distance=1020.0,
        source_object_distance=700.0,
        pixel_spacing=(320 / size, 320 / size),
        size=(size, size),
        primary_angle_deg=primary_angle_deg,
    )


def truth(seed: int = 4) -> np.ndarray:
    """The head near the isocentre, turned by up to 10° about each axis."""
    rng = np.random.default_rng(seed)
    centred = rigid.rigid(np.eye(3), -head().centre)
    return rigid.move_about(np.zeros(3), [*np.radians(rng.uniform(-10, 10, 3)), *rng.uniform(-15, 15, 3)], centred)


def xray(camera: PinholeCamera, pose: np.ndarray, noise: float = 0.02, tool: bool = False) -> Radiograph:
    """Finer sampled than the solver's DRRs, with noise, blur and other brightness, if wanted with a rod in view."""
    image = projector().render(camera.rays(), pose, step_mm=0.5)[0].reshape(camera.size)
    image = 0.8 * image + 0.3 + noise * np.random.default_rng(0).normal(size=image.shape)
    if tool:
        image[camera.size[0] // 3 : camera.size[0] // 3 + 4, 10:-10] += 3.0
    return Radiograph(
        ndimage.gaussian_filter(image, 0.6).astype(np.float32),
        np.ones(camera.size, dtype=bool),
        camera,
        world=WorldFrame.PATIENT,
    )


def wrong_start(pose: np.ndarray, degrees: float = 10.0, mm: float = 20.0, seed: int = 0) -> np.ndarray:
    axis, way = (d / np.linalg.norm(d) for d in np.random.default_rng(seed).normal(size=(2, 3)))
    centre = rigid.transform_points(pose, [head().centre])[0]
    return rigid.move_about(centre, [*(axis * np.radians(degrees)), *(way * mm)], pose)


def error_of(result: RegistrationResult, pose: np.ndarray, camera: PinholeCamera):  # type: ignore[no-untyped-def]
    return pose_error(result.pose, pose, head().corners(0.5), head().centre, camera)


@pytest.mark.parametrize("primary_angle_deg", [180.0, 90.0])
def test_a_wrong_start_finds_the_pose(primary_angle_deg: float) -> None:
    camera, pose = c_arm(primary_angle_deg), truth()
    result = register(projector(), [xray(camera, pose)], start_from_pose(wrong_start(pose, 14.0, 28.0)))
    error = error_of(result, pose, camera)
    assert error.rotation_deg < 0.3
    assert error.in_plane_mm < 0.2
    assert abs(error.depth_mm) < 3.0
    assert result.verdict == Verdict.ACCEPTED, result.reason


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_every_similarity_finds_the_pose_from_nearby(similarity: str) -> None:
    camera, pose = c_arm(90.0), truth(7)
    start = start_from_pose(wrong_start(pose, 3.0, 5.0))
    result = register(projector(), [xray(camera, pose)], start, similarity=similarity)
    error = error_of(result, pose, camera)
    assert error.rotation_deg < 1.0
    assert error.in_plane_mm < 0.5


def test_two_views_pin_down_the_depth_that_one_leaves_open() -> None:
    cameras, pose = [c_arm(180.0), c_arm(90.0)], truth(2)
    views = [xray(camera, pose) for camera in cameras]
    start = start_from_pose(wrong_start(pose, 8.0, 20.0))
    one = register(projector(), views[:1], start)
    both = register(projector(), views, start)
    assert len(both.drrs) == 2
    assert error_of(both, pose, cameras[0]).mtre_mm < 0.3
    assert both.std[3:].max() < 0.3 * one.std[3:].max()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_named_view_with_unknown_position_is_enough(seed: int) -> None:
    camera, pose = c_arm(180.0), truth(seed)
    view = xray(camera, pose)
    result = register(projector(), [view], start_from_name("frontal", head(), [view]))
    assert error_of(result, pose, camera).mrpe_mm < 0.5
    assert result.start.startswith("ap")


def test_an_ap_image_is_not_taken_for_its_pa_twin() -> None:
    camera, pose = c_arm(180.0), truth(3)
    view = xray(camera, pose)
    result = register(projector(), [view], start_from_name("pa", head(), [view]))
    error = error_of(result, pose, camera)
    assert error.mrpe_mm < 0.5 or result.verdict != Verdict.ACCEPTED
    assert "twin" in result.start and error.rotation_deg < 1.0


def test_the_twin_mirrors_depth_and_is_its_own_twin() -> None:
    camera = c_arm(180.0)
    pose = pose_of_view("ap", head(), camera)
    other = twin(pose, head(), camera)
    assert rigid.is_rigid(other)
    np.testing.assert_allclose(other[:3, :3], pose_of_view("pa", head(), camera)[:3, :3], atol=1e-9)
    np.testing.assert_allclose(twin(other, head(), camera), pose, atol=1e-9)


@pytest.mark.parametrize(
    ("view", "right", "toward_detector"),
    [
        ("ap", (-1, 0, 0), (0, -1, 0)),
        ("pa", (1, 0, 0), (0, 1, 0)),
        ("left-lateral", (0, 1, 0), (-1, 0, 0)),
        ("right-lateral", (0, -1, 0), (1, 0, 0)),
    ],
)
def test_named_views_are_what_radiographers_mean(
    view: str, right: tuple[int, int, int], toward_detector: tuple[int, int, int]
) -> None:
    camera = c_arm(37.0)
    pose = pose_of_view(view, head(), camera)
    camera_from_ct = camera.camera_from_world[:3, :3] @ pose[:3, :3]
    np.testing.assert_allclose(camera_from_ct @ right, [1, 0, 0], atol=1e-9)
    np.testing.assert_allclose(camera_from_ct @ [0, 0, -1], [0, 1, 0], atol=1e-9)
    np.testing.assert_allclose(camera_from_ct @ toward_detector, [0, 0, 1], atol=1e-9)
    np.testing.assert_allclose(
        camera.project(rigid.transform_points(pose, [head().centre])), [[79.5, 79.5]], atol=1e-6
    )


def test_a_rod_across_the_image_does_not_move_the_pose() -> None:
    camera, pose = c_arm(90.0), truth(5)
    start = start_from_pose(wrong_start(pose, 5.0, 10.0))
    result = register(projector(), [xray(camera, pose, tool=True)], start)
    error = error_of(result, pose, camera)
    assert error.in_plane_mm < 0.4
    assert error.rotation_deg < 0.6


def test_pixels_finer_than_the_mask_allows_are_left_out() -> None:
    camera, pose = c_arm(90.0), truth(6)
    view = xray(camera, pose)
    spoilt = view.attenuation.copy()
    spoilt[:60] = 5 * np.random.default_rng(1).normal(size=spoilt[:60].shape)
    mask = np.ones(camera.size, dtype=bool)
    mask[:60] = False
    result = register(projector(), [Radiograph(spoilt, mask, camera)], start_from_pose(wrong_start(pose, 4.0, 8.0)))
    assert error_of(result, pose, camera).mrpe_mm < 0.5


def test_an_x_ray_of_something_else_fails_and_says_so() -> None:
    camera = c_arm(180.0)
    image = ndimage.gaussian_filter(np.random.default_rng(5).normal(size=camera.size), 6).astype(np.float32)
    nothing = Radiograph(image, np.ones(camera.size, dtype=bool), camera, world=WorldFrame.PATIENT)
    result = register(projector(), [nothing], start_from_name("frontal", head(), [nothing]))
    assert result.verdict == Verdict.FAILED
    assert "does not look like" in result.reason


def test_a_start_outside_the_image_fails_without_an_exception() -> None:
    camera, pose = c_arm(180.0), truth()
    far = rigid.rigid(np.eye(3), [600.0, 0.0, 600.0]) @ pose
    result = register(projector(), [xray(camera, pose)], start_from_pose(far))
    assert result.verdict == Verdict.FAILED


def test_the_same_input_gives_the_same_pose() -> None:
    camera, pose = c_arm(180.0), truth()
    view, start = xray(camera, pose), start_from_pose(wrong_start(pose))
    first, second = (register(projector(), [view], start) for _ in range(2))
    np.testing.assert_allclose(first.pose, second.pose, atol=1e-6)


def test_progress_is_told_as_it_happens() -> None:
    camera, pose = c_arm(180.0), truth()
    told: list[tuple[str, np.ndarray]] = []
    result = register(
        projector(),
        [xray(camera, pose)],
        start_from_pose(wrong_start(pose)),
        watch=lambda stage, _iteration, at: told.append((stage, at)),
    )
    assert told[0][0] == "search"
    assert len(told) > len(result.iterations) > 0, "the result keeps the winner's steps, the watcher sees all"
    assert all(rigid.is_rigid(at) for _, at in told)


def test_uncertainty_is_of_the_size_of_the_error() -> None:
    camera = c_arm(90.0)
    scores = []
    for seed in range(6):
        pose = truth(seed)
        result = register(projector(), [xray(camera, pose, noise=0.05)], start_from_pose(wrong_start(pose, 3.0, 5.0)))
        centre = rigid.transform_points(pose, [head().centre])[0]
        off = rigid.increment_between(centre, result.pose, pose)
        scores.append(off @ np.linalg.solve(result.covariance, off) / 6)
    # 1 for a perfect model of the noise; a factor of 5 in standard deviation either way would be misleading.
    assert 1 / 25 < np.mean(scores) < 25


def test_an_unknown_start_lists_the_known_ones() -> None:
    view = xray(c_arm(180.0), truth())
    with pytest.raises(InputError, match="frontal"):
        start_from_name("sideways", head(), [view])
