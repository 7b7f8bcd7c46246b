"""The simulator as a whole: without effects it is the projector's image, and every effect adds itself alone."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import lru_cache

import numpy as np
import pytest
from DiffRegistrationLib.registration.starts import pose_of_view
from DiffRegistrationLib.xray.attenuation import hounsfield_from_attenuation
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import PinholeCamera, rigid
from DiffRegistrationLib.xray.geometry.c_arm import c_arm_camera
from DiffRegistrationLib.xray.phantom import head_phantom
from DiffRegistrationLib.xray.projector import Projector
from DiffRegistrationLib.xray.simulator import Simulator, XraySettings
from DiffRegistrationLib.xray.simulator.detector_plane import pixels_from_points, points_from_pixels
from DiffRegistrationLib.xray.simulator.display import Curve, Display
from DiffRegistrationLib.xray.simulator.distortion import Distortion
from DiffRegistrationLib.xray.simulator.effects import EFFECTS, OBJECTS, only
from DiffRegistrationLib.xray.simulator.materials import Material, mass_attenuation
from DiffRegistrationLib.xray.simulator.motion import Motion
from DiffRegistrationLib.xray.simulator.noise import QuantumNoise
from DiffRegistrationLib.xray.simulator.patient import generator, placed
from DiffRegistrationLib.xray.simulator.ranges import (
    EVALUATION,
    RANGES,
    TRAINING,
    Ranges,
    drawn_settings,
    ranges_named,
)
from DiffRegistrationLib.xray.simulator.spectrum import SingleEnergy

# Enough for what goes on below the CT.
FIELD_MM = (432.0, 432.0)


@lru_cache
def head() -> CT:
    return head_phantom(4.0).ct


@lru_cache
def camera(size: int = 64) -> PinholeCamera:
    """AP, with a detector of FIELD_MM."""
    return c_arm_camera(
        source_detector_distance=1000.0,
        source_object_distance=700.0,
        pixel_spacing=(FIELD_MM[0] / size, FIELD_MM[1] / size),
        size=(size, size),
        primary_angle_deg=180.0,
    )


@lru_cache
def standing() -> np.ndarray:
    return pose_of_view("ap", head(), camera())


def signal_of(pixels: np.ndarray, display: Display) -> np.ndarray:
    """The signal behind linear grey values."""
    return pixels / (2**display.bits - 1) / display.exposure


def smooth_ball(hounsfield_in_the_middle: float) -> CT:
    """A ball of 70 mm that grows denser from air at its rim by a raised cosine, on voxels of 2 mm."""
    axis = np.arange(-80.0, 80.1, 2.0)
    radius = np.linalg.norm(np.meshgrid(axis, axis, axis, indexing="ij"), axis=0)
    hump = np.where(radius < 70, 0.5 + 0.5 * np.cos(np.pi * radius / 70), 0)
    matrix = np.diag([2.0, 2.0, 2.0, 1.0])
    matrix[:3, 3] = -80
    return CT.from_hounsfield(-1000 + (hounsfield_in_the_middle + 1000) * hump, matrix)


# Without effects


@pytest.mark.parametrize(("middle", "kiloelectronvolts"), [(0.0, 50.0), (0.0, 100.0), (2000.0, 75.0)])
def test_without_effects_it_is_the_projector_s_line_integral(middle: float, kiloelectronvolts: float) -> None:
    """Within 0.5 % of the largest: voxels as boxes and as samples between centres agree where nothing is sharp.

    Up to water the attenuation scales with that of water for any energy; with bone it is exact at the CT's own 75 keV.
    """
    ct = smooth_ball(middle)
    water = float(mass_attenuation(Material.WATER, [kiloelectronvolts])[0]) / 10
    relative = 1 + hounsfield_from_attenuation(ct.attenuation) / 1000
    at_energy = CT((water * np.where(ct.attenuation > 0, relative, 0)).astype(np.float32), ct.ct_from_voxel)
    view = camera(96)
    expected = Projector(at_energy).render(view.rays(), np.eye(4), step_mm=0.5)[0].reshape(view.size)
    settings = XraySettings(tube=SingleEnergy(kiloelectronvolts))
    xray = Simulator(ct, settings).expose(view, np.eye(4))
    found = -np.log(signal_of(xray.pixels, settings.display))
    assert expected.max() > 0.8
    np.testing.assert_allclose(found, expected, atol=0.005 * expected.max())


def test_a_camera_without_millimetres_cannot_expose() -> None:
    with pytest.raises(InputError, match="pixel spacing"):
        Simulator(head(), XraySettings()).expose(replace(camera(), pixel_spacing=None), standing())


# Randomness


HEARD: list[np.ndarray] = []


class Listening(QuantumNoise):
    """Noise that tells what it drew: how many numbers it takes does not depend on the signal."""

    def apply(self, signal: np.ndarray, quanta_per_nanogray: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        HEARD.append(generator.standard_normal(signal.shape))
        return signal * (1 + 0.01 * HEARD[-1])


@pytest.mark.parametrize("effect", [name for name in EFFECTS if name != "noise"])
def test_an_effect_changes_the_image_and_no_other_effect_s_random_numbers(effect: str) -> None:
    noisy = XraySettings(noise=Listening(50.0))
    drawn = drawn_settings(EVALUATION, 2, FIELD_MM)
    with_effect = replace(only(drawn, [effect]), tube=noisy.tube, noise=noisy.noise)
    HEARD.clear()
    plain, changed = (Simulator(head(), s, seed=5).expose(camera(), standing()) for s in (noisy, with_effect))
    assert plain.pixels.dtype != changed.pixels.dtype or np.any(plain.pixels != changed.pixels)
    np.testing.assert_array_equal(HEARD[0], HEARD[1])


def test_an_object_lies_where_it_lies_whatever_else_is_there() -> None:
    settings = drawn_settings(EVALUATION, 2, FIELD_MM)
    there = {name: getattr(settings, name) for name in OBJECTS}
    together = placed(there, head(), seed=3)
    one_by_one = [body for name, kind in there.items() for body in placed({name: kind}, head(), seed=3)]
    assert len(together) == len(one_by_one) > len(OBJECTS)
    for first, second in zip(together, one_by_one, strict=True):
        np.testing.assert_array_equal(first.parts.local_from_ct, second.parts.local_from_ct)
    elsewhere = placed({"wires": there["wires"]}, head(), seed=4)
    (wires,) = placed({"wires": there["wires"]}, head(), seed=3)
    assert not np.array_equal(elsewhere[0].parts.lower, wires.parts.lower)


def test_same_seed_same_pixels_and_another_seed_or_view_other_ones() -> None:
    settings = only(drawn_settings(TRAINING, 1, FIELD_MM), ["noise", "motion", "wires", "scatter", "display"])
    simulator = Simulator(head(), settings, seed=1)
    first = simulator.expose(camera(), standing())
    np.testing.assert_array_equal(first.pixels, simulator.expose(camera(), standing()).pixels)
    np.testing.assert_array_equal(
        first.pixels, Simulator(head(), settings, seed=1).expose(camera(), standing()).pixels
    )
    assert np.mean(first.pixels != Simulator(head(), settings, seed=2).expose(camera(), standing()).pixels) > 0.5
    assert np.mean(first.pixels != simulator.expose(camera(), standing(), view=1).pixels) > 0.5


# Effects whose place is in the pipeline


def test_a_moving_patient_is_the_mean_of_all_places() -> None:
    motion = Motion(rotation_deg=4.0, translation_mm=6.0, steps=4)
    moved = Simulator(head(), XraySettings(motion=motion), seed=8).expose(camera(), standing())
    centre = rigid.transform_points(standing(), [head().centre])[0]
    poses = motion.poses(standing(), centre, generator(8, "motion of view 0"))
    still = [Simulator(head(), XraySettings()).expose(camera(), pose).pixels.astype(float) for pose in poses]
    np.testing.assert_allclose(moved.pixels, np.mean(still, axis=0), atol=1)
    assert np.abs(still[0] - still[-1]).max() > 1000


def test_a_body_that_goes_on_below_the_ct_shows_below_it_alone() -> None:
    view = camera(96)
    plain, longer = (
        Simulator(head(), XraySettings(body_below_mm=length)).expose(view, standing()).pixels.astype(int)
        for length in (0.0, 200.0)
    )
    corners = rigid.transform_points(standing(), head().corners())
    bottom = view.project(corners[corners[:, 2] < corners[:, 2].mean()])[:, 1].min()
    # A pixel's rays reach half a pixel beyond its centre.
    first = int(np.ceil(bottom - 0.5))
    assert 0 < first < 90
    np.testing.assert_array_equal(plain[:first], longer[:first])
    assert np.all(longer[first:] <= plain[first:]) and longer[-1].min() < 0.2 * plain[-1].min()


def test_distortion_puts_a_steel_ball_where_it_says() -> None:
    """Within a tenth of a pixel, by the middle of the ball's shadow, where a straight image is off by pixels."""
    step, balls = 1.0, np.array([[-52.0, 0.0, -44.0], [48.0, 0.0, 36.0], [12.0, 0.0, -60.0]])
    axes = [np.arange(-70.0, 70.1, step), np.arange(-8.0, 8.1, step), np.arange(-70.0, 70.1, step)]
    R, A, S = np.meshgrid(*axes, indexing="ij")
    near = np.min([np.linalg.norm([R - b[0], A - b[1], S - b[2]], axis=0) for b in balls], axis=0)
    matrix = np.eye(4)
    matrix[:3, 3] = [axis[0] for axis in axes]
    hounsfield = np.where(near < 5, 3000.0, -1000.0).transpose(2, 1, 0)
    distortion = Distortion(0.12, 8.0, radius_mm=100.0, centre_mm=(6.0, -4.0))
    view = c_arm_camera(
        source_detector_distance=1000.0,
        source_object_distance=700.0,
        pixel_spacing=(2.4, 2.0),
        size=(96, 112),
        primary_angle_deg=180.0,
    )
    settings = XraySettings(distortion=distortion, tube=SingleEnergy(), rays_per_side=4)
    xray = Simulator(CT.from_hounsfield(hounsfield, matrix), settings).expose(view, np.eye(4))
    shadow = np.maximum(-np.log(signal_of(xray.pixels, settings.display)), 0)
    assert view.pixel_spacing is not None
    ideal = view.project(balls)
    seen = pixels_from_points(
        distortion.distorted(points_from_pixels(ideal, view.size, view.pixel_spacing)), view.size, view.pixel_spacing
    )
    v, u = np.indices(view.size)
    for straight, (x, y) in zip(ideal, seen, strict=True):
        around = shadow * (np.hypot(u - x, v - y) < 9)
        middle = np.array([(around * u).sum(), (around * v).sum()]) / around.sum()
        np.testing.assert_allclose(middle, (x, y), atol=0.1)
        assert np.hypot(*(straight - (x, y))) > 1.5


