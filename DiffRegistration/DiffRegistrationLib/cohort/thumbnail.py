"""A small picture of X-ray and DRR for the page of a cohort."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float32

from ..xray.files.atomic import atomic_write
from ..xray.radiograph import Radiograph

THUMBNAIL = "thumbnail.jpg"
_LONGEST_SIDE = 180


def write_thumbnail(path: Path, radiograph: Radiograph, drr: Float32[np.ndarray, "rows columns"]) -> None:
    """Write an overlay, X-ray green and DRR magenta, of no more than 180 pixels a side. InputError if it cannot be."""
    from PIL import Image

    from ..report import pictures
    from ..report.encode import mask_on_screen, on_screen, screen_size
    from ..report.intensity import matched_to_xray

    rows, columns = screen_size(radiograph.camera)
    shrink = min(1.0, _LONGEST_SIDE / max(rows, columns))
    size = max(1, round(rows * shrink)), max(1, round(columns * shrink))
    xray, mask = on_screen(radiograph.attenuation, size), mask_on_screen(radiograph.mask, size)
    matched = matched_to_xray(on_screen(drr, size), xray, mask)
    picture = pictures.overlay(xray, matched, mask, pictures.grey_window(xray, mask))
    with atomic_write(path) as temporary:
        Image.fromarray(picture).save(temporary, "JPEG", quality=80)
