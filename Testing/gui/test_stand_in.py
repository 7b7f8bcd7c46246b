"""The stand-in for Slicer's Qt half: a module written for Slicer runs on it, and what Slicer has not is refused."""

from __future__ import annotations

import ast
import inspect
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from slicer_stand_in.installation import StandIn

pytestmark = [pytest.mark.gui, pytest.mark.mrml]

DEMO = Path(__file__).parent / "demo" / "WindowDemo.py"


def demo(stand_in: StandIn) -> Any:
    stand_in.load_module(DEMO)
    return stand_in.enter_module("WindowDemo")


def add_volume(name: str, values: np.ndarray | None = None) -> Any:
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    if values is not None:
        slicer.util.updateVolumeFromArray(node, values)
    return node


def test_a_module_from_slicer_s_template_runs_unchanged(stand_in: StandIn) -> None:
    import slicer

    window = demo(stand_in)
    assert not window.ui.applyButton.enabled and window.ui.applyButton.toolTip == "Choose a volume first."
    assert window.ui.inputSelector.currentNode() is None
    volume = add_volume("CT", np.array([[[50.0, 150.0, 250.0]]]))
    window.ui.inputSelector.setCurrentNode(volume)
    assert window.parameterNode.inputVolume is volume
    assert window.ui.applyButton.enabled
    window.ui.applyButton.click()
    assert (window.ui.resultLabel.text, window.pressed) == ("2 above", 1)
    assert slicer.util.getModuleLogic("WindowDemo") is window.logic
    slicer.selfTests["WindowDemo"]()
    assert not stand_in.qt_warnings


def test_an_exception_in_a_callback_is_shown_and_fails_the_test_unless_taken(stand_in: StandIn) -> None:
    window = demo(stand_in)
    window.ui.inputSelector.setCurrentNode(add_volume("Empty"))
    window.ui.applyButton.click()
    assert stand_in.errors == ["It could not be counted.\n\nEmpty is empty"]
    assert "ValueError" in stand_in.shown[-1].details
    (error,) = stand_in.take_uncaught()
    assert isinstance(error, ValueError)


def test_an_exception_that_nobody_took_fails_the_test(tmp_path: Path) -> None:
    from slicer_stand_in import installation

    with pytest.MonkeyPatch.context() as patch:
        made = installation.begin(patch, tmp_path)
        window = demo(made)
        window.ui.applyButton.connect("clicked(bool)", lambda: [][0])
        window.ui.applyButton.enabled = True
        window.ui.inputSelector.setCurrentNode(add_volume("CT", np.zeros((1, 1, 1))))
        window.ui.applyButton.click()
        with pytest.raises(AssertionError, match="uncaught in a callback"):
            installation.end(made)


def test_choosing_another_module_leaves_and_enters(stand_in: StandIn) -> None:
    import slicer

    window = demo(stand_in)
    slicer.util.selectModule("Volumes")
    assert window.parameterNode is None and slicer.util.selectedModule() == "Volumes"
    assert stand_in.enter_module("WindowDemo") is window and window.parameterNode is not None


def test_parameters_and_widgets_follow_each_other_and_the_scene_s_end(stand_in: StandIn) -> None:
    import slicer

    window = demo(stand_in)
    node, ui = window.parameterNode, window.ui
    assert (ui.thresholdSlider.value, ui.thresholdSlider.minimum, ui.thresholdSlider.maximum) == (100.0, -100.0, 200.0)
    ui.thresholdSlider.value = 12.5
    ui.viewBox.currentIndex = 1
    ui.noteEdit.text = "left hip"
    ui.outputEdit.currentPath = str(stand_in.folder)
    ui.invertBox.checked = True
    ui.repeatsSlider.value = 7
    kept = [node.threshold, node.view.name, node.note, node.output, node.invert, node.repeats]
    assert kept == [12.5, "LATERAL", "left hip", stand_in.folder, True, 7]
    raw = node.parameterNode
    assert raw.IsA("vtkMRMLScriptedModuleNode")
    written = {name: raw.GetParameter(name) for name in ("threshold", "view", "invert", "poses_len")}
    assert written == {"threshold": "12.5", "view": "LATERAL", "invert": "True", "poses_len": "0"}
    node.threshold = -3.0
    raw.SetParameter("note", "from the node")
    assert (ui.thresholdSlider.value, ui.noteEdit.text) == (-3.0, "from the node")
    node.poses = [1.0]
    node.poses.append(2.5)
    node.frame = 4
    assert (raw.GetParameter("poses_1"), raw.GetParameter("frame_0")) == ("2.5", "4")
    with pytest.raises(ValueError, match="within range"):
        node.threshold = 1000.0
    with pytest.raises(TypeError, match="must be of type"):
        node.repeats = "3"
    ui.inputSelector.setCurrentNode(add_volume("CT"))
    slicer.mrmlScene.Clear()
    assert ui.inputSelector.currentNode() is None and ui.thresholdSlider.value == 100.0


