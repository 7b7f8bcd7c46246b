"""The Slicer module DiffRegistration: description, window, logic and self-test. DiffRegistrationLib does the work."""

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


class DiffRegistration(ScriptedLoadableModule):
    """What Slicer shows of the module in its menus and its help."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("DiffRegistration")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Registration")]
        self.parent.dependencies = []
        self.parent.contributors = ["The Fluoro Registration contributors"]
        self.parent.helpText = _(
            "Finds where a CT lies in calibrated X-ray images of the same patient. Choose the CT under Patient, add "
            "X-rays, give a geometry where a file has none, and press Register. The CT is put under the pose that was "
            "found; the simulated X-ray is laid over each X-ray, and a verdict says whether the pose can be trusted. "
            "Train a network beforehand, and no start has to be given. This is research software, not a medical "
            "device."
        )
        self.parent.acknowledgementText = _(
            "The methods build on three papers: Gopalakrishnan, Dey, Golland: DiffPose, CVPR 2024, arXiv 2312.06358. "
            "Zhou, Cha, Peng, Li: Computers in Biology and Medicine 2021, arXiv 2108.06466. "
            "Fum et al.: Medical Physics 2024, doi 10.1002/mp.17349."
        )
        slicer.app.connect("startupCompleted()", registerSampleData)
        slicer.app.connect("startupCompleted()", registerLayouts)


def registerSampleData():
    """Offer the project's sample data in Slicer's Sample Data module."""
    from DiffRegistrationLib.panel.sample_data import register_sample_data

    resources = Path(__file__).parent / "Resources"
    register_sample_data(resources / "Icons", resources / "requirements.txt")


def registerLayouts():
    """Have Slicer know the layouts of X-rays, which a saved scene may ask for before the module is opened."""
    from DiffRegistrationLib.mrml.xray_layouts import tell_of_layouts

    manager = slicer.app.layoutManager()
    if manager is not None:
        tell_of_layouts(manager.layoutLogic().GetLayoutNode())


class DiffRegistrationWidget(ScriptedLoadableModuleWidget):
    """The module's window: the sections of DiffRegistrationLib.panel, or, while packages lack, how to get them."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        self.logic = None
        self.window = None

    @property
    def panel(self):
        """The sections; None while packages lack."""
        return None if self.window is None else self.window.panel

    @property
    def packagesUI(self):
        """How to get packages that lack; None where none did."""
        return None if self.window is None else self.window.packages

    def setup(self):
        from DiffRegistrationLib.panel.module_window import ModuleWindow

        ScriptedLoadableModuleWidget.setup(self)
        self.logic = DiffRegistrationLogic()
        self.window = ModuleWindow(self.moduleName, self.layout, self.loadSection, self.logic, self.makePanel)

    def makePanel(self):
        from DiffRegistrationLib.panel.panel import Panel

        return Panel(self.layout, self.loadSection, self.logic.engine, self.logic.installRequirements)

    def loadSection(self, name):
        """The widget of a section's Designer file."""
        widget = slicer.util.loadUI(self.resourcePath(f"UI/{name}.ui"))
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


