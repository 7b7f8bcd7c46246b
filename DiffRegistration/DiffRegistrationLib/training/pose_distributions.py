"""Where the CT may be before the camera: C-arms in their ranges, or a Gaussian cloud about one pose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float64

from ..xray.geometry import rigid
from ..xray.geometry.named_views import rotation_of_view

Interval = tuple[float, float]

# Half a turn apart a head looks alike to a network; within a right angle it does not.
_WIDEST_ASPECT_DEG = 90.0


class PoseDistribution(Protocol):
    """Poses of the CT's centre and axes in the camera's frame (x right, y down, z along the beam; mm)."""

    @property
    def middle(self) -> Float64[np.ndarray, "4 4"]:
        """Camera from a frame with the CT's axes and its centre as origin, in the middle of all."""
        ...

    @property
    def aspects(self) -> Float64[np.ndarray, "aspects 3 3"]:
        """Rotations in the middles of parts so small that a network can tell a pose of each from one look."""
        ...

    def drawn(self, random: np.random.Generator) -> Float64[np.ndarray, "4 4"]:
        """One such pose."""
        ...


@dataclass(frozen=True)
class CArmRanges:
    """A C-arm about a patient, each value evenly within its interval, any of `views` at its zero angles.

    The patient is turned about the long axis (as by the primary angle), tilted toward the source (as by the secondary
    one) and rolled in the image; the centre lies `across_mm` and `along_mm` (right and down in the image) off the
    beam's axis, `source_object_mm` from the source.
    """

    views: tuple[str, ...]
    turn_deg: Interval
    tilt_deg: Interval
    roll_deg: Interval
    across_mm: Interval
    along_mm: Interval
    source_object_mm: Interval

    @property
    def middle(self) -> Float64[np.ndarray, "4 4"]:
        """The first view at zero angles, in the middle of the distances."""
        return rigid.rigid(rotation_of_view(self.views[0]), [0, 0, float(np.mean(self.source_object_mm))])

    @property
    def aspects(self) -> Float64[np.ndarray, "aspects 3 3"]:
        """Each view, turned to the middles of equal parts of its turns."""
        low, high = self.turn_deg
        parts = max(1, int(np.ceil((high - low) / _WIDEST_ASPECT_DEG)))
        middles = low + (np.arange(parts) + 0.5) * (high - low) / parts
        # One part keeps its view as it is, whatever its interval's middle: turns about it are small.
        turns = [0.0] if parts == 1 else middles
        return np.stack(
            [
                rigid.rotation_exp(np.radians(turn) * np.array([0.0, 1.0, 0.0])) @ rotation_of_view(view)
                for view in self.views
                for turn in turns
            ]
        )

    def drawn(self, random: np.random.Generator) -> Float64[np.ndarray, "4 4"]:
        """One pose."""
        view = self.views[random.integers(len(self.views))]
        turn, tilt, roll, *place = (
            random.uniform(*interval)
            for interval in (
                *(self.turn_deg, self.tilt_deg, self.roll_deg),
                *(self.across_mm, self.along_mm, self.source_object_mm),
            )
        )
        rotation = rotation_of_view(view)
        for axis, degrees in ((1, turn), (0, tilt), (2, roll)):
            rotation = rigid.rotation_exp(np.radians(degrees) * np.eye(3)[axis]) @ rotation
        return rigid.rigid(rotation, place)


@dataclass(frozen=True)
class GaussianTwists:
    """Twists in se(3) about a view, as DiffPose draws them: standard deviations about and along the camera's axes."""

    view: str
    rotation_deg: tuple[float, float, float]
    translation_mm: tuple[float, float, float]
    source_object_mm: float

    @property
    def middle(self) -> Float64[np.ndarray, "4 4"]:
        """The view itself."""
        return rigid.rigid(rotation_of_view(self.view), [0, 0, self.source_object_mm])

    @property
    def aspects(self) -> Float64[np.ndarray, "aspects 3 3"]:
        """The view alone."""
        return rotation_of_view(self.view)[None]

    def drawn(self, random: np.random.Generator) -> Float64[np.ndarray, "4 4"]:
        """One pose; the rotation is about the CT's centre."""
        twist = random.normal(size=6) * [*np.radians(self.rotation_deg), *self.translation_mm]
        return rigid.move_about(self.middle[:3, 3], twist, self.middle)
