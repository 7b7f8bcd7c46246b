"""An X-ray in the look of DRRs, pixel by pixel where it was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from DiffRegistrationLib.xray.provenance import Provenance
from DiffRegistrationLib.xray.radiograph import Radiograph
from jaxtyping import Bool, Float, Float32, Float64

from .generator import STRIDE, Generator
from .structure_shift import structure_shift
from .style_tones import style_tones
from .translation_file import Translation

# Images that are learnt from are three quarters of an X-ray on average.
_USUAL_PART = 0.75
# The shorter side of images in which shifts are told (px).
_SHIFT_SIZE = 128


def translated_xray(translation: Translation, radiograph: Radiograph) -> Radiograph:
    """The X-ray translated to the look of DRRs; its mask and its camera stay."""
    tones = translated_image(translation.to_drr, translation.size, radiograph.attenuation, radiograph.mask)
    line = Provenance("look", "translated to that of DRRs", str(translation.metadata.get("method", "")))
    return replace(radiograph, attenuation=tones, provenance=(*radiograph.provenance, line))


def translated_image(
    network: Generator,
    size: int,
    attenuation: Float32[np.ndarray, "rows columns"],
    mask: Bool[np.ndarray, "rows columns"],
) -> Float32[np.ndarray, "rows columns"]:
    """Tones (−1 … 1) of line integrals in the other look, as many pixels as there were.

    The usable part is brought to the scale that the network learnt at, translated, and brought back: what is finer
    than that is lost.
    """
    usable = np.argwhere(mask)
    low, high = usable.min(axis=0), usable.max(axis=0) + 1
    part = np.s_[low[0] : high[0], low[1] : high[1]]
    scale = size / _USUAL_PART / float((high - low).min())
    wanted = [max(STRIDE * round(scale * n / STRIDE), 2 * STRIDE) for n in high - low]
    values, there = (
        torch.from_numpy(np.ascontiguousarray(image[part], dtype=np.float32))[None, None]
        for image in (attenuation, mask)
    )
    tones = style_tones(_resized(values, wanted)[:, 0], _resized(there, wanted)[:, 0] > 0.5)
    with torch.no_grad():
        translated: Float[torch.Tensor, "1 1 rows columns"] = network(tones)
    out = np.full(attenuation.shape, -1.0, dtype=np.float32)
    out[part] = _resized(translated, [int(n) for n in high - low])[0, 0].numpy()
    return np.where(mask, out, np.float32(-1.0))


def moved_by_translation(
    attenuation: Float32[np.ndarray, "rows columns"],
    mask: Bool[np.ndarray, "rows columns"],
    translated: Float32[np.ndarray, "rows columns"],
) -> Float64[np.ndarray, "windows"]:
    """Shifts of structures as `structure_shift` has them, in pixels of which the shorter side has 128."""
    scale = _SHIFT_SIZE / min(mask.shape)
    size = [max(round(scale * n), 1) for n in mask.shape]
    before, there, after = (
        _resized(torch.from_numpy(np.array(image, dtype=np.float32))[None, None], size)
        for image in (attenuation, mask, translated)
    )
    tones = style_tones(before[:, 0], there[:, 0] > 0.5)
    return structure_shift(tones[0, 0].numpy(), after[0, 0].numpy())


def _resized(image: Float[torch.Tensor, "1 1 a b"], size: list[int]) -> Float[torch.Tensor, "1 1 c d"]:
    return torch.nn.functional.interpolate(image, size, mode="bilinear", align_corners=False, antialias=True)
