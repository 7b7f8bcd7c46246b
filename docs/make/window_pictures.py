"""Windows and views of the modules as pictures: what `screenshots` and `landmark_screenshots` are made of.

Windows run on the stand-in for Slicer's Qt half (Testing/gui/slicer_stand_in), on no screen, with the real engine
behind them; views are drawn by the slicer-core package. OpenGL without a screen is needed: EGL with Mesa's renderer in
software.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).parents[2]
# The stand-in is a part of the tests.
sys.path.insert(0, str(ROOT / "Testing" / "gui"))

import numpy as np  # noqa: E402
import slicer  # noqa: E402
import vtk  # noqa: E402
from DiffRegistrationLib.mrml.attributes import BEAM  # noqa: E402
from DiffRegistrationLib.mrml.xray_layouts import view_name  # noqa: E402
from jaxtyping import Float64, UInt8  # noqa: E402
from PIL import Image, ImageDraw, ImageFont  # noqa: E402
from PySide6.QtCore import Qt  # noqa: E402
from PySide6.QtGui import QImage, QPixmap  # noqa: E402
from slicer_stand_in import installation  # noqa: E402
from slicer_stand_in.event_loop import pump  # noqa: E402
from slicer_stand_in.pythonqt import native  # noqa: E402
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy  # noqa: E402

# Slicer's module panel is about as wide; it is drawn at twice the size, for screens of fine pixels.
PANEL_WIDTH, FINENESS, _MARGIN = 460, 2, 6
_PATIENCE = 3600.0
# How much of a 3D picture is filled.
_FILLED = 0.94
_MANAGERS = ("Camera", "View", "Model", "VolumeRendering", "Markups")
_SLICE_MANAGERS = ("Markups", "ModelSlice")
GAP, BAR, THREE_D_BAR = 4, 22, (116, 116, 180)
_HEAD, _SIDE, _DARK, _LIGHT = 34, 34, (13, 17, 23), (230, 237, 243)
# What the wheel does not bring: of Slicer's presets, the look of bone.
_BONE_COLOUR = ((-3024, 0, 0, 0), (-16, 0.73, 0.25, 0.30), (641, 0.91, 0.82, 0.55), (3071, 1, 1, 1))
_BONE_OPACITY = ((-3024, 0), (150, 0), (641, 0.72), (3071, 0.71))

Picture = UInt8[np.ndarray, "rows columns channels"]


class Window:
    """The last of some modules in Slicer's main window."""

    def __init__(self, made: installation.StandIn, *modules: Path) -> None:
        self.stand_in, self._name = made, modules[-1].stem
        for module in modules:
            made.load_module(module)
        self._module = made.enter_module(self._name)
        self.panel = self._module.panel
        frame = native(slicer.util.mainWindow())
        # High enough for all sections, so that nothing is scrolled.
        frame.resize(PANEL_WIDTH + 800, 2600)
        frame.show()
        frame.centralWidget().setSizes([PANEL_WIDTH, 800])
        pump(0.1)

    def image(self, *names: str) -> Image.Image:
        """The panel from the first to the last of the sections of these names; all of it if none is named."""
        pump(0.2)
        widget = native(self._module.parent)
        shown = [one for one in self._sections() if not names or one.objectName().removesuffix("Section") in names]
        pixels = QPixmap(widget.size() * FINENESS)
        pixels.setDevicePixelRatio(FINENESS)
        pixels.fill(Qt.GlobalColor.transparent)
        widget.render(pixels)
        drawn = pixels.toImage().convertToFormat(QImage.Format.Format_RGB888)
        whole = Image.frombytes(
            "RGB", (drawn.width(), drawn.height()), bytes(drawn.constBits()), "raw", "RGB", drawn.bytesPerLine()
        )
        top, bottom = shown[0].geometry().top() - _MARGIN, shown[-1].geometry().bottom() + _MARGIN
        return whole.crop((0, max(top, 0) * FINENESS, whole.width, min(bottom * FINENESS, whole.height)))

    def open(self, *names: str) -> None:
        """Open the sections of these names, and close the others."""
        for section in self._sections():
            for child in section.children():
                if child.objectName() == "sectionButton":
                    child.setProperty("collapsed", section.objectName().removesuffix("Section") not in names)

    def come_back(self) -> None:
        """Go to another module and back, as after loading data."""
        slicer.util.selectModule("Volumes")
        self.stand_in.enter_module(self._name)

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
    image, node = slice_image(logic, (size[0], size[1] - BAR)), logic.GetSliceNode()
    return with_bar(image, node.GetLayoutLabel(), tuple(round(255 * part) for part in node.GetLayoutColor()))


def slice_image(logic: Any, size: tuple[int, int]) -> Image.Image:
    """The volumes that a slice view of `size` (width, height) shows, fitted to its background."""
    logic.GetSliceNode().SetDimensions(*size, 1)
    logic.FitSliceToAll()
    connection = logic.GetImageDataConnection()
    connection.GetProducer().Update()
    blended = array_of(connection.GetProducer().GetOutputDataObject(connection.GetIndex()))
    # Where no layer is, the fourth component is nought.
    return Image.fromarray(np.where(blended[..., 3:] > 0, blended[..., :3], 0).astype(np.uint8))