class DiffRegistrationLogic(ScriptedLoadableModuleLogic):
    """The engine for scripts and for the window; needs no window itself.

    Example::

        logic = slicer.util.getModuleLogic("DiffRegistration")
        found = logic.register(ctNode, [xrayNode], start="frontal")
        print(found.summary.verdict)
    """

    def __init__(self, parent=None):
        ScriptedLoadableModuleLogic.__init__(self, parent)
        self._engine = None

    @property
    def engine(self):
        """DiffRegistrationLib's logic on nodes, made at first use: it needs the engine's packages."""
        if self._engine is None:
            from DiffRegistrationLib.mrml.registration_logic import RegistrationLogic

            self._engine = RegistrationLogic()
        return self._engine

    def getParameterNode(self):
        from DiffRegistrationLib.panel.parameters import parameters_of

        return parameters_of(super().getParameterNode())

    def packagesMissing(self):
        """Whether the engine lacks packages of Resources/requirements.txt."""
        from slicer.packaging import load_requirements, pip_check

        return not pip_check(load_requirements(self.requirementsPath()))

    @staticmethod
    def requirementsPath():
        return Path(__file__).parent / "Resources" / "requirements.txt"

    def installRequirements(self, network=False, interactive=True):
        """Install the Python packages that are missing: the engine's, and PyTorch where a network is wanted.

        ValueError, which says what to do, where that cannot be done or the user declines.
        """
        from DiffRegistrationLib.panel.packages import ensure_packages

        ensure_packages(self.requirementsPath(), network, interactive)

    def addXray(self, path, cameraPath=None):
        """Load an X-ray file (a sequence if it has several frames), with a camera file if it needs one; its node."""
        from DiffRegistrationLib.mrml.given_geometry import use_camera_file
        from DiffRegistrationLib.mrml.views import add_view
        from DiffRegistrationLib.mrml.xray_sequence import add_xray_file

        node = add_xray_file(Path(path))
        if cameraPath is not None:
            use_camera_file(node, Path(cameraPath))
        add_view(node)
        return node

    def train(self, ctNode, networkPath, preset="head-ap", minutes=8.0, waitForCompletion=True, listener=None):
        """Train a pose network for a CT; see `mrml.registration_logic.RegistrationLogic.train`."""
        return self.engine.train(
            ctNode, Path(networkPath), preset=preset, minutes=minutes, wait=waitForCompletion, listener=listener
        )

    def register(self, ctNode, xrayNodes, start="auto", outputFolder=None, waitForCompletion=True, listener=None):
        """Find the pose of a CT in X-rays and put the CT under it; see `RegistrationLogic.register`."""
        output = None if outputFolder is None else Path(outputFolder)
        return self.engine.register(
            ctNode, list(xrayNodes), start=start, output=output, wait=waitForCompletion, listener=listener
        )

    def track(
        self,
        ctNode,
        xrayNodes,
        frames=None,
        keyFrame=None,
        start="auto",
        smoothed=False,
        keepOthers=False,
        framesPerSecond=None,
        outputFolder=None,
        waitForCompletion=True,
        listener=None,
    ):
        """Follow a CT through X-ray sequences from a key frame on; see `RegistrationLogic.track`."""
        return self.engine.track(
            ctNode,
            list(xrayNodes),
            frames=frames,
            key_frame=keyFrame,
            start=start,
            smoothed=smoothed,
            keep_others=keepOthers,
            frames_per_second=framesPerSecond,
            output=None if outputFolder is None else Path(outputFolder),
            wait=waitForCompletion,
            listener=listener,
        )

    def posesOfFrames(self, ctNode):
        """What the scene holds of a CT that was followed, frame by frame; None where it was not."""
        from DiffRegistrationLib.mrml.pose_sequence import poses_of_frames

        return poses_of_frames(ctNode)

    def writeTrack(self, ctNode, folder):
        """Write the poses of a CT that was followed as track.json and poses.csv into a folder."""
        from DiffRegistrationLib.mrml.scene_track import write_track_of

        write_track_of(ctNode, Path(folder))

    def computeDRR(self, ctNode, xrayNode, pose=None):
        """Lay the DRR of the CT, where it lies now or at `pose`, over an X-ray; gives the DRR's node."""
        from DiffRegistrationLib.mrml.drr_node import show_drr

        return show_drr(xrayNode, self.engine.compute_drr(ctNode, xrayNode, pose=pose))

    def cancel(self):
        """End what runs, within two seconds."""
        self.engine.cancel()

    def close(self):
        """End the worker."""
        if self._engine is not None:
            self._engine.close()


