"""From signal to the integers that a radiologist is shown, or that are stored."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from jaxtyping import Float64, UInt

from .limits import check_positive, check_within


class Curve(StrEnum):
    """How signal x in [0, 1] becomes grey, from 0 at 0 to 1 at 1."""

    LINEAR = "linear"
    SQUARE_ROOT = "square-root"
    """√x: quantum noise is then the same everywhere."""
    LOGARITHMIC = "logarithmic"
    """ln(1 + 1000 x) / ln 1001: equal thickness, equal step, over about three decades."""
    SIGMOID = "sigmoid"
    """1.04 x²/(x² + 0.04): film's S over log exposure, half of its way near x = 0.2, flat at both ends."""


@dataclass(frozen=True)
class Display:
    """Grey value = round((2^bits − 1) · g), g = curve(min(max(exposure · signal, 0), 1))^gamma, or 1 − g.

    `exposure` is the part of the full range that the open field reaches; above 1 it burns out. `bone_is_bright` turns
    the grey values over (1 − g), so that much signal is dark. `bits` is 8 … 16, with uint8 for 8 and uint16 above. The
    linear curve with gamma 1 keeps signal/exposure within half a grey value. ValueError for values that cannot be.
    """

    bits: int = 16
    exposure: float = 0.9
    curve: Curve = Curve.LINEAR
    gamma: float = 1.0
    bone_is_bright: bool = False

    def __post_init__(self) -> None:
        if self.bits != int(self.bits):
            raise ValueError(f"bits must be a whole number, got {self.bits}")
        check_within("bits", self.bits, 8, 16)
        check_positive("exposure", self.exposure)
        check_positive("gamma", self.gamma)
        object.__setattr__(self, "curve", Curve(self.curve))

    def apply(self, signal: Float64[np.ndarray, "rows columns"]) -> UInt[np.ndarray, "rows columns"]:
        """Grey values of a relative `signal` (1.0 = open field)."""
        grey = self._grey(np.clip(self.exposure * signal, 0, 1)) ** self.gamma
        if self.bone_is_bright:
            grey = 1 - grey
        return np.rint((2**self.bits - 1) * grey).astype(np.uint8 if self.bits == 8 else np.uint16)

    def _grey(self, x: Float64[np.ndarray, "rows columns"]) -> Float64[np.ndarray, "rows columns"]:
        match self.curve:
            case Curve.LINEAR:
                return x
            case Curve.SQUARE_ROOT:
                return np.sqrt(x)
            case Curve.LOGARITHMIC:
                return np.log1p(1000 * x) / np.log(1001)
            case Curve.SIGMOID:
                return 1.04 * x * x / (x * x + 0.04)
