"""One exposure: where the source was, which field it shone through, where the head was, and for how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import Camera, PinholeCamera, rigid
from DiffRegistrationLib.xray.radiograph import Radiograph
from jaxtyping import Float64

from .field import Field


@dataclass(frozen=True, eq=False)
class Beam:
    """A frame of a run: `camera` of its image, `field` on the detector, and the pose of the head in it.

    `seconds` is how long it lasted, `mas` its tube current times time if that is known.
    InputError for a scanning slit, for a pose that is none, and for a negative duration.
    """

    name: str
    camera: PinholeCamera
    field: Field
    world_from_ct: Float64[np.ndarray, "4 4"]
    seconds: float = 1.0
    mas: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.camera, PinholeCamera):
            raise InputError(
                f"frame {self.name}", "its source is no point but a scanning slit", "Leave it out of the exposure."
            )
        pose = np.array(self.world_from_ct, dtype=np.float64)
        if pose.shape != (4, 4) or not np.isfinite(pose).all() or not rigid.is_rigid(pose):
            raise InputError(f"frame {self.name}", "the head has no pose in it", "Register it, or leave it out.")
        for what, value in (("duration", self.seconds), ("mAs", self.mas)):
            if value is not None and not (np.isfinite(value) and value >= 0):
                raise InputError(f"frame {self.name}", f"its {what} is {value:g}", "Give a number from 0 on.")

    @property
    def in_ct(self) -> PinholeCamera:
        """The camera as the CT sees it."""
        return self.camera.moved(rigid.inverse(self.world_from_ct))


def beam_of(
    name: str,
    radiograph: Radiograph,
    world_from_ct: Float64[np.ndarray, "4 4"],
    *,
    seconds: float = 1.0,
    mas: float | None = None,
) -> Beam:
    """The beam that made a radiograph, its field bounded by the usable pixels. InputError as in `Beam`."""
    camera: Camera = radiograph.camera
    if not isinstance(camera, PinholeCamera):
        raise InputError(
            f"frame {name}", "its source is no point but a scanning slit", "Leave it out of the exposure."
        )
    return Beam(name, camera, Field.of_mask(radiograph.mask), world_from_ct, seconds, mas)


def amounts(beams: Sequence[Beam]) -> tuple[str, Float64[np.ndarray, "n"]]:
    """How much each counts, and in which unit: mAs where all beams tell theirs, else seconds."""
    mas = [beam.mas for beam in beams if beam.mas is not None]
    if mas and len(mas) == len(beams):
        return "mAs", np.array(mas)
    return "s", np.array([beam.seconds for beam in beams], dtype=np.float64)
