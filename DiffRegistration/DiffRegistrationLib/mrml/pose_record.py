"""What a tracking found in one frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from jaxtyping import Float64


@dataclass(frozen=True)
class PoseRecord:
    """The pose world_from_ct (4×4, RAS mm) of a frame and how it may be used.

    `std` are three rad and three mm; it is empty, and numbers are NaN, where nothing is known. A frame that says
    nothing has no `covariance` (6×6 in rad and mm, about the CT's centre); its pose was filled in. `smoothed` is the
    likeliest pose of a CT that moves steadily, None where that is not known; `views` (from 0) are those used.
    """

    pose: tuple[tuple[float, ...], ...]
    verdict: str = ""
    reason: str = ""
    similarity: float = float("nan")
    std: tuple[float, ...] = ()
    start: str = ""
    seconds: float = float("nan")
    covariance: tuple[tuple[float, ...], ...] = ()
    smoothed: tuple[tuple[float, ...], ...] | None = None
    views: tuple[int, ...] = ()

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """From a dictionary with the names of the fields, of which only the pose must be there."""
        return cls(
            _rows(content["pose"]),
            str(content.get("verdict") or ""),
            str(content.get("reason") or ""),
            _number(content.get("similarity")),
            tuple(_number(x) for x in content.get("std") or ()),
            str(content.get("start") or ""),
            _number(content.get("seconds")),
            _rows(content.get("covariance") or ()),
            _rows(content["smoothed"]) if content.get("smoothed") else None,
            tuple(int(view) for view in content.get("views") or ()),
        )

    @classmethod
    def of(cls, pose: Any) -> Self:
        """A record as it is, a summary of a registration, or a bare 4×4 array."""
        if isinstance(pose, cls):
            return pose
        if hasattr(pose, "verdict"):
            return cls(pose.pose, pose.verdict, pose.reason, pose.similarity, pose.std, pose.start, pose.seconds)
        return cls.from_dict({"pose": pose})

    @property
    def matrix(self) -> Float64[np.ndarray, "4 4"]:
        """The pose as an array."""
        return np.array(self.pose, dtype=np.float64)

    def shown(self, smoothed: bool) -> Float64[np.ndarray, "4 4"]:
        """The pose to show: the smoothed one where that is wanted and known."""
        return self.matrix if not smoothed or self.smoothed is None else np.array(self.smoothed, dtype=np.float64)


def _rows(matrix: Any) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(_number(x) for x in row) for row in matrix)


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)
