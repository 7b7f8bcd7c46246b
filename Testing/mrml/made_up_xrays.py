"""X-rays and CTs that look different from every side, so that no flip, shift or swap goes unseen."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import vtk
from DiffRegistrationLib.xray.geometry import Camera, PinholeCamera, ScanningSlitCamera, rigid
from DiffRegistrationLib.xray.provenance import Provenance
from DiffRegistrationLib.xray.radiograph import Radiograph, WorldFrame

SIZE = (30, 44)
# Neither along an axis nor centred on anything.
POSE = rigid.exp([1.0, -0.7, 2.2, 30.0, -50.0, 700.0])


def pinhole(size: tuple[int, int] = SIZE) -> PinholeCamera:
    """Pixels of 0.7 × 0.4 mm, the principal point off the middle."""
    return PinholeCamera.from_distances(1020.0, (0.7, 0.4), size, POSE, (size[1] * 0.41, size[0] * 0.63))


def skewed(size: tuple[int, int] = SIZE) -> PinholeCamera:
    """Columns that lean, and pixels of unknown size."""
    return PinholeCamera(np.array([[2500.0, 37.0, 19.0], [0, 2100.0, 13.0], [0, 0, 1]]), POSE, size)


def slit(size: tuple[int, int] = SIZE) -> ScanningSlitCamera:
    """A localizer's camera."""
    return ScanningSlitCamera(POSE, size, (0.9, 0.5), (20.3, 11.7), 560.0, 1010.0)


CAMERAS = {"pinhole": pinhole, "skewed, pixels of unknown size": skewed, "slit": slit}


def picture(size: tuple[int, int] = SIZE, seed: int = 0) -> np.ndarray:
    """Line integrals: a slope, a bar and a spot, and noise whose bits are all in use."""
    v, u = np.mgrid[: size[0], : size[1]]
    image = 0.02 * u + 0.05 * v + np.random.default_rng(seed).random(size)
    image[4:9, 5:25] += 2
    image[-6:, -4:] += 4
    return image.astype(np.float32)


def radiograph(camera: Camera | None = None, seed: int = 0) -> Radiograph:
    """A radiograph, its mask cut at two different sides, with an origin for everything."""
    camera = camera or pinhole()
    mask = np.ones(camera.size, dtype=bool)
    mask[:3], mask[:, -5:] = False, False
    lines = (
        Provenance("source-detector distance", "1020 mm", "DistanceSourceToDetector (0018,1110)"),
        Provenance("pixel spacing", "0.7, 0.4 mm; “quoted” & <angled>, 50 %", "a \\ and a ; and a : and a |"),
        Provenance("unattenuated intensity I₀", "3000", "brightest part of the field", True),
        Provenance("field of view", "82.1 % of the image", "edges of the collimator in the image", True),
    )
    return Radiograph(picture(camera.size, seed), mask, camera, lines, WorldFrame.PATIENT)


def volume(array: np.ndarray, matrix: np.ndarray | None = None, kind: str = "vtkMRMLScalarVolumeNode") -> Any:
    """A volume node of the scene with these voxels [k, j, i] and this IJKToRAS."""
    node = slicer.mrmlScene.AddNewNodeByClass(kind)
    slicer.util.updateVolumeFromArray(node, array)
    if matrix is not None:
        node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(matrix))
    return node


def transform(matrix: np.ndarray, *children: Any) -> Any:
    """A linear transform node of the scene over other nodes."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    slicer.util.updateTransformMatrixFromArray(node, matrix)
    for child in children:
        child.SetAndObserveTransformNodeID(node.GetID())
    return node


def world_of_pixel(node: Any, u: float, v: float) -> np.ndarray:
    """Where Slicer has a pixel of a volume node: by IJKToRAS and by the transform that the node lies under."""
    inner, outer = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(inner)
    node.GetParentTransformNode().GetMatrixTransformToWorld(outer)
    return np.array(outer.MultiplyPoint(inner.MultiplyPoint((u, v, 0.0, 1.0))))[:3]


def assert_same(left: Radiograph, right: Radiograph) -> None:
    """Equal to the bit."""
    np.testing.assert_array_equal(left.attenuation, right.attenuation)
    np.testing.assert_array_equal(left.mask, right.mask)
    assert_same_camera(left.camera, right.camera)
    assert left.provenance == right.provenance
    assert left.world == right.world


def assert_same_camera(left: Camera, right: Camera) -> None:
    """Equal to the bit."""
    assert type(left) is type(right)
    for name, value in vars(left).items():
        np.testing.assert_array_equal(value, getattr(right, name)) if value is not None else None
        assert (value is None) == (getattr(right, name) is None)
