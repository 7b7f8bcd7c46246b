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
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).parents[2]
# The stand-in is a part of the tests.
sys.path.insert(0, str(ROOT / "Testing" / "gui"))

import numpy as np  # noqa: E402
import pytest  # noqa: E402
import slicer  # noqa: E402
import vtk  # noqa: E402
from DiffRegistrationLib.mrml.attributes import BEAM  # noqa: E402
from DiffRegistrationLib.mrml.ct_node import ct_from_node, world_from_ct  # noqa: E402
from DiffRegistrationLib.mrml.drr_node import drr_of  # noqa: E402
from DiffRegistrationLib.mrml.pose_sequence import show_frame  # noqa: E402
from DiffRegistrationLib.mrml.views import add_view, remove_view  # noqa: E402
from DiffRegistrationLib.mrml.xray_layouts import view_name  # noqa: E402
from DiffRegistrationLib.mrml.xray_node import camera_of  # noqa: E402
from DiffRegistrationLib.mrml.xray_sequence import add_radiograph_sequence, browser_of  # noqa: E402
from DiffRegistrationLib.registration.starts import pose_of_view  # noqa: E402
from DiffRegistrationLib.report.pictures import grey_window, light_box  # noqa: E402
from DiffRegistrationLib.xray.attenuation import hounsfield_from_attenuation  # noqa: E402
from DiffRegistrationLib.xray.ct import CT  # noqa: E402
from DiffRegistrationLib.xray.errors import InputError  # noqa: E402
from DiffRegistrationLib.xray.files.sample_data import sample  # noqa: E402
from DiffRegistrationLib.xray.files.xray_with_geometry import XrayFile  # noqa: E402
from DiffRegistrationLib.xray.geometry import PinholeCamera, rigid  # noqa: E402
from DiffRegistrationLib.xray.geometry.c_arm import c_arm_camera  # noqa: E402
from DiffRegistrationLib.xray.phantom import head_phantom  # noqa: E402
from DiffRegistrationLib.xray.projector import Projector  # noqa: E402
from DiffRegistrationLib.xray.radiograph import Radiograph  # noqa: E402
from jaxtyping import Float64, UInt8  # noqa: E402
from PIL import Image, ImageDraw, ImageFont  # noqa: E402
from PySide6.QtCore import Qt  # noqa: E402
from PySide6.QtGui import QImage, QPixmap  # noqa: E402
from slicer_stand_in import installation  # noqa: E402
from slicer_stand_in.event_loop import pump  # noqa: E402
from slicer_stand_in.pythonqt import native  # noqa: E402
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy  # noqa: E402

IMAGES = ROOT / "docs" / "images"
MODULE = ROOT / "DiffRegistration" / "DiffRegistration.py"
ICONS = MODULE.parent / "Resources" / "Icons"

# Slicer's module panel is about as wide; it is drawn at twice the size, for screens of fine pixels.
_PANEL_WIDTH, _FINENESS, _MARGIN = 460, 2, 6
_PATIENCE = 3600.0
# How long to train, and when to take the picture, in thousandths of that time.
_TRAINING_MINUTES, _TRAINED_FOR = 1.0, 700
# How the CT is moved by hand, so that overlays show what a misalignment looks like.
_OFF = {"rightSlider": 5.0, "superiorSlider": -4.0, "aboutAnteriorSlider": 4.0}
_OFF_IN_WORDS = "6 mm and 4° off"
# The sequence of the pictures, its frame that is dark, and the one that is shown.
_FRAMES, _DARK_FRAME, _SHOWN_FRAME = 12, 4, 8
# The eye in the 3D view: at the patient's left foot, looking down on the table; how much of the picture is filled.
_EYE, _UP, _FILLED = (-1.0, 0.6, -1.6), (0.0, 1.0, 0.0), 0.94
_MANAGERS = ("Camera", "View", "Model", "VolumeRendering")
_TILE, _THREE_D, _VIEWS_WIDTH = 300, (900, 760), 1140
_GAP, _BAR, _THREE_D_BAR = 4, 22, (116, 116, 180)
_HEAD, _SIDE, _DARK, _LIGHT = 34, 34, (13, 17, 23), (230, 237, 243)
# What the wheel does not bring: of Slicer's presets, the look of bone.
_BONE_COLOUR = ((-3024, 0, 0, 0), (-16, 0.73, 0.25, 0.30), (641, 0.91, 0.82, 0.55), (3071, 1, 1, 1))
_BONE_OPACITY = ((-3024, 0), (150, 0), (641, 0.72), (3071, 0.71))
# What Slicer's template for modules asks for, and where the skull lies in its localizer: left, top, right, bottom.
_THUMBNAIL, _SKULL = (260, 280), (122, 16, 345, 256)

