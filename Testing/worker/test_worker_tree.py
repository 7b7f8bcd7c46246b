"""Ending a process ends all that it started, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from DiffRegistrationLib.worker.process_tree import Parent, kill_orphans, kill_tree
from worker_runs import alive, seconds_until_gone, tree

SLEEPING = "import time; time.sleep(600)"
# A child and a grandchild that do not listen to a polite word.
DEAF = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
again = int(sys.argv[1])
if again:
    subprocess.Popen([sys.executable, "-c", sys.argv[2], str(again - 1), sys.argv[2]])
print("ready", flush=True)
time.sleep(600)
"""


def begun(again: int = 2) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", DEAF, str(again), DEAF]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    for _ in range(again + 1):
        process.stdout.readline()
    return process


def test_children_that_do_not_listen_end_too_and_strangers_do_not() -> None:
    stranger = subprocess.Popen([sys.executable, "-c", SLEEPING])
    process = begun()
    processes = tree(process.pid)
    assert len(processes) == 3
    began = time.monotonic()
    assert kill_tree(process.pid)
    assert not alive(processes) and time.monotonic() - began < 2.5
    assert process.wait(5) < 0 and stranger.poll() is None
    stranger.kill()
    stranger.wait()
    assert kill_tree(process.pid)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_stopped_process_ends_too() -> None:
    import signal

    process = begun(1)
    processes = tree(process.pid)
    os.kill(process.pid, signal.SIGSTOP)
    assert kill_tree(process.pid) and not alive(processes)
    process.wait()


@pytest.mark.skipif(sys.platform == "win32", reason="groups of processes")
def test_what_a_dead_process_left_behind_ends_too() -> None:
    process = begun()
    processes = tree(process.pid)
    parent = Parent(process.pid)
    assert not parent.is_gone()
    process.kill()
    process.wait()
    assert len(alive(processes)) == 2 and parent.is_gone()
    assert kill_orphans(process.pid)
    assert seconds_until_gone(processes) < 1
