"""DICOM X-ray files: is it an X-ray at all, how many frames has it, and its pixels decoded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Num

from ..errors import InputError

if TYPE_CHECKING:
    from pydicom import Dataset

_XRAY_MODALITIES = {"XA", "RF", "DX", "CR", "RG", "XC", "MG", "IO", "PX", "RTIMAGE", "OT", "SC", "HC", ""}
# X-Ray 3D Angiographic, X-Ray 3D Craniofacial and Breast Tomosynthesis hold volumes under an X-ray's modality.
_VOLUMES = {
    "1.2.840.10008.5.1.4.1.1.13.1.1",
    "1.2.840.10008.5.1.4.1.1.13.1.2",
    "1.2.840.10008.5.1.4.1.1.13.1.3",
}
_DAMAGED = "Export or copy the file anew; it seems to be damaged or incomplete."


def is_dicom(path: Path) -> bool:
    """Whether the file bears DICOM's mark."""
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


@contextmanager
def values_unquoted() -> Iterator[None]:
    """pydicom quotes values against the rules in warnings and in its log; UIDs among them identify the patient."""
    from pydicom.config import disable_value_validation

    with disable_value_validation():
        yield


def read_header(path: Path) -> Dataset:
    """All attributes but the pixels of an X-ray. InputError if it is damaged, in colour or no X-ray."""
    from pydicom import dcmread

    try:
        with values_unquoted():
            dataset = dcmread(path, stop_before_pixels=True)
            _check_kind(dataset, path)
            _check_grey(dataset, path)
            # Numbers that are none are found out here, not in the middle of the work.
            _ = int(dataset.Rows), int(dataset.Columns), frames_in(dataset), stored_range(dataset)
    except InputError:
        raise
    except Exception as error:  # damage breaks pydicom in many ways
        raise InputError(path, "its DICOM header cannot be read", _DAMAGED) from error
    return dataset


def is_localizer(dataset: Dataset) -> bool:
    """Whether it is a CT localizer (scout, topogram, surview)."""
    kinds = dataset.get("ImageType") or []
    kinds = [kinds] if isinstance(kinds, str) else kinds
    return dataset.get("Modality") == "CT" and "LOCALIZER" in [str(kind).upper() for kind in kinds]


def frames_in(dataset: Dataset) -> int:
    """Number of frames."""
    return int(dataset.get("NumberOfFrames") or 1)


def stored_range(dataset: Dataset) -> tuple[float, float]:
    """Lowest and highest value that the pixels can have."""
    bits = int(dataset.get("BitsStored") or dataset.get("BitsAllocated") or 16)
    if dataset.get("PixelRepresentation"):
        return -float(2 ** (bits - 1)), float(2 ** (bits - 1) - 1)
    return 0.0, float(2**bits - 1)


def decode_frames(path: Path, dataset: Dataset, frames: Sequence[int]) -> Num[np.ndarray, "frames rows columns"]:
    """Stored pixel values of the named frames, decompressed but otherwise as they are.

    InputError if the pixels are missing or cut off, or if no installed decoder knows their compression.
    """
    from pydicom.pixels import pixel_array

    count = frames_in(dataset)
    try:
        with values_unquoted():
            if len(frames) == 1:
                pixels = pixel_array(path, index=frames[0])[None]
            else:
                pixels = pixel_array(path).reshape(count, dataset.Rows, dataset.Columns)[list(frames)]
    except MemoryError as error:
        raise InputError(path, f"its {count} frames do not fit into memory", "Read fewer frames at a time.") from error
    except Exception as error:  # each decoder has exceptions of its own
        raise _undecodable(path, dataset, error) from error
    if pixels.shape[1:] != (dataset.Rows, dataset.Columns):
        raise InputError(
            path,
            f"its pixels make {pixels.shape[2]}×{pixels.shape[1]}, its tags say {dataset.Columns}×{dataset.Rows}",
            _DAMAGED,
        )
    return pixels


def _undecodable(path: Path, dataset: Dataset, error: Exception) -> InputError:
    from pydicom.pixels import get_decoder

    syntax = dataset.file_meta.get("TransferSyntaxUID")
    name = syntax.name if syntax is not None else "unknown compression"
    try:
        known = syntax is not None and get_decoder(syntax).is_available
    except NotImplementedError:
        known = False
    if not known:
        return InputError(
            path,
            f"no installed decoder reads {name}",
            "Install python-gdcm, or convert the file to an uncompressed or JPEG one.",
        )
    return InputError(path, f"its pixels ({name}) are missing, cut off or damaged", _DAMAGED)


def _check_kind(dataset: Dataset, path: Path) -> None:
    modality = str(dataset.get("Modality") or "")
    if modality == "CT" and not is_localizer(dataset):
        raise InputError(
            path,
            "is a CT slice; an X-ray image or a CT localizer (ImageType LOCALIZER) was expected",
            "Give the folder of the series as the CT, and an X-ray here.",
        )
    if str(dataset.get("SOPClassUID") or "") in _VOLUMES:
        raise InputError(path, "is a reconstructed volume, an X-ray image was expected", "Give a projection image.")
    if modality != "CT" and modality not in _XRAY_MODALITIES:
        raise InputError(
            path,
            f"its modality is {modality}, an X-ray was expected",
            "Give an XA, RF, DX or CR image or a CT localizer.",
        )
    if not dataset.get("Rows") or not dataset.get("Columns"):
        raise InputError(path, "holds no image (no Rows and Columns)", "Give a DICOM file that holds an X-ray image.")


def _check_grey(dataset: Dataset, path: Path) -> None:
    photometric = str(dataset.get("PhotometricInterpretation") or "")
    if int(dataset.get("SamplesPerPixel") or 1) != 1 or not photometric.startswith("MONOCHROME"):
        raise InputError(
            path,
            f"is a colour image ({photometric or 'no PhotometricInterpretation'}), grey values were expected",
            "Export the X-ray itself, not a screenshot of it.",
        )
