"""Distortion undone on points and images: against numbers worked out by hand, its own inverse, and an intensifier."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.camera_files import write_camera
from DiffRegistrationLib.xray.files.radiograph_files import write_image
from DiffRegistrationLib.xray.files.xray_with_geometry import XrayFile
from DiffRegistrationLib.xray.geometry.lens_distortion import (
    BrownDistortion,
    LensDistortion,
    PolynomialDistortion,
    fit_polynomial_distortion,
)
from DiffRegistrationLib.xray.geometry.pixel_grid import all_pixels
from DiffRegistrationLib.xray.simulator.distortion import Distortion
from fluororeg_runs import camera

SIZE = (120, 150)
GRID = all_pixels(SIZE)


def brown(radial: tuple[float, float, float] = (-0.15, 0.05, -0.01), tangential: tuple[float, float] = (0.01, -0.02)):
    return BrownDistortion(radial, tangential, (200.0, 180.0), (70.0, 55.0))


def polynomial() -> PolynomialDistortion:
    coefficients = np.zeros((10, 2))
    coefficients[0] = 1.5, -2.0
    coefficients[1:3] = [[2.0, 0.5], [-0.7, 1.0]]
    coefficients[6:] = [[-3.0, 0.4], [0.1, -2.0], [-2.5, 0.2], [0.3, -3.5]]
    return PolynomialDistortion(coefficients, (74.5, 59.5), 75.0)


DISTORTIONS = {"brown": brown(), "polynomial": polynomial()}
each = pytest.mark.parametrize("distortion", DISTORTIONS.values(), ids=DISTORTIONS)


def test_brown_is_as_opencv_defines_it() -> None:
    """At (1, 1), r² = 2, and at (½, 0), r² = ¼, by hand."""
    one = {"focal_length": (100.0, 50.0), "centre": (10.0, 20.0)}

    def at(x: float, y: float, radial: tuple[float, float, float], tangential: tuple[float, float]) -> np.ndarray:
        ideal = np.array([[10 + 100 * x, 20 + 50 * y]])
        return (BrownDistortion(radial, tangential, **one).distorted(ideal)[0] - [10, 20]) / [100, 50]

    np.testing.assert_allclose(at(0.5, 0, (0.1, 0, 0), (0, 0)), [0.5 * 1.025, 0])
    np.testing.assert_allclose(at(1, 1, (0, 0.01, 0.001), (0, 0)), [1 + 0.04 + 0.008] * 2)
    np.testing.assert_allclose(at(1, 1, (0, 0, 0), (0.01, 0)), [1.02, 1.04])
    np.testing.assert_allclose(at(1, 1, (0, 0, 0), (0, 0.01)), [1.04, 1.02])


@each
def test_points_come_back_to_a_millionth_of_a_pixel(distortion: LensDistortion) -> None:
    moved = np.linalg.norm(distortion.undistorted(GRID) - GRID, axis=1)
    assert moved.max() > 2, "there is something to undo"
    np.testing.assert_allclose(distortion.distorted(distortion.undistorted(GRID)), GRID, rtol=0, atol=1e-6)
    np.testing.assert_allclose(distortion.undistorted(distortion.distorted(GRID)), GRID, rtol=0, atol=1e-6)


def test_points_where_the_image_folds_over_are_refused() -> None:
    """x (1 − x²) is largest at x = 1/√3, 115.5 px from the centre, where it is 2/(3√3) = 77.0 px."""
    barrel = BrownDistortion((-1.0, 0, 0), (0, 0), (200.0, 200.0), (0.0, 0.0))
    np.testing.assert_allclose(barrel.undistorted(barrel.distorted([[115.0, 0.0]])), [[115.0, 0.0]], atol=1e-6)
    for beyond in (116.0, 190.0, 250.0, 1e4):
        with pytest.raises(InputError, match="folds the image over at 1 of 2 points"):
            barrel.distorted(np.array([[10.0, 0.0], [beyond, 0.0]]))
    with pytest.raises(InputError, match=r"first at \(78.0, 0.0\) px"):
        barrel.undistorted(np.array([[10.0, 0.0], [78.0, 0.0]]))
    # It unfolds again farther out, where each place is shown a second time.
    unfolding = BrownDistortion((-1.0, 0.35, 0), (0, 0), (200.0, 200.0), (0.0, 0.0))
    with pytest.raises(InputError, match="folds"):
        unfolding.distorted(np.array([[300.0, 0.0]]))
    cubic = np.zeros((10, 2))
    cubic[6, 0] = -1.0
    folded = PolynomialDistortion(cubic, (0.0, 0.0), 1.0)
    with pytest.raises(InputError, match="folds"):
        folded.undistorted(np.array([[0.7, 0.0]]))
    with pytest.raises(InputError, match="folds"):
        folded.distorted(np.array([[0.5, 0.0]]))


def test_a_fit_finds_the_polynomial_that_made_the_beads() -> None:
    seen = all_pixels((12, 15)) * 10.0
    fit = fit_polynomial_distortion(seen, polynomial().undistorted(seen), 3)
    assert fit.rms < 1e-9 and fit.distortion.degree == 3
    elsewhere = np.array([[33.3, 17.2], [101.0, 96.5]])
    np.testing.assert_allclose(fit.distortion.undistorted(elsewhere), polynomial().undistorted(elsewhere), atol=1e-9)
    noise = np.random.default_rng(0).normal(scale=0.2, size=seen.shape)
    noisy = fit_polynomial_distortion(seen + noise, polynomial().undistorted(seen), 3)
    # 180 beads of two coordinates, 20 numbers fitted: √2 · 0.2 px · √(1 − 20/360).
    assert noisy.rms == pytest.approx(0.2 * np.sqrt(2 * (1 - 20 / 360)), rel=0.15)
    assert fit_polynomial_distortion(seen, polynomial().undistorted(seen), 1).rms > 0.2


def test_the_polynomial_undoes_an_image_intensifier() -> None:
    """Pincushion of 5 % and an S of 3°, as the simulator makes them, measured on a grid of beads."""
    intensifier = Distortion(0.05, 3.0, radius_mm=75.0)
    ideal = all_pixels((13, 13)) * 10.0
    seen = intensifier.distorted(ideal - 60.0) + 60.0
    fit = fit_polynomial_distortion(seen, ideal, 5)
    between = ideal.reshape(13, 13, 2)[:-1, :-1].reshape(-1, 2) + 5.0
    shown = intensifier.distorted(between - 60.0) + 60.0
    assert np.linalg.norm(shown - between, axis=1).max() > 4
    assert fit.residual.max() < 0.05
    assert np.linalg.norm(fit.distortion.undistorted(shown) - between, axis=1).max() < 0.05


def test_beads_that_do_not_determine_a_polynomial_are_refused() -> None:
    seen = all_pixels((12, 15)) * 10.0
    with pytest.raises(InputError, match="has 5 points, degree 2 needs 6"):
        fit_polynomial_distortion(seen[:5], seen[:5], 2)
    with pytest.raises(InputError, match="do not determine a polynomial of degree 2"):
        fit_polynomial_distortion(seen[:15], seen[:15], 2)
    with pytest.raises(InputError, match="not finite"):
        fit_polynomial_distortion(seen, np.where(seen == 50, np.nan, seen), 3)
    with pytest.raises(InputError, match="folds"):
        fit_polynomial_distortion(seen, 100 - seen, 1)


def scene(points: np.ndarray) -> np.ndarray:
    """A smooth picture with no symmetry."""
    u, v = points.T
    return np.sin(u / 19 + v / 37) + np.cos(v / 15) + u / 100


@each
def test_an_image_is_undone_where_it_was_seen(distortion: LensDistortion) -> None:
    real = scene(distortion.undistorted(GRID)).reshape(SIZE)
    mask = np.ones(SIZE, dtype=bool)
    mask[60:64, 80:84] = False
    real[~mask] = np.nan
    corrected, seen = distortion.corrected_image(real, mask)
    # Bilinear interpolation errs by an eighth of the second derivatives: 0.001, and more where the image is squeezed.
    np.testing.assert_allclose(corrected[seen], scene(GRID).reshape(SIZE)[seen], atol=0.0015)
    there = distortion.distorted(GRID).reshape(*SIZE, 2)
    inside = ((there >= 0) & (there <= [SIZE[1] - 1, SIZE[0] - 1])).all(axis=2)
    hidden = inside & ~seen
    assert not (seen & ~inside).any() and (corrected[~seen] == 0).all()
    # Every pixel that needs one of the 4 × 4 masked ones, and no other.
    near = (np.abs(there - [81.5, 61.5]) < [2.5, 2.5]).all(axis=2)
    np.testing.assert_array_equal(hidden, near & inside)


def test_no_distortion_changes_nothing() -> None:
    image, mask = scene(GRID).reshape(SIZE), np.ones(SIZE, dtype=bool)
    for nothing in (brown((0, 0, 0), (0, 0)), PolynomialDistortion(np.zeros((3, 2)), (0.0, 0.0), 1.0)):
        corrected, seen = nothing.corrected_image(image, mask)
        assert seen.all()
        np.testing.assert_allclose(corrected, image, atol=1e-9)


def test_an_x_ray_whose_camera_tells_of_a_distortion_is_read_as_without(tmp_path: Path) -> None:
    view = camera()
    bent = BrownDistortion((0.8, 0, 0), (0, 0), (200.0, 200.0), (47.5, 47.5))
    pixels = all_pixels(view.size)
    ideal = 1 + 0.5 * np.sin(pixels[:, 0] / 9) * np.cos(pixels[:, 1] / 11)
    u, v = bent.undistorted(pixels).T
    write_image(
        tmp_path / "x.nrrd",
        1000 * np.exp(-(1 + 0.5 * np.sin(u / 9) * np.cos(v / 11)).reshape(view.size)).astype(np.float32),
        view,
    )
    write_camera(tmp_path / "plain.json", view)
    write_camera(tmp_path / "bent.json", view, (), bent)
    plain = XrayFile(tmp_path / "x.nrrd", tmp_path / "plain.json").read()
    read = XrayFile(tmp_path / "x.nrrd", tmp_path / "bent.json").read()

    def off(radiograph) -> float:
        shown = radiograph.attenuation[radiograph.mask]
        true = ideal.reshape(view.size)[radiograph.mask]
        return float(np.std(shown - true))

    assert off(read) < 0.01 < 0.03 < off(plain)
    # A pincushion pulls the corners out of the image.
    assert not read.mask[0, 0] and read.mask[48, 48] and plain.mask[0, 0]
    assert any("distortion undone" in line.value for line in read.provenance)
    assert not any("distortion" in line.value or line.quantity == "distortion" for line in plain.provenance)
    moved = PolynomialDistortion(np.array([[900.0, 0.0], [0, 0], [0, 0]]), (0.0, 0.0), 1.0)
    write_camera(tmp_path / "bent.json", view, (), moved)
    with pytest.raises(InputError, match="leaves nothing of the image"):
        XrayFile(tmp_path / "x.nrrd", tmp_path / "bent.json").read()
    write_camera(tmp_path / "bent.json", view, (), BrownDistortion((0, 0, 0), (0, 0), (200.0, 200.0), (47.5, 47.5)))
    same = XrayFile(tmp_path / "x.nrrd", tmp_path / "bent.json").read()
    np.testing.assert_allclose(same.attenuation, plain.attenuation, atol=1e-5)