def test_types_that_slicer_cannot_keep_are_refused(stand_in: StandIn) -> None:
    from slicer.parameterNodeWrapper import parameterNodeWrapper

    class Newer:
        frame: int | None = None

    Newer.__annotations__ = {"frame": int | None}
    with pytest.raises(Exception, match="Unable to create serializer"):
        parameterNodeWrapper(Newer)


def test_properties_are_attributes_and_only_recorded_names_exist(stand_in: StandIn) -> None:
    import ctk
    import qt
    import slicer

    button = qt.QPushButton("Go")
    assert (button.text, button.enabled, button.visible) == ("Go", True, False)
    with pytest.raises(TypeError, match="'str' object is not callable"):
        button.text()
    with pytest.raises(AttributeError, match="QPushButton has no attribute named 'caption'"):
        button.caption  # noqa: B018
    with pytest.raises(AttributeError, match="'caption' does not exist on QPushButton"):
        button.caption = "x"
    with pytest.raises(AttributeError, match="can not be overwritten"):
        button.setText = print
    with pytest.raises(AttributeError, match=r"type 'QString' does not accept an object of type int \(3\)"):
        button.text = 3
    with pytest.raises(AttributeError, match="ctkSliderWidget has no attribute named 'setMinimum'"):
        ctk.ctkSliderWidget().setMinimum(0)
    with pytest.raises(AttributeError, match="does not accept an object of type float32"):
        ctk.ctkSliderWidget().value = np.float32(1.0)
    for module, name in (
        (qt, "QThread"),
        (qt, "Nonsense"),
        (ctk, "ctkRangeWidget"),
        (slicer.packaging, "pip_uninstall"),
    ):
        with pytest.raises(AttributeError, match=name):
            getattr(module, name)
    with pytest.raises(AttributeError, match="qSlicerApplication has no attribute"):
        slicer.app.nonsense()


def test_signals_are_connected_by_their_cpp_signature(stand_in: StandIn) -> None:
    import qt

    button, heard = qt.QPushButton("Go"), []

    def with_state(checked: bool) -> None:
        heard.append(checked)

    button.connect("clicked(bool)", with_state)
    button.connect("clicked(bool)", lambda: heard.append("no argument"))
    button.clicked.connect(heard.append)
    button.click()
    assert heard == [False, "no argument", False]
    assert button.disconnect("clicked(bool)", with_state) and not button.disconnect("clicked(bool)", with_state)
    for signature in ("click(bool)", "clicked(int)", "nonsense()"):
        with pytest.raises(ValueError, match="does not exist on QPushButton"):
            button.connect(signature, with_state)
    with pytest.raises(ValueError, match="does not exist on QComboBox"):
        qt.QComboBox().connect("currentIndexChanged(QString)", with_state)


def test_a_python_subclass_overrides_events_and_keeps_its_attributes(stand_in: StandIn) -> None:
    import qt

    class Field(qt.QWidget):
        def __init__(self, parent: Any = None) -> None:
            super().__init__(parent)
            self.widths: list[int] = []

        def resizeEvent(self, event: Any) -> None:  # noqa: N802
            self.widths.append(event.size().width())
            qt.QWidget.resizeEvent(self, event)

    outer = qt.QWidget()
    layout = qt.QVBoxLayout(outer)
    layout.addWidget(Field(outer))
    outer.show()
    outer.resize(300, 100)
    stand_in.pump(0.02)
    inner = layout.itemAt(0).widget()
    assert isinstance(inner, Field) and inner.parent() == outer and inner.widths
    inner.delete()
    assert not inner
    with pytest.raises(ValueError, match="destroyed"):
        inner.width  # noqa: B018


def test_a_node_selector_follows_the_scene(stand_in: StandIn) -> None:
    import slicer

    selector, heard = slicer.qMRMLNodeComboBox(), []
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    selector.noneEnabled = True
    assert not selector.enabled
    selector.setMRMLScene(slicer.mrmlScene)
    selector.connect("currentNodeChanged(vtkMRMLNode*)", heard.append)
    first, second = add_volume("A"), add_volume("B")
    hidden = add_volume("hidden")
    hidden.SetHideFromEditors(True)
    assert (selector.nodeCount(), selector.currentNode()) == (2, None)
    selector.setCurrentNode(second)
    slicer.mrmlScene.RemoveNode(second)
    assert heard == [second, first] and selector.currentNodeID == first.GetID()
    assert selector.addNode() is selector.currentNode()
    selector.addAttribute("vtkMRMLModelNode", "FluoroRegistration.Pixels", "attenuation")
    assert selector.nodeCount() == 2
    selector.addAttribute("vtkMRMLScalarVolumeNode", "FluoroRegistration.Pixels", "attenuation")
    assert selector.nodeCount() == 0
    first.SetAttribute("FluoroRegistration.Pixels", "attenuation")
    assert selector.nodeCount() == 1
    with pytest.raises(AttributeError, match="no attribute named 'setNodeTypes'"):
        selector.setNodeTypes([])


