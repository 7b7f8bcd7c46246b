"""What a pixel value says about the X-rays that made it, and line integrals by that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32

from ..errors import InputError
from ..preprocessing import LineIntegrals, from_logarithmic, line_integrals
from ..provenance import Provenance


@dataclass(frozen=True)
class PixelMeaning:
    """Whether values are `logarithmic` in the X-rays' intensity or linear, and whether bone is bright or dark.

    `limits` are the lowest and highest value that the image can hold.
    """

    logarithmic: bool
    bone_is_bright: bool
    limits: tuple[float, float]
    provenance: tuple[Provenance, ...]


def attenuation_of(
    values: Float32[np.ndarray, "rows columns"],
    meaning: PixelMeaning,
    *,
    subject: object,
    unattenuated: float | None = None,
    mask: Bool[np.ndarray, "rows columns"] | None = None,
) -> LineIntegrals:
    """Line integrals −ln(I/I₀) of pixel values, bone high; NaN values are masked.

    `unattenuated` is the pixel value of the open beam. A logarithmic image keeps the scale of its pixel values, which
    no file tells. InputError, naming `subject`, if nothing of the image can be used.
    """
    low, high = meaning.limits
    finite = values[np.isfinite(values)]
    if finite.size and np.isin(finite, (low, high)).all():
        raise InputError(
            subject,
            f"every pixel is at a limit of its range ({low:g} or {high:g}): the image is saturated",
            "Choose a frame that was exposed and is not burnt out.",
        )
    integrals = _integrals(values, meaning, subject, unattenuated, mask)
    usable = integrals.attenuation[integrals.mask]
    if usable.min() == usable.max():
        raise InputError(
            subject,
            f"all {usable.size} pixels that can be used have one value; the others are masked, outside the "
            "collimator or saturated",
            "Choose a frame that was exposed and is not burnt out, and check the mask.",
        )
    return integrals


def _integrals(
    values: Float32[np.ndarray, "rows columns"],
    meaning: PixelMeaning,
    subject: object,
    unattenuated: float | None,
    mask: Bool[np.ndarray, "rows columns"] | None,
) -> LineIntegrals:
    low, high = meaning.limits
    try:
        if meaning.logarithmic:
            open_beam = unattenuated if unattenuated is not None else (0.0 if meaning.bone_is_bright else high)
            difference = values - np.float32(open_beam)
            return from_logarithmic(difference if meaning.bone_is_bright else -difference, mask=mask)
        if meaning.bone_is_bright:
            opened = None if unattenuated is None else low + high - unattenuated
            return line_integrals(np.float32(low + high) - values, unattenuated=opened, mask=mask)
        return line_integrals(values, unattenuated=unattenuated, mask=mask)
    except InputError as error:
        raise InputError(subject, error.problem, error.remedy) from error
