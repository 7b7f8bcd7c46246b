"""Whether a pose can be believed: a verdict with its reason, from what the images themselves show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from .result import Verdict


@dataclass(frozen=True)
class Standard:
    """By what agreement (`Comparison.agreement`) a pose is judged: that of a similarity on pixels that are, at the
    patient, as wide as `footprint_mm`, or as `footprint_voxels` of the CT. Below `failed` it is wrong, from `accepted`
    on right; brightness counts where `brightness` is True.
    """

    similarity: str
    footprint_mm: float | None
    footprint_voxels: float | None
    failed: float
    accepted: float
    brightness: bool
    words: str


# Fine enough for anatomy and coarse enough for noise. Seen so far: right poses of heads 0.78 and more in simulated
# X-rays, 0.57 in a real one of a plastic skull. Local optima of the right head, most of them below 0.5, can reach
# 0.77: those are told by rivals and uncertainty.
WHOLE = Standard("gradient-ncc", 2.0, None, 0.15, 0.5, True, "edges agree")
# A bone without what surrounds it: only fine structure can agree, and most of what the X-ray shows is something else.
# Seen so far at right poses: 0.08 to 0.2 of a skull in simulated heads, 0.3 to 0.5 of real forearm bones; at wrong
# ones 0.02 and 0.3: an ulna laid on the radius, which only its rivals tell.
CUT_OUT = Standard("local-ncc", None, 1.1, 0.03, 0.08, False, "fine structure agrees")


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the verdict rests on.

    `agreement` is that of the `standard`; `correlation` is NCC of the images, both over the part of the X-ray that the
    CT covers; `covered` is that part of the usable X-ray, or the part of the CT's shadow that lies on it if that is
    larger. `runner_up` is the agreement of the best pose that is clearly another one, None if none was tried. `std` is
    that of (ω rad, v mm) along the camera's (right, down, beam) axes.
    """

    agreement: float
    correlation: float
    covered: float
    runner_up: float | None
    std: Float64[np.ndarray, "6"]
    converged: bool
    standard: Standard = WHOLE


_CORRELATION_FAILED, _CORRELATION_ACCEPTED = 0.2, 0.5
_LEAST_COVERED = 0.2
_MOST_ROTATION_STD_DEG, _MOST_IN_PLANE_STD_MM = 0.4, 0.3
_DEPTH_WORTH_A_WORD_MM = 0.5
_HOPELESS_ROTATION_STD_DEG, _HOPELESS_IN_PLANE_STD_MM = 8.0, 8.0
# A rival counts when what it leaves unexplained is less than this times what the winner leaves; of a bone alone, which
# explains little in any case, when it explains more than this part of what the winner does.
_CLEAR_LEAD, _CLEAR_PART = 1.3, 0.8


def judge(evidence: Evidence) -> tuple[Verdict, str]:
    """The verdict and, in words for a person, its reason."""
    e, standard = evidence, evidence.standard
    if not np.isfinite([e.agreement, e.correlation, *e.std]).all():
        return Verdict.FAILED, "the solver left the range of finite numbers"
    if e.covered < _LEAST_COVERED:
        return Verdict.FAILED, f"only {e.covered:.0%} of the CT lies on the usable X-ray"
    if e.agreement < standard.failed or (standard.brightness and e.correlation < _CORRELATION_FAILED):
        brightness = f", brightness to {e.correlation:.2f}" if standard.brightness else ""
        return Verdict.FAILED, (
            f"the DRR does not look like the X-ray ({standard.words} to {e.agreement:.2f}{brightness})"
        )
    rotation, in_plane = np.degrees(e.std[:3]).max(), e.std[3:5].max()
    if rotation > _HOPELESS_ROTATION_STD_DEG or in_plane > _HOPELESS_IN_PLANE_STD_MM:
        return Verdict.FAILED, (
            f"the DRR does not look like the X-ray enough to fix a pose (uncertain by {rotation:.0f}° and "
            f"{in_plane:.0f} mm in-plane)"
        )
    doubts = []
    if e.agreement < standard.accepted:
        doubts.append(f"{standard.words} only to {e.agreement:.2f}")
    if standard.brightness and e.correlation < _CORRELATION_ACCEPTED:
        doubts.append(f"brightness agrees only to {e.correlation:.2f}")
    if e.runner_up is not None and _is_rival(e.runner_up, e.agreement, standard):
        doubts.append(f"another pose looks nearly as good ({e.runner_up:.2f} against {e.agreement:.2f})")
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
    brightness = (
        f" and brightness to {e.correlation:.2f} ({_CORRELATION_ACCEPTED:.2f} is enough)"
        if standard.brightness
        else ""
    )
    return Verdict.ACCEPTED, (
        f"{standard.words} to {e.agreement:.2f} ({standard.accepted:.2f} is enough){brightness}, no rival pose"
        + (f"; depth, which one view hardly shows, is known to ±{2 * depth:.1f} mm at best" if hardly_shown else "")
    )


def _is_rival(runner_up: float, winner: float, standard: Standard) -> bool:
    if standard.brightness:
        return 1 - runner_up < _CLEAR_LEAD * (1 - winner)
    return runner_up > _CLEAR_PART * winner
