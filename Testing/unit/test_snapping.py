"""Landmarks settle where their definitions say: on tips and surfaces, on their own bone, whatever the grid's pose."""

from dataclasses import replace

import numpy as np
import pytest
from DiffRegistrationLib.xray.attenuation import hounsfield_from_attenuation
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.geometry import rigid
from LandmarkDetectionLib.atlas.bone_surface import BONE_HOUNSFIELD
from LandmarkDetectionLib.atlas.definitions import SnapKind, skull_landmarks
from LandmarkDetectionLib.atlas.head import Head, phantom_head
from LandmarkDetectionLib.atlas.head_frame import ct_from_head
from LandmarkDetectionLib.atlas.landmark_set import LandmarkSet, LandmarkStatus
from LandmarkDetectionLib.atlas.snapping import snapped

# Landmarks on ends of bone, which a CT shows to a millimetre.
TIPS = [
    *("rhinion", "anterior nasal spine", "posterior nasal spine", "C1 anterior tubercle", "C1 posterior tubercle"),
    *(
        f"{name} {side}"
        for name in ("mastoid tip", "coronoid tip", "C1 transverse process")
        for side in ("right", "left")
    ),
]


@pytest.fixture(scope="module")
def head() -> Head:
    return phantom_head(1.0)


def made_of(inside, voxel_mm: float = 1.0) -> CT:
    """A CT of 60 mm about the origin, bone where `inside`(x, y, z) mm is, and water; edges of a voxel's width."""
    axis = np.arange(-30, 30 + voxel_mm / 2, voxel_mm)
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    share = np.clip(0.5 - inside(x, y, z) / voxel_mm, 0, 1)
    matrix = np.diag([voxel_mm] * 3 + [1.0])
    matrix[:3, 3] = -30
    return CT.from_hounsfield(2 * BONE_HOUNSFIELD * share, matrix)


def one(name: str, point: object) -> LandmarkSet:
    return LandmarkSet((name,), np.array([point], dtype=float), np.ones(1), (LandmarkStatus.TRANSFERRED,))


def point_after(ct: CT, name: str, point: object) -> np.ndarray:
    return snapped(ct, one(name, point), np.eye(4)).points[0]


@pytest.mark.parametrize("voxel_mm", [0.5, 1.0, 1.5])
@pytest.mark.parametrize("off", [(0, 0, 3), (2, 1, -2), (-2, -2, 1)])
def test_a_tip_is_found_from_beside_it(voxel_mm, off):
    # A post with a round end of 3 mm that points down and ends at z = -10.
    ct = made_of(lambda x, y, z: np.hypot(np.hypot(x, y), np.minimum(z + 7, 0)) - 3, voxel_mm)
    end = point_after(ct, "mastoid tip right", np.add([0, 0, -10], off))
    # A quarter of the way sideways is left, since what is flatter than 10 mm does not draw a point.
    assert np.linalg.norm(end[:2]) < 3 / 13 * np.linalg.norm(off[:2]) + 0.4 * voxel_mm
    assert abs(end[2] + 10) < 0.4 * voxel_mm


@pytest.mark.parametrize("name", ["bregma", "euryon left"])
def test_on_a_flat_surface_a_point_moves_along_the_normal_alone(name):
    # Directions of bregma and euryon are within a degree or two of up and left.
    axis = 2 if name == "bregma" else 0
    sign = 1 if name == "bregma" else -1
    ct = made_of(lambda *xyz: sign * xyz[axis] - 5.3)
    start = np.array([1.2, -2.3, 0.4])
    start[axis] = sign * 7.5
    end = point_after(ct, name, start)
    assert abs(end[axis] - sign * 5.3) < 0.1
    assert np.linalg.norm(np.delete(end - start, axis)) < 1.1


def test_the_vault_is_met_from_outside_not_on_its_inner_table():
    # Bone from z = 0 to 4; the start is nearer to its lower face, which looks into the skull.
    ct = made_of(lambda x, y, z: np.abs(z - 2) - 2)
    assert point_after(ct, "bregma", [0, 0, 1])[2] == pytest.approx(4, abs=0.15)


