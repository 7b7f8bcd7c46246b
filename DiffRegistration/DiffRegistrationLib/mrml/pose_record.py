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

    `std` are three rad and three mm; it is empty, and numbers are NaN, where nothing is known.
    """

    pose: tuple[tuple[float, ...], ...]
    verdict: str = ""
    reason: str = ""
    similarity: float = float("nan")
    std: tuple[float, ...] = ()
    start: str = ""
    seconds: float = float("nan")

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """From a dictionary with the names of the fields, of which only the pose must be there."""
        return cls(
            tuple(tuple(float(x) for x in row) for row in content["pose"]),
            str(content.get("verdict") or ""),
            str(content.get("reason") or ""),
            _number(content.get("similarity")),
            tuple(_number(x) for x in content.get("std") or ()),
            str(content.get("start") or ""),
            _number(content.get("seconds")),
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


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)
