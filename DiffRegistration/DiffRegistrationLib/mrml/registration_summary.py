"""What a registration found, in numbers that a scene can keep."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True)
class RegistrationSummary:
    """Of `registration.workflow.result_as_dict`: `pose` is world_from_ct (4×4, RAS mm), `std` three rad and three mm
    about `centre`, the CT's centre in the world (mm).
    """

    pose: tuple[tuple[float, ...], ...]
    verdict: str
    reason: str
    similarity: float
    std: tuple[float, ...]
    centre: tuple[float, ...]
    start: str
    seconds: float

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """From what the worker, or result.json, says."""
        return cls(
            tuple(tuple(float(x) for x in row) for row in content["pose"]),
            str(content["verdict"]),
            str(content["reason"]),
            _number(content["similarity"]),
            tuple(_number(x) for x in content["std"]),
            tuple(float(x) for x in content["centre"]),
            str(content["start"]),
            float(content["seconds"]),
        )

    def to_json(self) -> str:
        """For a node's attribute."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` made."""
        return cls.from_dict(json.loads(text))


def _number(value: Any) -> float:
    """JSON has no NaN; what is not known comes as null."""
    return float("nan") if value is None else float(value)