def test_a_display_with_bright_bone_reads_back_as_attenuation() -> None:
    raw = XraySettings()
    shown = XraySettings(display=Display(bits=12, curve=Curve.LOGARITHMIC, bone_is_bright=True))
    dark, bright = (Simulator(head(), s).expose(camera(96), standing()) for s in (raw, shown))
    truth = -np.log(signal_of(dark.pixels, raw.display))
    per_unit = (2**12 - 1) / np.log(1001)
    for xray, slope in ((dark, 1.0), (bright, per_unit)):
        radiograph = xray.radiograph()
        inside = radiograph.mask & (truth > 0.2) & (truth < 4)
        assert inside.mean() > 0.1 and radiograph.camera is xray.camera
        found = np.polyfit(truth[inside], radiograph.attenuation[inside], 1)
        # The display's logarithm bends where little light is left; the zero is that of the brightest usable pixels.
        assert found[0] == pytest.approx(slope, rel=0.02)
        assert np.corrcoef(radiograph.attenuation[inside], truth[inside])[0, 1] > 0.999
    assert bright.pixels[48, 48] > bright.pixels[48, 2] and dark.pixels[48, 48] < dark.pixels[48, 2]


# Ranges

# Not how an image looks, or too few to part: a field may be turned by any angle, and most detectors are linear.
SHARED = {"name", "field_turn_deg", "body_below_mm", "curves"}