class DiffRegistrationTest(ScriptedLoadableModuleTest):
    """A computed head, whose pose is known, through the whole module: trained, registered, moved, saved.

    Nothing is downloaded or installed; what lacks its packages is skipped, and says so.
    """

    # As far (mm) as the corners of the head may be from where they truly are, on average.
    LARGEST_ERROR_MM = 1.0
    TRAINING_SECONDS = 20

    def runTest(self):
        """All tests one after another, as the button “Reload and Test” wants it."""
        from DiffRegistrationLib.mrml.self_test import run_all

        run_all(self)
        self.delayDisplay("DiffRegistration works")

    def setUp(self):
        """An empty scene with the head and two X-rays of it."""
        self.logic = self.folder = None
        slicer.mrmlScene.Clear()
        if DiffRegistrationLogic().packagesMissing():
            self.skipTest("the engine's Python packages are missing; open the module and press Install")
        from tempfile import mkdtemp

        from DiffRegistrationLib.mrml.self_test import head_in_scene
        from DiffRegistrationLib.xray.phantom import head_phantom

        self.delayDisplay("Computing a head and X-rays of it")
        self.folder = Path(mkdtemp(prefix="fluororeg-test-"))
        self.logic = DiffRegistrationLogic()
        self.head = head_phantom(4.0).ct
        shown = head_in_scene(self.head)
        self.ct, self.xrays, self.cameras, self.truth = shown.ct, list(shown.xrays), shown.cameras, shown.truth

    def tearDown(self):
        """End the worker, and leave nothing on the disk."""
        from DiffRegistrationLib.mrml.self_test import clear_away

        clear_away(self.logic, self.folder)

    def test_RegisterFromNamedStart(self):
        """Two views of which only is told that the first one is frontal."""
        self.delayDisplay("Registering from two views")
        found = self.logic.register(self.ct, self.xrays, start="frontal", listener=self.listener())
        self.assertEqual(found.summary.verdict, "accepted", found.summary.reason)
        self.assertTrue(found.report.is_file())
        self.assertEqual(set(self.frames), {0, 1}, "views of which DRRs came while it went on")
        self.assertRight("registered from two views")
        for xray in self.xrays:
            drr = slicer.util.arrayFromVolume(xray.GetNodeReference("FluoroRegistration.DRR"))
            self.assertLess(abs(drr - slicer.util.arrayFromVolume(xray)).mean(), 0.05)

    def test_TrainAndRegisterFromNetwork(self):
        """A network that has learnt the frontal view for some seconds; nothing at all is told beside it."""
        import importlib.util

        if importlib.util.find_spec("torch") is None:
            self.skipTest("PyTorch is missing, which networks need; install it by Slicer's extension PyTorch")
        self.delayDisplay(f"Training for {self.TRAINING_SECONDS} s")
        path = self.folder / "head.pt"
        trained = self.logic.train(self.ct, path, minutes=self.TRAINING_SECONDS / 60, listener=self.listener())
        self.assertTrue(path.is_file() and not trained.stopped)
        self.delayDisplay("Registering from the network")
        # Depth, which one view of so coarse a head hardly shows, comes from the second one.
        found = self.logic.register(self.ct, self.xrays, start=path, listener=self.listener())
        self.assertIn("network", found.summary.start)
        self.assertRight("registered from the network")

    def test_CancelInTheMiddle(self):
        """Nothing moves, and no process is left."""
        import time

        import psutil
        from DiffRegistrationLib.mrml.job_results import Listener

        self.delayDisplay("Cancelling a registration")
        before = {process.pid for process in psutil.Process().children(recursive=True)}
        nodes = slicer.mrmlScene.GetNumberOfNodes()
        heard = []
        listener = Listener(progressed=heard.append)
        self.logic.register(self.ct, self.xrays, start="any", waitForCompletion=False, listener=listener)
        ends = time.monotonic() + 300
        # First it reads, then it searches, which takes long from a start that tells nothing.
        while len(heard) < 2:
            self.assertTrue(self.logic.engine.busy and time.monotonic() < ends, "it did not begin, or ended at once")
            self.logic.engine.poll()
            slicer.app.processEvents()
            time.sleep(0.03)
        working = [one for one in psutil.Process().children(recursive=True) if one.pid not in before]
        self.assertTrue(working, "no process computes")
        began = time.monotonic()
        self.logic.cancel()
        self.assertLess(time.monotonic() - began, 2.5)
        _gone, left = psutil.wait_procs(working, timeout=0.5)
        self.assertEqual(left, [], "processes were left")
        self.assertIsNone(self.ct.GetParentTransformNode())
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), nodes)

    def test_MoveByHandAndUndo(self):
        """The DRR follows the hand, and undo takes the CT back."""
        import numpy as np
        from DiffRegistrationLib.mrml.ct_node import world_from_ct
        from DiffRegistrationLib.mrml.manual_pose import ManualPose
        from DiffRegistrationLib.mrml.pose_node import put_under_pose, undo_pose
        from DiffRegistrationLib.xray.geometry import rigid

        self.delayDisplay("Moving the head by hand")
        put_under_pose(self.ct, self.truth)
        xray = slicer.util.arrayFromVolume(self.xrays[0])
        right = abs(slicer.util.arrayFromVolume(self.logic.computeDRR(self.ct, self.xrays[0])) - xray).mean()
        self.assertLess(right, 0.02)
        by_hand = ManualPose(self.ct)
        by_hand.move([0, 0, 10, 5, 0, 0])
        true_centre = rigid.transform_points(self.truth, [self.head.centre])[0]
        expected = rigid.move_about(true_centre, [0, 0, np.radians(10), 5, 0, 0], self.truth)
        np.testing.assert_allclose(world_from_ct(self.ct), expected, atol=1e-6)
        moved = abs(slicer.util.arrayFromVolume(self.logic.computeDRR(self.ct, self.xrays[0])) - xray).mean()
        self.assertGreater(moved, 5 * right)
        self.assertTrue(undo_pose(self.ct))
        np.testing.assert_allclose(world_from_ct(self.ct), self.truth, atol=1e-9)

    def test_SaveAndOpen(self):
        """Pose, verdict, pixels and geometry come back from the files of the scene."""
        import numpy as np
        from DiffRegistrationLib.mrml.ct_node import world_from_ct
        from DiffRegistrationLib.mrml.pose_node import read_result
        from DiffRegistrationLib.mrml.self_test import save_and_open
        from DiffRegistrationLib.mrml.xray_node import camera_of
        from DiffRegistrationLib.xray.geometry import rigid

        centre = rigid.transform_points(self.truth, [self.head.centre])[0]
        near = rigid.move_about(centre, [0.05, 0, 0, 5, 5, 5], self.truth)
        found = self.logic.register(self.ct, self.xrays, start=near, outputFolder=self.folder / "result")
        pixels = [np.array(slicer.util.arrayFromVolume(xray)) for xray in self.xrays]
        self.delayDisplay("Saving the scene and opening it again")
        save_and_open(self.folder)
        ct, xrays = slicer.util.getNode("Head"), [slicer.util.getNode(name) for name in ("AP", "Lateral")]
        np.testing.assert_allclose(world_from_ct(ct), found.summary.pose, atol=1e-5)
        self.assertEqual(read_result(ct.GetParentTransformNode()), found.summary)
        for xray, image, camera in zip(xrays, pixels, self.cameras, strict=True):
            np.testing.assert_array_equal(slicer.util.arrayFromVolume(xray), image)
            for corner in ([0.0, 0.0], [95.0, 95.0]):
                # The source, the pixel in the scene, and where the camera has it lie on one ray.
                place = self.placeOfPixel(xray, corner)
                np.testing.assert_allclose(camera_of(xray).project(place[None])[0], corner, atol=1e-4)
                np.testing.assert_allclose(camera.project(place[None])[0], corner, atol=1e-4)
        self.ct, self.xrays = ct, xrays
        self.assertRight("opened again")

    def assertRight(self, what):
        """The head lies where it truly does."""
        from DiffRegistrationLib.mrml.ct_node import world_from_ct
        from DiffRegistrationLib.registration.metrics import pose_error

        pose, corners = world_from_ct(self.ct), self.head.corners(0.5)
        error = pose_error(pose, self.truth, corners, self.head.centre, self.cameras[0]).mtre_mm
        self.assertLess(error, self.LARGEST_ERROR_MM, f"{what}: off by {error:.2f} mm")
        self.delayDisplay(f"{what[0].upper()}{what[1:]}: off by {error:.2f} mm")

    def listener(self):
        """Shows how a job goes, and keeps the views whose DRRs come."""
        from DiffRegistrationLib.mrml.self_test import telling

        self.frames = []
        return telling(self, self.frames.append)

    def placeOfPixel(self, volume, pixel):
        """Where a pixel (u, v) of a single-slice volume lies in the world (RAS mm)."""
        import numpy as np
        import vtk

        inner, outer = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
        volume.GetIJKToRASMatrix(inner)
        volume.GetParentTransformNode().GetMatrixTransformToWorld(outer)
        return np.array(outer.MultiplyPoint(inner.MultiplyPoint([*pixel, 0.0, 1.0])))[:3]
