"""A patient for the window: a small head and X-rays of it whose truth is known; and how to play a user."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

# The small head of the unit tests.
sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from child_processes import worker_processes as worker_processes
from DiffRegistrationLib.xray.attenuation import hounsfield_from_attenuation
from DiffRegistrationLib.xray.files.camera_files import write_camera
from DiffRegistrationLib.xray.projector import Projector
from DiffRegistrationLib.xray.radiograph import Radiograph
from fluororeg_runs import camera, head, truth
from PIL import Image

if TYPE_CHECKING:
    from slicer_stand_in.installation import StandIn

MODULE = Path(__file__).parents[2] / "DiffRegistration" / "DiffRegistration.py"
# For a machine that is busy with other things.
PATIENCE = 120.0


def open_window(stand_in: StandIn) -> Any:
    """The module's window, as Slicer opens it."""
    stand_in.load_module(MODULE)
    return stand_in.enter_module("DiffRegistration")


def add_ct(name: str = "Head CT") -> Any:
    """The head as a CT that Slicer has loaded."""
    import slicer

    ct = head()
    hounsfield = hounsfield_from_attenuation(ct.attenuation).astype(np.float32)
    return slicer.util.addVolumeFromArray(hounsfield, slicer.util.vtkMatrixFromArray(ct.ct_from_voxel), name)


def seen(primary_deg: float = 180.0) -> Radiograph:
    """An X-ray of the head, with noise."""
    view = camera(primary_deg)
    image = Projector(head()).render(view.rays(), truth())[0].reshape(view.size)
    image = image + np.random.default_rng(2).normal(scale=0.02, size=image.shape)
    return Radiograph(image.astype(np.float32), np.ones(view.size, dtype=bool), view)


def add_xray(primary_deg: float = 180.0, name: str = "X-ray AP") -> Any:
    """An X-ray of the scene that is a view already."""
    from DiffRegistrationLib.mrml.views import add_view
    from DiffRegistrationLib.mrml.xray_node import add_radiograph

    node = add_radiograph(seen(primary_deg), name)
    add_view(node)
    return node


def xray_files(folder: Path) -> tuple[Path, Path]:
    """The X-ray as a picture (bone dark) and its camera, as files."""
    counts = np.clip(60000 * np.exp(-seen().attenuation), 1, 65535).astype(np.uint16)
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(counts).save(folder / "xray.png")
    write_camera(folder / "camera.json", camera())
    return folder / "xray.png", folder / "camera.json"


def pose_of(ct: Any) -> np.ndarray:
    """Where a CT lies now."""
    from DiffRegistrationLib.mrml.ct_node import world_from_ct

    return world_from_ct(ct)


def distance_mm(pose: np.ndarray) -> float:
    """Mean distance of the corners of the head's inner box from where they truly are."""
    corners = np.column_stack([head().corners(0.5), np.ones(8)])
    return float(np.linalg.norm((corners @ (pose - truth()).T)[:, :3], axis=1).mean())


def pump(seconds: float = 0.0) -> None:
    """Let the window live for a while; what it put off is done then."""
    from slicer_stand_in import event_loop

    event_loop.pump(seconds)


def pump_until(condition: Any, seconds: float = PATIENCE) -> None:
    """Let the window live until `condition()`."""
    from slicer_stand_in import event_loop

    event_loop.pump(until=condition, timeout=seconds)


def patient(panel: Any, *xrays: float) -> tuple[Any, list[Any]]:
    """CT and X-rays (by their primary angle), chosen and shown in the window."""
    ct = add_ct()
    nodes = [add_xray(angle, f"X-ray {angle:g}") for angle in xrays]
    panel.patient.ui.ctSelector.setCurrentNode(ct)
    pump(0.05)
    return ct, nodes


def choose(box: Any, data: str) -> None:
    """Choose an entry of a combo box by its data."""
    box.setCurrentIndex(box.findData(data))


def choose_node(selector: Any, node: Any) -> None:
    """Choose a node in a selector as a user does; None is its first entry."""
    box = selector.box if hasattr(selector, "box") else _inner(selector).box
    row = 0 if node is None else next(n for n in range(box.count()) if box.itemText(n) == node.GetName())
    box.setCurrentIndex(row)
    box.activated.emit(row)


