"""An evaluation as a page, with its worst cases simulated once more to be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .outcome import NEAR, OURS, Outcome
from .report import write_evaluation_report
from .robustness import RobustnessRow
from .run import Evaluation
from .worst import WorstCase, worst_case

_WORST = 4


def write_page(path: Path, evaluation: Evaluation, command: str, robustness: Sequence[RobustnessRow] = ()) -> None:
    """Write the HTML report of `evaluation`, which `command` runs again."""
    suite = evaluation.suite
    write_evaluation_report(
        path,
        suite={
            "name": suite.name,
            "version": suite.version,
            "description": suite.description,
            "subject": evaluation.subject,
            "seed": suite.seed,
        },
        summaries=evaluation.summaries,
        outcomes=evaluation.outcomes,
        worst=_worst(evaluation),
        machine=evaluation.machine,
        command=command,
        targets=evaluation.targets,
        robustness=robustness,
    )


def _worst(evaluation: Evaluation) -> list[WorstCase]:
    """The cases of ours that are furthest off, from either kind of start."""
    ours = [outcome for outcome in evaluation.outcomes if outcome.method == OURS]
    chosen: dict[int, Outcome] = {}
    for outcome in sorted(ours, key=lambda o: -o.mtre_mm):
        if len(chosen) < _WORST:
            chosen.setdefault(outcome.case, outcome)
    bench = evaluation.suite.bench(evaluation.subject, evaluation.disturbance)
    shown = []
    for outcome in chosen.values():
        case = bench.case(outcome.case)
        start = case.start if outcome.start == NEAR else None  # a network's pose is not kept
        truth = np.array(outcome.truth)
        assert np.allclose(case.truth, truth), "the case is not the one that was run"
        shown.append(worst_case(bench.projector, case.radiographs, outcome, start))
    return shown
