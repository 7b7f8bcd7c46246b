"""A CT node gives the very CT that the reader makes of its file, in the node's own frame."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
import slicer
import vtk
from DiffRegistrationLib.mrml.ct_node import centre_of, ct_from_node, describe_ct, world_from_ct
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.ct_files import read_ct
from DiffRegistrationLib.xray.geometry import rigid
from made_up_xrays import picture, transform, volume

pytestmark = pytest.mark.mrml

ORIENTED = rigid.rotation_exp([0.4, -0.2, 1.3])
GRIDS = {
    "as scanned": np.eye(3),
    "turned": ORIENTED,
    "left-handed": ORIENTED @ np.diag([1.0, 1.0, -1.0]),
    "axes swapped": np.array([[0.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]),
    "sheared": np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.3], [0.0, 0.0, np.sqrt(1 - 0.09)]]),
    "sheared, downward": np.array([[1.0, 0.0, 0.0], [0.0, 1.0, -0.3], [0.0, 0.0, -np.sqrt(1 - 0.09)]]),
}


def hounsfield(kind: type = np.int16) -> np.ndarray:
    """A CT of 6 × 7 × 9 voxels, another slope along each axis, with air lighter than air in one place."""
    k, j, i = np.indices((6, 7, 9))
    values = -900 + 31 * i + 53 * j + 97 * k
    values[0, 0, 0] = -3024
    return values.astype(kind)


def written(path: Path, direction: np.ndarray, values: np.ndarray | None = None) -> Path:
    image = SimpleITK.GetImageFromArray(hounsfield() if values is None else values)
    image.SetSpacing((0.7, 1.3, 2.1))
    image.SetOrigin((-9.0, 21.0, 4.5))
    image.SetDirection(direction.ravel().tolist())
    SimpleITK.WriteImage(image, str(path))
    return path


def loaded(path: Path) -> Any:
    """The node that Slicer's own reader makes of a file."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT")
    storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(str(path))
    node.SetAndObserveStorageNodeID(storage.GetID())
    assert storage.ReadData(node)
    return node


@pytest.mark.parametrize("suffix", ["nrrd", "nii.gz"])
@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS.keys())
def test_it_is_the_very_ct_of_the_file(scene: Any, tmp_path: Path, grid: np.ndarray, suffix: str) -> None:
    if suffix == "nii.gz" and abs(grid[1, 2]) == 0.3:
        pytest.skip("NIfTI's writer keeps no shear")
    path = written(tmp_path / f"ct.{suffix}", grid)
    of_file, of_node = read_ct(path), ct_from_node(loaded(path))
    if np.linalg.det(of_file.ct_from_voxel[:3, :3]) < 0:
        # Slicer's reader turns the order of slices round to make the grid right-handed; each stays in its place.
        last = np.eye(4)
        last[2, 2:] = -1, 5
        of_file = CT(of_file.attenuation[::-1], of_file.ct_from_voxel @ last, provenance=of_file.provenance)
    np.testing.assert_array_equal(of_node.attenuation, of_file.attenuation)
    # NIfTI keeps 32 bits of a matrix, which Slicer's reader rounds once more.
    np.testing.assert_allclose(of_node.ct_from_voxel, of_file.ct_from_voxel, rtol=0, atol=1e-9)
    assert of_node.provenance[0].value == "9 × 7 × 6 voxels" and not any(line.assumed for line in of_node.provenance)
    assert [line.quantity for line in of_node.provenance] == [line.quantity for line in of_file.provenance]


@pytest.mark.real
def test_it_is_the_very_ct_of_a_real_file(scene: Any, real_data: Path) -> None:
    path = real_data / "visible_human_head" / "ct.nrrd"
    of_file, of_node = read_ct(path), ct_from_node(loaded(path))
    np.testing.assert_array_equal(of_node.attenuation, of_file.attenuation)
    np.testing.assert_allclose(of_node.ct_from_voxel, of_file.ct_from_voxel, rtol=0, atol=1e-9)


