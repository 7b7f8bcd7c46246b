"""Workers that this process has started: others of its children, as libraries have them, are none of theirs."""

from __future__ import annotations

from contextlib import suppress

import psutil


def worker_processes() -> list[psutil.Process]:
    """Workers that live."""
    return [child for child in psutil.Process().children() if _is_worker(child)]


def worker_trees() -> list[psutil.Process]:
    """Workers that live, and all that they have started."""
    found = []
    for worker in worker_processes():
        with suppress(psutil.NoSuchProcess):
            found += [worker, *worker.children(recursive=True)]
    return found


def _is_worker(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
        return process.status() != psutil.STATUS_ZOMBIE and "DiffRegistrationLib.worker" in process.cmdline()
    return False
