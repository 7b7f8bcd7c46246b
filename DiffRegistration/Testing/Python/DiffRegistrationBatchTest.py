"""A folder of patients, one of them broken, through the batch in a running Slicer."""

import csv
import tempfile
import unittest
from pathlib import Path

import slicer


class DiffRegistrationBatchTest(unittest.TestCase):
    """Runs in Slicer with the scene, the Python and the worker that users have; nothing is downloaded or installed."""

    def setUp(self) -> None:
        try:
            from DiffRegistrationLib.mrml import batch  # noqa: F401
        except ModuleNotFoundError as error:
            self.skipTest(f"the package {error.name} is missing; open the module DiffRegistration and press Install")
        slicer.mrmlScene.Clear()

    def test_Batch(self) -> None:  # noqa: N802
        """The whole patient lies where it should, the broken one is an error in the table."""
        import numpy as np
        from DiffRegistrationLib.mrml.batch import Batch
        from DiffRegistrationLib.mrml.registration_logic import RegistrationLogic
        from DiffRegistrationLib.xray.files.transform_files import read_pose

        with tempfile.TemporaryDirectory(prefix="fluororeg-test-") as folder, RegistrationLogic() as logic:
            patients, output = Path(folder) / "patients", Path(folder) / "output"
            centre, truth = write_patient(patients / "whole")
            write_patient(patients / "broken")
            (patients / "broken" / "ct.nrrd").write_text("this is no volume")
            self.assertFalse(Batch(logic, patients, output, start="frontal").run())
            with (output / "results.csv").open(encoding="utf-8", newline="") as file:
                verdicts = {row["patient"]: row["verdict"] for row in csv.DictReader(file)}
            self.assertEqual(verdicts, {"broken": "error", "whole": "accepted"})
            self.assertTrue((output / "whole" / "report.html").is_file())
            found = read_pose(output / "whole" / "pose.h5")
            off = np.linalg.norm((found - truth)[:3] @ [*centre, 1.0])
            self.assertLess(off, 1.0, f"the head is off by {off:.2f} mm")
        self.assertEqual(slicer.util.getNodesByClass("vtkMRMLVolumeNode"), [])


def write_patient(folder):  # type: ignore[no-untyped-def]
    """A computed head and two X-rays of it as files; its centre and its pose in the X-rays."""
    import numpy as np
    from DiffRegistrationLib.registration.starts import pose_of_view
    from DiffRegistrationLib.xray.files.camera_files import write_camera
    from DiffRegistrationLib.xray.files.ct_writing import write_ct
    from DiffRegistrationLib.xray.files.radiograph_files import write_image
    from DiffRegistrationLib.xray.geometry import rigid
    from DiffRegistrationLib.xray.geometry.c_arm import c_arm_camera
    from DiffRegistrationLib.xray.phantom import head_phantom
    from DiffRegistrationLib.xray.projector import Projector

    folder.mkdir(parents=True)
    head = head_phantom(4.0).ct
    write_ct(folder / "ct.nrrd", head)
    usual = None
    for name, angle in (("1-ap", 180.0), ("2-lateral", 90.0)):
        camera = c_arm_camera(
            source_detector_distance=1000.0,
            source_object_distance=700.0,
            pixel_spacing=(3.2, 3.2),
            size=(96, 96),
            primary_angle_deg=angle,
        )
        if usual is None:
            usual = pose_of_view("ap", head, camera)
            centre = rigid.transform_points(usual, [head.centre])[0]
            truth = rigid.move_about(centre, [0.03, -0.04, 0.05, 6.0, -9.0, 4.0], usual)
        integrals = Projector(head).render(camera.rays(), truth)[0].reshape(camera.size)
        # What a detector counts: bone is dark.
        counts = np.random.default_rng(1).poisson(3000 * np.exp(-integrals.astype(np.float64)))
        write_image(folder / f"xray-{name}.nrrd", counts.astype(np.float32) + 0.5, camera)
        write_camera(folder / f"camera-{name}.json", camera)
    return head.centre, truth
