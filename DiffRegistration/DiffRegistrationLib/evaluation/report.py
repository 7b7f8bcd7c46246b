"""One self-contained HTML page of an evaluation: its figures, charts, verdicts, worst cases, and all cases."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from ..report.encode import data_uri
from ..report.page_template import page_template
from ..xray.files.atomic import atomic_write, check_file_for_writing
from . import figures_in_words as words
from .comparison import compared
from .outcome import Outcome
from .robustness import RobustnessRow
from .summary import Summary, groups
from .target import Target
from .worst import WorstCase

_SUITE = ("name", "version", "description", "subject", "seed")


@dataclass(frozen=True)
class _Comparison:
    """A table of two methods side by side."""

    ours: str
    peer: str
    both: tuple[tuple[str, str], ...]
    sides: tuple[tuple[str, str, str], ...]


def write_evaluation_report(
    path: str | Path,
    *,
    suite: Mapping[str, object],
    summaries: Mapping[str, Summary],
    outcomes: Sequence[Outcome],
    worst: Sequence[WorstCase],
    machine: Mapping[str, object],
    command: str,
    targets: Sequence[Target] = (),
    robustness: Sequence[RobustnessRow] = (),
) -> None:
    """Write the report of an evaluation as one HTML file that needs nothing but a browser.

    `suite` tells name, version, description, subject and seed. `summaries` are keyed as `groups` names them ("ours,
    near"); the first heads the page, and methods other than its own are put beside it where they had the same kind of
    start. `machine` is what the run was measured on (a nested mapping, such as package versions, becomes one line),
    `command` the command line that gives the same run again. Nothing here may name a patient. The file appears whole
    or not at all. InputError if jinja2 or matplotlib is missing or the file cannot be written, ValueError if `suite`
    or `summaries` leave something out.
    """
    check_file_for_writing(path)
    missing = [key for key in _SUITE if key not in suite]
    if missing:
        raise ValueError(f"the suite tells no {', '.join(missing)}")
    found = groups(outcomes)
    if not found or set(found) != set(summaries):
        raise ValueError(f"summaries of {list(summaries)} for outcomes of {list(found)}")
    template = page_template(Path(__file__).parent, "evaluation.html", "The report", "evaluation")
    from .charts import all_charts  # needs markupsafe, which comes with jinja2
    from .scatter_charts import anchor

    first = next(iter(summaries))
    judged = {name: one for name, one in summaries.items() if one["accepted"] is not None}
    page = template.render(
        suite=suite,
        sentence=words.headline(first, summaries[first], suite, targets),
        tone="doubtful" if not targets else "accepted" if all(target.met for target in targets) else "failed",
        targets=targets,
        names=list(summaries),
        errors=words.rows(words.ERRORS, summaries),
        judged=list(judged),
        verdicts=words.rows(words.VERDICTS, judged),
        comparisons=_comparisons(found, first),
        charts=all_charts(outcomes),
        robustness=[_robustness(row) for row in robustness],
        worst=[
            {"case": one, "pictures": [(title, data_uri(picture), picture.shape) for title, picture in one.pictures]}
            for one in worst
        ],
        outcomes=sorted(outcomes, key=lambda outcome: -outcome.mtre_mm),
        anchor=anchor,
        machine=_flat(machine),
        command=command,
        made=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        version=_version(),
    )
    with atomic_write(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _comparisons(found: Mapping[str, Sequence[Outcome]], first: str) -> list[_Comparison]:
    """The first group's method beside every other one, for each kind of start and on the cases that both had."""
    method = found[first][0].method
    tables = []
    for (ours, mine), (peer, theirs) in itertools.product(found.items(), found.items()):
        same_start = mine[0].start == theirs[0].start
        if mine[0].method != method or theirs[0].method == method or not same_start:
            continue
        if not {outcome.case for outcome in mine} & {outcome.case for outcome in theirs}:
            continue
        figures = compared(mine, theirs)
        tables.append(
            _Comparison(
                ours,
                peer,
                tuple((text, words.shown(figures[key], unit)) for text, key, unit in words.COMPARISON),
                tuple(
                    (text, words.shown(figures[f"ours_{key}"], unit), words.shown(figures[f"peer_{key}"], unit))
                    for text, key, unit in words.SIDES
                ),
            )
        )
    return tables


def _robustness(row: RobustnessRow) -> dict[str, Any]:
    """A line of the table: cells in words, and fractions (0–1) for the bars beside them."""
    found = row.summary
    cases, accepted, false = found["cases"], found["accepted"], found["over_2mm_accepted"]
    assert isinstance(cases, int)

    def part(count: object) -> tuple[str, float | None]:
        return (words.ABSENT, None) if not isinstance(count, int) else (str(count), count / cases)

    return {
        "disturbance": row.disturbance,
        "words": row.words,
        "cases": cases,
        "median": words.shown(found["median_mtre_mm"], " mm"),
        "p95": words.shown(found["p95_mtre_mm"], " mm"),
        "bars": (
            ("good", words.shown(found["under_2mm"], " %"), found["under_2mm"]),
            ("bad", words.shown(found["gross_failure_rate"], " %"), found["gross_failure_rate"]),
            ("good", *part(accepted)),
            ("bad", *part(false)),
        ),
    }


def _flat(machine: Mapping[str, object]) -> list[tuple[str, str]]:
    lines = []
    for key, value in machine.items():
        text = ", ".join(f"{name} {one}" for name, one in value.items()) if isinstance(value, Mapping) else str(value)
        lines.append((key.replace("_", " ").capitalize(), text or words.ABSENT))
    return lines


def _version() -> str:
    try:
        return metadata.version("fluororegistration")
    except metadata.PackageNotFoundError:  # inside Slicer the engine lies in the module's folder, not in site-packages
        return ""
