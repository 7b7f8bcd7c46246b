"""X-ray and DRR made into pictures for people: as on a light box, overlaid, in tiles, subtracted, outlined.

Every function takes images of line integrals on one pixel grid, the X-ray's mask (True = usable) and a grey window,
and gives uint8 RGB. Bone is bright. Pixels outside the mask lie dimmed under a haze, which tells them from air.
Colours are safe for colour-blind readers: the X-ray is green and the DRR magenta wherever the two meet.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

XRAY_COLOUR = (31, 158, 79)
DRR_COLOUR = (197, 27, 138)
EDGE_COLOUR = (255, 176, 0)
_NO_DIFFERENCE = (247, 247, 247)
_OUTSIDE_GREY = 90
_DIMMED, _HAZE = 0.35, 0.13
# A tip of the window lost to either side keeps single hot or dead pixels from darkening all others.
_WINDOW_PERCENTILES = (1, 99)
# Where the middle of what is no air shall lie between black and white, and how far the greys may be bent to that end.
_MIDDLE_GREY = 0.45
_GAMMA_LIMITS = (0.6, 2.5)
_AIR_BELOW = 0.1
# The share of the grey window that is full colour; fixed, so that a poor fit never looks like a good one.
DIFFERENCE_RANGE = 0.25
_TILES_ALONG_LONGER_SIDE = 10
_THIN_LINES_UP_TO = 600

Image = Float32[np.ndarray, "rows columns"]
Mask = Bool[np.ndarray, "rows columns"]
Picture = UInt8[np.ndarray, "rows columns 3"]


@dataclass(frozen=True)
class GreyWindow:
    """Values shown black and white; those between follow a power law, as on film."""

    black: float
    white: float
    gamma: float = 1.0

    def brightness(self, image: Image) -> Float[np.ndarray, "rows columns"]:
        """0 (black) to 1 (white); NaN is black."""
        linear = np.clip((image - self.black) / (self.white - self.black), 0, 1)
        return np.nan_to_num(linear) ** self.gamma


def grey_window(image: Image, mask: Mask) -> GreyWindow:
    """A window that shows bone and soft tissue of an image: percentiles of its usable pixels (of all if none is)."""
    values = image[mask & np.isfinite(image)]
    if not values.size:
        values = image[np.isfinite(image)]
    if not values.size:
        return GreyWindow(0.0, 1.0)
    black, white = (float(value) for value in np.percentile(values, _WINDOW_PERCENTILES))
    if not white > black:
        return GreyWindow(black, black + 1.0)
    linear = (values - black) / (white - black)
    body = linear[(linear > _AIR_BELOW) & (linear < 1)]
    middle = float(np.median(body)) if body.size else _MIDDLE_GREY
    gamma = float(np.clip(np.log(_MIDDLE_GREY) / np.log(middle), *_GAMMA_LIMITS))
    return GreyWindow(black, white, gamma)


def _picture(colours: Float[np.ndarray, "rows columns 3"], mask: Mask) -> Picture:
    dimmed = np.where(mask[..., None], colours, _DIMMED * colours + _HAZE)
    return np.round(255 * dimmed).astype(np.uint8)


def light_box(image: Image, mask: Mask, window: GreyWindow) -> Picture:
    """One image in greys."""
    return _picture(np.repeat(window.brightness(image)[..., None], 3, axis=2), mask)


def overlay(xray: Image, drr: Image, mask: Mask, window: GreyWindow) -> Picture:
    """X-ray in green over DRR in magenta: grey where they agree, coloured where only one of them is bright."""
    green, magenta = window.brightness(xray), window.brightness(drr)
    return _picture(np.stack([magenta, green, magenta], axis=2), mask)


def checkerboard(xray: Image, drr: Image, mask: Mask, window: GreyWindow) -> Picture:
    """Tiles of X-ray and DRR in turn, the X-ray in the top left one: contours run on across tiles that fit."""
    tile = max(1, -(-max(xray.shape) // _TILES_ALONG_LONGER_SIDE))
    row, column = np.indices(xray.shape) // tile
    return light_box(np.where((row + column) % 2 == 0, xray, drr), mask, window)


def difference(xray: Image, drr: Image, mask: Mask, window: GreyWindow) -> Picture:
    """X-ray minus DRR: white where equal, green where the X-ray is denser, magenta where the DRR is.

    Full colour is a difference of DIFFERENCE_RANGE of the window, whatever the pair. Grey lies outside the mask.
    """
    reach = DIFFERENCE_RANGE * (window.white - window.black)
    signed = np.nan_to_num(np.clip((xray - drr) / reach, -1, 1))[..., None]
    ends = np.where(signed > 0, np.array(XRAY_COLOUR), np.array(DRR_COLOUR))
    colours = np.array(_NO_DIFFERENCE) + np.abs(signed) * (ends - np.array(_NO_DIFFERENCE))
    return np.round(np.where(mask[..., None], colours, _OUTSIDE_GREY)).astype(np.uint8)


def edges(xray: Image, drr: Image, mask: Mask, window: GreyWindow) -> Picture:
    """Contours of the DRR drawn in orange on the X-ray: they lie on the bone where the pose is right."""
    picture = light_box(xray, mask, window)
    # Edges of what is seen: in line integrals the skin against air would outdo every bone.
    drawn = contours(window.brightness(drr).astype(np.float32), mask)
    if max(xray.shape) > _THIN_LINES_UP_TO:
        drawn[1:] |= drawn[:-1]
        drawn[:, 1:] |= drawn[:, :-1]
    picture[drawn] = EDGE_COLOUR
    return picture


def contours(image: Image, mask: Mask) -> Mask:
    """Where an image's edges run, a pixel wide: zero crossings of its smoothed Laplacian (Marr–Hildreth)."""
    from scipy import ndimage  # only here, so that the other pictures cost no import

    filled = np.where(np.isfinite(image), image, np.float32(0))
    sigma = max(1.0, 0.004 * max(image.shape))
    laplacian = ndimage.gaussian_laplace(filled, sigma)
    steepness = ndimage.gaussian_gradient_magnitude(filled, sigma)
    inside = mask & np.isfinite(image)
    if not inside.any() or not steepness[inside].max() > 0:
        return np.zeros_like(mask)
    sign = laplacian > 0
    crossing = np.zeros_like(mask)
    crossing[:, :-1] |= sign[:, :-1] != sign[:, 1:]
    crossing[:-1] |= sign[:-1] != sign[1:]
    steep, steepest, reference = np.percentile(steepness[inside], (80, 93, 99.5))
    # On flat ground the percentiles are next to nothing and rounding makes the crossings.
    steep, steepest = max(steep, 0.08 * reference), max(steepest, 0.2 * reference)
    weak = crossing & inside & (steepness > steep)
    # A contour counts where it holds a steepest pixel; what hangs on to it is kept, loose specks are not.
    parts, count = ndimage.label(weak, structure=np.ones((3, 3)))
    kept = np.zeros(count + 1, dtype=bool)
    kept[np.unique(parts[weak & (steepness > steepest)])] = True
    kept[0] = False
    return kept[parts]
