"""The real 3D Slicer reads the poses that we write (needs the wheel slicer-core)."""

import numpy as np
import pytest
from DiffRegistrationLib.xray.files.transform_files import read_pose, write_pose
from DiffRegistrationLib.xray.geometry import rigid

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
vtk = pytest.importorskip("vtk")

pytestmark = pytest.mark.mrml

POSE = rigid.exp([0.4, -1.9, 0.3, 120.0, -330.0, 80.0])


@pytest.mark.parametrize("name", ["pose.tfm", "pose.h5"])
def test_a_pose_is_slicer_s_transform_to_parent_both_ways(tmp_path, name):
    write_pose(tmp_path / name, POSE)
    node, storage = slicer.vtkMRMLTransformNode(), slicer.vtkMRMLTransformStorageNode()
    storage.SetFileName(str(tmp_path / name))
    assert storage.ReadData(node)
    matrix = vtk.vtkMatrix4x4()
    node.GetMatrixTransformToParent(matrix)
    to_parent = np.array([[matrix.GetElement(i, j) for j in range(4)] for i in range(4)])
    np.testing.assert_allclose(to_parent, POSE, rtol=0, atol=1e-9)

    storage.SetFileName(str(tmp_path / f"back_{name}"))
    assert storage.WriteData(node)
    np.testing.assert_allclose(read_pose(tmp_path / f"back_{name}"), POSE, rtol=0, atol=1e-9)
