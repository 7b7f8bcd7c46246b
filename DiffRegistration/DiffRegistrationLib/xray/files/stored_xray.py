"""What every X-ray file offers to the reader, whatever its format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float32, Num

from ..geometry import Camera
from ..provenance import Provenance
from ..radiograph import WorldFrame
from .c_arm_geometry import CArmGeometry
from .pixel_grid_symmetry import GridSymmetry
from .pixel_meaning import PixelMeaning


@dataclass(frozen=True, eq=False)
class XrayView:
    """The camera, and the layout that makes of the stored image the one that the camera sees."""

    camera: Camera
    camera_from_stored: GridSymmetry
    provenance: tuple[Provenance, ...]
    world: WorldFrame


class StoredXray(Protocol):
    """One X-ray file, open for reading; frames count from 0, sizes are (rows, columns) as stored."""

    path: Path
    frame_count: int
    size: tuple[int, int]

    def decode(self, frames: Sequence[int]) -> Num[np.ndarray, "frames rows columns"]:
        """Stored pixel values of these frames."""
        ...

    def values(
        self, stored: Num[np.ndarray, "rows columns"], frame: int, bone_is_bright: bool | None
    ) -> tuple[Float32[np.ndarray, "rows columns"], PixelMeaning]:
        """Pixel values (NaN where there is no image) and how they relate to the X-rays."""
        ...

    def field(self, values: Float32[np.ndarray, "rows columns"]) -> Bool[np.ndarray, "rows columns"] | None:
        """Where the beam reached the detector; None if that has to be looked for in the image."""
        ...

    def view(self, frame: int, geometry: CArmGeometry | None) -> XrayView:
        """Camera of a frame from the file, what the user gave taking precedence."""
        ...
