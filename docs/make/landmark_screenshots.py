"""The pictures of the module SkullLandmarkDetection at work, for `make screenshots`: its window, X-rays and 3D views.

python docs/make/landmark_screenshots.py [FOLDER]

As `screenshots`, on the same head and its two X-rays. A network is trained in the window for some minutes; landmarks
are found by the one that `make results` has trained for longer, if that is there and the head is the Visible Human's.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from DiffRegistrationLib.mrml.beam_model import hide_beam, show_beam
from DiffRegistrationLib.xray.files.sample_data import DATA_VARIABLE
from LandmarkDetectionLib.mrml.landmark_study import points_of
from LandmarkDetectionLib.mrml.skull_nodes import skull_of_study
from PIL import Image
from screenshots import EYE, IMAGES, UP, sample_patient
from screenshots import MODULE as REGISTRATION
from window_pictures import (
    BAR,
    FINENESS,
    GAP,
    ROOT,
    THREE_D_BAR,
    Window,
    beam_points,
    below,
    beside,
    installation,
    marked_slice_image,
    native,
    offer_markups,
    pump,
    slice_logic,
    three_d_image,
    with_bar,
    write,
)

MODULE = ROOT / "LandmarkDetection" / "SkullLandmarkDetection.py"
# The sample's X-rays have the tube before the face.
_VIEWS, _MINUTES, _TRAINED_FOR = "around-front", 2.0, 700
_LONGER_TRAINED = ROOT / "evaluation" / "landmarks" / "patient-dual-fluoroscopy.pt"
# From the patient's left front, the head upright.
_FROM_LEFT = (-0.8, 1.0, 0.35), (0.0, 0.0, 1.0)
_NASION, _THREE_D, _VIEW = "nasion", (620, 560), 460


def take_all(window: Window, out: Path) -> None:
    """Go from the sample data to skull and exposure, and take a picture at every step."""
    ct, xrays = sample_patient(window)
    offer_markups()
    for xray in xrays:
        # What is to be in sight; the rays of landmarks are shown in its place.
        show_beam(xray)
        hide_beam(xray)
    panel = window.panel
    panel.ct_landmarks.ui.ctSelector.setCurrentNode(ct)
    landmarks_of_ct(window, out)
    training(window, out)
    detection(window, xrays, out)
    triangulation(window, xrays, out)
    skull_and_skin(window, ct, out)


def landmarks_of_ct(window: Window, out: Path) -> None:
    """Landmarks carried over, and where they fall in the X-rays."""
    window.open("CTLandmarks")
    ui = window.panel.ct_landmarks.ui
    ui.transferButton.click()
    window.wait_for_job()
    table = native(ui.ctLandmarkTable)
    names = [table.item(row, 0).text().casefold() for row in range(table.rowCount())]
    table.selectRow(names.index(_NASION))
    pump(0.3)
    write(with_views(scaled(window.image("CTLandmarks"))), out / "slicer-landmarks-ct.jpg")


def training(window: Window, out: Path) -> None:
    """A network that learns the head, and the views that it learns from."""
    window.open("LandmarkTraining")
    ui = window.panel.training.ui
    ui.rangesBox.setCurrentIndex(ui.rangesBox.findData(_VIEWS))
    ui.trainedPath.currentPath = "head.pt"
    ui.minutesBox.value = _MINUTES
    ui.trainButton.click()
    window.wait(
        lambda: (
            ("off" in ui.trainState.text and ui.trainProgress.value > _TRAINED_FOR)
            or window.panel.session.working is None
        )
    )
    write(window.image("LandmarkTraining"), out / "slicer-landmarks-training.png")
    window.wait_for_job()
    if DATA_VARIABLE in os.environ and _LONGER_TRAINED.exists():
        shutil.copy(_LONGER_TRAINED, "head.pt")
    window.panel.session.say("")


def detection(window: Window, xrays: list[Any], out: Path) -> None:
    """Landmarks found in both X-rays, and the whole window."""
    window.open("Detect")
    ui = window.panel.detect.ui
    ui.networkPath.currentPath = "head.pt"
    ui.detectButton.click()
    window.wait_for_job()
    assert window.panel.session.study is not None, window.panel.uis["Status"].messageLabel.text
    table = native(ui.landmarkTable)
    names = [table.item(row, 0).text().casefold() for row in range(table.rowCount())]
    table.selectRow(names.index(_NASION))
    pump(0.3)
    write(with_views(scaled(window.image("Detect"))), out / "slicer-landmarks-detect.jpg")


def triangulation(window: Window, xrays: list[Any], out: Path) -> None:
    """Residuals, rays and errors in space, and the CT placed."""
    window.open("Triangulate")
    ui = window.panel.triangulate.ui
    for box in (ui.raysBox, ui.ellipsoidsBox):
        if not box.checked:
            box.click()
    ui.refineButton.click()
    window.wait_for_job()
    pump(0.3)
    panel = scaled(window.image("Triangulate"))
    space = three_d(beam_points(xrays), (_THREE_D[0], panel.height - BAR))
    write(beside([panel, space]), out / "slicer-landmarks-triangulate.jpg")
    whole = scaled(window.image("Detect", "Triangulate"))
    height = whole.height - GAP
    views = below([view(number, (_VIEW, height // 2)) for number in (1, 2)])
    write(
        beside([whole, views, three_d(beam_points(xrays), (_THREE_D[0], whole.height - BAR))]),
        out / "slicer-landmarks-window.jpg",
    )
    for box in (ui.raysBox, ui.ellipsoidsBox):
        box.click()


def skull_and_skin(window: Window, ct: Any, out: Path) -> None:
    """The skull that the landmarks make, and what the beams shone on."""
    window.open("SkullExposure")
    ui = window.panel.skull_exposure.ui
    ui.skullButton.click()
    window.wait_for_job()
    hide_volume_rendering(ct)
    for number in (1, 2):
        slice_logic(number).GetSliceNode().SetSliceVisible(False)
    points = points_of(window.panel.session.study).points
    around = np.concatenate([points - 30, points + 30])
    size = (_THREE_D[0] * 2 // 3, window.image("SkullExposure").height // FINENESS - BAR)
    skull = three_d(around, size, *_FROM_LEFT)
    ui.exposureButton.click()
    window.wait_for_job()
    pump(0.3)
    skull_of_study(window.panel.session.study).SetDisplayVisibility(False)
    skin = three_d(around, size, *_FROM_LEFT)
    panel = scaled(window.image("SkullExposure"))
    write(beside([panel, skull, skin]), out / "slicer-landmarks-skull.jpg")


def hide_volume_rendering(ct: Any) -> None:
    """Out of the way of surfaces."""
    for number in range(ct.GetNumberOfDisplayNodes()):
        display = ct.GetNthDisplayNode(number)
        if display is not None and display.IsA("vtkMRMLVolumeRenderingDisplayNode"):
            display.SetVisibility(False)


def with_views(panel: Image.Image) -> Image.Image:
    """A panel with both X-rays beside it: below each other where it is high enough."""
    if panel.height < 2 * _VIEW:
        return beside([panel, *(view(number, (min(panel.height, _VIEW), panel.height)) for number in (1, 2))])
    half = (panel.height - GAP) // 2
    return beside([panel, below([view(number, (_VIEW, half)) for number in (1, 2)])])


def view(number: int, size: tuple[int, int] = (_VIEW, _VIEW)) -> Image.Image:
    """The view of an X-ray, from 1, with what is marked in it."""
    logic = slice_logic(number)
    node = logic.GetSliceNode()
    image = marked_slice_image(logic, (size[0], size[1] - BAR))
    return with_bar(image, node.GetLayoutLabel(), tuple(round(255 * part) for part in node.GetLayoutColor()))


def three_d(
    points: np.ndarray,
    size: tuple[int, int],
    eye: tuple[float, float, float] = EYE,
    up: tuple[float, float, float] = UP,
) -> Image.Image:
    """The 3D view, filled by points."""
    node = slicer.app.layoutManager().threeDWidget(0).mrmlViewNode()
    return with_bar(three_d_image(size, node, points, eye, up), "1", THREE_D_BAR)


def scaled(picture: Image.Image) -> Image.Image:
    """A panel in the size of its pixels on screen."""
    return picture.resize((picture.width // FINENESS, picture.height // FINENESS), Image.Resampling.LANCZOS)


def main(images: Path) -> None:
    """Open the window and take every picture."""
    images = images.resolve()
    images.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.chdir(Path(name))
        made = installation.begin(patch, Path(name))
        window = Window(made, REGISTRATION, MODULE)
        take_all(window, images)
        installation.end(made)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES)
