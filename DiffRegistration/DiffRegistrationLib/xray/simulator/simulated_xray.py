"""A simulated X-ray with its truth, and how a user would come to read it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, UInt

from ..files.pixel_meaning import PixelMeaning, attenuation_of
from ..geometry import PinholeCamera
from ..preprocessing import LineIntegrals
from ..provenance import Provenance
from ..radiograph import Radiograph
from .settings import XraySettings

# Of what a corrected pixel is interpolated from, so much must have been usable.
_MOSTLY_USABLE = 0.99


@dataclass(frozen=True, eq=False)
class SimulatedXray:
    """Grey values as a detector stores them, the camera, the true pose (world_from_ct, RAS mm) and how it was made."""

    pixels: UInt[np.ndarray, "rows columns"]
    camera: PinholeCamera
    pose: Float64[np.ndarray, "4 4"]
    settings: XraySettings
    seed: int

    def radiograph(self, distortion_corrected: bool = False) -> Radiograph:
        """The X-ray as it is read from a picture file: the collimator and the open beam's value have to be found.

        As there, bone that is bright is taken for logarithmic and bone that is dark for linear, whatever the display's
        curve truly was. `distortion_corrected` undoes the distortion, as its calibration would. InputError when
        nothing of the image can be used.
        """
        bright = self.settings.display.bone_is_bright
        limits = (0.0, float(2**self.settings.display.bits - 1))
        origin = Provenance("X-ray", f"simulated with seed {self.seed}", "computed")
        meaning = PixelMeaning(bright, bright, limits, (origin,))
        integrals = attenuation_of(self.pixels.astype(np.float32), meaning, subject="simulated X-ray")
        if distortion_corrected:
            return self.undistorted(integrals)
        return Radiograph(integrals.attenuation, integrals.mask, self.camera, (origin, *integrals.provenance))

    def undistorted(self, integrals: LineIntegrals) -> Radiograph:
        """Line integrals that were read from this X-ray, with its distortion undone as its calibration would."""
        attenuation, mask = integrals.attenuation, integrals.mask
        distortion, pixel_mm = self.settings.distortion, self.camera.pixel_spacing
        if distortion is not None and pixel_mm is not None:
            straight, seen = distortion.corrected(attenuation.astype(np.float64), pixel_mm)
            usable, _ = distortion.corrected(mask.astype(np.float64), pixel_mm)
            attenuation, mask = straight.astype(np.float32), seen & (usable > _MOSTLY_USABLE)
        return Radiograph(attenuation, mask, self.camera, integrals.provenance)
