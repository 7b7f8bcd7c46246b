"""Messages whose paths are those of the manifest, so that what is passed on tells nothing of the machine's folders."""

from __future__ import annotations

import os
from pathlib import Path

from .case_inputs import CaseInputs
from .cohort_case import Problem


def relative_problem(problem: Problem, inputs: CaseInputs | None, source: Path, output: Path) -> Problem:
    """The problem with paths relative to the manifest's folder `source`, or to the cohort's folder `output`."""
    told = (_relative(text, inputs, source, output) for text in (problem.subject, problem.problem, problem.remedy))
    return Problem(*told)


def _relative(text: str, inputs: CaseInputs | None, source: Path, output: Path) -> str:
    # The cohort's folder first: it may lie in the manifest's.
    for folder in dict.fromkeys((output, output.resolve(), source, source.resolve())):
        text = text.replace(f"{folder}{os.sep}", "").replace(str(folder), ".")
    for path in inputs.files if inputs else ():
        if not path.is_relative_to(source):
            text = text.replace(str(path), _from(source, path))
    return text


def _from(source: Path, path: Path) -> str:
    try:
        return os.path.relpath(path, source)
    except ValueError:  # another drive of Windows
        return path.name
