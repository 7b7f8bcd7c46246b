"""Cohorts in real processes: what dies on the way costs nothing, on this machine and on a Dask cluster."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest
from DiffRegistrationLib.cohort.outcome import Status
from DiffRegistrationLib.cohort.workflow import CohortProgress, run_cohort
from DiffRegistrationLib.xray.errors import InputError
from test_cohort_run import by_name, write_cohort

PATIENCE = 120.0
posix = pytest.mark.skipif(sys.platform == "win32", reason="signals")


def process_of_the_case() -> psutil.Process:
    """The only process that runs cases."""
    end = time.monotonic() + PATIENCE
    # A process that has just begun is not yet what it will be.
    while time.monotonic() < end:
        children = psutil.Process().children()
        found = [one for one in children if "multiprocessing.spawn" in " ".join(one.cmdline())]
        if found:
            (one,) = found
            return one
        time.sleep(0.01)
    raise AssertionError("no process runs the cases")


def test_a_process_that_is_killed_costs_nothing(tmp_path: Path) -> None:
    manifest = write_cohort(tmp_path, 3)
    told: list[tuple[str, bool]] = []

    def kill(progress: CohortProgress) -> None:
        told.append((progress.case, progress.outcome is not None))
        # The first has hardly begun, the second has just got its case.
        if told.count((progress.case, False)) == 1 and progress.outcome is None and progress.case != "case-3":
            process_of_the_case().kill()

    cohort = run_cohort(manifest, tmp_path / "out", processes=1, watch=kill)
    assert cohort.is_done, [outcome.words for outcome in cohort.outcomes]
    assert [told.count((f"case-{number}", False)) for number in (1, 2, 3)] == [2, 2, 1]
    assert not [one for one in psutil.Process().children() if "multiprocessing.spawn" in " ".join(one.cmdline())]


def test_a_case_that_kills_its_processes_is_failed_and_the_others_are_done(tmp_path: Path) -> None:
    manifest = write_cohort(tmp_path, 3)

    def kill(progress: CohortProgress) -> None:
        if progress.case == "case-2" and progress.outcome is None:
            process_of_the_case().kill()

    cohort = run_cohort(manifest, tmp_path / "out", processes=1, watch=kill)
    found = by_name(cohort)
    assert [found[f"case-{number}"].is_done for number in (1, 2, 3)] == [True, False, True]
    assert found["case-2"].status == Status.FAILED_PROGRAM and "(2 times)" in found["case-2"].words
    again = run_cohort(manifest, tmp_path / "out", processes=1)
    assert again.outcomes == cohort.outcomes and again.skipped == 3
    assert run_cohort(manifest, tmp_path / "out", processes=1, retry_failed=True).is_done


def command(*arguments: object) -> subprocess.Popen[str]:
    """`fluororeg batch` in a process of its own, which Ctrl-C can reach with all that it started."""
    # Where tests run in the background, Ctrl-C is ignored by all that they start unless that asks for it.
    code = (
        "import signal, typer; from DiffRegistrationLib.command_line.batch import batch; "
        "signal.signal(signal.SIGINT, signal.default_int_handler); typer.run(batch)"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@posix
def test_ctrl_c_leaves_table_page_and_what_is_done_and_the_next_run_goes_on(tmp_path: Path) -> None:
    manifest, out = write_cohort(tmp_path, 12), tmp_path / "out"
    process = command(manifest, "--out", out, "--processes", 1)
    until = time.monotonic() + PATIENCE
    while not (out / "case-2" / "outcome.json").exists() and time.monotonic() < until:
        time.sleep(0.02)
    started = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, stderr
    assert "Interrupted" in stderr and "Traceback" not in stderr
    assert not psutil.wait_procs(started, timeout=PATIENCE)[1]
    with (out / "cohort.csv").open(encoding="utf-8", newline="") as file:
        states = [row["status"] for row in csv.DictReader(file)]
    done = states.count("done")
    assert 2 <= done < 12 and states == ["done"] * done + ["not-run"] * (12 - done)
    assert "not run yet" in (out / "index.html").read_text(encoding="utf-8")
    cohort = run_cohort(manifest, out, processes=1)
    assert cohort.is_done and cohort.skipped >= done


def test_no_scheduler_and_no_package_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = write_cohort(tmp_path, 1)
    monkeypatch.setattr("DiffRegistrationLib.cohort.dask_cluster._SCHEDULER_S", 1)
    for address in ("tcp://127.0.0.1:9", "nonsense://x"):
        pytest.importorskip("distributed")
        with pytest.raises(InputError, match=r"no scheduler answers.*dask scheduler") as error:
            run_cohort(manifest, tmp_path / "out", dask=address)
        assert address in error.value.subject
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"not installed.*fluororegistration\[cluster\]"):
        run_cohort(manifest, tmp_path / "out", dask="tcp://127.0.0.1:9")
    assert "not run yet" in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")


@contextmanager
def dask_process(folder: Path, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A part of a cluster, ended at the end; what it says is in a file."""
    with (folder / f"dask-{arguments[0]}.log").open("ab") as log:
        command = [str(Path(sys.executable).with_name("dask")), *arguments, "--no-dashboard", "--host", "127.0.0.1"]
        process = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=folder, env={**os.environ, "NUMBA_NUM_THREADS": "1", **environment}
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def scheduler(folder: Path) -> Iterator[str]:
    """The address of a scheduler without workers."""
    pytest.importorskip("distributed")
    told = folder / "scheduler.json"
    with dask_process(folder, "scheduler", "--port", "0", "--scheduler-file", str(told)) as process:
        until = time.monotonic() + PATIENCE
        while not told.exists() and time.monotonic() < until:
            assert process.poll() is None, (folder / "dask-scheduler.log").read_text(encoding="utf-8")
            time.sleep(0.05)
        # The file is written in one go, but not atomically.
        time.sleep(0.2)
        yield json.loads(told.read_text(encoding="utf-8"))["address"]


