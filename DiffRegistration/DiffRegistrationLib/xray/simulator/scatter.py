"""Scatter from the patient, by superposition of kernels.

Each pencil of the beam scatters in the patient in proportion to its forward-scatter potential p^a (−ln p)^b, p being
its primary transmission, and spreads over the detector by a sum of two Gaussians: Ohnesorge, Flohr & Klingenbeck-Regn,
Eur Radiol 9:563 (1999); Sun & Star-Lack, Phys Med Biol 55:6695 (2010), symmetric kernel of one thickness.

The default exponents and kernel are rounded fits to a photon Monte-Carlo of our own (docs/make/scatter_monte_carlo.py:
60 keV, photoelectric, Rayleigh and Compton in slabs of 50, 100 … 300 mm of water, 250 mm before the detector, behind a
10:1 grid). The scatter-to-primary ratios in a 300 mm field follow the potential within 1 %. Behind 200 mm, 72 % of the
scatter spread with σ = 168 mm, the rest with 31 mm, both more behind thicker slabs; without a grid the exponents are
the same within 0.01, and 42 % spread with 331 mm, the rest with 157 mm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy import ndimage, special

from .gaussian_blur import gaussian_blur
from .limits import check_positive, check_within

REFERENCE_FIELD_MM = 300.0
"""Side of the square field, on the detector, in whose centre the ratio is meant."""

# Blocks this much narrower than σ displace and widen the scatter of what they hold too little to matter (0.2 %).
_SAMPLES_PER_SIGMA = 8


@dataclass(frozen=True)
class Scatter:
    """How much scatter, what it grows with and how far it reaches.

    `scatter_to_primary` is the ratio of the signals behind the anti-scatter grid, if there is one, behind
    `reference_water_mm` of water, in the middle of a field of REFERENCE_FIELD_MM. `primary_exponent` a and
    `path_exponent` b shape the potential p^a (−ln p)^b. `near_mm` and `far_mm` are the σ of the two Gaussians on the
    detector, `far_fraction` the second one's part. ValueError for values that cannot be.
    """

    scatter_to_primary: float
    reference_water_mm: float = 200.0
    primary_exponent: float = 0.93
    path_exponent: float = 1.10
    near_mm: float = 30.0
    far_mm: float = 165.0
    far_fraction: float = 0.72

    def __post_init__(self) -> None:
        check_within("scatter_to_primary", self.scatter_to_primary, 0)
        check_positive("reference_water_mm", self.reference_water_mm, "mm")
        check_within("primary_exponent", self.primary_exponent, 0.01)
        check_within("path_exponent", self.path_exponent, 0)
        check_positive("near_mm", self.near_mm, "mm")
        check_within("far_mm", self.far_mm, self.near_mm, unit="mm")
        check_within("far_fraction", self.far_fraction, 0, 1)

    def image(
        self,
        transmission: Float64[np.ndarray, "rows columns"],
        open_fraction: Float64[np.ndarray, "rows columns"],
        pixel_mm: tuple[float, float],
        water_transmission: float,
    ) -> Float64[np.ndarray, "rows columns"]:
        """The scatter to add to the primary signal transmission · open_fraction; 1.0 = open field without object.

        `transmission` is the object's, `open_fraction` the collimator's: lead in the beam must not look like a thick
        patient. `water_transmission` is the primary signal, in the same unit, behind `reference_water_mm` of water.
        The beam ends with the image, as on a C-arm that is collimated to its detector. ValueError for a water
        transmission outside (0, 1).
        """
        if not 0 < water_transmission < 1:
            raise ValueError(f"water_transmission must be between 0 and 1, got {water_transmission:g}")
        centre = self._within_square(REFERENCE_FIELD_MM / 2)
        strength = self.scatter_to_primary * water_transmission / (centre * self._potential(water_transmission))
        source = strength * self._potential(transmission) * open_fraction
        near, far = (_spread(source, sigma, pixel_mm) for sigma in (self.near_mm, self.far_mm))
        return (1 - self.far_fraction) * near + self.far_fraction * far

    def _potential(self, transmission: float | Float64[np.ndarray, "*shape"]) -> Float64[np.ndarray, "*shape"]:
        """p^a (−ln p)^b, which vanishes in air and behind metal."""
        primary = np.clip(transmission, np.finfo(np.float64).tiny, 1)
        return primary**self.primary_exponent * (-np.log(primary)) ** self.path_exponent

    def _within_square(self, half_mm: float) -> float:
        """The part of the kernel within a square of ±half_mm."""
        near, far = (special.erf(half_mm / (np.sqrt(2) * sigma)) ** 2 for sigma in (self.near_mm, self.far_mm))
        return float((1 - self.far_fraction) * near + self.far_fraction * far)


def _spread(
    source: Float64[np.ndarray, "rows columns"], sigma_mm: float, pixel_mm: tuple[float, float]
) -> Float64[np.ndarray, "rows columns"]:
    """`source` blurred on a grid that is coarse but fine enough for `sigma_mm`; dark beyond the image."""
    factors = [max(1, int(sigma_mm / _SAMPLES_PER_SIGMA / spacing)) for spacing in pixel_mm]
    # Two dark coarse pixels on each side, so that the interpolation never meets its own border.
    padded = np.pad(source, [(2 * f, 2 * f + -n % f) for f, n in zip(factors, source.shape, strict=True)])
    rows, columns = (n // f for n, f in zip(padded.shape, factors, strict=True))
    coarse = padded.reshape(rows, factors[0], columns, factors[1]).mean(axis=(1, 3))
    blurred = gaussian_blur(coarse, sigma_mm, (pixel_mm[0] * factors[0], pixel_mm[1] * factors[1]), "constant")
    offset = [(2 * f - (f - 1) / 2) / f for f in factors]
    fine = ndimage.affine_transform(blurred, [1 / f for f in factors], offset, output_shape=source.shape, order=3)
    return np.maximum(fine, 0)