def _inner(wrapper: Any) -> Any:
    from slicer_stand_in.pythonqt import native

    return native(wrapper)


def start_registering(panel: Any, start: str = "any") -> None:
    """Press Register, and wait until the search has begun."""
    choose(panel.register.ui.startBox, start)
    panel.register.ui.registerButton.click()
    pump_until(lambda: panel.register.ui.registerProgress.format.startswith("Search"))


def register(panel: Any, start: str = "ap") -> None:
    """Press Register, and wait for its end."""
    choose(panel.register.ui.startBox, start)
    panel.register.ui.registerButton.click()
    pump_until(lambda: idle(panel))


def idle(panel: Any) -> bool:
    """Whether nothing runs."""
    return panel.session.working is None


def message(panel: Any) -> str:
    """What the panel says."""
    text = panel.session._ui.messageLabel.text
    return str(text) if text else ""


def is_refusal(panel: Any) -> bool:
    """Whether what the panel says is in the colour of refusals."""
    return bool(message(panel)) and "#b3261e" in panel.session._ui.messageLabel.styleSheet


def scene_in_words() -> dict[str, tuple[Any, ...]]:
    """What a user would miss or find too much: each node of the scene with its name, attributes, place and pixels."""
    import slicer

    found = {}
    for node in slicer.util.getNodesByClass("vtkMRMLNode", slicer.mrmlScene):
        # The window's own state, and views, change as the user looks at things.
        if node.IsA("vtkMRMLScriptedModuleNode") or node.IsA("vtkMRMLAbstractViewNode"):
            continue
        attributes = tuple((name, node.GetAttribute(name)) for name in sorted(node.GetAttributeNames()))
        place: Any = node.GetTransformNodeID() if node.IsA("vtkMRMLTransformableNode") else None
        if node.IsA("vtkMRMLLinearTransformNode"):
            place = (place, slicer.util.arrayFromTransformMatrix(node).tobytes())
        pixels = None
        if node.IsA("vtkMRMLVolumeNode") and node.GetImageData() is not None:
            pixels = slicer.util.arrayFromVolume(node).tobytes()
        found[node.GetID()] = (node.GetName(), attributes, place, pixels)
    return found


def save_scene(folder: Path) -> Path:
    """Save the scene with its data into a new folder, as Slicer's dialog does; the .mrml file."""
    import slicer

    folder.mkdir()
    scene = slicer.mrmlScene
    scene.SetRootDirectory(str(folder))
    for node in slicer.util.getNodesByClass("vtkMRMLStorableNode", scene):
        if not node.GetSaveWithScene() or node.IsA("vtkMRMLColorNode"):
            continue
        if node.GetStorageNode() is None:
            node.AddDefaultStorageNode()
        storage = node.GetStorageNode()
        if storage is not None:
            storage.SetFileName(str(folder / f"{node.GetID()}.{storage.GetDefaultWriteFileExtension()}"))
            assert storage.WriteData(node), node.GetName()
    file = folder / "scene.mrml"
    scene.SetURL(str(file))
    assert slicer.util.saveScene(str(file))
    return file


@contextmanager
def refused(panel: Any, *words: str) -> Iterator[None]:
    """A block whose action must end with a message in the panel that says all `words`, in the panel usable again,
    and with the scene as it was.
    """
    pump(0.05)
    before = scene_in_words()
    yield
    pump_until(lambda: idle(panel))
    pump(0.05)
    text = message(panel)
    assert is_refusal(panel), f"no refusal: {text!r}"
    for word in words:
        assert word in text, text
    after = scene_in_words()
    assert after.keys() == before.keys(), {
        i: n[0] for i, n in (after | before).items() if i not in after.keys() & before
    }
    assert after == before, [(*before[i][:3], "…", *after[i][:3]) for i in before if before[i] != after[i]]
    usable(panel)


def usable(panel: Any) -> None:
    """Nothing runs, no button waits for anything that will not come."""
    assert panel.register.ui.registerButton.text == "Register" and panel.train.ui.trainButton.text == "Train"
    assert not panel.session.logic.busy
    for widget in (panel.register.ui.registerButton, panel.train.ui.trainButton, panel.register.ui.undoButton):
        assert not str(widget.toolTip).startswith("Wait"), widget.toolTip
