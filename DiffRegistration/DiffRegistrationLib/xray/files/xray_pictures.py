"""X-rays in general-purpose picture and volume files: PNG, TIFF, JPEG, BMP, NRRD, MetaImage, NIfTI."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Num

from ..errors import InputError
from ..provenance import Provenance
from .c_arm_geometry import CArmGeometry
from .c_arm_view import c_arm_view
from .pixel_meaning import PixelMeaning
from .stored_xray import XrayView

_READABLE = "Give a DICOM, PNG, TIFF, NRRD or NIfTI file; if it is one, export or copy it anew."


class Picture:
    """A grey-valued picture, or a TIFF of several pages. Bright means more X-rays unless the user says otherwise."""

    def __init__(self, path: Path) -> None:
        import SimpleITK

        self.path = path
        reader = SimpleITK.ImageFileReader()
        reader.SetFileName(str(path))
        kind = SimpleITK.ImageFileReader.GetImageIOFromFileName(str(path))
        if kind == "GDCMImageIO":
            raise InputError(
                path, "is DICOM without the mark that DICOM files begin with", "Export it anew as a file."
            )
        try:
            if not kind:
                raise RuntimeError("no reader")
            reader.ReadImageInformation()
        except RuntimeError as error:
            raise InputError(path, "is no image that can be read", _READABLE) from error
        if reader.GetNumberOfComponents() != 1:
            raise InputError(
                path,
                f"is a colour picture ({reader.GetNumberOfComponents()} values a pixel), grey values were expected",
                "Export the X-ray itself in grey values (8 or 16 bit), not a screenshot of it.",
            )
        columns, rows, *deeper = reader.GetSize()
        pages = int(np.prod(deeper)) if deeper else 1
        if pages > 1 and kind != "TIFFImageIO":
            raise InputError(
                path,
                f"is a volume of {'×'.join(str(n) for n in reader.GetSize())}, a single image was expected",
                "Give a projection image, or a multi-page TIFF or DICOM for a sequence.",
            )
        self.size = int(rows), int(columns)
        self.frame_count = pages
        self._reader = reader

    def decode(self, frames: Sequence[int]) -> Num[np.ndarray, "frames rows columns"]:
        """Stored pixel values of these frames."""
        import SimpleITK

        try:
            pixels = SimpleITK.GetArrayFromImage(self._reader.Execute())
        except RuntimeError as error:
            raise InputError(
                self.path, "its pixels are cut off or damaged", "Export or copy the file anew."
            ) from error
        return pixels.reshape(self.frame_count, *self.size)[list(frames)]

    def values(
        self, stored: Num[np.ndarray, "rows columns"], frame: int, bone_is_bright: bool | None
    ) -> tuple[Float32[np.ndarray, "rows columns"], PixelMeaning]:
        """The pixels as they are; a picture with bright bone is taken for logarithmic, as film and displays are."""
        whole = np.issubdtype(stored.dtype, np.integer)
        limits = (float(np.iinfo(stored.dtype).min), float(np.iinfo(stored.dtype).max)) if whole else (-np.inf, np.inf)
        bright = bool(bone_is_bright)
        polarity = "high values are bone" if bright else "low values are bone"
        lines = (
            Provenance(
                "polarity",
                polarity,
                "given" if bone_is_bright is not None else "usual for raw fluoroscopy",
                bone_is_bright is None,
            ),
            Provenance(
                "pixel intensity relationship", "logarithmic" if bright else "linear", "usual for that polarity", True
            ),
        )
        return stored.astype(np.float32), PixelMeaning(bright, bright, limits, lines)

    def field(self, values: Float32[np.ndarray, "rows columns"]) -> Bool[np.ndarray, "rows columns"] | None:
        """Not told by the file."""
        return None

    def view(self, frame: int, geometry: CArmGeometry | None) -> XrayView:
        """Camera from the user's numbers alone."""
        return c_arm_view(self.path, self.size, geometry)