def test_where_it_lies_is_not_part_of_the_ct_but_its_pose(scene: Any, tmp_path: Path) -> None:
    node = loaded(written(tmp_path / "ct.nrrd", GRIDS["turned"]))
    lying = ct_from_node(node)
    np.testing.assert_array_equal(world_from_ct(node), np.eye(4))
    outer, inner = rigid.exp([0.4, -1.9, 0.3, 120.0, -330.0, 80.0]), rigid.exp([1.2, 0.3, -0.1, -7.0, 5.0, 41.0])
    transform(outer, transform(inner, node))
    np.testing.assert_allclose(world_from_ct(node), outer @ inner, rtol=0, atol=1e-9)
    moved = ct_from_node(node)
    np.testing.assert_array_equal(moved.ct_from_voxel, lying.ct_from_voxel)
    # Slicer and we agree on where a voxel is.
    to_world = vtk.vtkGeneralTransform()
    node.GetParentTransformNode().GetTransformToWorld(to_world)
    where = to_world.TransformPoint(*(moved.ct_from_voxel @ [8, 1, 5, 1])[:3])
    np.testing.assert_allclose(where, (outer @ inner @ moved.ct_from_voxel @ [8, 1, 5, 1])[:3], atol=1e-9)
    np.testing.assert_allclose(centre_of(node), moved.centre, atol=1e-9)


def test_a_transform_that_is_hardened_on_it_becomes_part_of_the_ct(scene: Any, tmp_path: Path) -> None:
    node = loaded(written(tmp_path / "ct.nrrd", GRIDS["turned"]))
    lying, pose = ct_from_node(node), rigid.exp([0.4, -1.9, 0.3, 120.0, -330.0, 80.0])
    transform(pose, node)
    node.HardenTransform()
    np.testing.assert_allclose(ct_from_node(node).ct_from_voxel, pose @ lying.ct_from_voxel, atol=1e-9)
    np.testing.assert_array_equal(world_from_ct(node), np.eye(4))


@pytest.mark.parametrize("at", ["parent", "grandparent"])
def test_a_transform_that_bends_is_refused(scene: Any, unchanged: Callable, at: str) -> None:
    bent = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode", "Bent")
    bent.SetAndObserveTransformToParent(vtk.vtkThinPlateSplineTransform())
    node = volume(hounsfield())
    under = node if at == "parent" else transform(np.eye(4), node)
    under.SetAndObserveTransformNodeID(bent.GetID())
    unchanged()
    for use in (ct_from_node, world_from_ct, describe_ct):
        with pytest.raises(InputError, match=r"not linear\. Harden that transform"):
            use(node)
    assert unchanged()


@pytest.mark.parametrize(
    ("change", "word"),
    [(np.diag([1.1, 1.1, 1.1, 1]), "not rigid"), (np.diag([-1.0, 1, 1, 1]), "mirrors")],
    ids=["scaled", "mirrored"],
)
def test_a_transform_that_scales_or_mirrors_is_no_pose(scene: Any, change: np.ndarray, word: str) -> None:
    node = volume(hounsfield())
    transform(change, node)
    with pytest.raises(InputError, match=f"{word}.*Harden the transform on the CT"):
        world_from_ct(node)


def test_what_is_no_ct_is_refused_with_a_remedy(scene: Any, unchanged: Callable) -> None:
    grey = hounsfield()
    nodes = {
        "holds no image. Load the CT again": slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode"),
        "each voxel holds 3 values": volume(np.zeros((4, 5, 6, 3), np.uint8), kind="vtkMRMLVectorVolumeNode"),
        "is a label map": volume(grey, kind="vtkMRMLLabelMapVolumeNode"),
        "44 × 30 × 1: one slice.*can be an X-ray": volume(picture()[None]),
        "NaN or infinite": volume(np.where(grey > 0, np.nan, grey).astype(np.float32)),
        "cannot be Hounsfield units": volume((grey + 4000).astype(np.uint16)),
        "is no volume": transform(np.eye(4)),
        "no volume was given": None,
    }
    unchanged()
    for problem, node in nodes.items():
        with pytest.raises(InputError, match=problem):
            ct_from_node(node)
        with pytest.raises(InputError, match=problem):
            describe_ct(node)
    assert unchanged()


def test_a_ct_is_described_in_a_line(scene: Any, tmp_path: Path) -> None:
    node = loaded(written(tmp_path / "ct.nrrd", GRIDS["turned"]))
    assert describe_ct(node) == "9 × 7 × 6 voxels of 0.7 × 1.3 × 2.1 mm, −3024 to 151 HU"
