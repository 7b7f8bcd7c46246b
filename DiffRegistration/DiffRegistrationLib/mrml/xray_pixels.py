"""The pixels of an X-ray node and its mask as arrays, checked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import slicer
from jaxtyping import Bool, Float32, Num

from ..xray.errors import InputError
from ..xray.files.pixel_meaning import PixelMeaning, attenuation_of
from ..xray.preprocessing import LineIntegrals
from ..xray.provenance import Provenance
from .attributes import DRR, MASK, OVERLAY, PIXELS, ROLE

ATTENUATION, BONE_BRIGHT, BONE_DARK = "attenuation", "bone-bright", "bone-dark"
# What the values of an X-ray node can be: line integrals, or grey values in which bone is bright or dark.
PIXELS_NAMES = (ATTENUATION, BONE_BRIGHT, BONE_DARK)
_OURS = {reference.rpartition(".")[2].lower() for reference in (DRR, OVERLAY, MASK)}


def is_ours(node: Any) -> bool:
    """Whether a node is a DRR, an overlay or a mask that we made for an X-ray, and so can be none itself."""
    return node.GetAttribute(ROLE) in _OURS


def check_xray(node: Any) -> None:
    """InputError, naming the node, unless it is a volume of one slice with one value a pixel."""
    if node is None or not node.IsA("vtkMRMLScalarVolumeNode"):
        raise InputError(
            "X-ray" if node is None else node.GetName(),
            "no volume was given" if node is None else "is no volume",
            "Choose an image that was loaded as a volume.",
        )
    image = node.GetImageData()
    if image is None or min(image.GetDimensions()) < 1 or image.GetPointData().GetScalars() is None:
        raise InputError(node.GetName(), "holds no image", "Load the X-ray again.")
    if image.GetNumberOfScalarComponents() != 1:
        raise InputError(
            node.GetName(),
            f"is a colour picture ({image.GetNumberOfScalarComponents()} values a pixel), grey values were expected",
            "Export the X-ray itself in grey values (8 or 16 bit), not a screenshot of it; or convert it with the "
            "module Vector to Scalar Volume.",
        )
    if node.IsA("vtkMRMLLabelMapVolumeNode"):
        raise InputError(
            node.GetName(), "is a label map, an X-ray was expected", "Choose the X-ray; a label map can be its mask."
        )
    columns, rows, slices = image.GetDimensions()
    if slices != 1:
        raise InputError(
            node.GetName(),
            f"is a volume of {columns} × {rows} × {slices} voxels, a single image was expected",
            "Choose an X-ray, or load the frames of a sequence as a sequence.",
        )


def size_of(node: Any) -> tuple[int, int]:
    """Size (rows, columns) of an X-ray node. InputError if it is none."""
    check_xray(node)
    columns, rows, _slices = node.GetImageData().GetDimensions()
    return rows, columns


def image_of(node: Any) -> Num[np.ndarray, "rows columns"]:
    """A copy of the values of an X-ray node. InputError if it is none."""
    check_xray(node)
    return np.array(slicer.util.arrayFromVolume(node)[0])


def mask_of(node: Any) -> Bool[np.ndarray, "rows columns"] | None:
    """True where the mask of an X-ray node says that it may be used; None without a mask.

    InputError for a mask of another size and for one that covers everything.
    """
    size = size_of(node)
    mask = node.GetNodeReference(MASK)
    return None if mask is None else mask_array(mask, size)


def mask_array(mask: Any, size: tuple[int, int]) -> Bool[np.ndarray, "rows columns"]:
    """True where a mask (volume node or array) is above zero. InputError unless it fits `size` and leaves some."""
    subject = "mask" if isinstance(mask, np.ndarray) else mask.GetName()
    if isinstance(mask, np.ndarray):
        values = mask
    elif mask.GetImageData() is None:
        raise InputError(subject, "holds no image", "Paint what may be used, or take the mask away.")
    else:
        values = slicer.util.arrayFromVolume(mask)
        values = values[0] if len(values) == 1 else values
    if values.shape != tuple(size):
        raise InputError(
            subject,
            f"the mask has {'×'.join(str(n) for n in values.shape[::-1])} pixels, the X-ray {size[1]}×{size[0]}",
            "Give a mask drawn on this X-ray.",
        )
    usable = np.array(values > 0)
    if not usable.any():
        raise InputError(subject, "the mask covers everything: no pixel is above zero", "Paint what may be used.")
    return usable


def line_integrals_of(
    values: Num[np.ndarray, "rows columns"],
    pixels: str | None,
    mask: Bool[np.ndarray, "rows columns"] | None,
    subject: object,
) -> LineIntegrals:
    """Line integrals of the values of an X-ray node, by the rules for picture files.

    `pixels` is one of PIXELS_NAMES; None takes bone for dark and notes that as assumed. `mask` (True = usable)
    replaces the search for the collimator's edges. InputError, naming `subject`, for values that cannot be used.
    """
    if pixels == ATTENUATION:
        return _as_they_are(values, mask, subject)
    integrals = attenuation_of(values.astype(np.float32), meaning_of(values.dtype, pixels), subject=subject, mask=mask)
    return replace(integrals, provenance=(*meaning_of(values.dtype, pixels).provenance, *integrals.provenance))


def meaning_of(dtype: np.dtype, pixels: str | None) -> PixelMeaning:
    """What pixel values say of the X-rays; those with bright bone are taken for logarithmic, as film and displays."""
    whole = np.issubdtype(dtype, np.integer)
    limits = (float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)) if whole else (-np.inf, np.inf)
    bright = pixels == BONE_BRIGHT
    return PixelMeaning(
        bright,
        bright,
        limits,
        (
            Provenance(
                "polarity",
                "high values are bone" if bright else "low values are bone",
                "usual for raw fluoroscopy" if pixels is None else "given",
                pixels is None,
            ),
            Provenance(
                "pixel intensity relationship",
                "logarithmic" if bright else "linear",
                "usual for that polarity",
                True,
            ),
        ),
    )


def pixels_of(node: Any) -> str:
    """Which of PIXELS_NAMES the values of an X-ray node are; bone dark, as detectors count, where nobody said."""
    said = node.GetAttribute(PIXELS)
    return said if said in PIXELS_NAMES else BONE_DARK


def _as_they_are(
    values: Num[np.ndarray, "rows columns"], mask: Bool[np.ndarray, "rows columns"] | None, subject: object
) -> LineIntegrals:
    attenuation: Float32[np.ndarray, "rows columns"] = values.astype(np.float32)
    finite = np.isfinite(attenuation)
    usable = finite if mask is None else mask
    wrong = int((usable & ~finite).sum()) if usable.any() else attenuation.size
    if wrong:
        raise InputError(
            subject,
            f"{wrong} of its pixels that may be used are NaN or infinite",
            "Leave them out of the mask, or load the X-ray again.",
        )
    return LineIntegrals(attenuation, usable, (Provenance("line integrals", "pixel values", "said of the node"),))
