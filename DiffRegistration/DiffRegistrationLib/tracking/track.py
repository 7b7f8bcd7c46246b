"""What a tracking gives back: where each body is in each frame, how sure that is, and how it moved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from ..registration.result import Verdict


@dataclass(frozen=True, eq=False)
class FramePose:
    """What one frame says of one body.

    `pose` is world_from_ct (RAS mm), None where the frame says nothing: no X-ray, none usable, the body not in it.
    `covariance` is that of the left increment ξ = (ω rad, v mm) about the body's centre in the world. `views` are the
    views (from 0) that were used; `start` says where the solver began.
    """

    time: int
    pose: Float64[np.ndarray, "4 4"] | None
    verdict: Verdict
    reason: str
    similarity: float | None
    covariance: Float64[np.ndarray, "6 6"] | None
    views: tuple[int, ...]
    start: str
    seconds: float


@dataclass(frozen=True, eq=False)
class BodyTrack:
    """One body over time: `frames` in the order of time, as the X-rays say.

    `centre` (mm, the CT's frame) is the point that increments turn about. `smoothed` (world_from_ct) are the likeliest
    poses of a body that moves steadily, also across frames that say nothing or failed; NaN before the first and after
    the last frame that says something, where nothing is known.
    """

    name: str
    centre: Float64[np.ndarray, "3"]
    frames: tuple[FramePose, ...]
    smoothed: Float64[np.ndarray, "times 4 4"]

    @property
    def poses(self) -> Float64[np.ndarray, "times 4 4"]:
        """The frames' poses; NaN where a frame says nothing."""
        unknown = np.full((4, 4), np.nan)
        return np.array([unknown if frame.pose is None else frame.pose for frame in self.frames]).reshape(-1, 4, 4)

    @property
    def trusted(self) -> Bool[np.ndarray, "times"]:
        """Frames whose pose did not fail."""
        return np.array([frame.pose is not None and frame.verdict != Verdict.FAILED for frame in self.frames])


@dataclass(frozen=True, eq=False)
class Track:
    """All bodies of a sequence.

    `times` are the frames' numbers in the sequence (their spacing may be uneven), `frames_per_second` is None where
    nobody said it. `stopped` tells that the tracking was ended before its last frame.
    """

    bodies: tuple[BodyTrack, ...]
    times: tuple[int, ...]
    frames_per_second: float | None = None
    stopped: bool = False

    def body(self, name: str) -> BodyTrack:
        """The body of this name; KeyError for another."""
        for body in self.bodies:
            if body.name == name:
                return body
        raise KeyError(name)
