"""One case of a suite: X-rays, the truth behind them, and a start near it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float64

from ..registration.metrics import PoseError, pose_error
from ..registration.starts import Start
from ..xray.ct import CT
from ..xray.geometry import rigid
from ..xray.projector import Projector
from ..xray.radiograph import Radiograph


@dataclass(frozen=True, eq=False)
class Case:
    """Poses are world_from_ct (RAS mm); `start` is the pose near the truth from which the solver may begin."""

    number: int
    radiographs: tuple[Radiograph, ...]
    truth: Float64[np.ndarray, "4 4"]
    start: Float64[np.ndarray, "4 4"]


class Bench(Protocol):
    """What the cases of a suite share, and the cases by number (from 1): same suite, same case."""

    @property
    def projector(self) -> Projector:
        """Of the CT that is registered."""
        ...

    @property
    def targets(self) -> Float64[np.ndarray, "n 3"]:
        """Target points in the CT's frame (RAS mm)."""
        ...

    def case(self, number: int) -> Case:
        """Case `number`, made anew."""
        ...

    def start_from(self, pose: Float64[np.ndarray, "4 4"]) -> Start:
        """What is told to the solver where a pose is told."""
        ...


@dataclass(frozen=True)
class Errors:
    """How far a pose is off: see `metrics.PoseError`; of several views mPE and mRPE are means over them."""

    mpe_mm: float | None
    mrpe_mm: float
    mtre_mm: float
    rotation_deg: float
    in_plane_mm: float
    depth_mm: float


def errors(case: Case, pose: Float64[np.ndarray, "4 4"], ct: CT, targets: Float64[np.ndarray, "n 3"]) -> Errors:
    """Errors of `pose`; in-plane and depth are those of the first view."""
    views = [pose_error(pose, case.truth, targets, ct.centre, radiograph.camera) for radiograph in case.radiographs]
    first: PoseError = views[0]
    detector = [view.mpe_mm for view in views if view.mpe_mm is not None]
    return Errors(
        float(np.mean(detector)) if len(detector) == len(views) else None,
        float(np.mean([view.mrpe_mm for view in views])),
        first.mtre_mm,
        first.rotation_deg,
        first.in_plane_mm,
        first.depth_mm,
    )


def start_distance(case: Case, ct: CT, targets: Float64[np.ndarray, "n 3"]) -> Errors:
    """Errors of the start itself."""
    return errors(case, rigid.orthonormalised(case.start), ct, targets)