@pytest.mark.slow
@posix
def test_fifty_cases_on_dask_lose_none_when_a_worker_is_killed(tmp_path: Path) -> None:
    manifest = write_cohort(tmp_path, 50, ["bad,head.nrrd,camera.json,camera.json,ap"], near=True)
    ended: list[str] = []
    killed_with_a_case: list[str] = []
    with (
        scheduler(tmp_path) as address,
        dask_process(tmp_path, "worker", address, "--nthreads", "1", "--no-nanny") as victim,
        dask_process(tmp_path, "worker", address, "--nthreads", "2", "--no-nanny") as survivor,
    ):

        def kill(progress: CohortProgress) -> None:
            assert progress.outcome is not None
            ended.append(progress.case)
            if len(ended) >= 10 and not killed_with_a_case:
                # Stopped first, so that what it is doing cannot end before it is killed.
                victim.send_signal(signal.SIGSTOP)
                marks = (tmp_path / "out").glob("*/.attempts.json")
                begun = {mark.parent.name for mark in marks}
                # Each worker is at one case at a time: of two that are begun one is the victim's.
                if len(begun) == 2:
                    victim.kill()
                    killed_with_a_case.extend(sorted(begun))
                else:
                    victim.send_signal(signal.SIGCONT)

        on_dask = run_cohort(manifest, tmp_path / "out", dask=address, watch=kill)
        assert victim.wait(PATIENCE) == -signal.SIGKILL and survivor.poll() is None
    assert killed_with_a_case
    assert sorted(ended) == sorted(outcome.case for outcome in on_dask.outcomes) and len(ended) == 51
    assert on_dask.counts == {s.value: {"done": 50, "failed-input": 1}.get(s.value, 0) for s in Status}
    assert not list((tmp_path / "out").glob("*/.*"))

    again = run_cohort(manifest, tmp_path / "out", processes=1)
    assert again.skipped == 51 and again.outcomes == on_dask.outcomes
    # The same without a cluster: what the killed worker had begun, some others, and what cannot be done.
    lines = manifest.read_text(encoding="utf-8").splitlines()
    some = manifest.with_name("some.csv")
    chosen = {*killed_with_a_case, "case-1", "case-17", "case-50", "bad"}
    kept = [line for line in lines[1:] if line.split(",")[0] in chosen]
    some.write_text("\n".join([lines[0], *kept]) + "\n", encoding="utf-8")
    here = by_name(run_cohort(some, tmp_path / "here", processes=2))
    assert set(here) == chosen
    for case, local in here.items():
        outcome = by_name(on_dask)[case]
        assert (outcome.status, outcome.verdict, outcome.words) == (local.status, local.verdict, local.words)
        if outcome.is_done:
            np.testing.assert_allclose(outcome.pose, local.pose, rtol=0, atol=1e-9)
            assert (tmp_path / "out" / outcome.case / "report.html").is_file()


@pytest.mark.slow
@posix
def test_a_case_that_kills_workers_is_failed_after_four(tmp_path: Path) -> None:
    """The workers' own loader of X-rays ends them at a file of a certain name."""
    manifest = write_cohort(tmp_path, 6, near=True)
    (tmp_path / "x-3.nrrd").rename(tmp_path / "deadly.nrrd")
    manifest.write_text(manifest.read_text(encoding="utf-8").replace("x-3.nrrd", "deadly.nrrd"), encoding="utf-8")
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\n"
        "def look(event, arguments):\n"
        "    if event == 'open' and str(arguments[0]).endswith('deadly.nrrd'):\n"
        "        os.kill(os.getpid(), 9)\n"
        "sys.addaudithook(look)\n",
        encoding="utf-8",
    )
    poisoned = {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    with (
        scheduler(tmp_path) as address,
        # With a nanny, which starts a worker anew.
        dask_process(tmp_path, "worker", address, "--nthreads", "1", "--nworkers", "2", **poisoned),
    ):
        cohort = run_cohort(manifest, tmp_path / "out", dask=address)
    found = by_name(cohort)
    deadly = found.pop("case-3")
    assert deadly.status == Status.FAILED_PROGRAM and "(4 times)" in deadly.words
    assert all(outcome.is_done for outcome in found.values()), [outcome.words for outcome in found.values()]
