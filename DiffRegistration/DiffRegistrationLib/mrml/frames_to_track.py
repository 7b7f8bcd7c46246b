"""Which frames of X-ray sequences a tracking follows the CT through, and how what it found comes into the scene."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from ..xray.errors import InputError
from .job_results import Tracked
from .pose_record import PoseRecord
from .pose_sequence import numbers_of, pose_sequence, poses_of_frames
from .scene_track import smoothed_anew
from .xray_sequence import index_values_of

# How many frames a message names.
_NAMED = 6


@dataclass(frozen=True)
class FramesToTrack:
    """Frames by their `places` in the X-rays' sequences (from 0, in order), their index values and their numbers.

    `key_frame` is a place among those; None lets the tracking try a few. `order` are the index values of all frames.
    """

    places: tuple[int, ...]
    index_values: tuple[str, ...]
    numbers: tuple[int, ...]
    key_frame: int | None
    order: tuple[str, ...]

    @classmethod
    def of(cls, nodes: Sequence[Any], frames: Sequence[int] | None = None, key_frame: int | None = None) -> Self:
        """Places `frames` (all if None) of X-ray nodes that were taken in step; `key_frame` is a place, too.

        InputError for no X-ray, sequences with different frames, and frames that are not there.
        """
        check_in_step(nodes)
        order = index_values_of(nodes[0])
        numbers = numbers_of(order)
        places = tuple(range(len(order)) if frames is None else sorted({int(frame) for frame in frames}))
        # Says which frame is not there.
        index_values_of(nodes[0], places)
        if not places:
            raise InputError("frames", "none was given", "Give one frame at least.")
        if key_frame is not None and key_frame not in places:
            raise InputError(
                f"key frame {key_frame}",
                "is none of the frames that are to be followed",
                "Choose one of them, or widen the range.",
            )
        return cls(
            places,
            tuple(order[place] for place in places),
            tuple(numbers[place] for place in places),
            None if key_frame is None else places.index(key_frame),
            tuple(order),
        )

    def put_into_scene(
        self,
        ct_node: Any,
        content: Mapping[str, Any],
        browser: Any,
        *,
        smoothed: bool = False,
        keep_others: bool = False,
        frames_per_second: float | None = None,
    ) -> Tracked:
        """Let the X-rays' `browser` play what a TrackJob has found (`content`).

        With `keep_others` frames that were not done now keep what they had, and all are smoothed together.
        """
        keys = {"poses": "pose", "verdicts": "verdict", "reasons": "reason", "similarities": "similarity"}
        keys |= {"std": "std", "starts": "start", "seconds": "seconds", "covariances": "covariance"}
        keys |= {"smoothed": "smoothed", "views": "views"}
        records = tuple(
            PoseRecord.from_dict({name: content[key][number] for key, name in keys.items()})
            for number in range(content["frames"])
        )
        frames = tuple(self.index_values[place] for place in content["times"])
        found = dict(zip(frames, records, strict=True))
        before = poses_of_frames(ct_node) if keep_others else None
        if before is not None:
            both = {**before.records, **found}
            found = smoothed_anew(ct_node, {frame: both[frame] for frame in self.order if frame in both})
            frames_per_second = frames_per_second or before.frames_per_second
        _sequence, used = pose_sequence(
            ct_node,
            list(found.values()),
            list(found),
            browser,
            smoothed=smoothed,
            frames_per_second=frames_per_second,
        )
        records = tuple(found[frame] for frame in frames)
        return Tracked(records, ct_node.GetParentTransformNode(), used, frames, bool(content["stopped"]))


def check_in_step(nodes: Sequence[Any]) -> None:
    """InputError for no X-ray, and for sequences whose frames differ, which it names."""
    if not nodes:
        raise InputError("X-rays", "none was given", "Give at least one X-ray sequence.")
    first = index_values_of(nodes[0])
    for node in nodes[1:]:
        frames = index_values_of(node)
        lacking, more = [f for f in first if f not in frames], [f for f in frames if f not in first]
        differences = [f"lacks {_named(lacking)}"] * bool(lacking) + [f"has {_named(more)} beside"] * bool(more)
        if differences:
            raise InputError(
                node.GetName(),
                f"is out of step with {nodes[0].GetName()}: of its frames it {' and '.join(differences)}",
                "Choose sequences that have the same frames, or follow the CT through one of them.",
            )


def _named(frames: Sequence[str]) -> str:
    more = f" and {len(frames) - _NAMED} more" if len(frames) > _NAMED else ""
    return f"frame{'s' * (len(frames) > 1)} {', '.join(frames[:_NAMED])}{more}"
