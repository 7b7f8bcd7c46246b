"""The views that a preset draws, as a picture to look at before minutes are spent on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8

from ..pose_network.network_camera import NetworkCamera
from ..report.pictures import grey_window, light_box
from ..xray.ct import CT
from ..xray.errors import InputError
from ..xray.files.atomic import atomic_write
from ..xray.geometry import rigid
from ..xray.projector import Projector
from .preset import Preset

_ROWS, _COLUMNS = 4, 6
_SIZE, _GAP = 160, 4
# A ray through less than this (line integral) has met no bone and hardly any tissue.
_SHOWS = 0.3
# A view shows the CT if so much of it, and a preset fits if so many of its views do.
_LEAST_PART, _LEAST_VIEWS = 0.06, 0.7


def sampled_views(ct: CT, preset: Preset, seed: int = 0) -> Float32[np.ndarray, "views size size"]:
    """DRRs of the preset's middle and of views drawn from it, in plain looks."""
    camera = NetworkCamera(_SIZE, preset.field)
    from_centred = rigid.rigid(np.eye(3), -ct.centre)
    random = np.random.default_rng([seed, *b"views"])
    poses = [preset.poses.middle, *(preset.poses.drawn(random) for _ in range(_ROWS * _COLUMNS - 1))]
    projector = Projector(ct)
    binning = projector.binning_for(camera.pixel_angle * float(poses[0][2, 3]))
    images = projector.render(camera.camera().rays(), np.stack(poses) @ from_centred, binning=binning)
    return images.reshape(-1, _SIZE, _SIZE).astype(np.float32)


def write_views(path: Path, views: Float32[np.ndarray, "views size size"]) -> None:
    """A sheet of all views as PNG, the middle one first; each in its own grey window."""
    from PIL import Image

    mask = np.ones((_SIZE, _SIZE), dtype=bool)
    sheet: UInt8[np.ndarray, "h w 3"] = np.full(
        (_ROWS * (_SIZE + _GAP) - _GAP, _COLUMNS * (_SIZE + _GAP) - _GAP, 3), 255, dtype=np.uint8
    )
    for number, view in enumerate(views):
        row, column = divmod(number, _COLUMNS)
        top, left = row * (_SIZE + _GAP), column * (_SIZE + _GAP)
        picture = light_box(view, mask, grey_window(view, mask)) if view.max() > 0 else np.zeros((_SIZE, _SIZE, 3))
        sheet[top : top + _SIZE, left : left + _SIZE] = picture
    with atomic_write(path) as temporary:
        Image.fromarray(sheet).save(temporary, format="PNG")


def check_views(views: Float32[np.ndarray, "views size size"], preset: Preset, picture: Path) -> None:
    """InputError, which names `picture`, where the views mostly miss the CT: nothing could be learnt from them."""
    shown = (views > _SHOWS).mean(axis=(1, 2)) > _LEAST_PART
    if shown.mean() < _LEAST_VIEWS:
        raise InputError(
            f"preset {preset.name!r}",
            f"only {int(shown.sum())} of {len(views)} views drawn from it show the CT: see {picture}",
            "Check that the CT is of this part of the body, or write a preset whose ranges and field fit it.",
        )
