"""How far the cameras of a registration may be from how they are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Float64

from ..xray.errors import InputError
from ..xray.geometry import PinholeCamera
from ..xray.radiograph import Radiograph
from .camera_numbers import TWIST


@dataclass(frozen=True)
class CalibrationPrior:
    """How far cameras may be from how they are given, as standard deviations; 0 keeps a number as it is.

    `offset_px` is that of the detector along either axis, in pixels of the X-ray; `focal_scale` is relative (0.002 of
    the source-detector distance); rotation and translation are those of every camera but the first about each world
    axis, with the CT's centre at rest. InputError for numbers that are no deviations, and for none above zero.
    """

    offset_px: float = 0.0
    focal_scale: float = 0.0
    camera_rotation_deg: float = 0.0
    camera_translation_mm: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (np.isfinite(value) and value >= 0):
                raise InputError(
                    "calibration prior",
                    f"{field.name} is {value}, expected a standard deviation of 0 or more",
                    "Give how far the number may be off; 0 keeps it.",
                )
        if not any(getattr(self, field.name) for field in fields(self)):
            raise InputError("calibration prior", "lets nothing move", "Give one of its numbers above 0.")

    def deviations(self, views: int) -> Float64[np.ndarray, "views 9"]:
        """Of each view's numbers (px, px, relative, rad, mm)."""
        turn, move = np.radians(self.camera_rotation_deg), self.camera_translation_mm
        sigma = np.array([[self.offset_px] * 2 + [self.focal_scale] + [turn] * 3 + [move] * 3] * views)
        # The world hangs on the first camera: moving all cameras would be the same as moving the CT.
        sigma[0, TWIST] = 0
        return sigma

    def check_fits(self, radiographs: Sequence[Radiograph]) -> None:
        """InputError for cameras that have no such numbers, and for a single view, which cannot tell them."""
        for number, radiograph in enumerate(radiographs, start=1):
            if not isinstance(radiograph.camera, PinholeCamera):
                raise InputError(
                    f"X-ray {number}",
                    "its calibration cannot be refined, that of cone beams can",
                    "Leave out --refine-calibration.",
                )
        if len(radiographs) > 1:
            return
        if self.focal_scale > 0:
            raise InputError(
                "focal scale",
                "cannot be refined with a single view: a longer source-detector distance and a patient nearer to the "
                "source look the same",
                "Give a second view, or leave out scale.",
            )
        if self.offset_px == 0:
            raise InputError(
                "camera rotation and translation",
                "cannot be refined with a single view: they are those between the first camera and others",
                "Give a second view.",
            )
