"""Arrows point one way: the engine knows nothing of Slicer, and starts without what only some of it needs."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

IMPORT_ALL = """
import importlib, pkgutil, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {forbidden!r}:
            raise ImportError(name + " must not be imported here")

sys.meta_path.insert(0, Refuse())
import DiffRegistrationLib
for package in {packages!r}:
    parent = importlib.import_module("DiffRegistrationLib." + package)
    for module in pkgutil.walk_packages(parent.__path__, parent.__name__ + "."):
        if module.name not in {allowed!r}:
            importlib.import_module(module.name)
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


TRITON_FILES = (
    "DiffRegistrationLib.xray.projector.triton_kernel",
    "DiffRegistrationLib.xray.projector.triton_casting",
    "DiffRegistrationLib.registration.on_device.triton_weighted_sums",
)
TORCH_FILES = (
    "DiffRegistrationLib.registration.network_start",
    "DiffRegistrationLib.xray.projector.torch_kernel",
    "DiffRegistrationLib.xray.projector.autograd",
    "DiffRegistrationLib.xray.projector.device_arrays",
    "DiffRegistrationLib.xray.projector.device_projector",
    *(
        f"DiffRegistrationLib.registration.on_device.{name}"
        for name in (
            "device_correlation",
            "device_features",
            "device_refinement",
            "device_solver",
            "device_view",
            "repeated_steps",
            "small_matrices",
            "weighted_sums",
        )
    ),
    *TRITON_FILES,
)


@pytest.mark.parametrize(
    ("packages", "forbidden", "allowed"),
    [
        (
            (
                "xray",
                "pose_network",
                "training",
                "registration",
                "tracking",
                "cohort",
                "report",
                "command_line",
                "worker",
            ),
            ("slicer", "vtk", "qt", "ctk", "PythonQt"),
            () if find_spec("triton") else TRITON_FILES,
        ),
        (("xray", "registration", "tracking", "cohort", "report", "command_line"), ("torch",), TORCH_FILES),
    ],
)
def test_packages_import_without(
    packages: tuple[str, ...], forbidden: tuple[str, ...], allowed: tuple[str, ...]
) -> None:
    ended = run(IMPORT_ALL.format(packages=packages, forbidden=forbidden, allowed=allowed))
    assert ended.returncode == 0, ended.stderr


ROOT = Path(__file__).parents[2]
LIBRARIES = (ROOT / "DiffRegistration" / "DiffRegistrationLib", ROOT / "LandmarkDetection" / "LandmarkDetectionLib")
PACKAGES = sorted(path.parent for library in LIBRARIES for path in library.glob("*/__init__.py"))
OF_SLICER = {"slicer", "vtk", "qt", "ctk", "PythonQt", "vtkmodules", "slicer_core", "mrml_core"}
# Surfaces are made by VTK, which the engine has without Slicer, too.
MAY_IMPORT = {"mrml": {"slicer", "vtk"}, "panel": {"qt", "ctk", "slicer", "vtk"}, "skull_shape": {"vtk", "vtkmodules"}}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: f"{path.parent.name}.{path.name}")
def test_only_nodes_and_the_window_know_slicer_and_each_its_own_part_of_it(package: Path) -> None:
    imported = set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                imported.add(str(node.module).partition(".")[0])
    assert imported & OF_SLICER <= MAY_IMPORT.get(package.name, set())


def test_nodes_know_nothing_of_the_window() -> None:
    pytest.importorskip("slicer")
    code = IMPORT_ALL.format(packages=("mrml",), forbidden=("qt", "ctk", "PythonQt"), allowed=())
    ended = run("import slicer, slicer.util" + code + "\nassert not [m for m in sys.modules if '.panel' in m]")
    assert ended.returncode == 0, ended.stderr


def test_landmarks_have_nodes_and_jobs_without_the_window_and_without_torch() -> None:
    pytest.importorskip("slicer")
    code = (IMPORT_ALL + "\nassert not [m for m in sys.modules if '.panel' in m]").replace(
        "DiffRegistrationLib", "LandmarkDetectionLib"
    )
    forbidden = ("qt", "ctk", "PythonQt", "torch")
    ended = run(
        "import slicer, slicer.util" + code.format(packages=("mrml", "worker"), forbidden=forbidden, allowed=())
    )
    assert ended.returncode == 0, ended.stderr


def test_images_know_nothing_of_registration() -> None:
    code = IMPORT_ALL.format(packages=("xray",), forbidden=(), allowed=TORCH_FILES)
    ended = run(code + "\nassert not [m for m in sys.modules if m.startswith('DiffRegistrationLib.registration')]")
    assert ended.returncode == 0, ended.stderr


def test_the_command_starts_without_heavy_packages() -> None:
    heavy = ("torch", "matplotlib", "pandas", "SimpleITK", "pydicom", "h5py", "numba")
    ended = run(
        "import sys, DiffRegistrationLib.command_line.main\n"
        f"loaded = [name for name in {heavy!r} if name in sys.modules]\n"
        "assert not loaded, loaded"
    )
    assert ended.returncode == 0, ended.stderr


def test_networks_and_images_know_nothing_of_their_training() -> None:
    code = IMPORT_ALL.format(packages=("xray", "pose_network", "registration"), forbidden=(), allowed=TORCH_FILES[1:])
    ended = run(code + "\nassert not [m for m in sys.modules if m.startswith('DiffRegistrationLib.training')]")
    assert ended.returncode == 0, ended.stderr


def test_without_torch_what_needs_it_says_so(tmp_path: Path) -> None:
    network = tmp_path / "head.pt"
    network.touch()
    code = "import sys; sys.modules['torch'] = None\nfrom DiffRegistrationLib.command_line.main import run\nrun()"
    for verb in (["train", "ct.nrrd", "--out", network], ["register", "ct.nrrd", "x.png", "--start", network]):
        ended = subprocess.run([sys.executable, "-c", code, *map(str, verb)], capture_output=True, text=True)
        assert ended.returncode == 2 and "pip install torch" in ended.stderr, ended.stderr