def marked_slice_image(logic: Any, size: tuple[int, int]) -> Image.Image:
    """The same with the markups and models that lie in it, by Slicer's own displayable managers."""
    volumes = slice_image(logic, size)
    picture = vtk.vtkImageData()
    picture.SetDimensions(*size, 1)
    pixels = np.ascontiguousarray(np.flipud(np.asarray(volumes)).reshape(-1, 3))
    picture.GetPointData().SetScalars(numpy_to_vtk(pixels, deep=True))
    mapper, actor = vtk.vtkImageMapper(), vtk.vtkActor2D()
    mapper.SetInputData(picture)
    mapper.SetColorWindow(255)
    mapper.SetColorLevel(127.5)
    actor.SetMapper(mapper)
    actor.GetProperty().SetDisplayLocationToBackground()
    factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
    return _managed(factory, _SLICE_MANAGERS, size, logic.GetSliceNode(), lambda renderer: renderer.AddViewProp(actor))


def offer_markups() -> None:
    """Give the stand-in the logic by which points are drawn."""
    application = slicer.app.applicationLogic()
    if application.GetModuleLogic("Markups") is None:
        logic = slicer.vtkSlicerMarkupsLogic()
        logic.SetMRMLApplicationLogic(application)
        logic.SetMRMLScene(slicer.mrmlScene)
        application.SetModuleLogic("Markups", logic)
        # Nobody else keeps it.
        slicer.modules.markups_of_pictures = logic


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
    return Image.fromarray(array_of(taken.GetOutput())[..., :3])


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
    view_node.SetBoxVisible(False)
    view_node.SetAxisLabelsVisible(False)

    def aim(renderer: Any) -> None:
        _aim(renderer.GetActiveCamera(), size[0] / size[1], points, direction, up)
        renderer.ResetCameraClippingRange()

    factory = slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance()
    return _managed(factory, _MANAGERS, size, view_node, aim)


def _managed(
    factory: Any, names: Sequence[str], size: tuple[int, int], view_node: Any, prepare: Callable[[Any], Any]
) -> Image.Image:
    """A view as displayable managers of these names draw it, once its renderer is prepared."""
    factory.SetMRMLApplicationLogic(slicer.app.applicationLogic())
    for name in names:
        manager = f"vtkMRML{name}DisplayableManager"
        if not factory.IsDisplayableManagerRegistered(manager):
            factory.RegisterDisplayableManager(manager)
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
    prepare(renderer)
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


def array_of(image: Any) -> Picture:
    """A vtkImageData's pixels, the top row first."""
    width, height, _depth = image.GetDimensions()
    return np.flipud(vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, -1)).copy()


def beside(images: Sequence[Image.Image]) -> Image.Image:
    """Images side by side."""
    sheet = Image.new(
        "RGB", (sum(image.width for image in images) + GAP * (len(images) - 1), max(image.height for image in images))
    )
    left = 0
    for image in images:
        sheet.paste(image, (left, 0))
        left += image.width + GAP
    return sheet


def below(images: Sequence[Image.Image]) -> Image.Image:
    """Images of one width below each other."""
    sheet = Image.new("RGB", (images[0].width, sum(image.height for image in images) + GAP * (len(images) - 1)))
    top = 0
    for image in images:
        sheet.paste(image, (0, top))
        top += image.height + GAP
    return sheet


def with_bar(image: Image.Image, label: str, colour: tuple[int, ...]) -> Image.Image:
    """A view under its bar, as Slicer's layouts have it."""
    made = Image.new("RGB", (image.width, image.height + BAR), colour)
    ImageDraw.Draw(made).text((8, BAR / 2), label, fill="white", font=ImageFont.load_default(14), anchor="lm")
    made.paste(image, (0, BAR))
    return made


def gallery(columns: Sequence[str], rows: dict[str, list[Image.Image]], tile: int) -> Image.Image:
    """Square images of one size in a grid, with words above the columns and beside the rows."""
    size = (_SIDE + len(columns) * (tile + GAP) - GAP, _HEAD + len(rows) * (tile + GAP) - GAP)
    sheet = Image.new("RGB", size, _DARK)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(16)
    for number, words in enumerate(columns):
        place = (_SIDE + number * (tile + GAP) + tile / 2, _HEAD / 2)
        draw.text(place, words, fill=_LIGHT, font=font, anchor="mm")
    for row, (words, images) in enumerate(rows.items()):
        top = _HEAD + row * (tile + GAP)
        label = Image.new("RGB", (tile, _SIDE), _DARK)
        ImageDraw.Draw(label).text((tile / 2, _SIDE / 2), words, fill=_LIGHT, font=font, anchor="mm")
        sheet.paste(label.rotate(90, expand=True), (0, top))
        for number, image in enumerate(images):
            sheet.paste(image, (_SIDE + number * (tile + GAP), top))
    return sheet


def write(image: Image.Image, path: Path) -> None:
    """Write a picture and say where: PNG in 256 colours of its own, or JPEG."""
    if path.suffix == ".png":
        image.quantize(256, method=Image.Quantize.MEDIANCUT).save(path, optimize=True)
    else:
        image.save(path, quality=88, subsampling=0, optimize=True, progressive=True)
    print(f"{path}  {image.width} × {image.height}, {path.stat().st_size / 1000:.0f} kB")
