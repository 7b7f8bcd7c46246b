"""What a translation makes of X-rays, as a picture beside them and beside what it is to look like."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from DiffRegistrationLib.xray.files.atomic import atomic_write
from jaxtyping import Float

from .generator import Generator

_COLUMNS, _GAP = 6, 4

Tones = Float[torch.Tensor, "n 1 size size"]


def write_preview(path: Path, to_drr: Generator, xrays: Tones, drrs: Tones) -> None:
    """Rows of X-rays, the same translated, and DRRs behind the same shutters (of other heads and views: there are no
    pairs), as PNG, bone bright."""
    from PIL import Image

    with torch.no_grad():
        rows = [xrays[:_COLUMNS], to_drr(xrays[:_COLUMNS]), drrs[:_COLUMNS]]
    size = xrays.shape[-1]
    step = size + _GAP
    sheet = np.full((len(rows) * step - _GAP, _COLUMNS * step - _GAP), 255, dtype=np.uint8)
    for row, images in enumerate(rows):
        for column, image in enumerate(images[:, 0].cpu().numpy()):
            grey = np.rint(127.5 * (image + 1)).astype(np.uint8)
            sheet[row * step : row * step + size, column * step : column * step + size] = grey
    with atomic_write(path) as temporary:
        Image.fromarray(sheet).save(temporary, format="PNG")