Picture = UInt8[np.ndarray, "rows columns channels"]


class Clock(datetime):
    """The time of day in the pictures, the same whenever they are made."""

    @classmethod
    def now(cls, tz: Any = None) -> Clock:
        """Half past nine."""
        return cls(2026, 1, 15, 9, 30, tzinfo=tz)


class Window:
    """The module in Slicer's main window."""

    def __init__(self, made: installation.StandIn) -> None:
        self.stand_in = made
        made.load_module(MODULE)
        self._module = made.enter_module("DiffRegistration")
        self.panel = self._module.panel
        frame = native(slicer.util.mainWindow())
        # High enough for all sections, so that nothing is scrolled.
        frame.resize(_PANEL_WIDTH + 800, 2600)
        frame.show()
        frame.centralWidget().setSizes([_PANEL_WIDTH, 800])
        self._align_sliders()
        pump(0.1)

    def image(self, *names: str) -> Image.Image:
        """The panel from the first to the last of the sections of these names; all of it if none is named."""
        pump(0.2)
        widget = native(self._module.parent)
        shown = [one for one in self._sections() if not names or one.objectName().removesuffix("Section") in names]
        pixels = QPixmap(widget.size() * _FINENESS)
        pixels.setDevicePixelRatio(_FINENESS)
        pixels.fill(Qt.GlobalColor.transparent)
        widget.render(pixels)
        drawn = pixels.toImage().convertToFormat(QImage.Format.Format_RGB888)
        whole = Image.frombytes(
            "RGB", (drawn.width(), drawn.height()), bytes(drawn.constBits()), "raw", "RGB", drawn.bytesPerLine()
        )
        top, bottom = shown[0].geometry().top() - _MARGIN, shown[-1].geometry().bottom() + _MARGIN
        return whole.crop((0, max(top, 0) * _FINENESS, whole.width, min(bottom * _FINENESS, whole.height)))

    def open(self, *names: str) -> None:
        """Open the sections of these names, and close the others."""
        for section in self._sections():
            for child in section.children():
                if child.objectName() == "sectionButton":
                    child.setProperty("collapsed", section.objectName().removesuffix("Section") not in names)

    def come_back(self) -> None:
        """Go to another module and back, as after loading data."""
        slicer.util.selectModule("Volumes")
        self.stand_in.enter_module("DiffRegistration")

    def wait(self, until: Callable[[], bool]) -> None:
        """Let the window live until something is so."""
        pump(until=until, timeout=_PATIENCE)

    def wait_for_job(self) -> None:
        """Let the window live until nothing runs."""
        self.wait(lambda: self.panel.session.working is None)

    def _sections(self) -> list[Any]:
        layout = native(self._module.parent).layout()
        widgets = [layout.itemAt(number).widget() for number in range(layout.count())]
        return [widget for widget in widgets if widget is not None]

    def _align_sliders(self) -> None:
        # CTK gives sliders below each other number boxes of one width; the stand-in's do not know of each other.
        boxes = [native(one).spin for one in vars(self.panel.manual.ui).values() if hasattr(native(one), "spin")]
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
    panel = panel.resize((panel.width // _FINENESS, panel.height // _FINENESS), Image.Resampling.LANCZOS)
    width, height = (_VIEWS_WIDTH - _GAP) // 2, (panel.height - _GAP) // 2
    columns = [panel, below([xray_view(number, (width, height)) for number in (1, 2)])]
    space = slicer.app.layoutManager().threeDWidget(0).mrmlViewNode(), beam_points(xrays), _EYE, _UP
    three_d = three_d_image((width, columns[1].height - _BAR), *space)
    columns.append(with_bar(three_d, "1", _THREE_D_BAR))
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
    plot = plot_image(chart, (view.width, panel.height - view.height - _GAP))
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


def beam_points(xrays: Sequence[Any]) -> Any:
    """Sources and corners of the detectors: what is to be in sight."""
    beams = [one.GetNodeReference(BEAM) for one in xrays]
    return np.concatenate([slicer.util.arrayFromModelPoints(beam) for beam in beams])


def slice_logic(number: int) -> Any:
    """The logic of the view of an X-ray, from 1."""
    return slicer.app.layoutManager().sliceWidget(view_name(number)).sliceLogic()


def xray_view(number: int, size: tuple[int, int]) -> Image.Image:
    """The view of an X-ray, from 1, under its bar; `size` is (width, height)."""
    logic = slice_logic(number)
    image, node = slice_image(logic, (size[0], size[1] - _BAR)), logic.GetSliceNode()
    return with_bar(image, node.GetLayoutLabel(), tuple(round(255 * part) for part in node.GetLayoutColor()))


def slice_image(logic: Any, size: tuple[int, int]) -> Image.Image:
    """What a slice view of `size` (width, height) shows, fitted to its background."""
    logic.GetSliceNode().SetDimensions(*size, 1)
    logic.FitSliceToAll()
    connection = logic.GetImageDataConnection()
    connection.GetProducer().Update()
    blended = _array(connection.GetProducer().GetOutputDataObject(connection.GetIndex()))
    # Where no layer is, the fourth component is nought.
    return Image.fromarray(np.where(blended[..., 3:] > 0, blended[..., :3], 0).astype(np.uint8))


def offer_volume_rendering() -> None:
    """Give the stand-in the logic behind `slicer.modules.volumerendering`, with a preset for bone."""
    logic = slicer.vtkSlicerVolumeRenderingLogic()
    logic.SetMRMLApplicationLogic(slicer.app.applicationLogic())
    logic.SetMRMLScene(slicer.mrmlScene)
    look = slicer.vtkMRMLVolumePropertyNode()
    look.SetName("CT-Bone")
    look.GetVolumeProperty().DeepCopy(bone())
    logic.AddPreset(look)
    slicer.modules.volumerendering = SimpleNamespace(logic=lambda: logic)


def bone() -> vtk.vtkVolumeProperty:
    """How a volume in Hounsfield units is drawn: bone alone, lit."""
    opacity, colour = vtk.vtkPiecewiseFunction(), vtk.vtkColorTransferFunction()
    for hounsfield, share in _BONE_OPACITY:
        opacity.AddPoint(hounsfield, share)
    for hounsfield, *rgb in _BONE_COLOUR:
        colour.AddRGBPoint(hounsfield, *rgb)
    look = vtk.vtkVolumeProperty()
    look.SetScalarOpacity(opacity)
    look.SetColor(colour)
    look.SetInterpolationTypeToLinear()
    look.ShadeOn()
    look.SetAmbient(0.25)
    look.SetDiffuse(0.95)
    look.SetSpecular(0.1)
    return look


def drawn(window: vtk.vtkRenderWindow) -> Image.Image:
    """What a render window shows."""
    window.Render()
    taken = vtk.vtkWindowToImageFilter()
    taken.SetInput(window)
    taken.ReadFrontBufferOff()
    taken.Update()
    return Image.fromarray(_array(taken.GetOutput())[..., :3])


def three_d_image(
    size: tuple[int, int],
    view_node: Any,
    points: Float64[np.ndarray, "n 3"],
    direction: Sequence[float],
    up: Sequence[float],
) -> Image.Image:
    """The 3D view of a view node, by Slicer's own displayable managers, in `size` (width, height).

    `points` (world RAS, mm) fill the picture, seen from `direction` (from their middle toward the eye).
    """
    factory = slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance()
    factory.SetMRMLApplicationLogic(slicer.app.applicationLogic())
    for name in _MANAGERS:
        manager = f"vtkMRML{name}DisplayableManager"
        if not factory.IsDisplayableManagerRegistered(manager):
            factory.RegisterDisplayableManager(manager)
    view_node.SetBoxVisible(False)
    view_node.SetAxisLabelsVisible(False)
    window, renderer = vtk.vtkRenderWindow(), vtk.vtkRenderer()
    window.SetOffScreenRendering(True)
    window.SetMultiSamples(8)
    window.SetSize(*size)
    window.AddRenderer(renderer)
    # Displayable managers want one, though nobody clicks.
    interactor = vtk.vtkGenericRenderWindowInteractor()
    interactor.SetRenderWindow(window)
    managers = factory.InstantiateDisplayableManagers(renderer)
    managers.SetMRMLDisplayableNode(view_node)
    _aim(renderer.GetActiveCamera(), size[0] / size[1], points, direction, up)
    renderer.ResetCameraClippingRange()
    image = drawn(window)
    # They let go of the nodes, before the scene goes.
    managers.SetMRMLDisplayableNode(None)
    window.Finalize()
    return image


def _aim(
    camera: Any, aspect: float, points: Float64[np.ndarray, "n 3"], direction: Sequence[float], up: Sequence[float]
) -> None:
    """Place a camera so that points fill its picture."""
    back = np.asarray(direction) / np.linalg.norm(direction)
    right = np.cross(up, back) / np.linalg.norm(np.cross(up, back))
    axes = np.stack([right, np.cross(back, right), back])
    half = np.tan(np.radians(camera.GetViewAngle()) / 2) * np.array([aspect, 1.0])
    middle, distance = points.mean(axis=0), 3 * float(np.ptp(points, axis=0).max())
    for _ in range(20):
        seen = (points - middle) @ axes.T
        spread = seen[:, :2] / (distance - seen[:, 2:]) / half
        low, high = spread.min(axis=0), spread.max(axis=0)
        middle = middle + (low + high) / 2 * half * distance @ axes[:2]
        distance *= float((high - low).max()) / 2 / _FILLED
    camera.SetFocalPoint(*middle)
    camera.SetPosition(*(middle + distance * back))
    camera.SetViewUp(*up)


def _array(image: Any) -> Picture:
    """A vtkImageData's pixels, the top row first."""
    width, height, _depth = image.GetDimensions()
    return np.flipud(vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, -1)).copy()


def beside(images: Sequence[Image.Image]) -> Image.Image:
    """Images side by side."""
    sheet = Image.new(
        "RGB", (sum(image.width for image in images) + _GAP * (len(images) - 1), max(image.height for image in images))
    )
    left = 0
    for image in images:
        sheet.paste(image, (left, 0))
        left += image.width + _GAP
    return sheet


def below(images: Sequence[Image.Image]) -> Image.Image:
    """Images of one width below each other."""
    sheet = Image.new("RGB", (images[0].width, sum(image.height for image in images) + _GAP * (len(images) - 1)))
    top = 0
    for image in images:
        sheet.paste(image, (0, top))
        top += image.height + _GAP
    return sheet


def with_bar(image: Image.Image, label: str, colour: tuple[int, ...]) -> Image.Image:
    """A view under its bar, as Slicer's layouts have it."""
    made = Image.new("RGB", (image.width, image.height + _BAR), colour)
    ImageDraw.Draw(made).text((8, _BAR / 2), label, fill="white", font=ImageFont.load_default(14), anchor="lm")
    made.paste(image, (0, _BAR))
    return made


def gallery(columns: Sequence[str], rows: dict[str, list[Image.Image]], tile: int) -> Image.Image:
    """Square images of one size in a grid, with words above the columns and beside the rows."""
    size = (_SIDE + len(columns) * (tile + _GAP) - _GAP, _HEAD + len(rows) * (tile + _GAP) - _GAP)
    sheet = Image.new("RGB", size, _DARK)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(16)
    for number, words in enumerate(columns):
        place = (_SIDE + number * (tile + _GAP) + tile / 2, _HEAD / 2)
        draw.text(place, words, fill=_LIGHT, font=font, anchor="mm")
    for row, (words, images) in enumerate(rows.items()):
        top = _HEAD + row * (tile + _GAP)
        label = Image.new("RGB", (tile, _SIDE), _DARK)
        ImageDraw.Draw(label).text((tile / 2, _SIDE / 2), words, fill=_LIGHT, font=font, anchor="mm")
        sheet.paste(label.rotate(90, expand=True), (0, top))
        for number, image in enumerate(images):
            sheet.paste(image, (_SIDE + number * (tile + _GAP), top))
    return sheet


def write(image: Image.Image, path: Path) -> None:
    """Write a picture and say where: PNG in 256 colours of its own, or JPEG."""
    if path.suffix == ".png":
        image.quantize(256, method=Image.Quantize.MEDIANCUT).save(path, optimize=True)
    else:
        image.save(path, quality=88, subsampling=0, optimize=True, progressive=True)
    print(f"{path}  {image.width} × {image.height}, {path.stat().st_size / 1000:.0f} kB")


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
        window = Window(made)
        from DiffRegistrationLib.panel import results

        patch.setattr(results, "datetime", Clock)
        take_all(window, folder, images)
        installation.end(made)
    thumbnails(icons)


if __name__ == "__main__":
    main(*([Path(sys.argv[1])] * 2 if len(sys.argv) > 1 else (IMAGES, ICONS)))
