"""The pictures of the module in Slicer, taken from the module at work: `make screenshots`.

python docs/make/screenshots.py [FOLDER]

The window runs on the stand-in for Slicer's Qt half (Testing/gui/slicer_stand_in), on no screen, with the real engine
behind it; the views are drawn by the slicer-core package. The head is the Visible Human's where FLUOROREG_DATA has it,
else the computed one. The thumbnails of the sample data are drawn as well. OpenGL without a screen is needed: EGL with
Mesa's renderer in software.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
import vtk
from DiffRegistrationLib.mrml.ct_node import ct_from_node, world_from_ct
from DiffRegistrationLib.mrml.drr_node import drr_of
from DiffRegistrationLib.mrml.pose_sequence import show_frame
from DiffRegistrationLib.mrml.views import add_view, remove_view
from DiffRegistrationLib.mrml.xray_node import camera_of
from DiffRegistrationLib.mrml.xray_sequence import add_radiograph_sequence, browser_of
from DiffRegistrationLib.registration.starts import pose_of_view
from DiffRegistrationLib.report.pictures import grey_window, light_box
from DiffRegistrationLib.xray.attenuation import hounsfield_from_attenuation
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.sample_data import sample
from DiffRegistrationLib.xray.files.xray_with_geometry import XrayFile
from DiffRegistrationLib.xray.geometry import PinholeCamera, rigid
from DiffRegistrationLib.xray.geometry.c_arm import c_arm_camera
from DiffRegistrationLib.xray.phantom import head_phantom
from DiffRegistrationLib.xray.projector import Projector
from DiffRegistrationLib.xray.radiograph import Radiograph
from jaxtyping import Float64
from PIL import Image
from vtkmodules.util.numpy_support import numpy_to_vtk
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
    bone,
    drawn,
    gallery,
    installation,
    native,
    offer_volume_rendering,
    pump,
    slice_image,
    slice_logic,
    three_d_image,
    with_bar,
    write,
    xray_view,
)

IMAGES = ROOT / "docs" / "images"
MODULE = ROOT / "DiffRegistration" / "DiffRegistration.py"
ICONS = MODULE.parent / "Resources" / "Icons"

# How long to train, and when to take the picture, in thousandths of that time.
_TRAINING_MINUTES, _TRAINED_FOR = 1.0, 700
# How the CT is moved by hand, so that overlays show what a misalignment looks like.
_OFF = {"rightSlider": 5.0, "superiorSlider": -4.0, "aboutAnteriorSlider": 4.0}
_OFF_IN_WORDS = "6 mm and 4° off"
# The sequence of the pictures, its frame that is dark, and the one that is shown.
_FRAMES, _DARK_FRAME, _SHOWN_FRAME = 12, 4, 8
# The eye in the 3D view: at the patient's left foot, looking down on the table.
EYE, UP = (-1.0, 0.6, -1.6), (0.0, 1.0, 0.0)
_TILE, _THREE_D, _VIEWS_WIDTH = 300, (900, 760), 1140
# What Slicer's template for modules asks for, and where the skull lies in its localizer: left, top, right, bottom.
_THUMBNAIL, _SKULL = (260, 280), (122, 16, 345, 256)


class Clock(datetime):
    """The time of day in the pictures, the same whenever they are made."""

    @classmethod
    def now(cls, tz: Any = None) -> Clock:
        """Half past nine."""
        return cls(2026, 1, 15, 9, 30, tzinfo=tz)


def align_sliders(window: Window) -> None:
    # CTK gives sliders below each other number boxes of one width; the stand-in's do not know of each other.
    boxes = [native(one).spin for one in vars(window.panel.manual.ui).values() if hasattr(native(one), "spin")]
    for box in boxes:
        box.setFixedWidth(max(one.sizeHint().width() for one in boxes))


def take_all(window: Window, folder: Path, out: Path) -> None:
    """Go through a patient's registration, and take a picture at every step."""
    write(window.image(), out / "slicer-start.png")
    ct, xrays = sample_patient(window)
    window.panel.patient.ui.ctSelector.setCurrentNode(ct)
    window.panel.patient.ui.showInThreeD.checked = True
    before_registration(window, out)
    registered = registration(window, xrays, out)
    by_hand(window, xrays, registered, out)
    sequence(window, ct, xrays, out)
    refusal(window, folder, out)


