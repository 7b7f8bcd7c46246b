"""One page of a cohort: how many came out how, and a table that leads to each case's report."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from .. import __version__
from ..report.page_template import page_template
from ..xray.files.atomic import atomic_write
from .cohort_table import TABLE, largest_std, report_path
from .outcome import Outcome, Status
from .thumbnail import THUMBNAIL

if TYPE_CHECKING:
    import jinja2

INDEX = "index.html"
# What a case is counted as, in the order of the page: tone of the house, sign, words.
_KINDS = {
    "accepted": ("accepted", "✓", "accepted"),
    "doubtful": ("doubtful", "!", "doubtful"),
    "failed": ("failed", "✕", "pose failed"),
    Status.FAILED_INPUT.value: ("failed", "✕", "bad input"),
    Status.FAILED_PROGRAM.value: ("failed", "✕", "program failed"),
    Status.NOT_RUN.value: ("waiting", "–", "not run yet"),
}


def index_template() -> jinja2.Template:
    """The page's template. InputError if jinja2 is missing."""
    return page_template(Path(__file__).parent, "cohort_index.html", INDEX)


def write_index(folder: Path, outcomes: Sequence[Outcome]) -> Path:
    """Write index.html, which needs nothing but a browser and, for its links, the cases' folders beside it."""
    path = folder / INDEX
    counts = Counter(map(_kind, outcomes))
    page = index_template().render(
        total=len(outcomes),
        counts=[(counts[kind], *look) for kind, look in _KINDS.items() if counts[kind]],
        tone=_tone(counts),
        cases=[_shown(number, outcome, folder) for number, outcome in enumerate(outcomes)],
        table=TABLE,
        made=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        version=__version__,
    )
    with atomic_write(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


def _kind(outcome: Outcome) -> str:
    if outcome.status in (Status.DONE, Status.FAILED_POSE) and outcome.verdict in _KINDS:
        return outcome.verdict
    return outcome.status.value


def _tone(counts: Counter[str]) -> str:
    if not counts["accepted"] and not counts["doubtful"]:
        return "failed"
    return "accepted" if counts["accepted"] == counts.total() else "doubtful"


def _shown(number: int, outcome: Outcome, folder: Path) -> dict[str, Any]:
    kind = _kind(outcome)
    tone, sign, words = _KINDS[kind]
    degrees, mm = largest_std(outcome)
    report = report_path(outcome)
    return {
        "name": outcome.case,
        "number": number,
        "link": quote(report) if report else None,
        "picture": _picture(folder / outcome.case / THUMBNAIL) if outcome.report else None,
        "rank": list(_KINDS).index(kind),
        "mark": {"tone": tone, "sign": sign, "words": words},
        "similarity": outcome.similarity,
        "degrees": degrees,
        "mm": mm,
        "seconds": outcome.seconds,
        "words": outcome.words,
    }


def _picture(path: Path) -> str | None:
    """The picture in the page itself: pages on a disk may not show what lies beside them."""
    try:
        return "data:image/jpeg;base64," + base64.b64encode(path.read_bytes()).decode("ascii")
    except OSError:
        return None
