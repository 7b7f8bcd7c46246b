"""What a network is trained on: presets, the poses they draw, and the looks of the images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from DiffRegistrationLib.pose_network.network_camera import NetworkCamera
from DiffRegistrationLib.training.domain_randomisation import DomainRandomisation
from DiffRegistrationLib.training.hardening import Hardening
from DiffRegistrationLib.training.pose_distributions import CArmRanges, GaussianTwists
from DiffRegistrationLib.training.preset import PRESET_NAMES, preset_named
from DiffRegistrationLib.training.ranges import drawn
from DiffRegistrationLib.training.sampled_views import check_views, sampled_views, write_views
from DiffRegistrationLib.training.training_images import TrainingImages
from DiffRegistrationLib.training.training_volumes import bone_slope, continued
from DiffRegistrationLib.xray.attenuation import WATER_ATTENUATION_PER_MM
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import rigid
from DiffRegistrationLib.xray.geometry.c_arm import c_arm_camera
from DiffRegistrationLib.xray.simulator.ranges import TRAINING
from fluororeg_runs import head

RANGES = CArmRanges(("ap",), (-30, 20), (-10, 15), (-5, 5), (-40, 10), (-20, 30), (600, 800))


@pytest.mark.parametrize("name", PRESET_NAMES)
def test_every_preset_can_be_read_and_draws_rigid_poses(name: str) -> None:
    preset = preset_named(name)
    random = np.random.default_rng(0)
    for _ in range(20):
        pose = preset.poses.drawn(random)
        assert rigid.is_rigid(pose, 1e-9) and pose[2, 3] > 0
    assert preset.description and 0.1 < preset.field < 0.6


def test_c_arm_poses_fill_their_ranges_and_stay_in_them() -> None:
    random = np.random.default_rng(0)
    poses = np.array([RANGES.drawn(random) for _ in range(500)])
    for axis, (low, high) in enumerate((RANGES.across_mm, RANGES.along_mm, RANGES.source_object_mm)):
        values = poses[:, axis, 3]
        assert values.min() >= low and values.max() <= high and np.ptp(values) > 0.95 * (high - low)
    tilt = np.degrees(np.arcsin(-poses[:, 2, 2]))
    assert tilt.min() >= -15.01 and tilt.max() <= 15.01 and np.ptp(tilt) > 20


def test_angles_of_a_preset_are_those_of_a_c_arm() -> None:
    """Turning the patient is the primary angle, tilting is the secondary one, each up to its sense."""
    for turn, tilt in ((25.0, 0.0), (0.0, 12.0), (-20.0, 9.0)):
        one = CArmRanges(("ap",), (turn, turn), (tilt, tilt), (0, 0), (0, 0), (0, 0), (700, 700))
        camera = c_arm_camera(
            source_detector_distance=1000,
            source_object_distance=700,
            pixel_spacing=(1, 1),
            size=(9, 9),
            primary_angle_deg=180 + turn,
            secondary_angle_deg=-tilt,
        )
        np.testing.assert_allclose(one.drawn(np.random.default_rng(0)), camera.camera_from_world, atol=1e-9)


def test_gaussian_twists_have_the_spread_that_is_asked_for() -> None:
    cloud = GaussianTwists("ap", (10.0, 5.0, 8.0), (20.0, 30.0, 40.0), 700.0)
    random = np.random.default_rng(0)
    twists = np.array(
        [rigid.increment_between(cloud.middle[:3, 3], cloud.drawn(random), cloud.middle) for _ in range(2000)]
    )
    np.testing.assert_allclose(np.degrees(twists[:, :3].std(axis=0)), [10, 5, 8], rtol=0.08)
    np.testing.assert_allclose(twists[:, 3:].std(axis=0), [20, 30, 40], rtol=0.08)


GOOD = (Path(__file__).parents[2] / "DiffRegistration/DiffRegistrationLib/training/presets/head-ap.toml").read_text()


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ('["ap"]', '["front"]', "view 'front'"),
        ('["ap"]', "[]", "view"),
        ("[-20, 20]", "[20, -20]", "turn_deg"),
        ("[-20, 20]", '["a", 2]', "turn_deg"),
        ("field = 0.40", "", "field"),
        ("field = 0.40", "field = -1", "field"),
        ("field = 0.40", "field = 0.4\nzoom = 3", "zoom"),
        ("[610, 850]", "[-610, 850]", "source_object_mm"),
        ("field = 0.40", "field = ", "TOML"),
    ],
)
def test_a_preset_with_a_mistake_is_refused_by_its_name(tmp_path: Path, old: str, new: str, word: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        preset_named(str(path))
    assert word in str(caught.value) and "mine.toml" in str(caught.value)


def test_a_preset_that_does_not_exist_lists_those_that_do() -> None:
    with pytest.raises(InputError, match="head-ap, head-lateral, head-wide, pelvis-ap, wrist"):
        preset_named("knee")


def test_views_that_miss_the_ct_are_refused_with_a_picture(tmp_path: Path) -> None:
    good = preset_named("head-ap")
    check_views(sampled_views(head(), good), good, tmp_path / "views.png")
    path = tmp_path / "off.toml"
    path.write_text(GOOD.replace("across_mm = [-35, 35]", "across_mm = [300, 400]"))
    off = preset_named(str(path))
    views = sampled_views(head(), off)
    write_views(tmp_path / "views.png", views)
    assert (tmp_path / "views.png").stat().st_size > 1000
    with pytest.raises(InputError, match=r"views\.png"):
        check_views(views, off, tmp_path / "views.png")


def test_values_are_spread_over_all_intervals_and_only_over_them() -> None:
    values = drawn(((1.0, 2.0), (5.0, 8.0)), 4000, np.random.default_rng(0))
    low = values < 3
    assert ((values >= 1) & (values <= 2))[low].all() and ((values >= 5) & (values <= 8))[~low].all()
    assert low.mean() == pytest.approx(0.25, abs=0.03)


def test_beams_let_through_what_the_simulator_says() -> None:
    """Water of 10 cm behind hard and soft beams; a table of 0.1 steps is exact to a thousandth."""
    beams = Hardening(TRAINING, np.random.default_rng(0), torch.device("cpu"))
    integrals = torch.full((beams.count, 1, 1), 100 * WATER_ATTENUATION_PER_MM)
    through = -beams.transmission(integrals, torch.arange(beams.count)).log().flatten().numpy()
    assert (through > 0.8 * 1.92).all() and (through < 1.5 * 1.92).all() and np.ptp(through) > 0.1
    open_beam = beams.transmission(torch.zeros(beams.count, 1, 1), torch.arange(beams.count))
    torch.testing.assert_close(open_beam, torch.ones_like(open_beam))


def test_bone_weighs_more_at_lower_energies() -> None:
    assert bone_slope(70.0) == pytest.approx(1.10)
    assert bone_slope(48.0) > bone_slope(58.0) > bone_slope(70.0)


def test_scatter_has_the_ratio_that_is_drawn() -> None:
    looks = DomainRandomisation(NetworkCamera(64, 0.4), 0.4, seed=1)
    water = torch.full((24, 64, 64), 200 * WATER_ATTENUATION_PER_MM)
    beams = torch.arange(24)
    primary = looks._hardening.transmission(water, beams)
    scatter = looks._scattered(primary, torch.ones_like(primary), beams)
    ratio = (scatter / primary)[:, 32, 32]
    # A field of 400 mm where 300 mm define the ratio, and blocks of 25 mm.
    assert ((ratio > 0.95) & (ratio < 1.25)).all()


def test_looks_differ_from_image_to_image_and_not_from_run_to_run() -> None:
    poses = preset_named("head-ap").poses

    def made() -> TrainingImages:
        return TrainingImages(head(), NetworkCamera(64, 0.3), poses, 0.4, close_up=True, seed=5)

    images = made()
    first, again = images.batch(3, 16), made().batch(3, 16)
    torch.testing.assert_close(first.attenuation, again.attenuation)
    part = images.batch(3, 16, slice(1, 16, 2))
    torch.testing.assert_close(first.attenuation[1::2], part.attenuation)
    np.testing.assert_array_equal(first.poses[1::2], part.poses)
    assert torch.isfinite(first.attenuation).all()
    assert (first.mask.float().mean((1, 2)) > 0.05).all() and not first.mask.all()
    assert not torch.equal(first.attenuation, images.batch(4, 16).attenuation)


@pytest.mark.parametrize("close_up", [False, True])
def test_the_truth_of_an_image_is_where_its_shadow_lies(close_up: bool) -> None:
    """The shadow's middle follows the pose that the losses get; a mirrored or shifted label would not."""
    ball = np.zeros((40, 40, 40), dtype=np.float32)
    z, y, x = np.mgrid[:40, :40, :40]
    ball[(z - 20) ** 2 + (y - 20) ** 2 + (x - 20) ** 2 < 12**2] = 0.05
    matrix = np.diag([3.0, 3.0, 3.0, 1.0])
    matrix[:3, 3] = [50, -20, 10]
    ct = CT(ball, matrix)
    camera = NetworkCamera(96, 0.4)
    images = TrainingImages(ct, camera, RANGES, 0.4, close_up=close_up, seed=0)
    poses, _ = images.placed(np.arange(4))
    drr = images.rendered(np.arange(4), poses).numpy()
    for pose, image in zip(poses, drr, strict=True):
        centre = rigid.transform_points(pose, rigid.transform_points(matrix, [[20, 20, 20]]))
        u, v = camera.camera().project(centre)[0]
        rows, columns = np.mgrid[:96, :96]
        assert abs((columns * image).sum() / image.sum() - u) < 0.5
        assert abs((rows * image).sum() / image.sum() - v) < 0.5


