"""A Slicer without a Slicer, for the tests of module windows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from slicer_stand_in.installation import StandIn


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[StandIn]:
    """Makes qt, ctk and the rest of Slicer importable; fails the test for exceptions that Slicer would only print."""
    from slicer_stand_in import installation

    made = installation.begin(monkeypatch, tmp_path)
    yield made
    installation.end(made)


@pytest.fixture
def window(stand_in: StandIn) -> Any:
    """The module's window, entered."""
    from window_patient import open_window

    return open_window(stand_in)


@pytest.fixture
def panel(window: Any) -> Any:
    """The sections of the module's window."""
    return window.panel


@pytest.fixture
def landmark_window(stand_in: StandIn) -> Any:
    """The window of SkullLandmarkDetection, entered, with both modules loaded."""
    from landmark_window import open_landmark_window

    return open_landmark_window(stand_in)


@pytest.fixture
def landmark_panel(landmark_window: Any) -> Any:
    """The sections of that window."""
    return landmark_window.panel
