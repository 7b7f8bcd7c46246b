"""The second look: by a camera turned toward the head that the first look found, upright, and as large as the head.

Where a head lies in an image, how it is rolled and how large it is there need not be learnt together with what it
looks like. Places are those of `NetworkAnswer`: half widths of the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from DiffRegistrationLib.xray.geometry import rigid
from jaxtyping import Float64, Int

from ..atlas.definitions import skull_landmarks

# Half the close-up's width, in root mean square distances of a head's landmarks from their middle.
_HALF_WIDTH = 1.8
# What is on top of a head, and what is below: the way between is upright in a close-up.
_TOP = ("vertex", "bregma", "lambda", "glabella", "opisthocranion")
_BELOW = ("menton", "C2 spinous process", "dens tip", "gonion right", "gonion left", "C1 anterior tubercle")
# A head seen from so far above or below has no side that is up; it is left as it is.
_LEAST_UPRIGHT = 0.25


@dataclass(frozen=True, eq=False)
class Aim:
    """A close-up's camera: `turn` is close_up_from_image, `field` its width over its distance."""

    turn: Float64[np.ndarray, "3 3"]
    field: float

    def after(self, first: Aim) -> Aim:
        """This aim, which was taken in the image of the `first` one, from where that was taken."""
        return Aim(self.turn @ first.turn, self.field)

    def moved(self, across: Float64[np.ndarray, "2"], roll: float, log_size: float) -> Aim:
        """Aimed aside by `across` (half widths), rolled by `roll` (rad), wider by a factor of exp `log_size`."""
        x, y = 0.5 * self.field * across
        off = rigid.rotation_exp(np.array([-y, x, 0.0])) @ rigid.rotation_exp(np.array([0.0, 0.0, roll]))
        return Aim(off @ self.turn, float(self.field * np.exp(log_size)))


def aim_at(places: Float64[np.ndarray, "n 3"], field: float) -> Aim:
    """A close-up of the head whose landmarks (all of them) are at `places` in an image of this `field`."""
    middle = places.mean(axis=0)
    size = float(np.sqrt(((places - middle) ** 2).sum(axis=1).mean()))
    top, below = _ends()
    up = places[top, :2].mean(axis=0) - places[below, :2].mean(axis=0)
    z = np.array([0.5 * field * middle[0], 0.5 * field * middle[1], 1.0])
    z /= np.linalg.norm(z)
    down = np.array([-up[0], -up[1], 0.0]) if np.linalg.norm(up) > _LEAST_UPRIGHT * size else np.array([0.0, 1.0, 0.0])
    down -= (down @ z) * z
    y = down / np.linalg.norm(down)
    return Aim(np.stack([np.cross(y, z), y, z]), _HALF_WIDTH * size * field)


def turned_toward(place: Float64[np.ndarray, "3"], roll: float) -> Float64[np.ndarray, "3 3"]:
    """Rolls by `roll` (rad), then turns so that what was in the middle (on the z axis) lies toward `place`."""
    way = place / np.linalg.norm(place)
    axis = np.cross([0.0, 0.0, 1.0], way)
    sine = float(np.linalg.norm(axis))
    tip = rigid.rotation_exp(axis / sine * np.arctan2(sine, way[2])) if sine > 1e-12 else np.eye(3)
    return tip @ rigid.rotation_exp(np.array([0.0, 0.0, roll]))


@cache
def _ends() -> tuple[Int[np.ndarray, "a"], Int[np.ndarray, "b"]]:
    names = skull_landmarks().names
    top, below = (np.array([names.index(name) for name in group]) for group in (_TOP, _BELOW))
    return top, below