def sample_patient(window: Window) -> tuple[Any, list[Any]]:
    """The sample data, as the module Sample Data loads it: CT and X-rays."""
    from DiffRegistrationLib.panel.sample_data import CATEGORY, register_sample_data

    register_sample_data(MODULE.parent / "Resources" / "Icons")
    source = slicer.modules.sampleDataSources[CATEGORY][0]
    ct, *xrays = source.customDownloader(source)
    offer_volume_rendering()
    window.come_back()
    return ct, xrays


def before_registration(window: Window, out: Path) -> None:
    """X-rays with their geometry, and a training."""
    xrays, train = window.panel.xrays.ui, window.panel.train.ui
    xrays.geometryGroup.collapsed = False
    window.open("Patient", "XRays")
    write(window.image("Patient", "XRays"), out / "slicer-xrays.png")
    xrays.geometryGroup.collapsed = True

    window.open("Train")
    train.networkPath.currentPath = "head.pt"
    train.minutesBox.value = _TRAINING_MINUTES
    train.trainButton.click()
    window.wait(
        lambda: (
            ("off by" in train.trainState.text and train.trainProgress.value > _TRAINED_FOR)
            or window.panel.session.working is None
        )
    )
    write(window.image("Train"), out / "slicer-training.png")
    train.keepButton.click()
    window.wait_for_job()
    window.panel.session.say("")


