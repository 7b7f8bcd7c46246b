"""A small registration on disk whose truth is known, and `fluororeg` run on it as a user would, in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from DiffRegistrationLib.command_line.main import app
from DiffRegistrationLib.registration.result import RegistrationResult, Verdict
from DiffRegistrationLib.registration.starts import pose_of_view
from DiffRegistrationLib.xray.attenuation import hounsfield_from_attenuation
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.files.camera_files import write_camera
from DiffRegistrationLib.xray.files.ct_writing import write_ct
from DiffRegistrationLib.xray.files.lps import ras_from_index
from DiffRegistrationLib.xray.files.radiograph_files import write_image
from DiffRegistrationLib.xray.geometry import PinholeCamera, rigid
from DiffRegistrationLib.xray.geometry.c_arm import c_arm_camera
from DiffRegistrationLib.xray.phantom import head_phantom
from DiffRegistrationLib.xray.projector import Projector
from pydicom.dataset import FileDataset
from scipy.ndimage import map_coordinates
from synthetic_ct import write_series
from typer.testing import CliRunner

# Off the AP view by this much: nothing that a start gives by itself.
TWIST = (0.03, -0.04, 0.05, 6.0, -9.0, 4.0)


@lru_cache
def head() -> CT:
    """A head of 4 mm voxels."""
    return head_phantom(4.0).ct


@lru_cache
def camera(primary_deg: float = 180.0) -> PinholeCamera:
    """A C-arm's camera of 96 × 96 pixels; AP unless told otherwise."""
    return c_arm_camera(
        source_detector_distance=1000.0,
        source_object_distance=700.0,
        pixel_spacing=(3.2, 3.2),
        size=(96, 96),
        primary_angle_deg=primary_deg,
    )


@lru_cache
def truth() -> np.ndarray:
    """The pose of the head in all X-rays."""
    usual = pose_of_view("ap", head(), camera())
    return rigid.move_about(rigid.transform_points(usual, [head().centre])[0], TWIST, usual)


@lru_cache
def intensity(primary_deg: float = 180.0) -> np.ndarray:
    """The X-ray as a detector counts it, bright = more X-rays, with photon noise."""
    view = camera(primary_deg)
    integrals = Projector(head()).render(view.rays(), truth())[0].reshape(view.size)
    return np.random.default_rng(1).poisson(3000 * np.exp(-integrals.astype(np.float64))).astype(np.float32) + 0.5


@lru_cache
def solved() -> RegistrationResult:
    """What the solver would give, for tests of what becomes of it."""
    covariance = np.diag([1e-3, 1e-3, 1e-3, 0.1, 3.0, 0.1]) ** 2
    drr = Projector(head()).render(camera().rays(), truth())[0].reshape(camera().size)
    return RegistrationResult(
        truth(), Verdict.ACCEPTED, "given", 0.9, covariance, np.zeros(3), 0.1, (), "truth", (), (drr,)
    )


@dataclass(frozen=True)
class Case:
    """The files of a registration that works."""

    folder: Path
    ct: Path
    xray: Path
    camera: Path

    @property
    def out(self) -> Path:
        """Where results go; not there yet."""
        return self.folder / "out"

    def register(self, *options: object, **other: object) -> tuple[object, ...]:
        """Arguments that register the case, with `other` files in place of its own ct, xray or camera (None: none)."""
        files = {"ct": self.ct, "xray": self.xray, "camera": self.camera, **other}
        through = () if files["camera"] is None else ("--camera", files["camera"])
        return ("register", files["ct"], files["xray"], *through, "--start", "ap", "--out", self.out, *options)


def write_case(folder: Path) -> Case:
    """CT, X-ray and camera file in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    case = Case(folder, folder / "head.nrrd", folder / "x-ray.nrrd", folder / "camera.json")
    write_ct(case.ct, head())
    write_image(case.xray, intensity(), camera())
    write_camera(case.camera, camera())
    return case


def write_head_series(
    folder: Path,
    heights: np.ndarray,
    tilt_deg: float = 0.0,
    change: Callable[[FileDataset, int], None] = lambda dataset, k: None,
) -> Path:
    """The head as DICOM slices at `heights` (mm above its lowest slice), slid along their columns as tilt does it."""
    ct = head()
    hounsfield = np.rint(hounsfield_from_attenuation(ct.attenuation))
    _, rows, columns = hounsfield.shape
    lowest = ras_from_index(ct.ct_from_voxel)
    axes = lowest[:3, :3] / ct.voxel_size
    slid = heights * np.tan(np.radians(tilt_deg))
    positions = lowest[:3, 3] + heights[:, None] * axes[:, 2] + slid[:, None] * axes[:, 1]
    row, column = np.indices((rows, columns))

    def head_in(dataset: FileDataset, k: int) -> None:
        places = np.stack(
            [np.full(row.shape, heights[k] / ct.voxel_size[2]), row + slid[k] / ct.voxel_size[1], column.astype(float)]
        )
        values = map_coordinates(hounsfield, places, order=1, cval=-1000.0)
        dataset.PixelData = (np.rint(values) + 2048).astype("<u2").tobytes()
        change(dataset, k)

    write_series(
        folder,
        positions,
        tuple(axes[:, 0]),
        tuple(axes[:, 1]),
        pixel_size=(ct.voxel_size[0], ct.voxel_size[1]),
        size=(columns, rows),
        change=head_in,
    )
    return folder


@dataclass(frozen=True)
class Outcome:
    """What a run of the command gave."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on stdout, and nothing else."""
        return json.loads(self.stdout, parse_constant=lambda name: f"no JSON: {name}")


def run(*arguments: object) -> Outcome:
    """`fluororeg` with these arguments; what it raises beyond its own exits is raised here."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome(result.exit_code, result.stdout, result.stderr)


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    """Everything in a folder, files with size and time of change."""
    return {
        str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns) if path.is_file() else (0, 0)
        for path in folder.rglob("*")
    }


def refused(folder: Path, arguments: tuple[object, ...], *words: object) -> str:
    """The message of a run that must end with exit code 2, say all `words`, and change nothing in `folder`.

    With --json the message must be on stdout as one object with subject, problem and remedy.
    """
    before = tree(folder)
    plain, as_json = run(*arguments), run(*arguments, "--json")
    assert (plain.code, as_json.code) == (2, 2), plain.stderr
    assert plain.stdout == ""
    error = as_json.json["error"]
    assert list(as_json.json) == ["error"] and all(error[part] for part in ("subject", "problem", "remedy"))
    message = f"{error['subject']}: {error['problem']}. {error['remedy']}"
    assert plain.stderr == f"Error: {message}\n" == as_json.stderr
    for word in words:
        assert str(word) in message, message
    assert tree(folder) == before, "something was left behind"
    return message
