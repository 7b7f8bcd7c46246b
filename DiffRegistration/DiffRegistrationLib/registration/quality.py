"""Whether a pose can be believed: a verdict with its reason, from what the images themselves show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from .result import Verdict


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the verdict rests on.

    `edges` is how well edges agree (`Comparison.agreement` of gradient NCC) at about 2 mm per pixel, fine enough for
    anatomy and coarse enough for noise; `correlation` is NCC of the images, both over the part of the X-ray that the
    CT covers; `covered` is that part of the usable
    X-ray, or the part of the CT's shadow that lies on it if that is larger. `runner_up` is the edge score of the best
    pose that is clearly another one, None if none was tried. `std` is that of (ω rad, v mm) along the camera's (right,
    down, beam) axes.
    """

    edges: float
    correlation: float
    covered: float
    runner_up: float | None
    std: Float64[np.ndarray, "6"]
    converged: bool


# Seen so far: right poses of heads 0.78 and more in simulated X-rays, 0.57 in a real one of a plastic skull. Local
# optima of the right head, most of them below 0.5, can reach 0.77: those are told by rivals and uncertainty.
_EDGES_FAILED, _EDGES_ACCEPTED = 0.15, 0.5
_CORRELATION_FAILED, _CORRELATION_ACCEPTED = 0.2, 0.5
_LEAST_COVERED = 0.2
_MOST_ROTATION_STD_DEG, _MOST_IN_PLANE_STD_MM = 0.4, 0.3
_DEPTH_WORTH_A_WORD_MM = 0.5
_HOPELESS_ROTATION_STD_DEG, _HOPELESS_IN_PLANE_STD_MM = 8.0, 8.0
# A rival counts when what it leaves unexplained is less than this times what the winner leaves.
_CLEAR_LEAD = 1.3


def judge(evidence: Evidence) -> tuple[Verdict, str]:
    """The verdict and, in words for a person, its reason."""
    e = evidence
    if not np.isfinite([e.edges, e.correlation, *e.std]).all():
        return Verdict.FAILED, "the solver left the range of finite numbers"
    if e.covered < _LEAST_COVERED:
        return Verdict.FAILED, f"only {e.covered:.0%} of the CT lies on the usable X-ray"
    if e.edges < _EDGES_FAILED or e.correlation < _CORRELATION_FAILED:
        return Verdict.FAILED, (
            f"the DRR does not look like the X-ray (edges agree to {e.edges:.2f}, brightness to {e.correlation:.2f})"
        )
    rotation, in_plane = np.degrees(e.std[:3]).max(), e.std[3:5].max()
    if rotation > _HOPELESS_ROTATION_STD_DEG or in_plane > _HOPELESS_IN_PLANE_STD_MM:
        return Verdict.FAILED, (
            f"the DRR does not look like the X-ray enough to fix a pose (uncertain by {rotation:.0f}° and "
            f"{in_plane:.0f} mm in-plane)"
        )
    doubts = []
    if e.edges < _EDGES_ACCEPTED:
        doubts.append(f"edges agree only to {e.edges:.2f}")
    if e.correlation < _CORRELATION_ACCEPTED:
        doubts.append(f"brightness agrees only to {e.correlation:.2f}")
    if e.runner_up is not None and 1 - e.runner_up < _CLEAR_LEAD * (1 - e.edges):
        doubts.append(f"another pose looks nearly as good ({e.runner_up:.2f} against {e.edges:.2f})")
    if rotation > _MOST_ROTATION_STD_DEG:
        doubts.append(f"the rotation is uncertain by {rotation:.1f}°")
    if in_plane > _MOST_IN_PLANE_STD_MM:
        doubts.append(f"the in-plane position is uncertain by {in_plane:.1f} mm")
    if not e.converged:
        doubts.append("the solver was still moving when its iterations ended")
    if doubts:
        return Verdict.DOUBTFUL, "; ".join(doubts)
    depth = e.std[5]
    hardly_shown = depth > _DEPTH_WORTH_A_WORD_MM and depth > 3 * in_plane
    return Verdict.ACCEPTED, (
        f"edges agree to {e.edges:.2f} ({_EDGES_ACCEPTED:.2f} is enough) and brightness to {e.correlation:.2f} "
        f"({_CORRELATION_ACCEPTED:.2f} is enough), no rival pose"
        + (f"; depth, which one view hardly shows, is known to ±{2 * depth:.1f} mm at best" if hardly_shown else "")
    )