def registration(window: Window, xrays: list[Any], out: Path) -> list[Image.Image]:
    """A registration, with the whole window and the 3D view; the overlays of the first view are given back."""
    window.open("Patient", "XRays", "Register", "Results")
    window.panel.register.ui.registerButton.click()
    window.wait_for_job()
    wait_for_drrs(window, xrays)
    write(window.image("Register", "Results"), out / "slicer-registered.png")

    panel = window.image()
    panel = panel.resize((panel.width // FINENESS, panel.height // FINENESS), Image.Resampling.LANCZOS)
    width, height = (_VIEWS_WIDTH - GAP) // 2, (panel.height - GAP) // 2
    columns = [panel, below([xray_view(number, (width, height)) for number in (1, 2)])]
    space = slicer.app.layoutManager().threeDWidget(0).mrmlViewNode(), beam_points(xrays), EYE, UP
    three_d = three_d_image((width, columns[1].height - BAR), *space)
    columns.append(with_bar(three_d, "1", THREE_D_BAR))
    write(beside(columns), out / "slicer-window.jpg")
    write(three_d_image(_THREE_D, *space), out / "slicer-3d.jpg")
    return overlays(window)


def by_hand(window: Window, xrays: list[Any], registered: list[Image.Image], out: Path) -> None:
    """The CT moved by hand, and each overlay of that above the one of the registered CT."""
    manual, box = window.panel.manual.ui, window.panel.register.ui.overlayBox
    window.open("ManualAlignment")
    for name, value in _OFF.items():
        getattr(manual, name).value = value
    wait_for_drrs(window, xrays, moved=True)
    panel = window.image("ManualAlignment")
    view = slice_image(slice_logic(1), (panel.height, panel.height))
    write(beside([panel, view]), out / "slicer-manual.jpg")
    modes = [box.itemText(row) for row in range(box.count)]
    rows = {_OFF_IN_WORDS: overlays(window), "registered": registered}
    write(gallery(modes, rows, _TILE), out / "slicer-overlays.jpg")
    manual.resetButton.click()
    wait_for_drrs(window, xrays, moved=True)


def sequence(window: Window, ct: Any, xrays: list[Any], out: Path) -> None:
    """The CT followed through a sequence in which a frame is dark, the frames that were found, and their plot."""
    cine = add_cine(ct, xrays[0])
    for xray in xrays:
        remove_view(xray)
    window.come_back()
    window.open("Sequence")
    ui = window.panel.sequence.ui
    ui.presentPoseBox.checked = True
    ui.trackButton.click()
    window.wait_for_job()
    ui.smoothedBox.click()
    show_frame(browser_of(cine), str(_SHOWN_FRAME))
    ui.plotButton.click()
    wait_for_drrs(window, [cine])
    panel = window.image("Sequence")
    view = slice_image(slice_logic(1), (panel.height // 2, panel.height // 2))
    chart = slicer.mrmlScene.GetNodeByID(slicer.app.applicationLogic().GetSelectionNode().GetActivePlotChartID())
    plot = plot_image(chart, (view.width, panel.height - view.height - GAP))
    write(beside([panel, below([view, plot])]), out / "slicer-sequence.png")
    remove_view(cine)
    for xray in xrays:
        add_view(xray)
    window.come_back()
    window.panel.session.say("")


def add_cine(ct: Any, xray: Any) -> Any:
    """A sequence of the head as it nods and turns before one of its X-rays, which is a view."""
    head, camera, pose = ct_from_node(ct), camera_of(xray), world_from_ct(ct)
    centre = rigid.transform_points(pose, [head.centre])[0]
    projector, radiographs = Projector(head), []
    for number in range(_FRAMES):
        turn = 2 * np.pi * number / _FRAMES
        moved = rigid.move_about(centre, [0.12 * np.sin(turn), 0.0, 0.1 * np.sin(2 * turn), 0, 0, 5 * turn], pose)
        image = projector.render(camera.rays(), moved)[0].reshape(camera.size)
        image = image + np.random.default_rng(number).normal(scale=0.02, size=image.shape)
        mask = np.full(camera.size, number != _DARK_FRAME)
        radiographs.append(Radiograph((image * mask).astype(np.float32), mask, camera))
    node, _browser = add_radiograph_sequence(radiographs, range(_FRAMES), "Cine AP")
    add_view(node)
    return node


def plot_image(chart_node: Any, size: tuple[int, int]) -> Image.Image:
    """What a plot view of `size` (width, height) shows of a chart, by VTK's charts, which Slicer draws it with."""
    view, chart = vtk.vtkContextView(), vtk.vtkChartXY()
    view.GetScene().AddItem(chart)
    for number in range(chart_node.GetNumberOfPlotSeriesNodes()):
        series = chart_node.GetNthPlotSeriesNode(number)
        plot = chart.AddPlot(vtk.vtkChart.LINE)
        table = series.GetTableNode().GetTable()
        plot.SetInputData(table, series.GetXColumnName(), series.GetYColumnName())
        plot.SetLabel(series.GetName())
        plot.SetColorF(*series.GetColor())
        plot.GetPen().SetLineType(series.GetLineStyle())
        plot.SetMarkerStyle(series.GetMarkerStyle())
        plot.SetMarkerSize(series.GetMarkerSize())
        plot.SetWidth(2.0)
    chart.SetShowLegend(True)
    chart.SetTitle(chart_node.GetTitle())
    for axis, title in (
        (vtk.vtkAxis.BOTTOM, chart_node.GetXAxisTitle()),
        (vtk.vtkAxis.LEFT, chart_node.GetYAxisTitle()),
    ):
        chart.GetAxis(axis).SetTitle(title)
    view.GetRenderer().SetBackground(1.0, 1.0, 1.0)
    window = view.GetRenderWindow()
    window.SetOffScreenRendering(True)
    window.SetMultiSamples(8)
    window.SetSize(*size)
    return drawn(window)


def refusal(window: Window, folder: Path, out: Path) -> None:
    """An X-ray without a geometry, and what is said when none is given."""
    window.open("XRays")
    # By another name there is no camera file beside it.
    shutil.copy(next(folder.rglob("simulated-ap/xray.png")), folder / "picture.png")
    window.panel.xrays.add_file(folder / "picture.png")
    window.panel.xrays.ui.applyGeometryButton.click()
    write(window.image("Status", "XRays"), out / "slicer-refusal.png")


def wait_for_drrs(window: Window, xrays: Sequence[Any], moved: bool = False) -> None:
    """Until every X-ray's DRR is drawn in full; after the CT `moved`, it is first drawn small."""

    def in_full() -> list[bool]:
        drrs = [drr_of(one) for one in xrays]
        return [
            drr is not None and drr.GetImageData().GetDimensions() == one.GetImageData().GetDimensions()
            for one, drr in zip(xrays, drrs, strict=True)
        ]

    if moved:
        window.wait(lambda: not any(in_full()))
    window.wait(lambda: all(in_full()))
    pump(0.5)


def overlays(window: Window) -> list[Image.Image]:
    """The first view in each way to lay the DRR over its X-ray, in the panel's order, which ends as it began."""
    box, tiles = window.panel.register.ui.overlayBox, []
    for row in range(box.count):
        box.setCurrentIndex(row)
        pump(0.1)
        tiles.append(slice_image(slice_logic(1), (_TILE, _TILE)))
    box.setCurrentIndex(0)
    pump(0.1)
    return tiles


def computed_head() -> Image.Image:
    """Left half the CT's bone, right half the DRR, from the front."""
    ct = head_phantom(1.0).ct
    camera = c_arm_camera(
        source_detector_distance=1020.0,
        source_object_distance=700.0,
        pixel_spacing=(1.32, 1.32),
        size=_THUMBNAIL[::-1],
        primary_angle_deg=180.0,
    )
    pose = pose_of_view("ap", ct, camera)
    integrals = Projector(ct).render(camera.rays(), pose)[0].reshape(camera.size).astype(np.float32)
    inside = np.ones(camera.size, dtype=bool)
    made = Image.fromarray(light_box(integrals, inside, grey_window(integrals, inside)))
    made.paste(rendered(ct, pose, camera).crop((0, 0, _THUMBNAIL[0] // 2, _THUMBNAIL[1])), (0, 0))
    return made


def rendered(ct: CT, pose: Float64[np.ndarray, "4 4"], camera: PinholeCamera) -> Image.Image:
    """A CT's bone as seen from the source of a camera."""
    hounsfield = hounsfield_from_attenuation(ct.attenuation)
    image = vtk.vtkImageData()
    image.SetDimensions(*hounsfield.shape[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(hounsfield.ravel(), deep=True))
    # Drawing wants the voxels' true size; the matrix only turns and shifts.
    size = np.linalg.norm(ct.ct_from_voxel[:3, :3], axis=0)
    image.SetSpacing(*size)
    placed = vtk.vtkMatrix4x4()
    placed.DeepCopy((pose @ ct.ct_from_voxel @ np.diag([*(1 / size), 1.0])).ravel())
    mapper, volume = vtk.vtkSmartVolumeMapper(), vtk.vtkVolume()
    mapper.SetInputData(image)
    volume.SetMapper(mapper)
    volume.SetProperty(bone())
    volume.SetUserMatrix(placed)
    renderer, window = vtk.vtkRenderer(), vtk.vtkRenderWindow()
    renderer.AddVolume(volume)
    world_from_camera = np.linalg.inv(camera.camera_from_world)
    eye = renderer.GetActiveCamera()
    eye.SetPosition(*world_from_camera[:3, 3])
    eye.SetFocalPoint(*(world_from_camera[:3, 3] + world_from_camera[:3, 2]))
    eye.SetViewUp(*-world_from_camera[:3, 1])
    assert camera.source_detector_distance is not None and camera.pixel_spacing is not None
    half = camera.size[0] * camera.pixel_spacing[0] / 2
    eye.SetViewAngle(2 * np.degrees(np.arctan(half / camera.source_detector_distance)))
    renderer.ResetCameraClippingRange()
    window.SetOffScreenRendering(True)
    window.SetSize(camera.size[1], camera.size[0])
    window.AddRenderer(renderer)
    return drawn(window)


def plastic_skull() -> Image.Image:
    """The localizer, as on a light box. InputError where it cannot be had."""
    xray = XrayFile(sample("skull-phantom-scout")).read()
    whole = Image.fromarray(light_box(xray.attenuation, xray.mask, grey_window(xray.attenuation, xray.mask)))
    return whole.crop(_SKULL).resize(_THUMBNAIL, Image.Resampling.LANCZOS)


def thumbnails(out: Path) -> None:
    """The pictures of the sample data in the module Sample Data; one whose data cannot be had stays as it is."""
    write(computed_head(), out / "SampleHead.png")
    try:
        write(plastic_skull(), out / "SampleSkull.png")
    except InputError as error:
        print(f"The plastic skull's thumbnail stays as it is. {error}")


def main(images: Path, icons: Path) -> None:
    """Open the window and take every picture."""
    images, icons = images.resolve(), icons.resolve()
    for folder in (images, icons):
        folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name)
        # Paths in the window are relative to here, so that no machine's folders are in the pictures.
        patch.chdir(folder)
        made = installation.begin(patch, folder)
        window = Window(made, MODULE)
        align_sliders(window)
        from DiffRegistrationLib.panel import results

        patch.setattr(results, "datetime", Clock)
        take_all(window, folder, images)
        installation.end(made)
    thumbnails(icons)


if __name__ == "__main__":
    main(*([Path(sys.argv[1])] * 2 if len(sys.argv) > 1 else (IMAGES, ICONS)))