def test_a_body_goes_on_where_it_was_cut_and_not_beyond_a_vertex() -> None:
    longer = continued(head(), 100.0)
    added = longer.size[2] - head().size[2]
    assert added == 25
    # The head's feet end is low k or high k; either way the vertex end has stayed where it was.
    top = rigid.transform_points(head().ct_from_voxel, [[0, 0, head().size[2] - 1]])[0, 2]
    assert rigid.transform_points(longer.ct_from_voxel, [[0, 0, longer.size[2] - 1]])[0, 2] == pytest.approx(top)


def test_a_close_up_is_of_the_same_x_ray() -> None:
    """Masks and shadows of collimators lie where they lie on the detector, however the camera is turned."""
    poses = preset_named("head-ap").poses
    whole = TrainingImages(head(), NetworkCamera(96, 0.4), poses, 0.4, close_up=False, seed=2)
    close = TrainingImages(head(), NetworkCamera(96, 0.4), poses, 0.4, close_up=True, seed=2)
    batch = whole.batch(0, 24)
    same = close.seen_again(batch, batch.turns)
    torch.testing.assert_close(same.mask, batch.mask)
    turn = rigid.rotation_exp([0.05, 0.0, 0.0])
    turned = close.seen_again(batch, np.stack([turn] * 24))
    np.testing.assert_allclose(turned.poses[:, :3, 3], batch.poses[:, :3, 3] @ turn.T, atol=1e-9)
    # About x by 0.05 rad: what lay above now lies lower, by 0.05 · 96 / 0.4 = 12 pixels in the middle.
    rows = torch.arange(96.0)[None, :, None]
    before, after = ((b.mask * rows).sum((1, 2)) / b.mask.sum((1, 2)) for b in (batch, turned))
    assert 4 < float((before - after).abs().median()) < 13
