"""The extension's CMake files, configured and installed by a real CMake against a stand-in for Slicer's build tree."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = (ROOT / "DiffRegistration", ROOT / "LandmarkDetection")
# What Python makes by itself, and what only a build tree runs.
NOT_SHIPPED = {"__pycache__", "Testing", "CMakeLists.txt"}


def cmake(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    found = shutil.which("cmake")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("CI must configure the extension: install CMake")
        pytest.skip("NO CMAKE: the extension was not configured; install CMake")
    return subprocess.run([found, *map(str, arguments)], capture_output=True, text=True, timeout=300)


def configure(source: Path, build: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return cmake("-S", source, "-B", build, f"-DSlicer_DIR={ROOT / 'Testing' / 'slicer_stand_in'}", *options)


def module_files(module: Path) -> set[str]:
    names = (path.relative_to(module) for path in module.rglob("*") if path.is_file())
    return {name.as_posix() for name in names if not NOT_SHIPPED & set(name.parts)}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of scripted modules of an installed extension."""
    folder = tmp_path_factory.mktemp("extension")
    configured = configure(ROOT, folder / "build", "-DBUILD_TESTING=ON")
    assert configured.returncode == 0, configured.stderr
    placed = cmake("--install", folder / "build", "--prefix", folder / "installed")
    assert placed.returncode == 0, placed.stderr
    return folder / "installed" / "qt-scripted-modules"


def test_the_extension_ships_every_file_of_its_modules_and_nothing_else(installed: Path) -> None:
    shipped = {path.relative_to(installed).as_posix() for path in installed.rglob("*") if path.is_file()}
    first, second = map(module_files, MODULES)
    assert shipped == first | second
    # Both are installed into one folder, in which the second of two files of one name would replace the first.
    assert not first & second
    # One of each kind, in case the list above should ever be wrong.
    assert {
        "DiffRegistration.py",
        "DiffRegistrationLib/mrml/registration_logic.py",
        "DiffRegistrationLib/panel/register.py",
        "DiffRegistrationLib/report/template.html",
        "DiffRegistrationLib/training/presets/head-ap.toml",
        "DiffRegistrationLib/worker/__main__.py",
        "DiffRegistrationLib/xray/files/sample_data.json",
        "Resources/Icons/DiffRegistration.png",
        "Resources/UI/Register.ui",
        "Resources/requirements.txt",
        "SkullLandmarkDetection.py",
        "LandmarkDetectionLib/mrml/landmark_logic.py",
        "LandmarkDetectionLib/panel/ct_landmarks.py",
        "LandmarkDetectionLib/population/presets/fluoroscopy.toml",
        "LandmarkDetectionLib/worker/job.py",
        "LandmarkDetectionLib/Resources/skull_landmarks.json",
        "Resources/Icons/SkullLandmarkDetection.png",
        "Resources/UI/CTLandmarks.ui",
    } <= shipped


def test_slicer_s_own_test_runner_is_told_of_all_tests(installed: Path) -> None:
    found = shutil.which("ctest")
    assert found is not None
    listed = subprocess.run(
        [found, "-N"], cwd=installed.parents[1] / "build", capture_output=True, text=True, timeout=120
    )
    assert set(re.findall(r": (py_\w+)", listed.stdout)) == {
        "py_DiffRegistration",
        "py_DiffRegistrationBatchTest",
        "py_SkullLandmarkDetection",
    }
    scripts = {path.stem for module in MODULES for path in (module / "Testing" / "Python").glob("*.py")}
    assert scripts == {"DiffRegistrationBatchTest"}


def test_the_installed_engine_runs_from_its_own_folder(installed: Path) -> None:
    program = (
        f"import sys; sys.path.insert(0, {str(installed)!r}); sys.dont_write_bytecode = True\n"
        "from pathlib import Path\n"
        "from DiffRegistrationLib.report import page_template, report\n"
        "print(report.__file__)\n"
        "page_template.page_template(Path(report.__file__).parent, 'template.html', 'report.html')\n"
        "from LandmarkDetectionLib.atlas import definitions\n"
        "from LandmarkDetectionLib.population.view_ranges import view_ranges\n"
        "assert len(definitions.skull_landmarks().names) == 55 and view_ranges('fluoroscopy').name\n"
        "print(definitions.__file__)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert [line.startswith(str(installed)) for line in ran.stdout.splitlines()] == [True, True]


@pytest.mark.parametrize("module", ["DiffRegistration", "LandmarkDetection"])
def test_a_missing_file_stops_the_build(tmp_path: Path, module: str) -> None:
    source = tmp_path / "source"
    source.mkdir()
    shutil.copy(ROOT / "CMakeLists.txt", source)
    for folder in MODULES:
        shutil.copytree(folder, source / folder.name, ignore=shutil.ignore_patterns("__pycache__", "Testing"))
    icons = source / module / "Resources" / "Icons"
    name = {"DiffRegistration": "DiffRegistration", "LandmarkDetection": "SkullLandmarkDetection"}[module]
    (icons / f"{name}.png").unlink()
    configured = configure(source, tmp_path / "build")
    assert configured.returncode != 0
    assert f"lists a file that does not exist: Resources/Icons/{name}.png" in " ".join(configured.stderr.split())


def test_pictures_that_the_extension_catalog_shows_exist() -> None:
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    addresses = re.findall(r"https://raw\.githubusercontent\.com/[^/]+/SlicerFluoroRegistration/main/([^\s\"]+)", text)
    assert len(addresses) >= 2
    assert [address for address in addresses if not (ROOT / address).is_file()] == []
