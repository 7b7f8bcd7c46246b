"""DICOM X-ray images: of a C-arm or radiography stand, and localizers of a CT scanner."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float32, Num

from ..provenance import Provenance
from .c_arm_geometry import CArmGeometry
from .c_arm_view import c_arm_view
from .pixel_meaning import PixelMeaning
from .stored_xray import StoredXray, XrayView
from .xray_dicom import decode_frames, frames_in, is_localizer, read_header
from .xray_dicom_geometry import c_arm_source
from .xray_dicom_pixels import frame_values
from .xray_dicom_tags import FrameTags, tag_name
from .xray_localizer import localizer_mask, localizer_view

if TYPE_CHECKING:
    from pydicom import Dataset


def open_dicom(path: Path) -> StoredXray:
    """The X-ray in a DICOM file. InputError if there is none."""
    dataset = read_header(path)
    return Localizer(path, dataset) if is_localizer(dataset) else ProjectionImage(path, dataset)


class ProjectionImage:
    """An XA, RF, DX, CR or secondary-capture image, of one frame or many."""

    def __init__(self, path: Path, dataset: Dataset) -> None:
        self.path = path
        self.frame_count = frames_in(dataset)
        self.size = int(dataset.Rows), int(dataset.Columns)
        self._dataset = dataset

    def _tags(self, frame: int) -> FrameTags:
        return FrameTags(self._dataset, frame, self.path)

    def decode(self, frames: Sequence[int]) -> Num[np.ndarray, "frames rows columns"]:
        """Stored pixel values of these frames."""
        return decode_frames(self.path, self._dataset, frames)

    def values(
        self, stored: Num[np.ndarray, "rows columns"], frame: int, bone_is_bright: bool | None
    ) -> tuple[Float32[np.ndarray, "rows columns"], PixelMeaning]:
        """Values after the modality LUT, NaN behind shutters and in padding."""
        return frame_values(stored, self._tags(frame), bone_is_bright)

    def field(self, values: Float32[np.ndarray, "rows columns"]) -> None:
        """Not told by the file."""
        return None

    def view(self, frame: int, geometry: CArmGeometry | None) -> XrayView:
        """Camera from distances, spacing and angles in the tags."""
        return c_arm_view(self.path, self.size, geometry, c_arm_source(self._tags(frame), geometry))


class Localizer(ProjectionImage):
    """A CT localizer; its HU-like values are logarithmic, more of them is more attenuation."""

    def values(
        self, stored: Num[np.ndarray, "rows columns"], frame: int, bone_is_bright: bool | None
    ) -> tuple[Float32[np.ndarray, "rows columns"], PixelMeaning]:
        """Rescaled values, NaN in padding."""
        values, meaning = frame_values(stored, self._tags(frame), bone_is_bright)
        bright = bone_is_bright is not False
        line = Provenance(
            "pixel intensity relationship",
            f"logarithmic, {'high' if bright else 'low'} values are bone",
            f"{tag_name('ImageType')} LOCALIZER" if bone_is_bright is None else "given",
        )
        kept = tuple(p for p in meaning.provenance if p.quantity == "pixel values")
        return values, PixelMeaning(True, bright, meaning.limits, (*kept, line))

    def field(self, values: Float32[np.ndarray, "rows columns"]) -> Bool[np.ndarray, "rows columns"] | None:  # type: ignore[override]
        """All but black rows and columns along the border."""
        return localizer_mask(values)

    def view(self, frame: int, geometry: CArmGeometry | None) -> XrayView:
        """Slit camera in the scanner's frame of reference."""
        return localizer_view(self._tags(frame), geometry)