def test_training_and_evaluation_have_no_value_in_common() -> None:
    for name in (field.name for field in fields(Ranges) if field.name not in SHARED):
        training, evaluation = getattr(TRAINING, name), getattr(EVALUATION, name)
        if name == "bits":
            assert not set(training) & set(evaluation)
            continue
        for low, high in training:
            assert low < high
            assert all(high < least or most < low for least, most in evaluation), name
    assert set(TRAINING.curves) & set(EVALUATION.curves) == {Curve.LINEAR}
    assert TRAINING.field_turn_deg == EVALUATION.field_turn_deg and TRAINING.body_below_mm == EVALUATION.body_below_mm


@pytest.mark.parametrize("ranges", RANGES.values(), ids=RANGES)
def test_what_is_drawn_lies_within_its_ranges_and_is_drawn_again(ranges: Ranges) -> None:
    for seed in range(60):
        s = drawn_settings(ranges, seed, FIELD_MM)
        assert s == drawn_settings(ranges, seed, FIELD_MM) != drawn_settings(ranges, seed + 1, FIELD_MM)
        drawn = {
            "kilovolts": s.tube.kilovolts,
            "copper_mm": s.tube.copper_mm,
            "scatter_to_primary": s.scatter.scatter_to_primary,
            "air_kerma_nanogray": s.noise.air_kerma_nanogray,
            "focal_spot_mm": s.focal_spot.size_mm,
            "blur_sigma_mm": s.blur.sigma_mm,
            "glare_fraction": s.glare.fraction,
            "iodine_mg_per_ml": s.vessels.iodine_mg_per_ml,
            "wire_diameter_mm": s.wires.diameter_mm,
            "pincushion": s.distortion.pincushion,
            "s_turn_deg": s.distortion.s_turn_deg,
            "vignetting_loss": s.vignetting.loss,
            "gamma": s.display.gamma,
            "motion_deg": s.motion.rotation_deg,
            "motion_mm": s.motion.translation_mm,
        }
        for name, value in drawn.items():
            assert any(low <= value <= high for low, high in getattr(ranges, name)), (name, value)
        assert s.display.bits in ranges.bits and s.display.curve in ranges.curves
        assert s.body_below_mm == ranges.body_below_mm


def test_ranges_by_name() -> None:
    assert ranges_named("training-1") is TRAINING
    with pytest.raises(InputError, match=r"training-1, evaluation-1"):
        ranges_named("training-0")
