"""An X-ray file together with what the user knows of its geometry beyond the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import InputError
from ..geometry import Camera
from ..geometry.lens_distortion import LensDistortion
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
        """These frames, or all of them (None), as `read` gives one.

        A distortion that the camera file tells of is undone; pixels that the distorted image does not show are masked.
        """
        camera: Camera | None = None
        lines: tuple[Provenance, ...] = ()
        distortion: LensDistortion | None = None
        if self.camera is not None:
            calibrated = read_camera(self.camera, size=image_size(self.path))
            camera, lines, distortion = calibrated.camera, calibrated.provenance, calibrated.distortion
        radiographs = read_xray_frames(
            self.path,
            frames=frames,
            camera=camera,
            geometry=self.geometry,
            mask=self.mask,
            bone_is_bright=self.bone_is_bright,
        )
        if distortion is not None and radiographs:
            radiographs = _undistorted(self.camera, distortion, radiographs)
        return tuple(replace(one, provenance=(*lines, *one.provenance)) for one in radiographs)


def _undistorted(
    camera_file: Path | None, distortion: LensDistortion, radiographs: Sequence[Radiograph]
) -> tuple[Radiograph, ...]:
    """Frames of one camera as an image without distortion would show them."""
    correct = distortion.correction(radiographs[0].camera.size)
    done = []
    for one in radiographs:
        attenuation, mask = correct(one.attenuation, one.mask)
        if not mask.any():
            raise InputError(
                camera_file,
                "its distortion leaves nothing of the image",
                "Check its numbers, which are pixels of the image as stored.",
            )
        seen = Provenance("image", f"distortion undone, {mask.mean():.0%} of the pixels seen", "the camera's file")
        done.append(replace(one, attenuation=attenuation, mask=mask, provenance=(*one.provenance, seen)))
    return tuple(done)
