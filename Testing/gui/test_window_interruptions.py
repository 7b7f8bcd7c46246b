"""What goes wrong while the window computes: nodes deleted, workers killed, disks full; it says so and goes on."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil
import pytest

pytest.importorskip("PySide6")
pytest.importorskip("slicer")

from window_patient import (
    choose,
    distance_mm,
    idle,
    message,
    patient,
    pose_of,
    pump,
    pump_until,
    refused,
    register,
    scene_in_words,
    start_registering,
    usable,
    worker_processes,
)

pytestmark = [pytest.mark.gui, pytest.mark.mrml]


def worker_of(panel: Any) -> psutil.Process:
    (worker,) = worker_processes()
    assert worker.pid == panel.session.logic._runner.worker.pid
    return worker


@pytest.mark.parametrize("which", ["CT", "X-ray"])
def test_a_node_deleted_while_it_is_registered_ends_the_registration(panel: Any, which: str) -> None:
    import slicer

    ct, xrays = patient(panel, 180.0, 90.0)
    before = scene_in_words()
    start_registering(panel)
    worker = worker_of(panel)
    gone = ct if which == "CT" else xrays[0]
    slicer.mrmlScene.RemoveNode(gone)
    assert idle(panel) and not worker.is_running()
    pump(0.1)
    assert f"{gone.GetName()}: was deleted while it was registered" in message(panel)
    left = {name for name, *_rest in scene_in_words().values()}
    assert left == {name for name, *_rest in before.values()} - {gone.GetName()}
    usable(panel)
    if which == "CT":
        # Not the next volume of the list.
        assert panel.patient.ui.ctSelector.currentNode() is None and panel.session.ct is None
        assert panel.register.ui.registerButton.toolTip == "Choose a CT under Patient first."
    else:
        assert panel.xrays.ui.xrayTable.rowCount == 1 and panel.register.ui.registerButton.enabled
        assert panel.xrays.ui.xrayTable.item(0, 1).text() == "X-ray 90"


@pytest.mark.parametrize("how", ["deleted", "closed"])
def test_everything_goes_while_a_registration_runs(panel: Any, how: str) -> None:
    import slicer

    ct, xrays = patient(panel, 180.0, 90.0)
    start_registering(panel)
    worker = worker_of(panel)
    if how == "closed":
        slicer.mrmlScene.Clear()
    else:
        for node in (*xrays, ct):
            slicer.mrmlScene.RemoveNode(node)
    assert idle(panel) and not worker.is_running()
    pump_until(lambda: panel.session.parameters is not None, 5)
    pump(0.1)
    assert panel.xrays.ui.xrayTable.rowCount == 0 and panel.session.ct is None
    assert panel.register.ui.verdictLabel.text == "" and panel.results.ui.resultTable.rowCount == 0
    assert (message(panel) == "") is (how == "closed")
    usable(panel)
    # And again with another patient, as if nothing had been.
    ct, _xrays = patient(panel, 180.0)
    register(panel)
    assert message(panel) == "" and distance_mm(pose_of(ct)) < 1.0


# The worker.


def test_a_killed_worker_is_told_and_the_next_registration_runs(panel: Any) -> None:
    ct, _xrays = patient(panel, 180.0, 90.0)
    with refused(panel, "memory", "the system ended the computation at once", "or someone else ended it"):
        start_registering(panel)
        worker_of(panel).kill()
    register(panel)
    assert message(panel) == "" and distance_mm(pose_of(ct)) < 1.0


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGSTOP")
def test_a_worker_that_gives_no_sign_of_life_is_ended_and_told(panel: Any) -> None:
    patient(panel, 180.0, 90.0)
    with refused(panel, "gave no sign of life for", "Start it again"):
        start_registering(panel)
        panel.session.logic._runner.worker._silence_seconds = 0.8
        worker = worker_of(panel)
        worker.suspend()
    assert not worker.is_running()


# The disk.

FULL_DISK = """
import builtins, errno, io, os

class Full:
    def __init__(self, file):
        self._file = file
    def __getattr__(self, name):
        return getattr(self._file, name)
    def __enter__(self):
        return self
    def __exit__(self, *error):
        self._file.close()
    def write(self, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

def opened(file, mode="r", *rest, _open=io.open, **named):
    made = _open(file, mode, *rest, **named)
    full = isinstance(file, (str, os.PathLike)) and os.fspath(file).startswith(os.environ["FULL_DISK"])
    return Full(made) if full and set(mode) & set("wax+") else made

builtins.open = io.open = opened
"""


def test_a_full_disk_is_told_and_nothing_is_left_on_it(panel: Any, tmp_path: Path) -> None:
    """The worker cannot write below a folder that stands for a full disk."""
    patient(panel, 180.0)
    full, site = tmp_path / "disk", tmp_path / "site"
    full.mkdir()
    site.mkdir()
    (site / "sitecustomize.py").write_text(FULL_DISK, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(site), "FULL_DISK": str(full)}
    panel.session.logic._runner.worker._environment = environment
    panel.results.ui.outputPath.currentPath = str(full)
    with refused(panel, str(full), "No space left on device", "space left on the disk"):
        register(panel)
    assert list(full.iterdir()) == []


def test_a_full_disk_for_temporary_files_is_told(panel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    patient(panel, 180.0)

    def full(*_: Any, **__: Any) -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/tmp")

    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "mkdtemp", full)
        with refused(panel, "/tmp", "No space left on device", "Make room on the disk"):
            choose(panel.register.ui.startBox, "ap")
            panel.register.ui.registerButton.click()
    register(panel)
    assert message(panel) == ""
