"""A cohort from a manifest to a folder: what the command and scripts call."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..xray.errors import InputError
from ..xray.files.atomic import check_folder_for_writing
from .case_inputs import case_inputs
from .cohort_case import CaseTask, CohortCase, Problem
from .cohort_index import index_template, write_index
from .cohort_table import largest_std, report_path, write_table
from .fingerprint import Fingerprints
from .local_processes import default_process_count, run_in_processes
from .manifest import Manifest, read_manifest
from .outcome import Begun, Ended, Outcome, Status, failed, read_outcome

# Table and page are written now and then on the way, for those who look, and in case of a sudden end.
_WRITE_EVERY_S = 20.0


@dataclass(frozen=True)
class CohortProgress:
    """How far a cohort is: `case` has just begun or, with an `outcome`, ended; `done` of `total` have ended."""

    case: str
    outcome: Outcome | None
    done: int
    total: int


Watch = Callable[[CohortProgress], None]


@dataclass(frozen=True)
class Cohort:
    """Outcomes in the order of the manifest; `skipped` cases were as they are now before; where table and page lie."""

    outcomes: tuple[Outcome, ...]
    skipped: int
    table: Path
    index: Path

    @property
    def counts(self) -> dict[str, int]:
        """How many cases came out how."""
        found = Counter(outcome.status for outcome in self.outcomes)
        return {status.value: found[status] for status in Status}

    @property
    def is_done(self) -> bool:
        """Whether all cases have a pose that did not fail."""
        return all(outcome.is_done for outcome in self.outcomes)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "counts": self.counts,
            "skipped": self.skipped,
            "table": str(self.table),
            "index": str(self.index),
            "cases": [_as_dict(outcome) for outcome in self.outcomes],
        }


def run_cohort(
    manifest: str | Path,
    output: str | Path,
    *,
    processes: int | None = None,
    dask: str | None = None,
    retry_failed: bool = False,
    watch: Watch | None = None,
) -> Cohort:
    """Run the cases of `manifest` into folders below `output`, with cohort.csv and index.html beside them.

    They run in so many `processes` of this machine (None: half as many as cores), or on the workers of the scheduler
    at `dask`. Cases whose outcome belongs to the same line, files and program are left as they are, also failed ones
    unless `retry_failed`. A case that goes wrong does not stop the others. Whatever ends this early, table and page
    tell what there is, and the same call goes on. InputError for a manifest that is none, for a folder that cannot be
    written to, and for a cluster that cannot be used.
    """
    if processes is not None and (dask is not None or processes < 1):
        problem = "is given beside --dask" if dask is not None else f"expected 1 or more, got {processes}"
        raise InputError("--processes", problem, "Leave it out.")
    listed = read_manifest(manifest)
    output = Path(output).absolute()
    index_template()
    check_folder_for_writing(output)
    output.mkdir(parents=True, exist_ok=True)
    run = _Run(listed, output, retry_failed, watch)
    try:
        run.all(processes or default_process_count(), dask)
    except BaseException:
        # What ends the run is what the user must hear of, not that the page could not be written either.
        with suppress(InputError, OSError):
            run.write()
        raise
    return run.write()


class _Run:
    def __init__(self, manifest: Manifest, output: Path, retry_failed: bool, watch: Watch | None) -> None:
        self._manifest, self._output, self._watch = manifest, output, watch
        self._outcomes: dict[int, Outcome] = {}
        self._tasks: list[CaseTask] = []
        self._written = time.monotonic()
        fingerprints = Fingerprints()
        for case in manifest.cases:
            self._add(case, fingerprints, retry_failed)
        self._skipped = sum(1 for outcome in self._outcomes.values() if outcome.fingerprint)

    def _add(self, case: CohortCase, fingerprints: Fingerprints, retry_failed: bool) -> None:
        if case.problem is not None:
            # Only told: the results of an earlier run are good again once a folder that was away is back.
            self._outcomes[case.line] = failed(case, Status.FAILED_INPUT, case.problem)
            return
        try:
            fingerprint = fingerprints.of(case, case_inputs(case, self._manifest.folder))
        except (InputError, OSError) as error:
            problem = Problem(f"line {case.line}", f"its files cannot be read: {error}", "Check the rights to read.")
            self._outcomes[case.line] = failed(case, Status.FAILED_INPUT, problem)
            return
        task = CaseTask(case, self._manifest.folder, self._output, fingerprint)
        found = read_outcome(task.folder, fingerprint)
        if found is not None and (found.is_done or not retry_failed):
            self._outcomes[case.line] = found
        else:
            self._tasks.append(task)

    def all(self, processes: int, dask: str | None) -> None:
        """Run what is not there yet."""
        if not self._tasks:
            return
        # Closed at once, so that processes end also where an interruption comes between two events.
        with closing(_events(self._tasks, processes, dask)) as events:
            for event in events:
                self._note(event)

    def _note(self, event: Begun | Ended) -> None:
        outcome = event.outcome if isinstance(event, Ended) else None
        if outcome is not None:
            self._outcomes[event.task.case.line] = outcome
            if time.monotonic() - self._written > _WRITE_EVERY_S:
                self.write()
        if self._watch is not None:
            done, total = len(self._outcomes), len(self._manifest.cases)
            self._watch(CohortProgress(event.task.case.name, outcome, done, total))

    def write(self) -> Cohort:
        """Write table and page of what there is so far."""
        outcomes = tuple(
            self._outcomes.get(case.line) or Outcome(case.name, case.kind, Status.NOT_RUN)
            for case in self._manifest.cases
        )
        table, index = write_table(self._output, outcomes), write_index(self._output, outcomes)
        self._written = time.monotonic()
        return Cohort(outcomes, self._skipped, table, index)


def _events(tasks: Sequence[CaseTask], processes: int, dask: str | None) -> Generator[Begun | Ended]:
    if dask is None:
        return run_in_processes(tasks, processes)
    from .dask_cluster import run_on_cluster

    return run_on_cluster(tasks, dask)


def _as_dict(outcome: Outcome) -> dict[str, Any]:
    degrees, mm = largest_std(outcome)
    content = {name: value for name, value in outcome.as_dict().items() if name not in ("fingerprint", "program")}
    return content | {"largest_std_deg": degrees, "largest_std_mm": mm, "report": report_path(outcome) or None}
