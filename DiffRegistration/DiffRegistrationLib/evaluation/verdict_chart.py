"""Verdict against truth: whether accepted means right, and failed means wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int
from markupsafe import Markup

from ..registration.metrics import GROSS_FAILURE_MM
from ..registration.result import Verdict
from .chart_axes import panels
from .outcome import Outcome
from .summary import SUCCESS_MM, groups
from .themed_svg import as_svg, colour

TRUTHS = ("< 1 mm", "1–2 mm", "2–10 mm", "> 10 mm")


def verdict_counts(outcomes: Sequence[Outcome]) -> Int[np.ndarray, "3 4"]:
    """Cases by verdict (accepted, doubtful, failed) and by how far off they truly are, as in TRUTHS."""
    counts = np.zeros((len(Verdict), len(TRUTHS)), dtype=int)
    for outcome in outcomes:
        if outcome.verdict is None:
            raise ValueError(f"case {outcome.case} of {outcome.method} has no verdict")
        off = outcome.mtre_mm
        truth = 0 if off < 1 else 1 if off < SUCCESS_MM else 2 if off <= GROSS_FAILURE_MM else 3
        counts[list(Verdict).index(Verdict(outcome.verdict)), truth] += 1
    return counts


def verdict_against_truth(outcomes: Sequence[Outcome]) -> Markup:
    """A matrix for each group that has verdicts: counts, and their share of all cases equally far off. Else empty.

    An accepted pose that is more than 2 mm off is what a verdict exists to prevent: these cells are framed.
    """
    judged = groups(outcome for outcome in outcomes if outcome.verdict is not None)
    if not judged:
        return Markup("")
    from matplotlib.patches import Rectangle

    drawn, axes = panels(len(judged), 250, sharey=True)
    for panel, (name, members) in zip(axes, judged.items(), strict=True):
        counts = verdict_counts(members)
        totals = counts.sum(axis=0)
        for (row, column), count in np.ndenumerate(counts):
            share = count / totals[column] if totals[column] else 0.0
            wrong = row == 0 and column >= 2 and count > 0
            panel.add_patch(Rectangle((column, row), 1, 1, color=colour("heat"), alpha=0.7 * share, linewidth=0))
            # Frames of neighbours do not share a line, so that none hides the other.
            inset = 0.03 if wrong else 0.0
            panel.add_patch(
                Rectangle(
                    (column + inset, row + inset),
                    1 - 2 * inset,
                    1 - 2 * inset,
                    facecolor="none",
                    edgecolor=colour("failed-mark" if wrong else "line"),
                    linewidth=2.4 if wrong else 0.8,
                    zorder=3 if wrong else 2,
                )
            )
            middle = column + 0.5
            panel.text(middle, row + 0.36, str(count), ha="center", va="center", fontsize=14, weight="bold", zorder=4)
            if totals[column]:
                panel.text(middle, row + 0.7, f"{100 * share:.0f} %", ha="center", va="center", fontsize=11, zorder=4)
        panel.set_title(name)
        panel.set(xlim=(0, len(TRUTHS)), ylim=(len(Verdict), 0))
        panel.set_xticks(np.arange(len(TRUTHS)) + 0.5, TRUTHS, fontsize=11)
        panel.set_yticks(np.arange(len(Verdict)) + 0.5, [verdict.value for verdict in Verdict])
        panel.set_xlabel("True mTRE")
        panel.grid(False)
        panel.tick_params(length=0)
        panel.spines[:].set_visible(False)
    return as_svg(drawn, "verdict-against-truth", "Cases by verdict and by how far off they truly are")
