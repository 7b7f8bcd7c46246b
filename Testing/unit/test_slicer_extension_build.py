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
LIBRARY = ROOT / "DiffRegistration" / "DiffRegistrationLib"
NOT_SHIPPED = {"__pycache__"}


def cmake(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    found = shutil.which("cmake")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("CI must configure the extension: install CMake")
        pytest.skip("NO CMAKE: the extension was not configured; install CMake")
    return subprocess.run([found, *map(str, arguments)], capture_output=True, text=True, timeout=300)


def configure(source: Path, build: Path) -> subprocess.CompletedProcess[str]:
    return cmake("-S", source, "-B", build, f"-DSlicer_DIR={ROOT / 'Testing' / 'slicer_stand_in'}")


def library_files() -> set[str]:
    return {
        path.relative_to(LIBRARY.parent).as_posix()
        for path in LIBRARY.rglob("*")
        if path.is_file() and not NOT_SHIPPED & set(path.parts)
    }


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of scripted modules of an installed extension."""
    folder = tmp_path_factory.mktemp("extension")
    configured = configure(ROOT, folder / "build")
    assert configured.returncode == 0, configured.stderr
    placed = cmake("--install", folder / "build", "--prefix", folder / "installed")
    assert placed.returncode == 0, placed.stderr
    return folder / "installed" / "qt-scripted-modules"


def test_the_extension_ships_every_file_of_the_engine_and_nothing_else(installed: Path) -> None:
    shipped = {path.relative_to(installed).as_posix() for path in installed.rglob("*") if path.is_file()}
    module = {"DiffRegistration.py", "Resources/Icons/DiffRegistration.png", "Resources/requirements.txt"}
    assert shipped == library_files() | module


def test_the_installed_engine_runs_from_its_own_folder(installed: Path) -> None:
    program = (
        f"import sys; sys.path.insert(0, {str(installed)!r}); sys.dont_write_bytecode = True\n"
        "from DiffRegistrationLib.report import report\n"
        "print(report.__file__); report._template()"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith(str(installed))


def test_a_missing_file_stops_the_build(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    shutil.copy(ROOT / "CMakeLists.txt", source)
    shutil.copytree(
        ROOT / "DiffRegistration", source / "DiffRegistration", ignore=shutil.ignore_patterns(*NOT_SHIPPED)
    )
    (source / "DiffRegistration" / "Resources" / "Icons" / "DiffRegistration.png").unlink()
    configured = configure(source, tmp_path / "build")
    assert configured.returncode != 0
    assert "lists a file that does not exist: Resources/Icons/DiffRegistration.png" in " ".join(
        configured.stderr.split()
    )


def test_pictures_that_the_extension_catalog_shows_exist() -> None:
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    addresses = re.findall(r"https://raw\.githubusercontent\.com/[^/]+/SlicerFluoroRegistration/main/([^\s\"]+)", text)
    assert len(addresses) >= 2
    assert [address for address in addresses if not (ROOT / address).is_file()] == []
