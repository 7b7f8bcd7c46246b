"""X-rays whose look is to be learnt: a folder of files without pairs, sizes or geometry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.xray_dicom import is_dicom
from DiffRegistrationLib.xray.files.xray_files import frame_count, read_line_integrals
from DiffRegistrationLib.xray.preprocessing import LineIntegrals
from jaxtyping import Bool, Float

from .cut_squares import brought_to, usable_square
from .style_tones import style_tones

_PICTURES = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp")
# Fewer cannot be told from what they show; below the second number it is said what to expect.
FEWEST, _FEW = 4, 40
# Of a long sequence so many frames, spread over it.
_FRAMES = 12


@dataclass(frozen=True, eq=False)
class XrayLooks:
    """X-rays to cut images from. `left_out` are names of files that hold none."""

    xrays: tuple[LineIntegrals, ...]
    left_out: tuple[str, ...] = ()

    def cut(
        self, count: int, size: int, random: np.random.Generator
    ) -> tuple[Float[torch.Tensor, "count 1 size size"], Bool[torch.Tensor, "count 1 size size"]]:
        """Tones (−1 … 1) of squares anywhere in any of them, half as wide as its usable part or wider, and masks."""
        images, masks = [], []
        for which in random.integers(len(self.xrays), size=count):
            xray = self.xrays[which]
            square, mirrored = usable_square(xray.mask, random), bool(random.uniform() < 0.5)
            values, usable = (
                brought_to(size, image, square, mirrored=mirrored)
                for image in (xray.attenuation, xray.mask.astype(np.float32))
            )
            mask = usable > 0.5
            images.append(style_tones(values, mask))
            masks.append(mask[None])
        return torch.cat(images), torch.cat(masks)


def xray_looks(folder: Path, say: Callable[[str], None] = lambda _: None) -> XrayLooks:
    """All X-rays of a folder: DICOM files and pictures, of any size; of sequences some frames, spread over each.

    Files of other kinds are left out and said to be. InputError for a folder that is none, for one that holds fewer
    than four images, and for a DICOM file or picture that is no X-ray.
    """
    if not folder.is_dir():
        raise InputError(folder, "there is no such folder", "Give a folder of X-rays; they need no names or pairs.")
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    xrays: list[LineIntegrals] = []
    left_out: list[str] = []
    for path in files:
        if path.suffix.lower() not in _PICTURES and not is_dicom(path):
            left_out.append(path.name)
            continue
        count = frame_count(path)
        chosen = sorted({round(frame) for frame in np.linspace(0, count - 1, min(count, _FRAMES))})
        xrays += read_line_integrals(path, frames=chosen)
    if left_out:
        say(f"Left out, as they are no pictures or DICOM files: {', '.join(left_out)}")
    if len(xrays) < FEWEST:
        raise InputError(
            folder,
            f"holds {len(xrays)} X-ray images; a look cannot be told from what so few show, at least {FEWEST} are "
            "needed",
            f"Put more into it, better {_FEW} or more, of the kind that is to be translated.",
        )
    if len(xrays) < _FEW:
        say(
            f"{len(xrays)} X-ray images are few: what all of them show may be taken for their look. "
            f"Better are {_FEW} or more; look at the previews."
        )
    return XrayLooks(tuple(xrays), tuple(left_out))
