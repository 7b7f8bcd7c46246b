"""What all tests share: where the real data lies, and a loud word when it does not."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

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
    # Files with the most slow tests first: no process is left with one of them when the others have nothing to do.
    slow = Counter(item.path for item in items if "slow" in item.keywords)
    items.sort(key=lambda item: -slow[item.path])
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
