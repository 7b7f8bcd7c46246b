"""What `fluororeg info` says of a file: its kind, where each number came from, and what the user has to add."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.camera_files import write_camera
from DiffRegistrationLib.xray.files.describe import describe
from DiffRegistrationLib.xray.geometry import PinholeCamera
from synthetic_ct import PATIENT, write_series

STRAIGHT = np.array([[-20.0, -24.0, 5.0 + 4.0 * k] for k in range(6)])


def quantities(path: Path) -> dict[str, str]:
    return {fact.quantity: fact.origin for fact in describe(path).facts}


def test_a_ct_folder(tmp_path: Path) -> None:
    write_series(tmp_path, STRAIGHT)
    found = describe(tmp_path)
    assert found.kind == "CT" and not found.missing
    assert quantities(tmp_path)["pixel size"].startswith("PixelSpacing")
    assert PATIENT not in json.dumps(found.as_dict())
    assert found.as_dict()["facts"][0]["assumed"] is False


def test_a_folder_of_two_series_asks_which(tmp_path: Path) -> None:
    write_series(tmp_path / "a", STRAIGHT, number=2)
    write_series(tmp_path / "b", STRAIGHT, number=4)
    found = describe(tmp_path)
    assert [fact.value[:9] for fact in found.facts] == ["series 2:", "series 4:"]
    assert "--series" in found.missing[0]


def test_one_slice_of_a_ct_is_sent_to_its_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="one slice of a CT"):
        describe(write_series(tmp_path, STRAIGHT)[0])


def _picture(path: Path) -> Path:
    values = np.random.default_rng(1).normal(120, 20, (40, 60)).clip(5, 250).astype(np.uint8)
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(values), str(path))
    return path


@pytest.mark.parametrize("name", ["x.png", "x.tif", "x.nrrd"])
def test_a_picture_lacks_its_geometry(tmp_path: Path, name: str) -> None:
    found = describe(_picture(tmp_path / name))
    assert found.kind == "X-ray"
    assert found.facts[0].value == "60 × 40 pixels"
    assert "camera" not in quantities(tmp_path / name)
    assert "source-detector distance" in found.missing[0] and "Give a camera file" in found.missing[0]


def test_a_camera_file(tmp_path: Path) -> None:
    camera = PinholeCamera(np.diag([900.0, 950.0, 1.0]), np.eye(4), (40, 60))
    write_camera(tmp_path / "camera.json", camera)
    assert describe(tmp_path / "camera.json").kind == "camera"


def test_a_projection_matrix_lacks_the_image_size(tmp_path: Path) -> None:
    (tmp_path / "P.txt").write_text("900 0 30 0\n0 950 20 0\n0 0 1 500\n")
    found = describe(tmp_path / "P.txt")
    assert found.kind == "camera"
    assert "image's size" in found.missing[0]
    assert all(fact.quantity != "image size" for fact in found.facts)


def test_what_is_nothing_of_this_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("dear diary")
    (tmp_path / "noise.bin").write_bytes(bytes(range(256)))
    for name in ("notes.txt", "noise.bin", "absent.png"):
        with pytest.raises(InputError, match=name):
            describe(tmp_path / name)
