"""What one registration of one case came to; the line that a run keeps, sums up and shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from ..registration.metrics import GROSS_FAILURE_MM

OURS, NETWORK_ALONE = "ours", "network alone"
NEAR, NONE, NETWORK = "near", "none", "network"


@dataclass(frozen=True)
class Outcome:
    """One registration: of which case, by which method, from which kind of start, how far off, how long it took.

    `start` is "near" (a pose drawn around the truth), "none" (nothing told) or "network" (nothing told but what a
    trained network says); the distances of the start are None where there is none. Errors are those of
    `metrics.PoseError`, of several views the mean of `mpe_mm` and `mrpe_mm`; None where there is no truth for them.
    `verdict` and `reason` are None for methods that pass none. Poses are 4×4 world_from_ct (RAS mm).
    """

    case: int
    method: str
    start: str
    start_rotation_deg: float | None
    start_in_plane_mm: float | None
    start_depth_mm: float | None
    start_mtre_mm: float | None
    mpe_mm: float | None
    mrpe_mm: float
    mtre_mm: float
    rotation_deg: float
    in_plane_mm: float
    depth_mm: float
    verdict: str | None
    reason: str | None
    seconds: float
    pose: list[list[float]]
    truth: list[list[float]]

    @property
    def gross_failure(self) -> bool:
        """Whether the targets are more than 10 mm off."""
        return self.mtre_mm > GROSS_FAILURE_MM

    def as_dict(self) -> dict[str, Any]:
        """The line for JSON."""
        return asdict(self) | {"gross_failure": self.gross_failure}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """The line read back. KeyError when something is missing."""
        return cls(**{field.name: content[field.name] for field in fields(cls)})
