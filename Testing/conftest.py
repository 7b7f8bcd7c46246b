"""What all tests share: where the real data lies, and a loud word when it does not."""

import os
from pathlib import Path

import pytest


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
