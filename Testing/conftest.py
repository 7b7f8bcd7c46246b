"""What all tests share: where the real data lies, and a loud word when it does not."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# Where several processes share the tests, each computes on one core.
if os.environ.get("PYTEST_XDIST_WORKER"):
    os.environ |= {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def pytest_configure(config: pytest.Config) -> None:
    """Before the tests are shared out, kernels are compiled once and for all of their processes."""
    if getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput"):
        subprocess.run([sys.executable, str(Path(__file__).with_name("compile_kernels.py"))], check=True)


def real_data_folder() -> Path | None:
    """The folder that FLUOROREG_DATA names, or None."""
    named = os.environ.get("FLUOROREG_DATA")
    return Path(named) if named and Path(named).is_dir() else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if real_data_folder() is not None:
        return
    if os.environ.get("CI"):
        raise pytest.UsageError("CI must run on real data: set FLUOROREG_DATA to its folder")
    loud = pytest.mark.skip(reason="REAL DATA ABSENT: set FLUOROREG_DATA to the folder that holds it")
    for item in items:
        if "real" in item.keywords:
            item.add_marker(loud)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with real CT and X-ray data."""
    folder = real_data_folder()
    assert folder is not None
    return folder


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """`fluororeg demo` on the computed head, with a training of two seconds: its folder, and what it says as JSON."""
    from DiffRegistrationLib import demonstration
    from DiffRegistrationLib.xray.errors import InputError
    from fluororeg_runs import run

    def absent(name: str) -> Path:
        raise InputError(name, "is absent", "Nothing to do: the demo must go on without it.")

    out = tmp_path_factory.mktemp("demo") / "demo-output"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demonstration, "sample", absent)
        patch.setattr(demonstration, "_TRAINING_SECONDS", 2.0)
        found = run("demo", "--out", out, "--json")
    assert found.code in (0, 1), found.stderr
    return out, found.json
