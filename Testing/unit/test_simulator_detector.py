"""What the detector's side of the simulator does to an image, against what physics says it should."""

from __future__ import annotations

import numpy as np
import pytest
from DiffRegistrationLib.xray.geometry import rigid
from DiffRegistrationLib.xray.simulator.collimator import Collimator, Rectangle, Round, Shutters
from DiffRegistrationLib.xray.simulator.detector_blur import DetectorBlur
from DiffRegistrationLib.xray.simulator.detector_plane import detector_points
from DiffRegistrationLib.xray.simulator.display import Curve, Display
from DiffRegistrationLib.xray.simulator.focal_spot import FocalSpot
from DiffRegistrationLib.xray.simulator.motion import Motion
from DiffRegistrationLib.xray.simulator.noise import QuantumNoise
from DiffRegistrationLib.xray.simulator.scatter import REFERENCE_FIELD_MM, Scatter
from DiffRegistrationLib.xray.simulator.veiling_glare import VeilingGlare
from DiffRegistrationLib.xray.simulator.vignetting import Vignetting

PIXEL_MM = (0.5, 0.4)
# Water of 0.02 mm⁻¹: what the primary beam keeps behind the reference slab of 200 mm.
WATER_200 = float(np.exp(-4.0))


def point(size: int) -> np.ndarray:
    image = np.zeros((size, size))
    image[size // 2, size // 2] = 1
    return image


def variances_mm2(image: np.ndarray, pixel_mm: tuple[float, float]) -> np.ndarray:
    """Variance of the light along x and y about its mean."""
    points = detector_points(image.shape, pixel_mm)
    weights = image.ravel() / image.sum()
    return np.einsum("n,nj->j", weights, (points - np.einsum("n,nj->j", weights, points)) ** 2)


def scatter_behind(water_mm: float, field_mm: float, scatter: Scatter) -> float:
    """Scatter-to-primary ratio in the middle of a square field behind a slab, on a detector far larger than both."""
    size, pixel_mm = (151, 201), (4.0, 3.0)
    opening = Collimator((Rectangle((0, 0), (field_mm, field_mm)),), leak=0).open_fraction(size, pixel_mm)
    transmission = np.full(size, WATER_200 ** (water_mm / 200))
    return float(scatter.image(transmission, opening, pixel_mm, WATER_200)[75, 100] / transmission[75, 100])


# Collimator


def test_a_rectangle_opens_what_it_says_and_its_lead_leaks():
    open_fraction = Collimator((Rectangle((10, -5), (40, 60)),), penumbra_mm=2, leak=0.01).open_fraction(
        (400, 500), PIXEL_MM
    )
    x, y = detector_points((400, 500), PIXEL_MM).reshape(400, 500, 2).transpose(2, 0, 1)
    inside = (abs(x - 10) < 19) & (abs(y + 5) < 29)
    outside = (abs(x - 10) > 21) | (abs(y + 5) > 31)
    np.testing.assert_allclose(open_fraction[inside], 1)
    np.testing.assert_allclose(open_fraction[outside], 0.01)
    assert (open_fraction - 0.01).sum() / 0.99 * 0.5 * 0.4 == pytest.approx(40 * 60, rel=1e-3)


def test_a_quarter_turn_swaps_a_rectangle_s_sides():
    upright, turned = (
        Collimator((Rectangle((3, 4), sides, turn),)).open_fraction((300, 300), PIXEL_MM)
        for sides, turn in (((30, 50), 0), ((50, 30), 90))
    )
    np.testing.assert_allclose(turned, upright, atol=1e-12)


def test_an_edge_is_half_open_where_it_lies_and_wide_as_its_penumbra():
    edge = Collimator((Shutters(((0.0, 0.0),)),), penumbra_mm=4, leak=0).open_fraction((1, 101), (0.1, 0.1))[0]
    assert edge[50] == pytest.approx(0.5)
    np.testing.assert_allclose(edge + edge[::-1], 1)
    assert np.all(edge[:31] == 1) and np.all(edge[70:] == 0)
    assert np.all(np.diff(edge[30:71]) < 0)


def test_a_blade_stands_where_its_angle_points():
    open_fraction = Collimator((Shutters(((20.0, 90.0), (30.0, 180.0))),), leak=0).open_fraction((200, 300), PIXEL_MM)
    assert open_fraction[100, 150] == 1
    assert open_fraction[199, 150] == 0  # below: y = 50 mm
    assert open_fraction[100, 0] == 0  # left: x = −60 mm
    assert open_fraction[0, 299] == 1


def test_a_round_field_and_shutters_in_it_both_shade():
    field = Round(40.0)
    area = 0.5 * 0.4 * Collimator((field,), leak=0).open_fraction((200, 250), PIXEL_MM).sum()
    assert area == pytest.approx(np.pi * 40**2, rel=1e-3)
    half = 0.5 * 0.4 * Collimator((field, Shutters(((0.0, 45.0),))), leak=0).open_fraction((200, 250), PIXEL_MM).sum()
    assert half == pytest.approx(area / 2, rel=1e-3)


# Scatter


def test_the_reference_slab_scatters_as_much_as_was_asked():
    assert scatter_behind(200, REFERENCE_FIELD_MM, Scatter(0.6)) == pytest.approx(0.6, rel=0.02)


def test_a_narrow_field_and_a_thin_patient_scatter_less():
    scatter = Scatter(0.6)
    assert scatter_behind(200, 100, scatter) < 0.6 * scatter_behind(200, REFERENCE_FIELD_MM, scatter)
    assert scatter_behind(50, REFERENCE_FIELD_MM, scatter) < 0.3 * scatter_behind(200, REFERENCE_FIELD_MM, scatter)
    assert scatter_behind(0, REFERENCE_FIELD_MM, scatter) == 0


def test_scatter_is_smooth_never_negative_and_the_same_on_a_finer_grid():
    generator = np.random.default_rng(3)
    transmission = np.kron(generator.uniform(0, 1, (12, 10)), np.ones((20, 24)))
    opening = Collimator((Round(45.0),)).open_fraction(transmission.shape, PIXEL_MM)
    scatter = Scatter(0.6).image(transmission, opening, PIXEL_MM, WATER_200)
    assert scatter.min() >= 0
    assert max(np.abs(np.diff(scatter, axis=axis)).max() for axis in (0, 1)) < 0.01 * scatter.max()
    doubled = Scatter(0.6).image(
        *(np.kron(i, np.ones((2, 2))) for i in (transmission, opening)), (0.25, 0.2), WATER_200
    )
    means = doubled.reshape(240, 2, 240, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(means, scatter, atol=0.002 * scatter.max())


def test_lead_in_the_beam_is_no_thick_patient():
    air = np.ones((100, 100))
    shut = Collimator((Round(10.0),), leak=0.01).open_fraction(air.shape, (1, 1))
    assert not Scatter(0.6).image(air, shut, (1, 1), WATER_200).any()
    with pytest.raises(ValueError, match="water_transmission"):
        Scatter(0.6).image(air, shut, (1, 1), 1.0)


# Blur


@pytest.mark.parametrize("size_mm", [0.3, 1.2, 6.0])
def test_the_penumbra_has_the_variance_of_a_uniform_focal_spot(size_mm):
    blurred = FocalSpot(size_mm).apply(point(101), PIXEL_MM, magnification=1.5)
    np.testing.assert_allclose(variances_mm2(blurred, PIXEL_MM), (size_mm * 0.5) ** 2 / 12, rtol=1e-6)
    assert blurred.min() >= 0 and blurred.sum() == pytest.approx(1)


def test_an_object_on_the_detector_has_no_penumbra():
    image = np.random.default_rng(0).random((20, 30))
    np.testing.assert_allclose(FocalSpot(1.2).apply(image, PIXEL_MM, magnification=1.0), image)


def test_the_detector_s_blur_has_the_mtf_it_states():
    blur = DetectorBlur(sigma_mm=0.3, tail_fraction=0.2, tail_sigma_mm=3.0)
    x = np.arange(1000) * 0.1
    for cycles_per_mm in (0.02, 0.1, 0.5, 1.0):
        wave = np.tile(np.cos(2 * np.pi * cycles_per_mm * x), (3, 1))
        middle = slice(400, 600)
        phase = np.cos(2 * np.pi * cycles_per_mm * x)[middle]
        found = (blur.apply(wave, (0.1, 0.1))[1, middle] * phase).sum() / (phase**2).sum()
        core, tail = (np.exp(-2 * (np.pi * cycles_per_mm * sigma) ** 2) for sigma in (0.3, 3.0))
        assert found == pytest.approx(0.8 * core + 0.2 * tail, abs=0.01)


def test_the_detector_s_blur_keeps_all_light():
    image = np.random.default_rng(1).random((60, 80))
    blurred = DetectorBlur(0.4, 0.3, 4.0).apply(image, PIXEL_MM)
    assert blurred.sum() == pytest.approx(image.sum())


def test_a_lead_disc_in_a_round_field_shows_the_glare():
    x, y = detector_points((401, 501), PIXEL_MM).reshape(401, 501, 2).transpose(2, 0, 1)
    radius = np.hypot(x, y)
    glare = VeilingGlare(fraction=0.12, reach_mm=25.0)
    for disc_mm in (5.0, 90 * np.sqrt(0.1)):
        read = glare.apply(((radius > disc_mm) & (radius < 90)).astype(np.float64), PIXEL_MM)[200, 250]
        assert read == pytest.approx(0.12 * (np.exp(-disc_mm / 25) - np.exp(-90 / 25)), rel=0.01)


def test_glare_spreads_light_and_makes_none():
    glare = VeilingGlare(0.3, 4.0).apply(point(401), PIXEL_MM)
    assert glare.min() >= 0
    assert glare.sum() == pytest.approx(1, abs=2e-3)
    assert glare[200, 200] > 0.7


# Noise


def test_noise_keeps_the_mean_and_has_the_variance_of_the_quanta():
    signal = np.repeat([[0.02, 0.3, 1.0]], 200_000, axis=0)
    quanta_per_nanogray = signal * [1.4, 1.2, 1.0] * 20
    noisy = QuantumNoise(5.0, electronic_quanta=4).apply(signal, quanta_per_nanogray, np.random.default_rng(7))
    quanta = 5.0 * quanta_per_nanogray[0]
    electronic = 4 * signal.sum() / (5.0 * quanta_per_nanogray.sum())
    variance = signal[0] ** 2 / quanta + electronic**2
    np.testing.assert_allclose(noisy.mean(axis=0), signal[0], atol=5 * np.sqrt(variance.max() / 200_000))
    np.testing.assert_allclose(noisy.var(axis=0), variance, rtol=0.02)


def test_four_times_the_kerma_halves_the_noise_and_a_seed_repeats_it():
    signal, quanta = np.full((300, 300), 0.5), np.full((300, 300), 30.0)
    low, high, again = (QuantumNoise(k).apply(signal, quanta, np.random.default_rng(2)) for k in (1, 4, 1))
    assert low.std() / high.std() == pytest.approx(2, rel=0.02)
    np.testing.assert_array_equal(low, again)


def test_where_no_quantum_comes_there_is_no_signal():
    assert not QuantumNoise(10.0).apply(np.zeros((4, 4)), np.zeros((4, 4)), np.random.default_rng(0)).any()


# Light and grey values


def test_vignetting_darkens_the_rim_by_its_loss():
    field = Vignetting(0.25, radius_mm=60.0).apply(np.ones((241, 301)), PIXEL_MM)
    assert field[120, 150] == 1
    np.testing.assert_allclose([field[0, 150], field[120, 0]], 0.75)


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_a_linear_display_is_undone_within_half_a_grey_value(bits):
    signal = np.random.default_rng(0).random((50, 60))
    pixels = Display(bits=bits, exposure=0.8).apply(signal)
    assert pixels.dtype == (np.uint8 if bits == 8 else np.uint16)
    full = 2**bits - 1
    np.testing.assert_allclose(pixels / full / 0.8, signal, atol=0.5001 / full / 0.8)


def test_a_display_saturates_at_both_ends():
    signal = np.array([[-0.1, 0.0, 0.5, 0.9, 3.0]])
    np.testing.assert_array_equal(Display(bits=10, exposure=1.5).apply(signal), [[0, 0, 767, 1023, 1023]])


@pytest.mark.parametrize("curve", list(Curve))
def test_every_curve_rises_from_black_to_white_and_can_be_turned_over(curve):
    signal = np.linspace(0, 1, 257)[None]
    dark, bright = (Display(8, 1.0, curve, 1.3, bone_is_bright).apply(signal)[0] for bone_is_bright in (False, True))
    assert (dark[0], dark[-1]) == (0, 255)
    assert np.all(np.diff(dark.astype(int)) >= 0) and len(np.unique(dark)) > 100
    assert np.abs(dark.astype(int) + bright - 255).max() <= 1


# Motion


def test_a_moving_patient_passes_evenly_through_its_pose():
    pose = rigid.exp([0.4, -0.2, 0.9, 30.0, -50.0, 10.0])
    centre = rigid.transform_points(pose, [[5.0, 6.0, 7.0]])[0]
    poses = Motion(rotation_deg=2.0, translation_mm=3.0, steps=5).poses(pose, centre, np.random.default_rng(4))
    np.testing.assert_allclose(poses[2], pose, atol=1e-12)
    twists = np.stack([rigid.increment_between(centre, moved, pose) for moved in poses])
    np.testing.assert_allclose(twists.mean(axis=0), 0, atol=1e-12)
    steps = np.diff(twists, axis=0)
    np.testing.assert_allclose(steps, np.broadcast_to(steps[0], steps.shape), atol=1e-12)
    assert np.degrees(np.linalg.norm(steps[0, :3])) * 5 == pytest.approx(2.0)
    assert np.linalg.norm(steps[0, 3:]) * 5 == pytest.approx(3.0)


def test_the_direction_of_a_motion_is_drawn():
    first, again, other = (Motion(2.0, 3.0).poses(np.eye(4), np.zeros(3), np.random.default_rng(s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


# Parameters


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: Collimator((), penumbra_mm=0), "penumbra_mm"),
        (lambda: Collimator((), leak=1.5), "leak"),
        (lambda: Rectangle((0, 0), (10, -1)), "size_mm"),
        (lambda: Round(float("nan")), "radius_mm"),
        (lambda: Shutters(()), "blades"),
        (lambda: Scatter(-0.1), "scatter_to_primary"),
        (lambda: Scatter(0.5, near_mm=50, far_mm=40), "far_mm"),
        (lambda: FocalSpot(0), "size_mm"),
        (lambda: FocalSpot(1).sigma_mm(0.9), "magnification"),
        (lambda: DetectorBlur(0.2, 1.1), "tail_fraction"),
        (lambda: VeilingGlare(0.1, 0), "reach_mm"),
        (lambda: QuantumNoise(0), "air_kerma_nanogray"),
        (lambda: Vignetting(2, 100), "loss"),
        (lambda: Display(bits=7), "bits"),
        (lambda: Display(curve="cubic"), "cubic"),
        (lambda: Motion(-1, 0), "rotation_deg"),
    ],
)
def test_what_cannot_be_is_refused_by_name(make, named):
    with pytest.raises(ValueError, match=named):
        make()
