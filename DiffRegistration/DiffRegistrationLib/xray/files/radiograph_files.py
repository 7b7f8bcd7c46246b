"""Images on a camera's pixels to files that place them in space."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float64, Num

from ..errors import InputError
from ..geometry import Camera, ScanningSlitCamera
from .atomic import atomic_write_by_itk, check_file_for_writing
from .lps import ras_from_index

# Formats of one file that keep an image's place in space and its fractions.
_SUFFIXES = (".nrrd", ".mha", ".nii", ".nii.gz")


def check_image_file(path: str | Path) -> None:
    """InputError unless `write_image` can write to `path`: for another suffix, or a folder that is not there."""
    path = Path(path)
    if not path.name.lower().endswith(_SUFFIXES):
        raise InputError(
            path,
            f"no image is written as “{path.suffix}”"
            if path.suffix
            else "the name has no suffix, which says the format",
            f"Use one of {', '.join(_SUFFIXES)}: these keep the image's place in space.",
        )
    check_file_for_writing(path)


def image_plane(camera: Camera) -> Float64[np.ndarray, "4 4"]:
    """World (RAS mm) from (u, v, k): where the camera's pixels lie in space, with 1 mm along the beam for k.

    Pixels lie on the detector; those of a camera whose detector distance is unknown lie where its rays end, those of a
    scanning slit in the isocentre's plane, where their spacing holds.
    """
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    if isinstance(camera, ScanningSlitCamera):
        points = camera.back_project(corners, camera.source_object_distance)
    else:
        points = camera.rays(corners).target
    matrix = np.eye(4)
    matrix[:3, 0] = points[1] - points[0]
    matrix[:3, 1] = points[2] - points[0]
    matrix[:3, 2] = camera.camera_from_world[2, :3]
    matrix[:3, 3] = points[0]
    return matrix


def write_image(path: str | Path, array: Num[np.ndarray, "rows columns"], camera: Camera) -> None:
    """Write an image on the camera's pixels (a DRR, an X-ray, a mask) as a volume of one slice in the X-ray's place.

    The suffix says the format (.nrrd, .mha, .nii.gz). ValueError for an array of another size than the camera's,
    InputError for another suffix and a folder that cannot be written to.
    """
    import SimpleITK

    check_image_file(path)

    array = np.asarray(array)
    if array.shape != tuple(camera.size):
        raise ValueError(f"image {array.shape} and camera {camera.size} differ in size")
    lps_from_index = ras_from_index(image_plane(camera))
    spacing = np.linalg.norm(lps_from_index[:3, :3], axis=0)
    image = SimpleITK.GetImageFromArray(array[None].astype(np.uint8) if array.dtype == bool else array[None])
    image.SetSpacing(spacing.tolist())
    image.SetDirection((lps_from_index[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(lps_from_index[:3, 3].tolist())
    with atomic_write_by_itk(path) as temporary:
        SimpleITK.WriteImage(image, str(temporary), useCompression=True)
