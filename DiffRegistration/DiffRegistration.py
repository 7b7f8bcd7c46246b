"""The Slicer module DiffRegistration: its description, window and logic. DiffRegistrationLib does the work."""

from __future__ import annotations

from pathlib import Path

import ctk
import qt
import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)


class DiffRegistration(ScriptedLoadableModule):
    """What Slicer shows of the module in its menus and its help."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("DiffRegistration")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Registration")]
        self.parent.dependencies = []
        self.parent.contributors = ["The Fluoro Registration contributors"]
        self.parent.helpText = _(
            "Aligns a CT to a calibrated X-ray image of the same patient. Choose a CT (a folder of DICOM slices or a "
            "volume file) and an X-ray file, then press Register. The pose arrives in the scene as a linear "
            "transform: put the CT under it. The report shows X-ray and simulated X-ray on each other, how sure the "
            "result is, and which values of the geometry were read or assumed. Slicer waits while a registration "
            "runs. This is research software, not a medical device."
        )
        self.parent.acknowledgementText = _(
            "The methods build on three papers: Gopalakrishnan, Dey, Golland: DiffPose, CVPR 2024, arXiv 2312.06358. "
            "Zhou, Cha, Peng, Li: Computers in Biology and Medicine 2021, arXiv 2108.06466. "
            "Fum et al.: Medical Physics 2024, doi 10.1002/mp.17349."
        )


class DiffRegistrationWidget(ScriptedLoadableModuleWidget):
    """The module's window."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        self.logic = None
        self.reportPath = None

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        self.logic = DiffRegistrationLogic()

        self.ctPath = ctk.ctkPathLineEdit()
        self.ctPath.filters = ctk.ctkPathLineEdit.Files | ctk.ctkPathLineEdit.Dirs
        self.ctPath.settingKey = "DiffRegistration/CT"
        self.ctPath.toolTip = _(
            "A volume file in Hounsfield units (NRRD, NIfTI, MetaImage), or a folder of DICOM slices."
        )
        self.ctFolderButton = qt.QPushButton(_("DICOM folder..."))
        self.ctFolderButton.toolTip = _("Choose a folder of DICOM slices as the CT.")

        self.xrayPath = ctk.ctkPathLineEdit()
        self.xrayPath.filters = ctk.ctkPathLineEdit.Files
        self.xrayPath.settingKey = "DiffRegistration/XRay"
        self.xrayPath.toolTip = _("A DICOM X-ray whose tags hold its geometry, or a localizer of the CT scanner.")

        self.startBox = qt.QComboBox()
        for name, label in (
            ("auto", _("Automatic: what the X-ray's file says, else any view")),
            ("frontal", _("Frontal, AP or PA")),
            ("ap", _("AP: beam from front to back")),
            ("pa", _("PA: beam from back to front")),
            ("lateral", _("Lateral, either side")),
            ("left-lateral", _("Left lateral: left side at the detector")),
            ("right-lateral", _("Right lateral: right side at the detector")),
            ("any", _("Any of these views")),
        ):
            self.startBox.addItem(label, name)
        self.startBox.toolTip = _("The view from which the search for the pose starts.")

        self.registerButton = qt.QPushButton(_("Register"))
        self.resultLabel = qt.QLabel()
        self.resultLabel.wordWrap = True
        self.reportButton = qt.QPushButton(_("Open the report"))

        inputs = ctk.ctkCollapsibleButton()
        inputs.text = _("Registration")
        form = qt.QFormLayout(inputs)
        form.addRow(_("CT:"), self.ctPath)
        form.addRow("", self.ctFolderButton)
        form.addRow(_("X-ray:"), self.xrayPath)
        form.addRow(_("Start view:"), self.startBox)
        form.addRow(self.registerButton)
        form.addRow(_("Result:"), self.resultLabel)
        form.addRow(self.reportButton)
        self.layout.addWidget(inputs)
        self.layout.addStretch(1)

        self.ctPath.connect("currentPathChanged(QString)", self.updateButtons)
        self.xrayPath.connect("currentPathChanged(QString)", self.updateButtons)
        self.ctFolderButton.connect("clicked(bool)", self.onChooseCTFolder)
        self.registerButton.connect("clicked(bool)", self.onRegister)
        self.reportButton.connect("clicked(bool)", self.onOpenReport)
        self.showResult(None)
        self.updateButtons()

    def updateButtons(self, _path=None):
        """Enable what can be pressed; the tooltip of what cannot says why."""
        missing = [
            name for name, edit in ((_("a CT"), self.ctPath), (_("an X-ray"), self.xrayPath)) if not edit.currentPath
        ]
        self.registerButton.enabled = not missing
        self.registerButton.toolTip = (
            _("Choose {missing} first.").format(missing=_(" and ").join(missing))
            if missing
            else _("Find where the CT lies in the X-ray. The first run takes longer.")
        )
        self.reportButton.enabled = self.reportPath is not None
        self.reportButton.toolTip = (
            _("Show pictures, uncertainty and geometry of the last registration in the browser.")
            if self.reportPath is not None
            else _("There is no report until a registration has run.")
        )

    def onChooseCTFolder(self, _checked=False):
        folder = qt.QFileDialog.getExistingDirectory(self.parent, _("Folder of the CT's DICOM slices"))
        if folder:
            self.ctPath.currentPath = folder

    def onRegister(self, _checked=False):
        self.showResult(None)
        with slicer.util.tryWithErrorDisplay(_("The registration could not be made.")):
            self.logic.installRequirements()
            with slicer.util.WaitCursor():
                transform = self.logic.register(
                    self.ctPath.currentPath, self.xrayPath.currentPath, self.startBox.currentData
                )
            self.ctPath.addCurrentPathToHistory()
            self.xrayPath.addCurrentPathToHistory()
            self.showResult(transform)

    def showResult(self, transform):
        """Say what came out, or that nothing has yet (None)."""
        if transform is None:
            self.reportPath = None
            self.resultLabel.text = _("None yet.")
        else:
            self.reportPath = transform.GetAttribute(DiffRegistrationLogic.REPORT)
            self.resultLabel.text = _("{verdict}: {reason} The pose is the transform '{name}'.").format(
                verdict=transform.GetAttribute(DiffRegistrationLogic.VERDICT).capitalize(),
                reason=transform.GetAttribute(DiffRegistrationLogic.REASON).rstrip(".") + ".",
                name=transform.GetName(),
            )
        self.updateButtons()

    def onOpenReport(self, _checked=False):
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(self.reportPath))


