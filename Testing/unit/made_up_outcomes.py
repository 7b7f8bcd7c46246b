"""Outcomes as an evaluation might give them, made up from a seed: the figures are nobody's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from DiffRegistrationLib.evaluation.outcome import NEAR, NONE, OURS, Outcome

_IDENTITY = [[float(row == column) for column in range(4)] for row in range(4)]


def outcome(case: int = 0, mtre_mm: float = 0.5, verdict: str | None = "accepted", **other: object) -> Outcome:
    """One outcome of ours from a near start; every field can be given."""
    plain = Outcome(
        case=case,
        method=OURS,
        start=NEAR,
        start_rotation_deg=5.0,
        start_in_plane_mm=10.0,
        start_depth_mm=20.0,
        start_mtre_mm=25.0,
        mpe_mm=0.2,
        mrpe_mm=0.15,
        mtre_mm=mtre_mm,
        rotation_deg=0.1,
        in_plane_mm=0.1,
        depth_mm=0.4,
        verdict=verdict,
        reason=None if verdict is None else "edges agree to 0.91",
        seconds=0.3,
        pose=_IDENTITY,
        truth=_IDENTITY,
    )
    return replace(plain, **other)  # type: ignore[arg-type]


def realistic(cases: int = 120, seed: int = 1) -> list[Outcome]:
    """Ours from near and from no start, and a slower peer without verdicts from near: they miss the more often the
    further off they begin, and what is wrong is mostly doubted."""
    rng = np.random.default_rng(seed)
    found = []
    for method, start, reach, slow in ((OURS, NEAR, 70, 0.3), ("nanodrr", NEAR, 35, 14.0), (OURS, NONE, 0, 0.9)):
        draws = np.random.default_rng(seed + 100)
        for case in range(cases):
            rotation, in_plane, depth = draws.uniform(0, 20), draws.uniform(0, 30), draws.uniform(-60, 60)
            begun = float(np.hypot(np.hypot(in_plane, depth), 1.6 * rotation))
            missed = rng.random() < (1 / (1 + np.exp(-(begun - reach) / 6)) if reach else 0.06)
            across = float(rng.lognormal(np.log(9 if missed else 0.06), 0.8))
            along = float(rng.normal(0, 18 if missed else 0.5))
            turned = float(rng.lognormal(np.log(9 if missed else 0.12), 0.6))
            mtre = float(np.hypot(np.hypot(across, along), 1.2 * turned))
            verdict = None
            if method == OURS:
                odds = (0.05, 0.4, 0.55) if mtre > 10 else (0.4, 0.5, 0.1) if mtre > 2 else (0.93, 0.06, 0.01)
                verdict = str(rng.choice(["accepted", "doubtful", "failed"], p=odds))
            begin = (rotation, in_plane, depth, begun) if start == NEAR else (None,) * 4
            found.append(
                outcome(
                    case,
                    mtre,
                    verdict,
                    method=method,
                    start=start,
                    start_rotation_deg=begin[0],
                    start_in_plane_mm=begin[1],
                    start_depth_mm=begin[2],
                    start_mtre_mm=begin[3],
                    mpe_mm=None if case % 10 == 0 else 1.5 * across,
                    mrpe_mm=across,
                    rotation_deg=turned,
                    in_plane_mm=across,
                    depth_mm=along,
                    seconds=float(rng.lognormal(np.log(slow), 0.25)),
                )
            )
    return found
