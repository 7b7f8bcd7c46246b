"""The DeepFluoro data set (Grupp et al., IPCAI 2020): real hip fluoroscopy, its camera and its truth in one HDF5 file.

The file projects x ~ K E X with X in its camera world (LPS mm). Its camera frame has x along the columns, y along the
rows and z toward the source, so K's focal lengths are negative and what lies in front has negative z: the image is
seen from the detector. Ours are seen from the source; image, camera and landmarks are mirrored left to right.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64

from ..errors import InputError
from ..geometry import PinholeCamera, rigid
from ..provenance import Provenance
from .calibrated_camera import CalibratedCamera, check_size
from .hdf5 import opened_hdf5
from .lps import ras_from_index, ras_points, ras_transform
from .rigid_values import rigid_from_file

_ORIGIN = "DeepFluoro HDF5, proj-params"


@dataclass(frozen=True, eq=False)
class DeepFluoroProjection:
    """One X-ray of a specimen, seen from the source.

    `intensity` is the detector's reading (not yet a line integral), `world_from_ct` the true pose of the pelvis (RAS
    mm), `image_landmarks` true landmarks as (u, v), in or outside the image, `ct_landmarks` the same ones in the CT's
    frame (RAS mm).
    """

    intensity: Float32[np.ndarray, "rows columns"]
    camera: PinholeCamera
    world_from_ct: Float64[np.ndarray, "4 4"]
    image_landmarks: dict[str, Float64[np.ndarray, "2"]]
    ct_landmarks: dict[str, Float64[np.ndarray, "3"]]
    provenance: tuple[Provenance, ...]


def read_deepfluoro_camera(path: str | Path, size: tuple[int, int] | None = None) -> CalibratedCamera:
    """The camera that all projections of a DeepFluoro file share; for images mirrored left to right.

    InputError for another HDF5 file, missing fields, and an image size other than `size`.
    """
    with _opened(path) as file:
        calibrated, _ = _camera(path, file, size)
    return calibrated


def read_deepfluoro(path: str | Path, specimen: str, projection: int) -> DeepFluoroProjection:
    """Projection number `projection` of `specimen` (such as "17-1882") with its camera and truth.

    InputError for another HDF5 file, missing fields, or a specimen or projection that is not in it.
    """
    with _opened(path) as file:
        calibrated, mirrored = _camera(path, file, None)
        camera = calibrated.camera
        assert isinstance(camera, PinholeCamera)
        specimens = [name for name in file if name != "proj-params"]
        if specimen not in specimens:
            raise InputError(path, f"has no specimen “{specimen}”", f"Choose one of: {', '.join(specimens)}.")
        views = file[f"{specimen}/projections"]
        if f"{projection:03d}" not in views:
            raise InputError(path, f"{specimen} has no projection {projection}", f"Choose 0 to {len(views) - 1}.")
        view = views[f"{projection:03d}"]
        intensity = np.asarray(_value(path, view, "image/pixels"), dtype=np.float32)
        check_size(path, camera.size, (intensity.shape[0], intensity.shape[1]))
        pose = rigid_from_file(path, "cam-to-pelvis-vol", _value(path, view, "gt-poses/cam-to-pelvis-vol"))
        in_image = {name: _vector(view["gt-landmarks"], name) for name in view.get("gt-landmarks", ())}
        in_ct = {name: ras_points(_vector(file[f"{specimen}/vol-landmarks"], name)) for name in in_image}
    if mirrored:
        intensity = np.ascontiguousarray(intensity[:, ::-1])
        in_image = {name: np.array([camera.size[1] - 1 - u, v]) for name, (u, v) in in_image.items()}
    truth = Provenance(
        "true pose",
        "cam-to-pelvis-vol as stored",
        "DeepFluoro HDF5; its authors shift the CT by −0.5 mm along each axis before they render with it",
    )
    return DeepFluoroProjection(
        intensity,
        camera,
        rigid.inverse(ras_transform(pose)),
        in_image,
        in_ct,
        (*calibrated.provenance, truth),
    )


@contextmanager
def _opened(path: str | Path) -> Iterator[Any]:
    with opened_hdf5(path) as file:
        if "proj-params" not in file:
            raise InputError(
                path,
                "is HDF5 without the group “proj-params”",
                "Only DeepFluoro's full-resolution file holds cameras.",
            )
        yield file


def _value(path: str | Path, group: Any, name: str) -> Any:
    if name not in group:
        raise InputError(
            path, f"the field “{name}” is missing", "Check that this is DeepFluoro's full-resolution file."
        )
    return group[name][()]


def _vector(group: Any, name: str) -> Float64[np.ndarray, "n"]:
    return np.asarray(group[name][()], dtype=np.float64).ravel()


def _camera(path: str | Path, file: Any, size: tuple[int, int] | None) -> tuple[CalibratedCamera, bool]:
    """The camera, and whether images and pixels of the file must be mirrored left to right for it."""
    group = file["proj-params"]
    rows, columns = int(_value(path, group, "num-rows")), int(_value(path, group, "num-cols"))
    check_size(path, (rows, columns), size)
    spacing = float(_value(path, group, "pixel-row-spacing")), float(_value(path, group, "pixel-col-spacing"))
    K = np.asarray(_value(path, group, "intrinsic"), dtype=np.float64)
    E = rigid_from_file(path, "extrinsic", _value(path, group, "extrinsic"))
    mirrored = K[0, 0] < 0
    if mirrored:
        # Mirror the columns, and look along −z: two flips that leave a right-handed frame with positive focal lengths.
        half_turn = np.diag([-1.0, 1.0, -1.0])
        K = -np.array([[-1.0, 0, columns - 1], [0, 1, 0], [0, 0, 1]]) @ K @ half_turn
        E = np.block([[half_turn, np.zeros((3, 1))], [np.zeros((1, 3)), np.ones((1, 1))]]) @ E
    try:
        camera = PinholeCamera(K, E, (rows, columns), spacing).moved(ras_from_index(np.eye(4)))
    except ValueError as error:
        raise InputError(
            path, f"intrinsic is no camera matrix: {error}", "Check that the file is undamaged."
        ) from None
    lines = [
        Provenance("image size", f"{rows} rows × {columns} columns", _ORIGIN),
        Provenance("pixel spacing", f"{spacing[0]:g} × {spacing[1]:g} mm", _ORIGIN),
        Provenance("camera matrix", f"focal length {K[0, 0]:.6g} × {K[1, 1]:.6g} px", _ORIGIN),
        Provenance("camera pose", "extrinsic, from the camera world in LPS", _ORIGIN),
    ]
    if mirrored:
        lines.append(Provenance("image columns", "mirrored left to right", "DeepFluoro's are seen from the detector"))
    return CalibratedCamera(camera, tuple(lines)), bool(mirrored)
