"""Jobs for real worker processes: the small head as their input, and jobs that do as a test says."""

from __future__ import annotations

import os
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
from DiffRegistrationLib.worker.client import WorkerClient
from DiffRegistrationLib.worker.job import RegisterJob
from DiffRegistrationLib.worker.job_files import write_ct, write_radiograph
from DiffRegistrationLib.worker.messages import Message
from DiffRegistrationLib.xray.geometry import rigid
from DiffRegistrationLib.xray.projector import Projector
from DiffRegistrationLib.xray.radiograph import Radiograph
from fluororeg_runs import camera, head, truth

ENGINE = Path(__file__).parents[2] / "DiffRegistration"
# So much for a machine that is busy with other things.
PATIENCE = 120.0

ACTING = """
import sys, types
module = types.ModuleType("DiffRegistrationLib.worker.register_job")
source = {source!r}
exec(compile(source, "acted_job.py", "exec"), module.__dict__)
sys.modules[module.__name__] = module
"""


def acting(folder: Path, source: str) -> dict[str, str]:
    """An environment in which a RegisterJob does what `source` says instead, which defines run(job, tell)."""
    place = folder / "acting"
    place.mkdir(parents=True, exist_ok=True)
    (place / "sitecustomize.py").write_text(ACTING.format(source=textwrap.dedent(source)), encoding="utf-8")
    return {**os.environ, "PYTHONPATH": str(place)}


def job_folder(folder: Path) -> Path:
    """An empty folder for a job."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def acted(folder: Path) -> RegisterJob:
    """A job that needs no input."""
    return RegisterJob(folder=job_folder(folder / "job"))


def xray(pose: np.ndarray, primary_deg: float = 180.0) -> Radiograph:
    """The head under a pose, with noise."""
    view = camera(primary_deg)
    image = Projector(head()).render(view.rays(), pose)[0].reshape(view.size)
    image = image + np.random.default_rng(2).normal(scale=0.02, size=image.shape)
    return Radiograph(image.astype(np.float32), np.ones(view.size, dtype=bool), view)


def moved(step: int) -> np.ndarray:
    """The head's pose after some steps of a slow motion."""
    centre = rigid.transform_points(truth(), [head().centre])[0]
    return rigid.move_about(centre, np.array([0.02, -0.01, 0.015, 2.0, 1.0, -1.0]) * step, truth())


def inputs(folder: Path, poses: tuple[np.ndarray, ...], angles: tuple[float, ...] = (180.0,)) -> Path:
    """A job's folder with the head and what it looks like under each pose, from all angles."""
    write_ct(job_folder(folder), head())
    for time_index, pose in enumerate(poses):
        for view, angle in enumerate(angles):
            write_radiograph(folder, time_index * len(angles) + view, xray(pose, angle))
    return folder


def heard(
    client: WorkerClient, until: Callable[[Message], bool] = lambda _: False, seconds: float = PATIENCE
) -> list[Message]:
    """What the client says until a message is the one waited for, or until it has no more jobs."""
    ends = time.monotonic() + seconds
    messages: list[Message] = []
    while client.busy:
        for message in client.poll():
            messages.append(message)
            if until(message):
                return messages
        assert time.monotonic() < ends, messages
        time.sleep(0.01)
    return messages


def of(form: type[Message], messages: list[Message]) -> list[Message]:
    """Those of one kind."""
    return [message for message in messages if isinstance(message, form)]


def tree(pid: int) -> list[psutil.Process]:
    """A process and all that it started."""
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that live, and are not merely waiting to be buried."""
    living = []
    for process in processes:
        try:
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                living.append(process)
        except psutil.NoSuchProcess:
            continue
    return living


def seconds_until_gone(processes: list[psutil.Process], most: float = 20.0) -> float:
    """How long some processes go on living."""
    began = time.monotonic()
    while alive(processes):
        assert time.monotonic() < began + most, alive(processes)
        time.sleep(0.02)
    return time.monotonic() - began


@contextmanager
def worker(**options: object) -> Iterator[WorkerClient]:
    """A client with the Python of the tests, whose worker is gone afterwards."""
    with WorkerClient(sys.executable, **options) as client:  # type: ignore[arg-type]
        yield client
