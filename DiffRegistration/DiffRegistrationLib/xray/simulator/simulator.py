"""From a CT, a camera and a pose to the X-ray that a detector would have stored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from ..ct import CT
from ..errors import InputError
from ..geometry import PinholeCamera, Rays, rigid
from .materials import DENSITY_G_PER_CM3, Material
from .patient import Patient, generator
from .settings import XraySettings
from .simulated_xray import SimulatedXray
from .spectrum import Spectrum
from .transmission import open_field_quanta_per_mm2, transmitted

_CM_PER_MM = 0.1

Image = Float64[np.ndarray, "rows columns"]


@dataclass(frozen=True, eq=False)
class _Primary:
    """What reaches the detector straight: energy signal and effective quanta, both 1 in the open beam."""

    signal: Image
    quanta: Image


class Simulator:
    """X-rays of one patient: `ct` with the objects of `settings`, as `seed` placed them.

    Physics and effects come in the order in which a beam meets them. Whatever is random has its own stream of numbers
    made of `seed`, the name of the effect and the number of the view. InputError for objects that the CT offers no
    place for.
    """

    def __init__(self, ct: CT, settings: XraySettings, seed: int = 0) -> None:
        self.settings, self.seed = settings, seed
        self._patient = Patient(ct, settings, seed)
        self._spectrum = settings.tube.spectrum()

    def expose(self, camera: PinholeCamera, pose: Float64[np.ndarray, "4 4"], view: int = 0) -> SimulatedXray:
        """The X-ray of the patient at `pose` (world_from_ct, RAS mm), `view` by number.

        InputError for a camera without pixel spacing: physics needs millimetres.
        """
        pixel_mm = camera.pixel_spacing
        if pixel_mm is None:
            raise InputError("camera", "does not tell its pixel spacing", "Give the spacing at the detector in mm.")
        settings = self.settings
        open_fraction = np.ones(camera.size)
        if settings.collimator is not None:
            open_fraction = settings.collimator.open_fraction(camera.size, pixel_mm)
        primary = self._primary(camera, pixel_mm, pose, view)
        transmission = primary.signal
        signal, quanta = open_fraction * primary.signal, open_fraction * primary.quanta
        if settings.focal_spot is not None:
            depth = rigid.transform_points(camera.camera_from_world @ pose, [self._patient.centre])[0, 2]
            magnification = max(1.0, float(camera.source_detector_distance or depth) / depth)
            signal, quanta = (settings.focal_spot.apply(i, pixel_mm, magnification) for i in (signal, quanta))
        if settings.scatter is not None:
            water = _water(self._spectrum, settings, settings.scatter.reference_water_mm)
            scatter = settings.scatter.image(transmission, open_fraction, pixel_mm, water)
            signal, quanta = signal + scatter, quanta + scatter
        if settings.noise is not None:
            per_mm2 = open_field_quanta_per_mm2(self._spectrum, settings.scintillator, 1.0)
            per_pixel = quanta * (per_mm2 * pixel_mm[0] * pixel_mm[1])
            signal = settings.noise.apply(signal, per_pixel, self._generator("noise", view))
        for effect in (settings.blur, settings.glare, settings.vignetting):
            if effect is not None:
                signal = effect.apply(signal, pixel_mm)
        return SimulatedXray(settings.display.apply(signal), camera, pose, settings, self.seed)

    def _generator(self, name: str, view: int) -> np.random.Generator:
        return generator(self.seed, f"{name} of view {view}")

    def _primary(
        self, camera: PinholeCamera, pixel_mm: tuple[float, float], pose: Float64[np.ndarray, "4 4"], view: int
    ) -> _Primary:
        """Mean over the pixel's area and over the time of the exposure."""
        settings = self.settings
        n = settings.rays_per_side
        fine = camera.resampled((n * camera.size[0], n * camera.size[1]))
        pixels = None
        if settings.distortion is not None:
            pixels = settings.distortion.ideal_pixels(fine.size, (pixel_mm[0] / n, pixel_mm[1] / n))
        rays = fine.rays(pixels)
        poses = pose[None]
        if settings.motion is not None:
            centre = rigid.transform_points(pose, [self._patient.centre])[0]
            poses = settings.motion.poses(pose, centre, self._generator("motion", view))
        signal, variance = np.zeros(camera.size), np.zeros(camera.size)
        for moved in poses:
            part = self._part(rays, moved, pose)
            blocks = (camera.size[0], n, camera.size[1], n)
            signal += part.signal.reshape(blocks).mean(axis=(1, 3)) / len(poses)
            # Variances of Poisson numbers add up; 0/0 behind metal is none.
            spread = np.divide(part.signal**2, part.quanta, out=np.zeros_like(part.signal), where=part.quanta > 0)
            variance += spread.reshape(blocks).mean(axis=(1, 3)) / len(poses)
        return _Primary(signal, np.divide(signal**2, variance, out=np.zeros_like(signal), where=variance > 0))

    def _part(self, rays: Rays, pose: Float64[np.ndarray, "4 4"], standing: Float64[np.ndarray, "4 4"]) -> _Primary:
        densities = self._patient.areal_densities(rays, pose, standing)
        behind = transmitted(self._spectrum, self.settings.scintillator, densities)
        return _Primary(behind.signal, behind.quanta)


def _water(spectrum: Spectrum, settings: XraySettings, thickness_mm: float) -> float:
    """Primary signal behind so much water."""
    areal = thickness_mm * _CM_PER_MM * DENSITY_G_PER_CM3[Material.WATER]
    behind = transmitted(spectrum, settings.scintillator, {Material.WATER: np.array([areal], dtype=np.float32)})
    return float(behind.signal[0])
