"""The Slicer module SkullLandmarkDetection: description, window, logic, self-test. LandmarkDetectionLib does the work.

It uses library, packages and X-rays of the module DiffRegistration, which stands beside it in the extension.
"""

# Names are Slicer's own.
# ruff: noqa: N802

from __future__ import annotations

from pathlib import Path

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)


class SkullLandmarkDetection(ScriptedLoadableModule):
    """What Slicer shows of the module in its menus and its help."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("Skull Landmark Detection")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Registration")]
        self.parent.dependencies = ["DiffRegistration"]
        self.parent.contributors = ["The Fluoro Registration contributors"]
        self.parent.helpText = _(
            "Finds 55 landmarks of the skull in X-rays, inside the image and outside of it, and says how sure each "
            "is. Add X-rays and their geometry in the module DiffRegistration. Carry landmarks over to the head's CT "
            "if there is one, train a network for this patient or take one for heads in general, and press Find "
            "landmarks. Two views give the landmarks in space, and place the CT. This is research software, not a "
            "medical device."
        )
        self.parent.acknowledgementText = _(
            "The methods build on three papers: Zhou, Cha, Peng, Li: Computers in Biology and Medicine 2021, "
            "arXiv 2108.06466. Fum et al.: Medical Physics 2024, doi 10.1002/mp.17349. Gopalakrishnan, Dey, Golland: "
            "DiffPose, CVPR 2024, arXiv 2312.06358. The template's landmarks were placed on the Visible Human female "
            "of the U.S. National Library of Medicine."
        )


class SkullLandmarkDetectionWidget(ScriptedLoadableModuleWidget):
    """The module's window: sections of LandmarkDetectionLib.panel, or, while packages lack, how to get them."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        self.logic = None
        self.window = None

    @property
    def panel(self):
        """The sections; None while packages lack."""
        return None if self.window is None else self.window.panel

    def setup(self):
        from DiffRegistrationLib.panel.module_window import ModuleWindow

        ScriptedLoadableModuleWidget.setup(self)
        self.logic = SkullLandmarkDetectionLogic()
        self.window = ModuleWindow(self.moduleName, self.layout, self.loadSection, self.logic, self.makePanel)

    def makePanel(self):
        from LandmarkDetectionLib.panel.panel import LandmarkPanel

        return LandmarkPanel(self.layout, self.loadSection, self.logic.engine, self.logic.installRequirements)

    def loadSection(self, name):
        """The widget of a section's Designer file: this module's, or one that both modules have."""
        own = Path(self.resourcePath(f"UI/{name}.ui"))
        file = own if own.is_file() else registrationModule() / "Resources" / "UI" / f"{name}.ui"
        widget = slicer.util.loadUI(str(file))
        widget.setMRMLScene(slicer.mrmlScene)
        return widget

    def cleanup(self):
        if self.window is not None:
            self.window.close()

    def enter(self):
        if self.window is not None:
            self.window.enter()

    def exit(self):
        if self.window is not None:
            self.window.exit()


def registrationModule():
    """The folder of the module DiffRegistration: another one where modules are built, this one where installed."""
    import DiffRegistrationLib

    return Path(DiffRegistrationLib.__file__).parents[1]


