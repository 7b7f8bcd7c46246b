"""A tracking whose process is killed goes on where it was, to the very same track."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from DiffRegistrationLib.tracking.journal import JOURNAL
from fluororeg_runs import run
from tracking_files import SequenceOnDisk, write_sequence

PATIENCE = 300.0


def started(files: SequenceOnDisk, out: Path) -> subprocess.Popen[bytes]:
    words = [str(word) for word in files.track("--json", "--out", out)]
    program = "from DiffRegistrationLib.command_line.main import app; app()"
    return subprocess.Popen([sys.executable, "-c", program, *words], stdout=subprocess.DEVNULL)


def without_seconds(folder: Path) -> object:
    track = json.loads((folder / "track.json").read_text(encoding="utf-8"))
    for body in track["bodies"]:
        for frame in body["frames"]:
            del frame["seconds"]
    return track


@pytest.mark.slow
def test_a_killed_process_loses_no_more_than_what_it_was_at(tmp_path: Path) -> None:
    files = write_sequence(tmp_path, range(6))
    whole, cut_off = tmp_path / "whole", tmp_path / "cut off"
    assert run(*files.track("--json", "--out", whole)).code == 0
    lines = (whole / JOURNAL).read_text(encoding="utf-8").count("\n")

    process = started(files, cut_off)
    journal, latest = cut_off / JOURNAL, time.monotonic() + PATIENCE
    while not (journal.is_file() and journal.read_text(encoding="utf-8").count("\n") > lines // 2):
        assert process.poll() is None and time.monotonic() < latest
        time.sleep(0.01)
    process.kill()
    assert process.wait(PATIENCE) != 0
    known = journal.read_text(encoding="utf-8").splitlines()
    assert not (cut_off / "track.json").exists() and lines // 2 < len(known) < lines

    assert run(*files.track("--json", "--out", cut_off)).code == 0
    # What was known was taken as it was, not found again.
    assert journal.read_text(encoding="utf-8").splitlines()[: len(known) - 1] == known[:-1]
    assert without_seconds(cut_off) == without_seconds(whole)
