"""What a registration gives back: the pose, how sure it is, and how it got there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from jaxtyping import Float32, Float64


class Verdict(StrEnum):
    """Whether a pose may be used: as it is, after a look, or not at all."""

    ACCEPTED = "accepted"
    DOUBTFUL = "doubtful"
    FAILED = "failed"


@dataclass(frozen=True)
class Iteration:
    """One step of the solver: pixels were binned by `binning`; `similarity` is that of the pose after the step."""

    binning: int
    number: int
    similarity: float
    residual: float
    rotation_step_deg: float
    translation_step_mm: float
    improved: bool


@dataclass(frozen=True)
class ViewFit:
    """How one view agrees with the pose: `agreement` (1 = identical, 0 = nothing explained), NCC of brightness, the
    part that is `covered`, and why the view was left out of the registration, None where it was not."""

    agreement: float
    correlation: float
    covered: float
    left_out: str | None = None


@dataclass(frozen=True, eq=False)
class RegistrationResult:
    """A pose and everything needed to judge it.

    `pose` is world_from_ct (RAS mm). `covariance` is that of the left increment ξ = (ω rad, v mm) about `centre`, the
    CT's centre in world mm. `similarity` is the correlation of X-ray and DRR (1 = identical) where both see the
    patient. `views` says how each view fits. `drrs` holds one DRR per view on the X-ray's own pixels, if asked for.
    `start` says which start led here, `iterations` the steps from there.
    """

    pose: Float64[np.ndarray, "4 4"]
    verdict: Verdict
    reason: str
    similarity: float
    covariance: Float64[np.ndarray, "6 6"]
    centre: Float64[np.ndarray, "3"]
    seconds: float
    iterations: tuple[Iteration, ...]
    start: str
    views: tuple[ViewFit, ...]
    drrs: tuple[Float32[np.ndarray, "rows columns"], ...]

    @property
    def std(self) -> Float64[np.ndarray, "6"]:
        """Standard deviations of (ω, v) in rad and mm."""
        return np.sqrt(np.diag(self.covariance))