class SkullLandmarkDetectionLogic(ScriptedLoadableModuleLogic):
    """The engine for scripts and for the window; needs no window itself.

    Example::

        logic = slicer.util.getModuleLogic("SkullLandmarkDetection")
        logic.transfer(ctNode)
        logic.train("patient.pt", ctNode)
        study = logic.detect("patient.pt", [frontNode, sideNode]).study
        logic.register(study, ctNode)
    """

    def __init__(self, parent=None):
        ScriptedLoadableModuleLogic.__init__(self, parent)
        self._engine = None

    @property
    def engine(self):
        """LandmarkDetectionLib's logic on nodes, made at first use: it needs the engine's packages."""
        if self._engine is None:
            from LandmarkDetectionLib.mrml.landmark_logic import LandmarkLogic

            self._engine = LandmarkLogic()
        return self._engine

    def getParameterNode(self):
        from LandmarkDetectionLib.panel.parameters import landmark_parameters_of

        return landmark_parameters_of(super().getParameterNode())

    def packagesMissing(self):
        """Whether the engine lacks packages of DiffRegistration's Resources/requirements.txt."""
        from slicer.packaging import load_requirements, pip_check

        return not pip_check(load_requirements(self.requirementsPath()))

    @staticmethod
    def requirementsPath():
        return registrationModule() / "Resources" / "requirements.txt"

    def installRequirements(self, network=False, interactive=True):
        """Install the Python packages that are missing: the engine's, and PyTorch where a network is wanted.

        ValueError, which says what to do, where that cannot be done or the user declines.
        """
        from DiffRegistrationLib.panel.packages import ensure_packages

        ensure_packages(self.requirementsPath(), network, interactive, "SkullLandmarkDetection")

    def transfer(self, ctNode, waitForCompletion=True, listener=None):
        """Carry the template's landmarks to a CT; see `mrml.landmark_logic.LandmarkLogic.transfer`."""
        return self.engine.transfer(ctNode, wait=waitForCompletion, listener=listener)

    def train(
        self,
        networkPath,
        ctNode=None,
        views="fluoroscopy",
        minutes=8.0,
        device="auto",
        plain=False,
        beginWith=None,
        waitForCompletion=True,
        listener=None,
    ):
        """Train a network for the head of a CT, without one for heads in general; see `LandmarkLogic.train`."""
        return self.engine.train(
            Path(networkPath),
            ct_node=ctNode,
            views=views,
            minutes=minutes,
            device=device,
            plain=plain,
            begin_with=beginWith,
            wait=waitForCompletion,
            listener=listener,
        )

    def trainStyle(
        self,
        xrayFolder,
        stylePath,
        ctNode=None,
        method="cut",
        minutes=20.0,
        views="fluoroscopy",
        device="auto",
        waitForCompletion=True,
        listener=None,
    ):
        """Learn to give X-rays of a folder the look of computed ones; see `LandmarkLogic.train_style`."""
        return self.engine.train_style(
            Path(xrayFolder),
            Path(stylePath),
            ct_node=ctNode,
            method=method,
            minutes=minutes,
            views=views,
            device=device,
            wait=waitForCompletion,
            listener=listener,
        )

    def detect(
        self,
        networkPath,
        xrayNodes,
        frames=None,
        stylePath=None,
        ctNode=None,
        template=False,
        depthMm=None,
        waitForCompletion=True,
        listener=None,
    ):
        """Find landmarks in X-rays, as a study in the scene; see `LandmarkLogic.detect`."""
        return self.engine.detect(
            Path(networkPath),
            list(xrayNodes),
            frames=frames,
            style=None if stylePath is None else Path(stylePath),
            ct_node=ctNode,
            template=template,
            depth_mm=depthMm,
            wait=waitForCompletion,
            listener=listener,
        )

    def showFrame(self, study, number):
        """Have a study, and its X-rays, show the frame of this number."""
        from LandmarkDetectionLib.mrml.landmark_study import show_frame

        show_frame(study, number)

    def poseFromLandmarks(self, study, ctNode, number=None):
        """Where the CT lies by the landmarks of a frame; see `LandmarkLogic.pose_from_landmarks`."""
        return self.engine.pose_from_landmarks(study, ctNode, number)

    def register(self, study, ctNode, number=None, outputFolder=None, waitForCompletion=True, listener=None):
        """Register the CT to a study's X-rays, beginning where landmarks place it; see `LandmarkLogic.register`."""
        output = None if outputFolder is None else Path(outputFolder)
        return self.engine.register(study, ctNode, number, output=output, wait=waitForCompletion, listener=listener)

    def skull(self, study, waitForCompletion=True, listener=None):
        """The skull of a study's shown frame, as a model; see `LandmarkLogic.skull`."""
        return self.engine.skull(study, wait=waitForCompletion, listener=listener)

    def exposure(
        self,
        ctNode,
        xrayNodes,
        frames=None,
        secondsPerFrame=1.0,
        mas=None,
        outputFolder=None,
        waitForCompletion=True,
        listener=None,
    ):
        """What the X-rays shone on, on the skin of the CT; see `LandmarkLogic.exposure`."""
        return self.engine.exposure(
            ctNode,
            list(xrayNodes),
            frames=frames,
            seconds_per_frame=secondsPerFrame,
            mas=mas,
            output=None if outputFolder is None else Path(outputFolder),
            wait=waitForCompletion,
            listener=listener,
        )

    def writeLandmarks(self, study, csvPath):
        """Write the landmarks of all frames of a study as a table."""
        from LandmarkDetectionLib.mrml.landmark_table import write_csv

        write_csv(Path(csvPath), study)

    def cancel(self):
        """End what runs, within two seconds."""
        self.engine.cancel()

    def close(self):
        """End the worker."""
        if self._engine is not None:
            self._engine.close()


