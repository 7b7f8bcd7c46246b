"""Jobs of landmarks as lines of JSON, what they take where nothing is said, and what each side loads for them."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest
from DiffRegistrationLib.worker.job import Job, job_from_dict
from DiffRegistrationLib.xray.errors import InputError
from LandmarkDetectionLib.worker.job import (
    DetectJob,
    ExposureJob,
    LandmarkTrainJob,
    SkullJob,
    StyleTrainJob,
    TransferJob,
)


@pytest.mark.parametrize(
    "job",
    [
        TransferJob(folder=Path("a"), ct_folder=Path("b"), kept=Path("ü.mrk.json")),
        LandmarkTrainJob(folder=Path("a"), out=Path("a.pt"), landmarks=Path("l.mrk.json"), minutes=3, plain=True),
        LandmarkTrainJob(folder=Path("a"), out=Path("a.pt"), population=True, size=64, batch=8),
        LandmarkTrainJob(folder=Path("a"), out=Path("a.pt"), begin_with=Path("heads.pt")),
        StyleTrainJob(folder=Path("a"), out=Path("s.pt"), xrays=Path("x"), method="cyclegan"),
        DetectJob(folder=Path("a"), model=Path("m.pt"), views=2, numbers=(3, 5), planar=(True, False), names=("A",)),
        DetectJob(folder=Path("a"), model=Path("m.pt"), template=True, depth_mm=750.0),
        SkullJob(folder=Path("a"), out=Path("s.vtp"), run=Path("run.json"), frame=7, view=1),
        ExposureJob(folder=Path("a"), landmarks=Path("l"), out=Path("o"), poses=Path("p.npz"), mas=2, numbers=(1,)),
    ],
)
def test_a_job_is_json_and_comes_back_as_it_was(job: Job) -> None:
    assert job_from_dict(json.loads(json.dumps(job.to_dict(), allow_nan=False))) == job


def test_a_job_of_a_package_that_is_none_is_refused() -> None:
    for package, kind in (
        ("LandmarkDetectionLib.worker", "register"),
        ("DiffRegistrationLib.worker", "detect"),
        ("NobodysLib.worker", "detect"),
        ("LandmarkDetectionLib", "detect"),
        ("os", "detect"),
        (".worker", "detect"),
        (None, "detect"),
        ("LandmarkDetectionLib.worker", ["detect"]),
    ):
        with pytest.raises(InputError, match="known kind"):
            job_from_dict({"package": package, "kind": kind, "folder": "a"})


LOADING = """
import importlib, pkgutil, sys
for name in {absent!r}:
    sys.modules[name] = None
from DiffRegistrationLib.worker.worker_process import package_folders
print(*package_folders(), sep="\\n")
assert not sys.modules.get("LandmarkDetectionLib")
for name in {names!r}:
    module = importlib.import_module(name)
    for each in pkgutil.iter_modules(getattr(module, "__path__", ())):
        importlib.import_module(name + "." + each.name)
loaded = [name for name in {heavy!r} if sys.modules.get(name)]
assert not loaded, loaded
"""


@pytest.mark.parametrize(
    ("names", "absent", "heavy"),
    [
        # All of it, where there is neither Slicer nor torch nor the command's packages.
        (("LandmarkDetectionLib.worker",), ("slicer", "vtk", "qt", "ctk", "torch", "typer", "rich"), ()),
        # What a window loads must not make it wait.
        (
            ("LandmarkDetectionLib.worker.job", "LandmarkDetectionLib.detection.landmark_run"),
            (),
            ("torch", "numba", "scipy", "SimpleITK"),
        ),
        # The other module alone.
        ((), ("LandmarkDetectionLib",), ()),
    ],
)
def test_each_side_loads_only_what_it_needs_and_a_worker_has_both_packages(
    names: tuple[str, ...], absent: tuple[str, ...], heavy: tuple[str, ...]
) -> None:
    code = LOADING.format(names=names, absent=absent, heavy=heavy)
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    here = Path(__file__).parents[2]
    both = [str(here / name) for name in ("DiffRegistration", "LandmarkDetection")]
    assert ended.stdout.split("\n")[:-1] == both[: 1 if "LandmarkDetectionLib" in absent else 2]


def test_what_is_not_said_is_what_the_commands_take() -> None:
    from LandmarkDetectionLib.command_line import landmarks, style

    usual = {name: one.default for name, one in inspect.signature(landmarks.train).parameters.items()}
    job = LandmarkTrainJob(folder=Path(), out=Path())
    assert all(getattr(job, name) == usual[name] for name in ("views", "population", "landmarks", "plain", "seed"))
    usual = {name: one.default for name, one in inspect.signature(style.train).parameters.items()}
    other = StyleTrainJob(folder=Path(), out=Path(), xrays=Path())
    assert all(getattr(other, name) == usual[name] for name in ("views", "method", "size", "minutes", "seed"))
