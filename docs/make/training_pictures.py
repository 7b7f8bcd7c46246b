"""The pictures of docs/training.md: the views of a preset, and images as the networks see them. `make pictures`.

python docs/make/training_pictures.py

The head is the Visible Human's where FLUOROREG_DATA has it, else the computed one.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from DiffRegistrationLib.evaluation.subjects import phantom, visible_human
from DiffRegistrationLib.pose_network.network_camera import NetworkCamera
from DiffRegistrationLib.report.pictures import grey_window, light_box
from DiffRegistrationLib.training.preset import preset_named
from DiffRegistrationLib.training.recipe import DEFAULT_RECIPE, RECIPES
from DiffRegistrationLib.training.sampled_views import sampled_views, write_views
from DiffRegistrationLib.training.trainer import network_forms
from DiffRegistrationLib.training.training_images import TrainingImages
from DiffRegistrationLib.training.validation import turns_toward
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.errors import InputError
from PIL import Image

IMAGES = Path(__file__).parents[1] / "images"
_COLUMNS, _TILE, _GAP = 8, 112, 4


def main() -> None:
    """Write both."""
    try:
        ct = visible_human().registered
    except InputError:
        ct = phantom().registered
    write_views(IMAGES / "views-head-ap.png", sampled_views(ct, preset_named("head-ap")))
    _small(IMAGES / "views-head-ap.png")
    _looks(ct, IMAGES / "training-looks.png")


def _looks(ct: CT, path: Path) -> None:
    """Two rows of whole images, and below each its close-up."""
    preset = preset_named("head-ap")
    overview, close_up = network_forms(ct, preset, RECIPES[DEFAULT_RECIPE])
    assert close_up is not None

    def images(field: float, close: bool) -> TrainingImages:
        return TrainingImages(ct, NetworkCamera(_TILE, field), preset.poses, preset.field, close_up=close, seed=4)

    whole = images(overview.camera.field, False).batch(0, 2 * _COLUMNS)
    close = images(close_up.camera.field, True).seen_again(
        whole, turns_toward(whole.truth.rotation, whole.truth.centre)
    )
    step = _TILE + _GAP
    sheet = np.full((4 * step - _GAP, _COLUMNS * step - _GAP, 3), 255, dtype=np.uint8)
    for row, (batch, first) in enumerate(((whole, 0), (close, 0), (whole, _COLUMNS), (close, _COLUMNS))):
        for column in range(_COLUMNS):
            image, mask = (part[first + column].numpy() for part in (batch.attenuation, batch.mask))
            top, left = row * step, column * step
            sheet[top : top + _TILE, left : left + _TILE] = light_box(image, mask, grey_window(image, mask))
    Image.fromarray(sheet).save(path)
    _small(path)


def _small(path: Path) -> None:
    Image.open(path).convert("L").quantize(64).save(path, optimize=True)


if __name__ == "__main__":
    main()
