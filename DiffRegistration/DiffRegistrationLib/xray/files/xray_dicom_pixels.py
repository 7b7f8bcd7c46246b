"""From stored DICOM pixels to values whose relation to the X-rays is known, by tags alone.

Modality LUTs change values; windows and VOI LUTs are for the eye and change none.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float32, Num

from ..provenance import Provenance
from .pixel_meaning import PixelMeaning
from .xray_dicom import stored_range
from .xray_dicom_shutters import inside_shutters
from .xray_dicom_tags import FrameTags, tag_name

# Shown like film, bone white; what XA and RF systems show has bone dark.
_FILM_LIKE = {"DX", "CR", "RG", "MG", "IO", "PX"}


def frame_values(
    stored: Num[np.ndarray, "rows columns"], tags: FrameTags, bone_is_bright: bool | None
) -> tuple[Float32[np.ndarray, "rows columns"], PixelMeaning]:
    """Values after the modality LUT, NaN where the tags say there is no image, and what they mean.

    `bone_is_bright`, if given, overrides what the tags say of the polarity of these values.
    """
    padding = _padding(stored, tags)
    lut = tags.value("ModalityLUTSequence")
    limits: tuple[float, float]
    provenance: tuple[Provenance, ...] = ()
    if lut is not None:
        values, limits = _through_table(stored, lut[0])
        slope = 1.0 if values.size == 0 or _rises(lut[0]) else -1.0
        provenance += (Provenance("pixel values", "mapped by a table", tag_name("ModalityLUTSequence")),)
    else:
        slope = tags.number("RescaleSlope") or 1.0
        intercept = tags.number("RescaleIntercept") or 0.0
        values = stored.astype(np.float32) * np.float32(slope) + np.float32(intercept)
        first, last = (slope * end + intercept for end in stored_range(tags.dataset))
        limits = min(first, last), max(first, last)
        if (slope, intercept) != (1.0, 0.0):
            origin = f"{tag_name('RescaleSlope')} and {tag_name('RescaleIntercept')}"
            provenance += (Provenance("pixel values", f"{slope:g} · stored + {intercept:g}", origin),)
    inside, shutters = inside_shutters(tags, stored.shape)
    provenance += shutters
    values[padding | ~inside] = np.nan
    logarithmic, log_line = _logarithmic(tags, has_table=lut is not None)
    bright, polarity_line = _polarity(tags, slope, bone_is_bright)
    return values, PixelMeaning(logarithmic, bright, limits, (*provenance, log_line, polarity_line))


def _padding(stored: Num[np.ndarray, "rows columns"], tags: FrameTags) -> np.ndarray:
    """True where the pixel is padding, not image."""
    first = tags.number("PixelPaddingValue")
    if first is None:
        return np.zeros(stored.shape, dtype=bool)
    last = tags.number("PixelPaddingRangeLimit")
    low, high = sorted((first, first if last is None else last))
    return (stored >= low) & (stored <= high)


def _table(item: Any) -> tuple[np.ndarray, int]:
    """The entries of a LUT and the stored value of the first one."""
    entries, first, bits = (int(number) for number in item.LUTDescriptor)
    entries = entries or 65536
    data = item.LUTData
    if isinstance(data, bytes):
        packed = len(data) == entries and bits <= 8
        data = np.frombuffer(data, dtype=np.uint8 if packed else "<u2")
    return np.asarray(data, dtype=np.float32)[:entries], first


def _through_table(
    stored: Num[np.ndarray, "rows columns"], item: Any
) -> tuple[Float32[np.ndarray, "rows columns"], tuple[float, float]]:
    table, first = _table(item)
    values = table[np.clip(stored.astype(np.int64) - first, 0, len(table) - 1)]
    return values, (float(table.min()), float(table.max()))


def _rises(item: Any) -> bool:
    table, _ = _table(item)
    return bool(table[-1] >= table[0])


def _logarithmic(tags: FrameTags, has_table: bool) -> tuple[bool, Provenance]:
    """Whether values are logarithmic in the intensity of the X-rays."""
    quantity = "pixel intensity relationship"
    relation = tags.text("PixelIntensityRelationship")
    modality = tags.text("Modality") or ""
    named = tag_name("PixelIntensityRelationship")
    if relation == "LIN":
        return False, Provenance(quantity, "linear", f"{named} LIN")
    # PS3.3 C.8.7.1.1.2: the table of an XA image leads back to values proportional to the intensity.
    if relation in ("LOG", "DISP") and has_table and modality in ("XA", "RF"):
        return False, Provenance(quantity, "linear after the table", f"{named} {relation}")
    if relation == "LOG":
        return True, Provenance(quantity, "logarithmic", f"{named} LOG")
    if relation is not None:
        return True, Provenance(quantity, "logarithmic", f"{named} {relation} is made for display", assumed=True)
    if modality in _FILM_LIKE and tags.text("PresentationIntentType") != "FOR PROCESSING":
        return True, Provenance(quantity, "logarithmic", f"usual for {modality} made for display", assumed=True)
    return False, Provenance(quantity, "linear", f"no {named}", assumed=True)


def _polarity(tags: FrameTags, slope: float, bone_is_bright: bool | None) -> tuple[bool, Provenance]:
    """Whether higher values (after the modality LUT, of that slope) mean fewer X-rays."""
    if bone_is_bright is not None:
        return bone_is_bright, _polarity_line(bone_is_bright, "given")
    sign = tags.number("PixelIntensityRelationshipSign")
    if sign in (1.0, -1.0):
        bright = sign * slope < 0
        return bright, _polarity_line(bright, f"{tag_name('PixelIntensityRelationshipSign')} {sign:+.0f}")
    # INVERSE goes with MONOCHROME1 and means the same, so that both together invert once.
    inverted = (
        tags.text("PhotometricInterpretation") == "MONOCHROME1" or tags.text("PresentationLUTShape") == "INVERSE"
    )
    modality = tags.text("Modality") or ""
    intent = tags.text("PresentationIntentType")
    film_like = modality in _FILM_LIKE and intent != "FOR PROCESSING"
    shown = f"{'film-like' if film_like else 'fluoroscopic'} display of {modality or 'this image'}"
    origin = f"{shown}, {'inverted' if inverted else 'not inverted'} by {tag_name('PhotometricInterpretation')}"
    return film_like != inverted, _polarity_line(film_like != inverted, origin, assumed=True)


def _polarity_line(bright: bool, origin: str, assumed: bool = False) -> Provenance:
    return Provenance("polarity", f"{'high' if bright else 'low'} values are bone", origin, assumed)