class DiffRegistrationLogic(ScriptedLoadableModuleLogic):
    """Registration for scripts and for the window; needs no window itself.

    Example: `DiffRegistrationLogic().register("ct.nrrd", "xray.dcm", start="auto", outputFolder="result")`
    """

    VERDICT = "DiffRegistration.Verdict"
    REASON = "DiffRegistration.Reason"
    REPORT = "DiffRegistration.Report"

    def installRequirements(self):
        """Install the Python packages of the engine that are missing, after asking the user."""
        from slicer.packaging import load_requirements, pip_ensure

        requirements = Path(__file__).parent / "Resources" / "requirements.txt"
        pip_ensure(load_requirements(requirements), requester="DiffRegistration")

    def register(self, ctPath, xrayPath, start="auto", outputFolder=None):
        """Register the CT at `ctPath` (file or DICOM folder) to the X-ray at `xrayPath`.

        Writes pose, DRR and report into `outputFolder` (a new temporary folder if None) and returns a new linear
        transform node, world from CT, that carries verdict, reason and the report's path as attributes. ValueError
        with a remedy in its text if the input cannot be used.
        """
        from DiffRegistrationLib.registration.workflow import register_files

        folder = Path(outputFolder or slicer.util.tempDirectory(key="DiffRegistration"))
        result = register_files(Path(ctPath), [Path(xrayPath)], start=start, output=folder)
        transform = self.addTransform(result.pose)
        transform.SetAttribute(self.VERDICT, result.verdict.value)
        transform.SetAttribute(self.REASON, result.reason)
        transform.SetAttribute(self.REPORT, str(folder / "report.html"))
        return transform

    def addTransform(self, pose):
        """A new linear transform node of `pose` (4×4, RAS mm, world from CT), for the CT to be put under."""
        transform = slicer.mrmlScene.AddNewNodeByClass(
            "vtkMRMLLinearTransformNode", slicer.mrmlScene.GenerateUniqueName(_("CT pose"))
        )
        slicer.util.updateTransformMatrixFromArray(transform, pose)
        return transform


class DiffRegistrationTest(ScriptedLoadableModuleTest):
    """What can be shown inside Slicer without data and without the engine's packages."""

    def setUp(self):
        slicer.mrmlScene.Clear()

    def runTest(self):
        self.setUp()
        self.test_PoseArrivesUnchanged()
        self.setUp()
        self.test_ButtonsSayWhatIsMissing()

    def test_PoseArrivesUnchanged(self):
        import numpy as np

        pose = np.array([[0.0, -1.0, 0.0, 10.0], [1.0, 0.0, 0.0, -20.0], [0.0, 0.0, 1.0, 30.0], [0.0, 0.0, 0.0, 1.0]])
        transform = DiffRegistrationLogic().addTransform(pose)
        self.assertTrue(np.array_equal(slicer.util.arrayFromTransformMatrix(transform), pose))
        self.delayDisplay("The pose arrives unchanged")

    def test_ButtonsSayWhatIsMissing(self):
        widget = slicer.util.getModuleWidget("DiffRegistration")
        widget.ctPath.currentPath = ""
        widget.xrayPath.currentPath = ""
        widget.updateButtons()
        self.assertFalse(widget.registerButton.enabled)
        self.assertIn("CT", widget.registerButton.toolTip)
        widget.ctPath.currentPath = "ct.nrrd"
        widget.xrayPath.currentPath = "xray.dcm"
        widget.updateButtons()
        self.assertTrue(widget.registerButton.enabled)
        self.delayDisplay("Buttons say what is missing")
