"""Files with some bytes changed or cut off are read or refused, whatever kind they are; nothing else may happen."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.camera_files import read_camera
from DiffRegistrationLib.xray.files.ct_files import read_ct
from DiffRegistrationLib.xray.files.describe import describe
from DiffRegistrationLib.xray.files.transform_files import read_pose, write_pose
from DiffRegistrationLib.xray.files.xray_files import read_xray
from fluororeg_runs import camera, intensity, truth, write_case
from synthetic_ct import write_series
from synthetic_xray_dicom import GEOMETRY, shadow, write_xray

TRIALS = 40


def read_through_camera(path: Path) -> None:
    read_xray(path, camera=camera())


def read_sized_camera(path: Path) -> None:
    read_camera(path, size=(96, 96))


def read_folder_of(path: Path) -> None:
    read_ct(path.parent)


READERS: dict[str, Callable[[Path], object]] = {
    "scan/slice001.dcm": read_folder_of,
    "xray.dcm": read_xray,
    "x.png": read_through_camera,
    "x.tif": read_through_camera,
    "head.nrrd": read_ct,
    "head.mha": read_ct,
    "head.nii": read_ct,
    "head.nii.gz": read_ct,
    "camera.json": read_sized_camera,
    "P.txt": read_sized_camera,
    "pose.json": read_pose,
    "pose.tfm": read_pose,
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One good file of each kind."""
    folder = tmp_path_factory.mktemp("files")
    write_case(folder)
    write_series(folder / "scan", np.array([[-20.0, -24.0, 5.0 + 4.0 * k] for k in range(3)]), size=(8, 6))
    write_xray(folder, shadow((16, 16), (8, 8, 1.0)), **GEOMETRY)
    picture = SimpleITK.GetImageFromArray((intensity() / 12).astype(np.uint8))
    for name in ("x.png", "x.tif"):
        SimpleITK.WriteImage(picture, str(folder / name))
    volume = SimpleITK.GetImageFromArray((100 * np.indices((6, 6, 6)).sum(0) - 1000).astype(np.int16))
    for name in ("head.nrrd", "head.mha", "head.nii", "head.nii.gz"):
        SimpleITK.WriteImage(volume, str(folder / name))
    np.savetxt(folder / "P.txt", camera().projection_matrix)
    for name in ("pose.json", "pose.tfm"):
        write_pose(folder / name, truth())
    return folder


@pytest.mark.parametrize("name", READERS)
def test_damage_is_read_or_refused(files: Path, name: str) -> None:
    path, read = files / name, READERS[name]
    good = path.read_bytes()
    read(path)
    random = np.random.default_rng(len(name))
    try:
        for trial in range(TRIALS):
            damaged = bytearray(good)
            if trial % 4 == 0:
                del damaged[random.integers(len(damaged)) :]
            for place in random.integers(len(damaged) or 1, size=3 if damaged else 0):
                damaged[place] = random.choice([0, 255, *b"-.0 9", random.integers(256)])
            path.write_bytes(bytes(damaged))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                for attempt in (read, describe):
                    with suppress(InputError):
                        attempt(path)
    finally:
        path.write_bytes(good)
