"""Images brought to the size and shape of a screen, and pictures made into text that a page can hold."""

from __future__ import annotations

import base64
import io

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from PIL import Image

from ..xray.geometry import Camera, PinholeCamera, ScanningSlitCamera

LONGEST_SIDE = 900


def screen_size(camera: Camera) -> tuple[int, int]:
    """(rows, columns) at which a camera's image has square pixels and no side beyond LONGEST_SIDE."""
    rows, columns = camera.size
    height, width = float(rows), float(columns) / _pixel_aspect(camera)
    # The finer of the two spacings is kept: an image of oblong pixels grows along their longer side.
    grow = max(1.0, columns / width)
    shrink = min(1.0, LONGEST_SIDE / (grow * max(height, width)))
    return max(1, round(height * grow * shrink)), max(1, round(width * grow * shrink))


def _pixel_aspect(camera: Camera) -> float:
    """Height over width of a pixel in mm; a pinhole camera's focal lengths tell it where the spacing is unknown."""
    if isinstance(camera, (PinholeCamera, ScanningSlitCamera)) and camera.pixel_spacing is not None:
        return camera.pixel_spacing[0] / camera.pixel_spacing[1]
    if isinstance(camera, PinholeCamera):
        return float(camera.intrinsic[0, 0] / camera.intrinsic[1, 1])
    return 1.0


def on_screen(
    image: Float32[np.ndarray, "rows columns"], size: tuple[int, int]
) -> Float32[np.ndarray, "height width"]:
    """An image resampled to `size` (rows, columns), smoothed where that is coarser; NaN and infinity become 0."""
    finite = np.where(np.isfinite(image), image, np.float32(0))
    if image.shape == size:
        return finite
    return np.asarray(Image.fromarray(finite).resize((size[1], size[0]), Image.Resampling.BILINEAR))


def mask_on_screen(mask: Bool[np.ndarray, "rows columns"], size: tuple[int, int]) -> Bool[np.ndarray, "height width"]:
    """A mask resampled to `size`: usable where at least half of what lies under a new pixel is."""
    return on_screen(mask.astype(np.float32), size) >= 0.5


def data_uri(picture: UInt8[np.ndarray, "rows columns 3"]) -> str:
    """A picture as a JPEG in a `data:` address; colours are kept at full resolution, so thin lines stay sharp."""
    grey = bool((picture[..., 0] == picture[..., 1]).all() and (picture[..., 1] == picture[..., 2]).all())
    image = Image.fromarray(np.ascontiguousarray(picture[..., 0])) if grey else Image.fromarray(picture)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=92, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
