"""What the self-tests of the modules share: a computed head in the scene, X-rays of it, and what surrounds a test.

Only Python's and Slicer's own modules are imported at the top: the tests say themselves which packages are missing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Any
from unittest import SkipTest

import slicer

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float64

    from ..xray.ct import CT
    from ..xray.geometry import PinholeCamera
    from .job_results import Listener

# How often the state of a job is shown (s).
_TELL_S = 2.0


@dataclass(frozen=True, eq=False)
class HeadInScene:
    """Nodes of a CT and of two X-rays of it, with their cameras and the `truth`: world_from_ct, RAS mm."""

    ct: Any
    xrays: tuple[Any, ...]
    cameras: tuple[PinholeCamera, ...]
    truth: Float64[np.ndarray, "4 4"]


def run_all(test: Any) -> None:
    """All of a test's parts one after another, as the button “Reload and Test” wants it."""
    for name in sorted(name for name in dir(test) if name.startswith("test_")):
        try:
            test.setUp()
            getattr(test, name)()
        except SkipTest as skipped:
            test.delayDisplay(f"Skipped {name}: {skipped}")
        finally:
            test.tearDown()


def head_in_scene(ct: CT) -> HeadInScene:
    """`ct` as a volume, and what a C-arm sees of it, a little askew, from the front and from the side."""
    import numpy as np

    from ..registration.starts import pose_of_view
    from ..xray.attenuation import hounsfield_from_attenuation
    from ..xray.geometry import rigid
    from ..xray.geometry.c_arm import c_arm_camera
    from ..xray.projector import Projector
    from ..xray.radiograph import Radiograph
    from .xray_node import add_radiograph

    hounsfield = hounsfield_from_attenuation(ct.attenuation).astype(np.float32)
    node = slicer.util.addVolumeFromArray(hounsfield, ct.ct_from_voxel, "Head")
    cameras = tuple(
        c_arm_camera(
            source_detector_distance=1000.0,
            source_object_distance=700.0,
            pixel_spacing=(3.2, 3.2),
            size=(96, 96),
            primary_angle_deg=angle,
        )
        for angle in (180.0, 90.0)
    )
    usual = pose_of_view("ap", ct, cameras[0])
    centre = rigid.transform_points(usual, [ct.centre])[0]
    truth = rigid.move_about(centre, [0.03, -0.04, 0.05, 6.0, -9.0, 4.0], usual)
    xrays = []
    for camera, name in zip(cameras, ("AP", "Lateral"), strict=True):
        image = Projector(ct).render(camera.rays(), truth)[0].reshape(camera.size)
        image = image + np.random.default_rng(2).normal(scale=0.02, size=image.shape)
        seen = Radiograph(image.astype(np.float32), np.ones(camera.size, dtype=bool), camera)
        xrays.append(add_radiograph(seen, name))
    return HeadInScene(node, tuple(xrays), cameras, truth)


def telling(test: Any, frame_came: Callable[[int], None] = lambda view: None) -> Listener:
    """Shows how a job goes, not more often than every two seconds; `frame_came` is told the views whose DRRs come."""
    from .job_results import Listener

    shown = [time.monotonic()]

    def progressed(progress: Any) -> None:
        if time.monotonic() > shown[-1] + _TELL_S:
            shown.append(time.monotonic())
            test.delayDisplay(f"{100 * progress.part:.0f} %: {progress.words}")

    return Listener(progressed=progressed, frame_came=lambda view, drr, pose: frame_came(view))


def save_and_open(folder: Path) -> None:
    """Write the data of all nodes and the .mrml that names them, and open it in an empty scene."""
    scene = slicer.mrmlScene
    scene.SetRootDirectory(str(folder))
    for node in slicer.util.getNodesByClass("vtkMRMLStorableNode"):
        # Of the colour tables Slicer has its own again.
        foreign = node.IsA("vtkMRMLColorNode") and node.GetAttribute("FluoroRegistration.Role") is None
        if not node.GetSaveWithScene() or foreign:
            continue
        node.AddDefaultStorageNode()
        storage = node.GetStorageNode()
        if storage is not None:
            name = f"{node.GetID()}.{storage.GetDefaultWriteFileExtension()}"
            storage.SetFileName(str(folder / name))
            if not storage.WriteData(node):
                raise AssertionError(f"{node.GetName()} cannot be written")
    path = str(folder / "scene.mrml")
    if not slicer.util.saveScene(path):
        raise AssertionError("the scene cannot be written")
    scene.Clear()
    slicer.util.loadScene(path)


def clear_away(logic: Any, folder: Path | None) -> None:
    """End the logic's worker, and leave nothing on the disk and in the scene."""
    if logic is not None:
        logic.close()
    if folder is not None:
        rmtree(folder, ignore_errors=True)
    slicer.mrmlScene.Clear()
