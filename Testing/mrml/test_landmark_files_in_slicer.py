"""The real 3D Slicer opens the landmarks that we write, and what it saves is read again."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from LandmarkDetectionLib.atlas.definitions import skull_landmarks
from LandmarkDetectionLib.atlas.landmark_files import read_landmarks, write_landmarks
from LandmarkDetectionLib.atlas.landmark_set import LandmarkSet, LandmarkStatus

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

pytestmark = pytest.mark.mrml


def loaded(scene: Any, path: Path) -> tuple[Any, Any]:
    node, storage = slicer.vtkMRMLMarkupsFiducialNode(), slicer.vtkMRMLMarkupsJsonStorageNode()
    scene.AddNode(node)
    scene.AddNode(storage)
    storage.SetFileName(str(path))
    assert storage.ReadData(node)
    return node, storage


def test_landmarks_go_through_slicer_and_a_dragged_one_is_corrected(scene, tmp_path):
    names = skull_landmarks().names
    points = np.random.default_rng(1).uniform(-90, 90, (55, 3))
    status = [LandmarkStatus.TRANSFERRED] * 53 + [LandmarkStatus.OUTSIDE, LandmarkStatus.UNKNOWN]
    points[-1] = np.nan
    uncertainty = np.array([2.5] * 54 + [np.nan])
    before = LandmarkSet(names, points, uncertainty, tuple(status))
    write_landmarks(tmp_path / "head.mrk.json", before)

    node, storage = loaded(scene, tmp_path / "head.mrk.json")
    assert node.GetNumberOfControlPoints() == 55
    assert node.GetNumberOfDefinedControlPoints() == 54
    for number, name in enumerate(names[:-1]):
        assert node.GetNthControlPointLabel(number) == name
        # Slicer works in RAS.
        np.testing.assert_allclose(node.GetNthControlPointPosition(number), points[number], atol=1e-3)

    node.SetNthControlPointPosition(7, *(points[7] + [1.5, 0, 0]))
    storage.SetFileName(str(tmp_path / "saved.mrk.json"))
    assert storage.WriteData(node)
    after = read_landmarks(tmp_path / "saved.mrk.json")
    status[7] = LandmarkStatus.CORRECTED
    assert after.names == names and list(after.status) == status
    np.testing.assert_allclose(after.points[7], points[7] + [1.5, 0, 0], atol=1e-3)
    np.testing.assert_allclose(after.points[:7], points[:7], atol=1e-3)
    assert after.uncertainty_mm[8] == 2.5


def test_points_made_in_slicer_are_read(scene, tmp_path):
    node, storage = slicer.vtkMRMLMarkupsFiducialNode(), slicer.vtkMRMLMarkupsJsonStorageNode()
    scene.AddNode(node)
    scene.AddNode(storage)
    for number, name in enumerate(("nasion", "sella", "porion right", "porion left")):
        node.AddControlPoint([10.0 * number, -5.0, 7.0], name)
    storage.SetFileName(str(tmp_path / "made.mrk.json"))
    assert storage.WriteData(node)
    found = read_landmarks(tmp_path / "made.mrk.json")
    np.testing.assert_allclose(found.point("porion left"), [30, -5, 7], atol=1e-6)
    assert found.is_known.sum() == 4 and found.status[1] is LandmarkStatus.PLACED