def test_a_point_stays_on_its_own_bone_at_a_joint():
    # The lower bone ends at z = 0, the upper one begins at z = 3, within reach of the search upward.
    ct = made_of(lambda x, y, z: np.minimum(np.maximum(z, np.hypot(x, y) - 4), 3 - z))
    assert point_after(ct, "coronoid tip right", [0, 0, 1])[2] == pytest.approx(0, abs=0.15)
    assert point_after(ct, "coronoid tip right", [0, 0, -1.5])[2] == pytest.approx(0, abs=0.15)


def test_where_there_is_no_bone_nothing_moves():
    ct = made_of(lambda x, y, z: np.full_like(x, 9.0))
    for point in ([3, 4, 5], [29.5, 0, 0], [400, 0, 0]):
        np.testing.assert_array_equal(point_after(ct, "menton", point), point)


def test_disturbed_landmarks_of_the_phantom_come_nearer(head):
    skull, frame = skull_landmarks(), ct_from_head(head.landmarks)
    random = np.random.default_rng(3)
    before, after = [], []
    for _ in range(4):
        off = random.normal(0, 2 / np.sqrt(3), (55, 3))
        start = replace(head.landmarks, points=head.landmarks.points + off)
        before.append(np.linalg.norm(off, axis=1))
        after.append(np.linalg.norm(snapped(head.ct, start, frame).points - head.landmarks.points, axis=1))
    extreme = np.array([one.snap.kind is SnapKind.EXTREME for one in skull.definitions])
    tips = np.isin(skull.names, TIPS)
    assert (extreme | ~tips).all()
    was, now = np.mean(before, axis=0), np.mean(after, axis=0)
    assert now[extreme].mean() < 0.8 * was[extreme].mean()
    assert now[tips].mean() < 0.55 * was[tips].mean()
    assert now.mean() < was.mean()
    reach = np.array([one.snap.radius_mm for one in skull.definitions])
    assert (np.max(after, axis=0) <= np.max(before, axis=0) + reach + 1e-9).all()


def test_unknown_and_outside_ones_and_those_without_a_rule_stay(head):
    frame = ct_from_head(head.landmarks)
    status = list(head.landmarks.status)
    points = head.landmarks.points + 1.0
    names = head.landmarks.names
    for name, said in (("menton", LandmarkStatus.UNKNOWN), ("zygion left", LandmarkStatus.OUTSIDE)):
        status[names.index(name)] = said
    points[names.index("menton")] = np.nan
    start = replace(head.landmarks, points=points, status=tuple(status))
    end = snapped(head.ct, start, frame)
    for name in ("menton", "zygion left", "sella", "lower incisor", "condylion left"):
        np.testing.assert_array_equal(end.point(name), start.point(name))
    assert np.linalg.norm(end.point("zygion right") - start.point("zygion right")) > 0.1
    assert end.status == start.status and end.names == names


@pytest.mark.parametrize("variant", [0, 3])
def test_the_lens_is_found_in_a_noisy_eye(variant):
    noisy = phantom_head(1.0, variant)
    random = np.random.default_rng(variant)
    hounsfield = hounsfield_from_attenuation(noisy.ct.attenuation)
    ct = CT.from_hounsfield(hounsfield + random.normal(0, 20, hounsfield.shape), noisy.ct.ct_from_voxel)
    for side in ("right", "left"):
        true = noisy.landmarks.point(f"eye lens {side}")
        for off in ([3, 2, -2], [-4, -1, 3]):
            found = point_after(ct, f"eye lens {side}", true + off)
            assert np.linalg.norm(found - true) < 0.8
    # No lens in the brain.
    np.testing.assert_array_equal(point_after(ct, "eye lens left", [30, 0, 75]), [30, 0, 75])


def test_the_pose_of_the_grid_does_not_matter(head):
    pose = rigid.exp([0.5, -0.3, 1.1, 40.0, -10.0, 25.0])
    start = replace(head.landmarks, points=np.add(head.landmarks.points, [1.0, -0.7, 0.8]))
    frame = ct_from_head(head.landmarks)
    straight = snapped(head.ct, start, frame)
    turned_ct = CT(head.ct.attenuation, pose @ head.ct.ct_from_voxel)
    turned_start = replace(start, points=rigid.transform_points(pose, start.points))
    turned = snapped(turned_ct, turned_start, pose @ frame)
    np.testing.assert_allclose(turned.points, rigid.transform_points(pose, straight.points), atol=1e-6)
