"""The distortion of an image intensifier, there and back."""

from __future__ import annotations

import numpy as np
import pytest
from DiffRegistrationLib.xray.simulator.detector_plane import detector_points, pixels_from_points, points_from_pixels
from DiffRegistrationLib.xray.simulator.distortion import Distortion
from scipy import ndimage

SIZE, PIXEL_MM = (180, 240), (1.0, 0.8)
PINCUSHION = Distortion(0.08, 3.0, radius_mm=110.0, centre_mm=(4.0, -7.0))
BARREL = Distortion(-0.05, -2.0, radius_mm=110.0, centre_mm=(-3.0, 2.0))


def test_a_pincushion_moves_the_rim_out_by_its_part_and_the_centre_stays():
    distortion = Distortion(0.1, 0.0, radius_mm=100.0, centre_mm=(5.0, 0.0))
    moved = distortion.distorted(np.array([[5.0, 0.0], [105.0, 0.0], [5.0, -50.0]]))
    np.testing.assert_allclose(moved, [[5, 0], [115, 0], [5, -50 * 1.025]])


def test_the_turn_makes_an_s_of_a_line_through_the_centre():
    x = np.linspace(-100, 100, 41)
    line = Distortion(0.0, 4.0, radius_mm=100.0).distorted(np.column_stack([x, np.zeros(41)]))
    np.testing.assert_allclose(np.degrees(np.arctan2(line[-1, 1], line[-1, 0])), 4.0)
    np.testing.assert_allclose(line, -line[::-1], atol=1e-12)
    np.testing.assert_allclose(np.hypot(*line.T), np.abs(x), atol=1e-12)
    np.testing.assert_allclose(line[:, 1], np.radians(4) * x**3 / 100**2, atol=0.02)


@pytest.mark.parametrize("distortion", [PINCUSHION, BARREL, Distortion(0.0, 5.0, 100.0)])
def test_the_inverse_undoes_it_to_a_billionth_of_a_millimetre(distortion):
    points = detector_points(SIZE, PIXEL_MM)
    np.testing.assert_allclose(distortion.distorted(distortion.undistorted(points)), points, atol=1e-9)
    np.testing.assert_allclose(distortion.undistorted(distortion.distorted(points)), points, atol=1e-9)


def test_the_inverse_holds_close_to_the_fold():
    barrel = Distortion(-0.3, 0.0, radius_mm=100.0)
    fold_mm = 100 / np.sqrt(0.9)
    points = np.column_stack([np.linspace(0, 0.999 * fold_mm, 50), np.zeros(50)])
    np.testing.assert_allclose(barrel.undistorted(barrel.distorted(points)), points, atol=1e-6)


def test_pixels_and_points_agree_about_the_image_s_centre():
    pixels = np.array([[119.5, 89.5], [0.0, 0.0]])
    points = points_from_pixels(pixels, SIZE, PIXEL_MM)
    np.testing.assert_allclose(points, [[0, 0], [-119.5 * 0.8, -89.5 * 1.0]])
    np.testing.assert_allclose(pixels_from_points(points, SIZE, PIXEL_MM), pixels)
    np.testing.assert_allclose(detector_points(SIZE, PIXEL_MM)[[0, 1, 240]] - points[1], [[0, 0], [0.8, 0], [0, 1]])


def scene(pixels: np.ndarray) -> np.ndarray:
    """A smooth picture of ideal pixels, with no symmetry."""
    u, v = pixels.T
    return 1 + 0.5 * np.sin(u / 11 + 0.3) * np.cos(v / 17) + 0.002 * u - 0.001 * v


@pytest.mark.parametrize("distortion", [PINCUSHION, BARREL])
def test_correcting_an_image_that_was_cast_along_bent_rays_gives_the_ideal_one(distortion):
    distorted = scene(distortion.ideal_pixels(SIZE, PIXEL_MM)).reshape(SIZE)
    ideal = scene(pixels_from_points(detector_points(SIZE, PIXEL_MM), SIZE, PIXEL_MM)).reshape(SIZE)
    corrected, seen = distortion.corrected(distorted, PIXEL_MM)
    assert np.abs(distorted - ideal).max() > 0.2
    np.testing.assert_allclose(corrected[seen], ideal[seen], atol=2e-3)
    assert not corrected[~seen].any()
    # A pincushion pushes the rim out of the image; a barrel keeps all of it.
    assert 0.8 < seen.mean() < 1 if distortion is PINCUSHION else seen.mean() > 0.97


def test_a_marker_appears_where_the_map_says():
    marker = np.array([[60.0, -40.0]])
    ideal_points = points_from_pixels(PINCUSHION.ideal_pixels(SIZE, PIXEL_MM), SIZE, PIXEL_MM)
    seen = np.exp(-0.5 * ((ideal_points - marker) ** 2).sum(axis=1) / 2.0**2).reshape(SIZE)
    row, column = ndimage.center_of_mass(seen)
    found = points_from_pixels(np.array([[column, row]]), SIZE, PIXEL_MM)
    np.testing.assert_allclose(found, PINCUSHION.distorted(marker), atol=0.05)


def test_a_map_that_folds_over_within_the_image_is_refused():
    folding = Distortion(-0.5, 0.0, radius_mm=100.0)
    for use in (
        lambda: folding.ideal_pixels(SIZE, PIXEL_MM),
        lambda: folding.corrected(np.zeros(SIZE), PIXEL_MM),
        lambda: folding.distorted(np.array([[90.0, 0.0]])),
    ):
        with pytest.raises(ValueError, match="folds over"):
            use()
    with pytest.raises(ValueError, match="radius_mm"):
        Distortion(0.1, 0.0, radius_mm=0)
