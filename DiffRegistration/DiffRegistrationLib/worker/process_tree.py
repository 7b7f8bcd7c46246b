"""Ending a process together with all that it started, which a polite word to the first one does not do."""

from __future__ import annotations

import os
import time

import psutil

# A process that is asked may put its things in order for so long.
_POLITE_SECONDS = 0.3
_LOOK_SECONDS = 0.01


def kill_tree(pid: int, seconds: float = 2.0) -> bool:
    """End process `pid` and its descendants, children first; True when none is left, False after `seconds` in vain.

    They are asked first and forced soon after. Where `pid` leads a group of processes (POSIX), what was started in
    the group goes too, even if its parent is dead already.
    """
    return _end(pid, _process(pid), seconds, with_root=True)


def kill_orphans(pid: int, seconds: float = 2.0) -> bool:
    """As `kill_tree` once process `pid` is dead: what is left of the group that it led (POSIX)."""
    return _end(pid, None, seconds, with_root=False)


def kill_descendants(seconds: float = 1.0) -> bool:
    """End all that this process started, as `kill_tree`."""
    return _end(os.getpid(), _process(os.getpid()), seconds, with_root=False)


class Parent:
    """A process whose end matters to this one."""

    def __init__(self, pid: int) -> None:
        self._process = _process(pid)

    def is_gone(self) -> bool:
        """Whether it has ended; its number may long be that of another process."""
        return self._process is None or not _lives(self._process)


def _end(pid: int, root: psutil.Process | None, seconds: float, with_root: bool) -> bool:
    began = time.monotonic()
    known: dict[int, psutil.Process] = {}
    asked: set[int] = set()
    while True:
        _look(pid, root, known)
        alive = [process for process in known.values() if _lives(process)]
        if with_root and root is not None and _lives(root):
            alive.append(root)
        if not alive:
            return True
        waited = time.monotonic() - began
        if waited > seconds:
            return False
        for process in alive:
            try:
                if waited > min(_POLITE_SECONDS, seconds / 4):
                    process.kill()
                elif process.pid not in asked:
                    asked.add(process.pid)
                    process.terminate()
            except psutil.Error:
                # Gone meanwhile, or not ours to end: the next look tells.
                continue
        time.sleep(_LOOK_SECONDS)


def _look(pid: int, root: psutil.Process | None, known: dict[int, psutil.Process]) -> None:
    """Add to `known` what descends from `pid`, the youngest generation first; some may come up while others go."""
    found: list[psutil.Process] = []
    for process in [root, *known.values()]:
        try:
            if process is not None:
                found += reversed(process.children(recursive=True))
        except psutil.Error:
            continue
    for process in [*found, *_group(pid)]:
        if process.pid not in (pid, os.getpid()):
            known.setdefault(process.pid, process)


def _group(pid: int) -> list[psutil.Process]:
    """Processes of the group that `pid` leads or led, which outlives it; never our own group."""
    if not hasattr(os, "getpgid") or os.getpgid(0) == pid:
        return []
    members = []
    for other in psutil.pids():
        try:
            if os.getpgid(other) == pid:
                members.append(psutil.Process(other))
        except (OSError, psutil.Error):
            continue
    return members


def _process(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except psutil.Error:
        return None


def _lives(process: psutil.Process) -> bool:
    """Whether it still is the same process and does not merely wait to be buried."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True
