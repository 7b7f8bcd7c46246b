"""An X-ray file together with what the user knows of its geometry beyond the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..geometry import Camera
from ..provenance import Provenance
from ..radiograph import Radiograph
from .c_arm_geometry import CArmGeometry
from .camera_files import read_camera
from .xray_files import image_size, read_xray_frames


@dataclass(frozen=True)
class XrayFile:
    """One X-ray to register to, and what the user knows of it beyond the file."""

    path: Path
    camera: Path | None = None
    geometry: CArmGeometry | None = None
    frame: int = 0
    mask: Path | None = None
    bone_is_bright: bool | None = None

    def read(self) -> Radiograph:
        """The radiograph, its camera from the camera file if there is one. InputError for what cannot be used."""
        return self.read_frames([self.frame])[0]

    def read_frames(self, frames: Sequence[int] | None) -> tuple[Radiograph, ...]:
        """These frames, or all of them (None), as `read` gives one."""
        camera: Camera | None = None
        lines: tuple[Provenance, ...] = ()
        if self.camera is not None:
            calibrated = read_camera(self.camera, size=image_size(self.path))
            camera, lines = calibrated.camera, calibrated.provenance
        radiographs = read_xray_frames(
            self.path,
            frames=frames,
            camera=camera,
            geometry=self.geometry,
            mask=self.mask,
            bone_is_bright=self.bone_is_bright,
        )
        return tuple(replace(one, provenance=(*lines, *one.provenance)) for one in radiographs)