def test_a_ui_file_with_what_slicer_has_not_is_refused(stand_in: StandIn) -> None:
    import slicer

    text = (DEMO.parent / "Resources" / "UI" / "WindowDemo.ui").read_text(encoding="utf-8")
    for right, wrong, said in (
        ('name="suffix"', 'name="unit"', "'thresholdSlider' sets 'unit', which ctkSliderWidget has not"),
        ("mrmlSceneChanged(vtkMRMLScene*)", "sceneChanged(vtkMRMLScene*)", "does not exist on qMRMLWidget"),
        ("<slot>setMRMLScene", "<slot>useScene", "has no slot useScene"),
        ('class="ctkSliderWidget"', 'class="ctkRangeWidget"', "ctkRangeWidget, which the stand-in does not offer"),
    ):
        file = stand_in.folder / "wrong.ui"
        file.write_text(text.replace(right, wrong), encoding="utf-8")
        with pytest.raises(RuntimeError, match=said):
            slicer.util.loadUI(str(file))


def test_views_of_an_own_layout_are_real_slice_logics(stand_in: StandIn) -> None:
    import slicer

    views = "".join(f'<item><view class="vtkMRMLSliceNode" singletontag="XRay{number}"/></item>' for number in (1, 2))
    layout = slicer.app.layoutManager().layoutLogic().GetLayoutNode()
    heard: list[int] = []
    slicer.app.layoutManager().connect("layoutChanged(int)", heard.append)
    layout.AddLayoutDescription(20501, f'<layout type="horizontal">{views}</layout>')
    layout.SetViewArrangement(20501)
    widget = slicer.app.layoutManager().sliceWidget("XRay1")
    assert heard == [20501] and widget.sliceLogic().GetSliceNode() is widget.mrmlSliceNode()
    xray = add_volume("X-ray", np.arange(12, dtype=np.float32).reshape(1, 3, 4))
    slicer.util.setSliceViewerLayers(background=xray, fit=True, rotateToVolumePlane=True)
    assert widget.mrmlSliceCompositeNode().GetBackgroundVolumeID() == xray.GetID()
    assert stand_in.grab(slicer.app.layoutManager().viewport(), stand_in.folder / "views.png", 400, 200).is_file()
    stand_in.main_window = False
    assert slicer.app.layoutManager() is None and slicer.util.mainWindow() is None
    with pytest.raises(RuntimeError, match="main window"):
        slicer.util.selectModule("WindowDemo")


def test_boxes_do_not_wait_and_answers_are_the_test_s(stand_in: StandIn) -> None:
    import qt
    import slicer

    with pytest.raises(AssertionError, match="a box asks 'Really"):
        slicer.util.confirmYesNoDisplay("Really?")
    stand_in.answers.button = qt.QMessageBox.Yes
    assert slicer.util.confirmYesNoDisplay("Really?") is True
    stand_in.answers.button = "Cancel"
    assert slicer.util.confirmOkCancelDisplay("Go on?") is False
    stand_in.answers.files = stand_in.folder / "ct.nrrd"
    assert qt.QFileDialog.getOpenFileName(None, "CT", "", "*.nrrd") == str(stand_in.folder / "ct.nrrd")
    slicer.util.warningDisplay("Careful")
    assert slicer.util.showStatusMessage("Working")
    assert stand_in.native(stand_in.window).statusBar().currentMessage() == "Working"
    assert [one.kind for one in stand_in.shown] == ["question"] * 3 + ["file", "warning"]
    qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile("/tmp/report.html"))
    assert stand_in.opened == ["/tmp/report.html"]
    stand_in.testing = True
    slicer.util.errorDisplay("only logged")
    assert stand_in.errors == []


def test_packages_are_asked_for_and_may_be_declined_or_fail(stand_in: StandIn, tmp_path: Path) -> None:
    from PyTorchUtils import PyTorchUtilsLogic
    from slicer.packaging import load_requirements, pip_ensure

    file = tmp_path / "requirements.txt"
    file.write_text("# engine\nnumba>=0.61\n", encoding="utf-8")
    pip_ensure(load_requirements(file), requester="WindowDemo")
    assert stand_in.packages.asked[0]["requirements"] == ["numba>=0.61"]
    stand_in.packages.outcome = "declined"
    with pytest.raises(RuntimeError):
        pip_ensure("numba")
    stand_in.packages.outcome = "failed"
    with pytest.raises(subprocess.CalledProcessError):
        pip_ensure("numba")
    stand_in.torch.installed, stand_in.torch.outcome = False, "declined"
    assert PyTorchUtilsLogic().installTorch(askConfirmation=True) is None
    stand_in.without_pytorch_extension()
    del sys.modules["PyTorchUtils"]
    with pytest.raises(ModuleNotFoundError):
        import PyTorchUtils  # noqa: F401


