"""A volume in Hounsfield units as a file gave it, and the checks that it really is one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64

from ..errors import InputError
from ..provenance import Provenance

AIR_HOUNSFIELD = -1024.0
# Air and lung lie below this, fat (−120) and everything solid far above: a scan that never gets here has lost its air.
_HIGHEST_AIR = -700.0
# Extended 16-bit scales end here; no scanner writes more.
_HIGHEST_HOUNSFIELD = 65535.0


@dataclass(frozen=True, eq=False)
class HounsfieldVolume:
    """Hounsfield units indexed [k, j, i] and `lps_from_voxel`, which maps voxel centres (i, j, k) to LPS mm."""

    hounsfield: Float32[np.ndarray, "depth rows columns"]
    lps_from_voxel: Float64[np.ndarray, "4 4"]
    provenance: tuple[Provenance, ...] = ()


def check_hounsfield(hounsfield: Float32[np.ndarray, "depth rows columns"], subject: object) -> None:
    """InputError naming `subject` unless the values are finite, not constant, in HU, and reach down to air."""
    lowest, highest = float(hounsfield.min()), float(hounsfield.max())
    if not (np.isfinite(lowest) and np.isfinite(highest)):
        bad = hounsfield.size - int(np.isfinite(hounsfield).sum())
        raise InputError(
            subject,
            f"{bad} of {hounsfield.size} voxels are NaN or infinite",
            "Export the CT again, or replace these voxels by air (−1024 HU).",
        )
    if lowest == highest:
        raise InputError(subject, f"every voxel is {lowest:g}, there is nothing to see", "Give the CT itself.")
    found = f"values run from {lowest:g} to {highest:g}"
    if lowest >= 0 or highest > _HIGHEST_HOUNSFIELD:
        raise InputError(
            subject,
            f"{found}, which cannot be Hounsfield units (air is about −1000, water 0)",
            "Give a CT in Hounsfield units. If these are a scanner's stored values, apply its rescale slope and "
            "intercept first (often: subtract 1024).",
        )
    if lowest > _HIGHEST_AIR:
        raise InputError(
            subject,
            f"{found}: air (about −1000 HU) is missing, so the values are no Hounsfield units or were clipped at "
            f"{lowest:g}, and every DRR would carry a grey halo",
            "Export the CT again in Hounsfield units, without a window or a lower threshold, and fill what lies "
            "outside the scan with −1024.",
        )
    corners = hounsfield[np.ix_(*([0, -1] for _ in range(3)))]
    if 2 * int((corners == 0).sum()) >= corners.size:
        raise InputError(
            subject,
            "the corners hold exactly 0 HU, which is water: the volume was resampled or masked with 0 as background, "
            "and every DRR would carry a grey halo",
            "Resample or mask it again with −1024 as the background value.",
        )
