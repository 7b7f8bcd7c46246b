"""A scripted module as Slicer's template has it, small: what the stand-in must run unchanged."""

# ruff: noqa: N802, N815

import enum
from pathlib import Path
from typing import Annotated, Optional

import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin


class WindowDemo(ScriptedLoadableModule):
    """The description."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("Window demo")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Registration")]


class View(enum.Enum):
    """Views to choose from."""

    FRONTAL = "frontal"
    LATERAL = "lateral"


@parameterNodeWrapper
class WindowDemoParameterNode:
    """The state."""

    inputVolume: slicer.vtkMRMLScalarVolumeNode
    view: View
    threshold: Annotated[float, WithinRange(-100, 200)] = 100
    repeats: Annotated[int, WithinRange(1, 9)] = 3
    invert: bool = False
    note: str = "none"
    output: Path
    poses: list[float]
    # Slicer knows Optional, but not `int | None`.
    frame: Optional[int] = None  # noqa: UP045


class WindowDemoWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The window."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self.parameterNode = None
        self.pressed = 0

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/WindowDemo.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = WindowDemoLogic()
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.ui.applyButton.connect("clicked(bool)", self.onApply)
        self.timer = qt.QTimer()
        self.timer.setInterval(10)
        self.timer.connect("timeout()", self.onTimer)
        self.ticks = 0
        self.initializeParameterNode()

    def cleanup(self):
        self.timer.stop()
        self.removeObservers()

    def enter(self):
        self.initializeParameterNode()

    def exit(self):
        self.setParameterNode(None)

    def onSceneStartClose(self, caller, event):
        self.setParameterNode(None)

    def onSceneEndClose(self, caller, event):
        self.initializeParameterNode()

    def initializeParameterNode(self):
        self.setParameterNode(self.logic.getParameterNode())

    def setParameterNode(self, node):
        if self.parameterNode:
            self.removeObserver(self.parameterNode, vtk.vtkCommand.ModifiedEvent, self.checkCanApply)
        self.parameterNode = node
        if node:
            self.parameterNode.connectGui(self.ui)
            self.addObserver(self.parameterNode, vtk.vtkCommand.ModifiedEvent, self.checkCanApply)
            self.checkCanApply()

    def checkCanApply(self, caller=None, event=None):
        volume = self.parameterNode.inputVolume if self.parameterNode else None
        self.ui.applyButton.enabled = volume is not None
        self.ui.applyButton.toolTip = _("Count.") if volume else _("Choose a volume first.")

    def onApply(self):
        with slicer.util.tryWithErrorDisplay(_("It could not be counted."), waitCursor=True):
            self.pressed += 1
            self.ui.resultLabel.text = _("{count} above").format(
                count=self.logic.count(self.parameterNode.inputVolume, self.ui.thresholdSlider.value)
            )

    def onTimer(self):
        self.ticks += 1


class WindowDemoLogic(ScriptedLoadableModuleLogic):
    """The logic."""

    def getParameterNode(self):
        return WindowDemoParameterNode(super().getParameterNode())

    def count(self, volume, threshold):
        """How many voxels lie above the threshold. ValueError for an empty volume."""
        if volume.GetImageData() is None:
            raise ValueError(f"{volume.GetName()} is empty")
        return int((slicer.util.arrayFromVolume(volume) > threshold).sum())


class WindowDemoTest(ScriptedLoadableModuleTest):
    """The self-test."""

    def runTest(self):
        slicer.mrmlScene.Clear()
        self.assertIsNone(WindowDemoLogic().getParameterNode().inputVolume)
        self.delayDisplay("passed")
