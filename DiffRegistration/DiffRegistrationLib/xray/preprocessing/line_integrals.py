"""A detector's counts as line integrals −ln(I/I₀), with the mask of the pixels that hold them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32

from ..errors import InputError
from ..provenance import Provenance
from .collimation import find_collimation
from .open_field import open_field_intensity
from .saturation import saturation_levels, within_range

_SUBJECT = "X-ray image"
# Contrast that a logarithmic image in arbitrary units is given for the search of shutters: e⁴ from air to shutter.
_LOGARITHMIC_RANGE = 4.0
# Where so much of the field is burnt out, that is the open beam and no part of the patient.
_OPEN_BEAM_SHARE = 0.2


@dataclass(frozen=True, eq=False)
class LineIntegrals:
    """Attenuation −ln(I/I₀) (no unit, finite everywhere), where it may be used (True), and what it rests on."""

    attenuation: Float32[np.ndarray, "rows columns"]
    mask: Bool[np.ndarray, "rows columns"]
    provenance: tuple[Provenance, ...]


def line_integrals(
    intensity: Float32[np.ndarray, "rows columns"],
    *,
    unattenuated: float | None = None,
    saturation: tuple[float, float] | None = None,
    mask: Bool[np.ndarray, "rows columns"] | None = None,
) -> LineIntegrals:
    """Line integrals of an image that is linear in dose (bright = more X-rays).

    `unattenuated` is I₀; without it I₀ is estimated (see `open_field_intensity`) and noted as assumed. `saturation` is
    the detector's (floor, ceiling): pixels at or beyond them are masked; without it they are looked for in the image,
    and a white level that much of the field lies on is taken for the open beam, which stays.
    `mask` (True = usable) replaces the search for the collimator's edges. Masked pixels are brought
    into the range of the usable ones. InputError if the image is constant, if nothing usable is left, or if an
    argument cannot be.
    """
    intensity = _image(intensity)
    if unattenuated is not None and not (np.isfinite(unattenuated) and unattenuated > 0):
        raise InputError(_SUBJECT, f"the unattenuated intensity is {unattenuated:g}", "Give a number above zero.")
    if saturation is not None and not saturation[0] < saturation[1]:
        raise InputError(
            _SUBJECT, f"its saturation range is {saturation[0]:g} to {saturation[1]:g}", "Give (floor, ceiling)."
        )
    field, provenance = _field(intensity, intensity, mask)
    levels = saturation or saturation_levels(intensity, field)
    provenance += _saturation_provenance(intensity, field, levels, given=saturation is not None)
    burnt_out = int(np.count_nonzero(intensity[field] >= levels[1]))
    if saturation is None and burnt_out > _OPEN_BEAM_SHARE * np.count_nonzero(field):
        unattenuated = levels[1] if unattenuated is None else unattenuated
        provenance += (Provenance("open beam", f"clipped at {levels[1]:g}, no attenuation", "white level", True),)
        levels = levels[0], np.inf
    usable = field & within_range(intensity, levels)
    if not usable.any():
        raise InputError(
            _SUBJECT,
            "no pixel is left: all lie outside the mask, at or below zero, or at the detector's limits",
            "Check the mask and the exposure, or give the detector's saturation levels.",
        )
    if unattenuated is None:
        open_field = open_field_intensity(intensity, usable)
        provenance += (
            Provenance("unattenuated intensity I₀", f"{open_field:g}", "brightest part of the field", True),
        )
    else:
        open_field = float(unattenuated)
        provenance += (Provenance("unattenuated intensity I₀", f"{open_field:g}", "given"),)
    lowest, highest = intensity[usable].min(), intensity[usable].max()
    held = np.clip(np.where(np.isfinite(intensity), intensity, lowest), lowest, highest)
    return LineIntegrals(-np.log(held / np.float32(open_field)), usable, provenance)


def from_logarithmic(
    values: Float32[np.ndarray, "rows columns"], *, mask: Bool[np.ndarray, "rows columns"] | None = None
) -> LineIntegrals:
    """Line integrals of an image that is logarithmic already (bright = more attenuation), in whatever unit it has.

    Values are kept as they are, except that masked ones are brought into the range of the others. Clipped pixels and
    the collimator are masked as in `line_integrals`, save that a heap on the lowest value is air and stays.
    InputError if the image is constant or if nothing usable is left.
    """
    values = _image(values)
    finite = np.isfinite(values)
    low, high = np.quantile(values[finite], [0.01, 0.99])
    scale = _LOGARITHMIC_RANGE / max(high - low, np.finfo(np.float32).tiny)
    lightness = np.exp(-scale * (np.where(finite, values, high) - low).clip(0, high - low)).astype(np.float32)
    field, provenance = _field(values, lightness, mask)
    _, ceiling = saturation_levels(values, field)
    usable = field & (values < ceiling)
    provenance += _saturation_provenance(values, field, (-np.inf, ceiling), given=False)
    if not usable.any():
        raise InputError(_SUBJECT, "no pixel is left: all lie outside the mask or are clipped", "Check the mask.")
    lowest, highest = values[usable].min(), values[usable].max()
    held = np.clip(np.where(finite, values, highest), lowest, highest).astype(np.float32)
    origin = Provenance("line integrals", "pixel values", "the image is logarithmic already")
    return LineIntegrals(held, usable, (*provenance, origin))


def _image(values: Float32[np.ndarray, "rows columns"]) -> Float32[np.ndarray, "rows columns"]:
    values = np.asarray(values, dtype=np.float32)
    if values.ndim != 2 or values.size == 0:
        raise InputError(_SUBJECT, f"expected rows × columns, got shape {values.shape}", "Give one grey-valued frame.")
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        raise InputError(_SUBJECT, "it holds no finite number", "Check the file that it was read from.")
    if finite.min() == finite.max():
        raise InputError(
            _SUBJECT, f"every pixel is {finite[0]:g}", "Choose a frame that was exposed and is not burnt out."
        )
    return values


def _field(
    image: Float32[np.ndarray, "rows columns"],
    lightness: Float32[np.ndarray, "rows columns"],
    mask: Bool[np.ndarray, "rows columns"] | None,
) -> tuple[Bool[np.ndarray, "rows columns"], tuple[Provenance, ...]]:
    """The finite pixels within the given mask, or within the collimator's edges that `lightness` shows."""
    if mask is None:
        field, origin = find_collimation(lightness), "edges of the collimator in the image"
    elif np.shape(mask) == image.shape:
        field, origin = np.asarray(mask, dtype=bool), "given mask"
    else:
        raise InputError(
            _SUBJECT, f"the mask has shape {np.shape(mask)}, the image {image.shape}", "Give one value for each pixel."
        )
    line = Provenance("field of view", f"{100 * field.mean():.1f} % of the image", origin, assumed=mask is None)
    return field & np.isfinite(image), (line,)


def _saturation_provenance(
    image: Float32[np.ndarray, "rows columns"],
    field: Bool[np.ndarray, "rows columns"],
    levels: tuple[float, float],
    given: bool,
) -> tuple[Provenance, ...]:
    origin = "given" if given else "heap of pixels on one level"
    lines = []
    if np.isfinite(levels[0]):
        share = 100 * np.mean(image[field] <= levels[0]) if field.any() else 0.0
        lines.append(Provenance("black level", f"{levels[0]:g} ({share:.1f} % of the field)", origin, not given))
    if np.isfinite(levels[1]):
        share = 100 * np.mean(image[field] >= levels[1]) if field.any() else 0.0
        lines.append(Provenance("white level", f"{levels[1]:g} ({share:.1f} % of the field)", origin, not given))
    return tuple(lines)
