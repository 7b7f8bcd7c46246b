"""The views that a training draws, with their landmarks, as a picture to look at before minutes are spent on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from DiffRegistrationLib.pose_network.network_camera import NetworkCamera
from DiffRegistrationLib.report.pictures import grey_window, light_box
from DiffRegistrationLib.xray.files.atomic import atomic_write
from DiffRegistrationLib.xray.geometry import rigid

from ..population.drawn_views import drawn_view
from ..population.view_ranges import ViewRanges
from .training_heads import TrainingHeads
from .training_views import projected_places

_ROWS, _COLUMNS, _SIZE, _GAP = 3, 6, 160, 4
_DOT = 1.6


def write_view_sheet(path: Path, heads: TrainingHeads, ranges: ViewRanges) -> None:
    """A sheet of views in plain looks as PNG, each in its own grey window, landmarks as dots."""
    from PIL import Image, ImageDraw

    random = np.random.default_rng([*b"view sheet"])
    step = _SIZE + _GAP
    sheet = Image.new("RGB", (_COLUMNS * step - _GAP, _ROWS * step - _GAP), "white")
    for number in range(_ROWS * _COLUMNS):
        head = heads.of_view(number)
        _, pose, field = drawn_view(ranges, head.points[head.known], head.axes, random)
        rays = NetworkCamera(_SIZE, field).camera().rays()
        view = head.volumes.render(rays, pose[None], np.array([1])).cpu().numpy().reshape(_SIZE, _SIZE)
        mask = np.ones_like(view, dtype=bool)
        pixels = light_box(view, mask, grey_window(view, mask)) if view.max() > 0 else np.zeros((_SIZE, _SIZE, 3))
        tile = Image.fromarray(np.asarray(pixels, dtype=np.uint8))
        draw = ImageDraw.Draw(tile)
        places = projected_places(rigid.transform_points(pose, head.points), head.middle_at(pose), field)
        for x, y in (places[head.known, :2] + 1) * _SIZE / 2 - 0.5:
            draw.ellipse((x - _DOT, y - _DOT, x + _DOT, y + _DOT), fill=(255, 120, 0))
        row, column = divmod(number, _COLUMNS)
        sheet.paste(tile, (column * step, row * step))
    with atomic_write(path) as temporary:
        sheet.save(temporary, format="PNG")
