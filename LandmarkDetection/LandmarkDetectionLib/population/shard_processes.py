"""Shards of a data set, made here or in several processes; what they hold does not depend on it."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, fields
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import numpy as np
from DiffRegistrationLib.cohort.local_processes import core_count
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.atomic import atomic_write

from ..atlas.head import Head
from .data_set import IMAGE_UNIT, DataSetSettings, shard_path
from .view_ranges import ViewRanges

VOXEL_MM = 2.0


@dataclass(frozen=True, eq=False)
class ShardTask:
    """What all shards of a data set are made of."""

    folder: Path
    settings: DataSetSettings
    ranges: ViewRanges
    templates: tuple[Head, ...]


@dataclass(frozen=True)
class _Failure:
    """An InputError on its way between processes."""

    subject: str
    problem: str
    remedy: str


def run_here(task: ShardTask, numbers: Sequence[int]) -> Iterator[int]:
    """Write the shards of these numbers one by one."""
    writer = _ShardWriter(task)
    for number in numbers:
        writer.write(number)
        yield number


def run_in_processes(task: ShardTask, numbers: Sequence[int], count: int) -> Generator[int]:
    """Write the shards of these numbers in `count` processes, which share the cores.

    When it ends early they end after the head at hand, and leave whole shards only. InputError where one dies.
    """
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    count = min(count, len(numbers))
    threads = max(1, core_count() // count)
    pool = ProcessPoolExecutor(count, mp_context=context, initializer=_begin, initargs=(task, stop, threads))
    try:
        waiting: set[Future[int | _Failure]] = {pool.submit(_write, number) for number in numbers}
        while waiting:
            # With a time limit, as Windows would not hear Ctrl-C before.
            done, waiting = wait(waiting, 1.0, return_when=FIRST_COMPLETED)
            for future in done:
                outcome = future.result()
                if isinstance(outcome, _Failure):
                    raise InputError(outcome.subject, outcome.problem, outcome.remedy)
                yield outcome
    except BrokenProcessPool:
        raise InputError(
            "the processes of the data set",
            "have ended by themselves, perhaps for want of memory",
            "Use fewer processes and begin again: whole shards are kept. In a script, call write_data_set below "
            "`if __name__ == '__main__':`.",
        ) from None
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


_writer: _ShardWriter
_stop: Event


def _begin(task: ShardTask, stop: Event, threads: int) -> None:
    """A process's own start."""
    global _writer, _stop
    # Ctrl-C reaches all processes of a terminal; the first one decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import numba

    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    _writer, _stop = _ShardWriter(task), stop


def _write(number: int) -> int | _Failure:
    try:
        _writer.write(number, _stop)
    except InputError as error:
        return _Failure(error.subject, error.problem, error.remedy)
    return number


class _ShardWriter:
    def __init__(self, task: ShardTask) -> None:
        from .head_images import HeadImageMaker

        self._task, self._settings = task, task.settings
        with _one_thread():
            self._maker = HeadImageMaker(task.ranges, task.settings.image_size)

    def write(self, number: int, stop: Event | None = None) -> None:
        """Write one shard, which appears whole or, where someone wants to stop, not at all."""
        samples = self._settings.samples(number)
        parts = []
        for first in range(samples.start, samples.stop, self._settings.views_per_head):
            if stop is not None and stop.is_set():
                return
            parts.append(self._images(first, min(self._settings.views_per_head, samples.stop - first)))
        arrays: dict[str, Any] = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        arrays["settings"] = np.array(self._settings.fingerprint)
        with atomic_write(shard_path(self._task.folder, number)) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)

    def _images(self, first: int, count: int) -> dict[str, Any]:
        from .population import population_head

        settings = self._settings
        number = first // settings.views_per_head
        head = population_head(self._task.templates, number, settings.seed, settings.strength, VOXEL_MM)
        head = Head(head.name, head.ct, head.landmarks.named(settings.landmark_names))
        random = np.random.default_rng([settings.seed, number, *b"views"])
        with _one_thread():
            # All views of a head, also where the last one needs fewer: its images then do not depend on the count.
            made = self._maker.images_of(head, settings.views_per_head, random)
        arrays: dict[str, Any] = {field.name: getattr(made, field.name)[:count] for field in fields(made)}
        attenuation = arrays.pop("attenuation") / np.float32(IMAGE_UNIT)
        arrays["image"] = np.clip(np.rint(attenuation), 0, 65535).astype(np.uint16)
        arrays["camera_points"] = arrays.pop("points").astype(np.float32)
        arrays["pixels"] = arrays["pixels"].astype(np.float32)
        arrays["head"] = np.full(count, number, dtype=np.int64)
        arrays["sample"] = np.arange(first, first + count, dtype=np.int64)
        return arrays


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums of torch come out the same to the last bit only in the same number of threads."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