class SkullLandmarkDetectionTest(ScriptedLoadableModuleTest):
    """A computed head, whose landmarks are known, through the whole module: found, corrected, registered, saved.

    Nothing is downloaded or installed; what lacks its packages is skipped, and says so.
    """

    # As far (mm) as the head's landmarks may be from where they truly are: in space, and under a pose, on average.
    LARGEST_ERROR_MM = 1.0
    # As far as a template may be off that is another head.
    LARGEST_ERROR_OF_TEMPLATE_MM = 4.0
    TRAINING_SECONDS = 20

    def runTest(self):
        """All tests one after another, as the button “Reload and Test” wants it."""
        from DiffRegistrationLib.mrml.self_test import run_all

        run_all(self)
        self.delayDisplay("SkullLandmarkDetection works")

    def setUp(self):
        """An empty scene with the head, which lies a little askew, and two X-rays of it."""
        self.logic = self.folder = None
        slicer.mrmlScene.Clear()
        if SkullLandmarkDetectionLogic().packagesMissing():
            self.skipTest("the engine's Python packages are missing; open the module and press Install")
        from tempfile import mkdtemp

        from DiffRegistrationLib.mrml.self_test import head_in_scene
        from DiffRegistrationLib.mrml.views import add_view
        from LandmarkDetectionLib.atlas.head import phantom_head

        self.delayDisplay("Computing a head and X-rays of it")
        self.folder = Path(mkdtemp(prefix="fluororeg-test-"))
        self.logic = SkullLandmarkDetectionLogic()
        self.head = phantom_head(4.0)
        shown = head_in_scene(self.head.ct)
        self.ct, self.xrays, self.cameras, self.truth = shown.ct, list(shown.xrays), shown.cameras, shown.truth
        for xray in self.xrays:
            add_view(xray)

    def tearDown(self):
        """End the worker, and leave nothing on the disk."""
        from DiffRegistrationLib.mrml.self_test import clear_away

        clear_away(self.logic, self.folder)

    def test_CarryOver(self):
        """The template's landmarks come to the head, whose own are known."""
        import numpy as np
        from LandmarkDetectionLib.mrml.ct_landmarks import landmarks_of

        self.delayDisplay("Carrying landmarks over")
        carried = self.logic.transfer(self.ct, listener=self.listener())
        self.assertEqual(carried.node.GetNumberOfControlPoints(), 55)
        off = np.linalg.norm(landmarks_of(self.ct).points - self.head.landmarks.points, axis=1)
        self.assertLess(np.median(off), self.LARGEST_ERROR_OF_TEMPLATE_MM, "carried over")
        self.delayDisplay(f"Carried over: off by {np.median(off):.1f} mm")

    def test_CorrectByHand(self):
        """A point that is dragged is told from the others, marks in the X-rays follow it, and it goes back."""
        import numpy as np
        from DiffRegistrationLib.mrml.pose_node import put_under_pose
        from LandmarkDetectionLib.atlas.landmark_set import LandmarkSet, LandmarkStatus
        from LandmarkDetectionLib.mrml.ct_landmarks import landmarks_of, put_landmarks, reset_landmark
        from LandmarkDetectionLib.mrml.ct_projection import CTProjection

        self.delayDisplay("Correcting a landmark")
        names, points = self.head.landmarks.names, self.head.landmarks.points
        carried = (LandmarkStatus.TRANSFERRED,) * len(names)
        node = put_landmarks(self.ct, LandmarkSet(names, points, np.full(len(names), 2.0), carried))
        put_under_pose(self.ct, self.truth)
        marks = CTProjection(self.ct, self.xrays)
        before = marks.model_of(self.xrays[0]).GetPolyData().GetBounds()
        # The landmark that lies highest: it bounds the marks.
        highest = int(np.argmax(points[:, 2]))
        node.SetNthControlPointPosition(highest, *(points[highest] + [0.0, 0.0, 30.0]))
        after = marks.model_of(self.xrays[0]).GetPolyData().GetBounds()
        self.assertGreater(np.abs(np.subtract(after, before)).max(), 10.0, "the marks did not follow")
        self.assertEqual(landmarks_of(self.ct).status.count(LandmarkStatus.CORRECTED), 1)
        reset_landmark(node, names[highest])
        self.assertEqual(landmarks_of(self.ct).status.count(LandmarkStatus.CORRECTED), 0)
        marks.stop()

    def test_TriangulateAndRegister(self):
        """Landmarks as a good network finds them, in space, and the CT where they place it, then where X-rays do."""
        import numpy as np
        from DiffRegistrationLib.xray.geometry import rigid
        from LandmarkDetectionLib.mrml.ct_landmarks import put_landmarks
        from LandmarkDetectionLib.mrml.landmark_study import points_of

        self.delayDisplay("Triangulating landmarks")
        put_landmarks(self.ct, self.head.landmarks)
        study = self.studyByHand()
        true = rigid.transform_points(self.truth, self.head.landmarks.points)
        off = np.linalg.norm(points_of(study).points - true, axis=1)
        self.assertLess(np.median(off), self.LARGEST_ERROR_MM, "triangulated")
        placed = self.logic.poseFromLandmarks(study, self.ct)
        self.assertTrue(placed.trusted, placed.words)
        self.delayDisplay("Registering from there")
        found = self.logic.register(study, self.ct, outputFolder=self.folder / "result", listener=self.listener())
        self.assertEqual(found.summary.verdict, "accepted", found.summary.reason)
        self.assertRight("registered")

    def test_TrainAndDetect(self):
        """A network that has learnt the head for some seconds finds something in both X-rays.

        How good it gets in so short a time depends on the machine: that is told, and not judged.
        """
        import importlib.util

        import numpy as np
        from LandmarkDetectionLib.mrml.ct_landmarks import put_landmarks
        from LandmarkDetectionLib.mrml.landmark_study import run_of
        from LandmarkDetectionLib.mrml.self_test import true_pixels

        if importlib.util.find_spec("torch") is None:
            self.skipTest("PyTorch is missing, which networks need; install it by Slicer's extension PyTorch")
        self.delayDisplay(f"Training for {self.TRAINING_SECONDS} s")
        put_landmarks(self.ct, self.head.landmarks)
        path = self.folder / "head.pt"
        trained = self.logic.train(path, self.ct, minutes=self.TRAINING_SECONDS / 60, listener=self.listener())
        self.assertTrue(path.is_file() and trained.views_picture.is_file() and not trained.stopped)
        self.delayDisplay("Finding landmarks in the X-rays")
        found = self.logic.detect(path, self.xrays, listener=self.listener())
        self.assertFalse(found.stopped)
        self.assertEqual(found.words, ())
        run = run_of(found.study)
        for view, camera in enumerate(self.cameras):
            pixels = run.at(0, view).pixels - true_pixels(self.head.landmarks, self.truth, camera)
            self.assertTrue(np.isfinite(pixels).all() and pixels.shape == (55, 2), f"view {view + 1}")
            off = float(np.median(np.linalg.norm(pixels, axis=1)) * run.at(0, view).mm_per_pixel)
            self.delayDisplay(f"View {view + 1}: off by {off:.1f} mm")

    def test_SaveAndOpen(self):
        """A study and a CT's landmarks come back from the files of the scene."""
        import numpy as np
        from DiffRegistrationLib.mrml.self_test import save_and_open
        from LandmarkDetectionLib.mrml.ct_landmarks import landmarks_of, put_landmarks
        from LandmarkDetectionLib.mrml.landmark_study import points_of, run_of, studies_in_scene

        put_landmarks(self.ct, self.head.landmarks)
        study = self.studyByHand()
        points, found = points_of(study).points, run_of(study).at(0, 1).pixels
        self.logic.writeLandmarks(study, self.folder / "landmarks.csv")
        self.assertEqual(len((self.folder / "landmarks.csv").read_text(encoding="utf-8").splitlines()), 56)
        self.delayDisplay("Saving the scene and opening it again")
        save_and_open(self.folder)
        (study,) = studies_in_scene()
        np.testing.assert_allclose(points_of(study).points, points, atol=1e-3)
        np.testing.assert_allclose(run_of(study).at(0, 1).pixels, found, atol=1e-3)
        ct = slicer.util.getNode("Head")
        np.testing.assert_allclose(landmarks_of(ct).points, self.head.landmarks.points, atol=1e-3)

    def studyByHand(self):
        """The head's landmarks in both X-rays with small errors, as a study."""
        from LandmarkDetectionLib.mrml.self_test import study_of_head

        return study_of_head(self.head.landmarks, self.truth, self.xrays, self.cameras, self.ct)

    def assertRight(self, what):
        """The CT lies where the head truly does."""
        import numpy as np
        from DiffRegistrationLib.mrml.ct_node import world_from_ct
        from DiffRegistrationLib.xray.geometry import rigid

        points = self.head.landmarks.points
        now, true = (rigid.transform_points(pose, points) for pose in (world_from_ct(self.ct), self.truth))
        error = np.linalg.norm(now - true, axis=1).mean()
        self.assertLess(error, self.LARGEST_ERROR_MM, f"{what}: off by {error:.2f} mm")
        self.delayDisplay(f"{what[0].upper()}{what[1:]}: off by {error:.2f} mm")

    def listener(self):
        """Shows how a job goes."""
        from DiffRegistrationLib.mrml.self_test import telling

        return telling(self)