def test_the_event_loop_turns_and_standing_still_is_measured(stand_in: StandIn) -> None:
    import qt

    window = demo(stand_in)
    window.timer.start()
    stand_in.pump(until=lambda: window.ticks > 2)
    with pytest.raises(TimeoutError):
        stand_in.pump(until=lambda: False, timeout=0.05)
    qt.QTimer.singleShot(0, lambda: time.sleep(0.2))
    with stand_in.meter() as meter:
        stand_in.pump(0.3)
    assert 0.2 <= meter.longest < 0.3


def test_a_child_process_is_heard_while_the_window_lives(stand_in: StandIn) -> None:
    import slicer

    lines: list[str] = []
    ended: list[int] = []
    slicer.util.launchConsoleProcess(
        [sys.executable, "-c", "print('hello')"],
        blocking=False,
        logCallback=lines.append,
        completedCallback=ended.append,
    )
    stand_in.pump(until=lambda: ended)
    assert (lines, ended) == (["hello"], [0])


def test_a_window_can_be_looked_at(stand_in: StandIn) -> None:
    window = demo(stand_in)
    window.ui.inputSelector.setCurrentNode(add_volume("Pelvis CT", np.zeros((2, 2, 2))))
    picture = stand_in.grab(stand_in.window, stand_in.folder / "window.png", 1100, 500)
    assert picture.stat().st_size > 10_000
    window.ui.inputsButton.collapsed = True
    assert not window.ui.thresholdSlider.visible and window.ui.applyButton.visible == stand_in.window.visible


def test_a_module_s_settings_and_files_stay_in_the_test_s_folder(stand_in: StandIn) -> None:
    import ctk
    import qt
    import slicer

    edit = ctk.ctkPathLineEdit()
    edit.settingKey = "WindowDemo/CT"
    edit.currentPath = "/data/ct.nrrd"
    edit.addCurrentPathToHistory()
    qt.QSettings().setValue("WindowDemo/Device", "cpu")
    assert slicer.util.settingsValue("WindowDemo/Device", "none") == "cpu"
    other = ctk.ctkPathLineEdit()
    other.settingKey = "WindowDemo/CT"
    assert other.currentPath == "/data/ct.nrrd"
    assert Path(slicer.util.tempDirectory()).parent == stand_in.folder
    file = stand_in.folder / "volume.nrrd"
    assert slicer.util.saveNode(add_volume("CT", np.ones((2, 3, 4), np.int16)), str(file))
    assert slicer.util.arrayFromVolume(slicer.util.loadVolume(str(file))).shape == (2, 3, 4)


def parameters(signature: str) -> list[str]:
    """The names of the parameters in a recorded signature."""
    names = [
        argument.arg for argument in ast.walk(ast.parse(f"def f{signature}: ...")) if isinstance(argument, ast.arg)
    ]
    return [name for name in names if name != "self"]


def test_what_is_written_here_takes_the_arguments_that_slicer_takes(stand_in: StandIn) -> None:
    from slicer_stand_in.recorded_names import recorded

    checked = 0
    for module in ("slicer.ScriptedLoadableModule", "slicer.packaging", "slicer.i18n"):
        for name, entry in recorded()["python"][module].items():
            offered = getattr(sys.modules[module], name, None)
            for method, signature in entry.items() if isinstance(entry, dict) else [("", entry)]:
                function = getattr(offered, method, None) if method else offered
                if function is None or signature == "attribute" or method in ("setUp", "tearDown"):
                    continue
                given = [key for key in inspect.signature(function).parameters if key != "self"]
                wanted = parameters(signature)
                assert [key.lstrip("_") for key in given] == [key.lstrip("_") for key in wanted], f"{name}.{method}"
                checked += 1
    assert checked > 25


@pytest.mark.real
def test_the_names_are_those_of_a_running_slicer(real_data: Path) -> None:
    from slicer_stand_in import record_names

    recording = real_data.parent / "slicer_api.json"
    if not recording.is_file():
        pytest.skip(f"SLICER'S NAMES ABSENT: no {recording.name} beside the real data")
    kept = json.loads(record_names.NAMES.read_text(encoding="utf-8"))
    assert kept == record_names.trimmed(json.loads(recording.read_text(encoding="utf-8")))
