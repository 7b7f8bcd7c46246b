"""Two methods side by side on the cases that both were given."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .outcome import Outcome
from .summary import SUCCESS_MM, check_one_group


def compared(ours: Sequence[Outcome], peer: Sequence[Outcome]) -> dict[str, float | int]:
    """What differs between one method's outcomes and a peer's, over the cases that both have.

    `median_seconds_ratio` is the median over the cases of peer / ours: above 1, ours is that many times faster.
    `closer` is the fraction of cases in which ours has the smaller mTRE. Every other figure is there once for each
    of the two: medians, and fractions under 2 mm and grossly failed (mTRE > 10 mm).

    ValueError where either has several methods, kinds of start or outcomes of one case, where they share no case, or
    where a time of ours is not positive.
    """
    check_one_group(ours)
    check_one_group(peer)
    other = {outcome.case: outcome for outcome in peer}
    pairs = [(outcome, other[outcome.case]) for outcome in ours if outcome.case in other]
    if not pairs:
        raise ValueError("the two methods share no case")
    if any(mine.seconds <= 0 for mine, _ in pairs):
        raise ValueError("a time of ours is not positive")
    found: dict[str, float | int] = {
        "cases": len(pairs),
        "median_seconds_ratio": float(np.median([theirs.seconds / mine.seconds for mine, theirs in pairs])),
        "closer": float(np.mean([mine.mtre_mm < theirs.mtre_mm for mine, theirs in pairs])),
    }
    for side, name in enumerate(("ours", "peer")):
        shared = [pair[side] for pair in pairs]
        for quantity in ("seconds", "mtre_mm", "in_plane_mm", "rotation_deg"):
            found[f"{name}_median_{quantity}"] = float(np.median([getattr(outcome, quantity) for outcome in shared]))
        found[f"{name}_median_depth_mm"] = float(np.median([abs(outcome.depth_mm) for outcome in shared]))
        found[f"{name}_under_2mm"] = float(np.mean([outcome.mtre_mm < SUCCESS_MM for outcome in shared]))
        found[f"{name}_gross_failure_rate"] = float(np.mean([outcome.gross_failure for outcome in shared]))
    return found
