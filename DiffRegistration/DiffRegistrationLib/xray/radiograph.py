"""An X-ray image as the solver wants it: line integrals, what of them is usable, and the camera that saw them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

import numpy as np
from jaxtyping import Bool, Float32

from .geometry import Camera
from .provenance import Provenance


class WorldFrame(StrEnum):
    """What the world axes of a radiograph's camera mean; decides which starts make sense."""

    SCANNER = "scanner"
    """The frame of reference of a CT scanner: a CT of the same frame lies at the identity."""
    PATIENT = "patient"
    """The patient's RAS axes about the isocentre: orientation is known, position is not."""
    CALIBRATION = "calibration"
    """The frame of some calibration object: says nothing about the patient."""


@dataclass(frozen=True, eq=False)
class Radiograph:
    """Attenuation image −ln(I/I₀) (line integrals, no unit), its mask (True = usable), camera and origin."""

    attenuation: Float32[np.ndarray, "rows columns"]
    mask: Bool[np.ndarray, "rows columns"]
    camera: Camera
    provenance: tuple[Provenance, ...] = ()
    world: WorldFrame = WorldFrame.CALIBRATION

    def __post_init__(self) -> None:
        attenuation = np.ascontiguousarray(self.attenuation, dtype=np.float32)
        mask = np.ascontiguousarray(self.mask, dtype=bool)
        if attenuation.shape != self.camera.size or mask.shape != self.camera.size:
            raise ValueError(
                f"image {attenuation.shape}, mask {mask.shape} and camera {self.camera.size} differ in size"
            )
        if not np.isfinite(attenuation[mask]).all():
            raise ValueError("a usable pixel is NaN or infinite")
        if not np.isfinite(attenuation).all():
            # What nobody looks at must not spread from there by filters.
            attenuation = np.where(mask, attenuation, np.float32(0))
        attenuation.flags.writeable = mask.flags.writeable = False
        object.__setattr__(self, "attenuation", attenuation)
        object.__setattr__(self, "mask", mask)

    def binned(self, factor: int) -> Self:
        """Means of factor × factor usable pixels; a new pixel is usable when at least half of its old ones are."""
        if factor == 1:
            return self
        rows, columns = self.camera.size[0] // factor, self.camera.size[1] // factor
        cut = np.s_[: rows * factor, : columns * factor]
        blocks = (rows, factor, columns, factor)
        usable = self.mask[cut].reshape(blocks).sum(axis=(1, 3))
        total = np.where(self.mask, self.attenuation, 0)[cut].reshape(blocks).sum(axis=(1, 3))
        return replace(
            self,
            attenuation=total / np.maximum(usable, 1),
            mask=2 * usable >= factor * factor,
            camera=self.camera.binned(factor),
        )

    def cropped(self, first_row: int, first_column: int, size: tuple[int, int]) -> Self:
        """The sub-image of `size` (rows, columns) that starts at (first_row, first_column), with its camera."""
        cut = np.s_[first_row : first_row + size[0], first_column : first_column + size[1]]
        return replace(
            self,
            attenuation=self.attenuation[cut],
            mask=self.mask[cut],
            camera=self.camera.cropped(first_row, first_column, size),
        )
