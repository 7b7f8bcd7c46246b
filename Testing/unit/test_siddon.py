"""Paths through voxels against chords and against the textbook's list of all faces that a ray crosses."""

from __future__ import annotations

import numpy as np
import pytest
from DiffRegistrationLib.xray.attenuation import WATER_ATTENUATION_PER_MM
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.geometry import Rays, rigid
from DiffRegistrationLib.xray.projector import Projector
from DiffRegistrationLib.xray.simulator.composition import Composition
from DiffRegistrationLib.xray.simulator.materials import Material
from DiffRegistrationLib.xray.simulator.siddon import areal_densities

SIZE = (9, 7, 5)
TURN = rigid.rotation_exp([0.2, -0.3, 0.4]) @ np.diag([1.0, -1.0, 1.0])
POSE = rigid.exp([0.3, -0.2, 0.5, 12.0, -4.0, 7.0])


def grid(turn: np.ndarray, voxel_size: tuple[float, float, float]) -> np.ndarray:
    """ct_from_voxel of a grid whose centre is not the origin."""
    return rigid.rigid(turn @ np.diag(voxel_size), [3.0, 1.0, -2.0])


def random_ct(ct_from_voxel: np.ndarray) -> CT:
    """Water, bone and air without any order."""
    return CT.from_hounsfield(np.random.default_rng(3).uniform(-1200, 2500, SIZE[::-1]), ct_from_voxel)


def rays_through(ct: CT, pose: np.ndarray, count: int = 200) -> Rays:
    """Rays between points on a sphere about the CT, most of which meet it, in world mm."""
    rng = np.random.default_rng(5)
    ends = rng.normal(size=(2, count, 3))
    ends *= 60 / np.linalg.norm(ends, axis=2, keepdims=True)
    ends += rng.uniform(-4, 4, (1, count, 3))
    source, target = (rigid.transform_points(pose, end + ct.centre) for end in ends)
    # Half of them go through near the centre.
    target[::2] = 2 * rigid.transform_points(pose, ct.centre[None]) - source[::2] + rng.uniform(-9, 9, (count // 2, 3))
    return Rays(source, target)


def textbook(composition: Composition, rays: Rays, pose: np.ndarray) -> np.ndarray:
    """Areal densities (2, N) by sorting the crossings with all planes and looking up the middle of each segment."""
    density = composition.counts * composition.units
    world_from_voxel = pose @ np.linalg.inv(composition.voxel_from_ct)
    source = rigid.transform_points(np.linalg.inv(world_from_voxel), rays.source)
    way = rigid.transform_points(np.linalg.inv(world_from_voxel), rays.target) - source
    total = np.zeros((2, len(rays)))
    for ray in range(len(rays)):
        crossings = [np.array([0.0, 1.0])]
        for axis in range(3):
            if abs(way[ray, axis]) > 1e-9:
                crossings.append((np.arange(SIZE[axis] + 1) - 0.5 - source[ray, axis]) / way[ray, axis])
        t = np.unique(np.clip(np.concatenate(crossings), 0, 1))
        middle = source[ray] + (t[1:, None] + t[:-1, None]) / 2 * way[ray]
        index = np.floor(middle + 0.5).astype(int)
        inside = ((index >= 0) & (index < SIZE)).all(axis=1)
        i, j, k = index[inside].T
        length_cm = np.diff(t)[inside] * np.linalg.norm(rays.target[ray] - rays.source[ray]) / 10
        total[:, ray] = (density[k, j, i] * length_cm[:, None]).sum(axis=0)
    return total


def both(composition: Composition, rays: Rays, pose: np.ndarray) -> np.ndarray:
    """(2, N) of water and bone."""
    areal = areal_densities(composition, rays, pose)
    assert list(areal) == [Material.WATER, Material.CORTICAL_BONE]
    return np.stack(list(areal.values()))


@pytest.mark.parametrize("turn", [np.eye(3), TURN], ids=["upright", "turned and mirrored"])
@pytest.mark.parametrize("voxel_size", [(1.0, 1.0, 1.0), (0.7, 1.9, 3.1)])
@pytest.mark.parametrize("pose", [np.eye(4), POSE], ids=["at rest", "moved"])
def test_random_voxels_give_the_sum_over_all_crossings(
    turn: np.ndarray, voxel_size: tuple[float, float, float], pose: np.ndarray
) -> None:
    ct = random_ct(grid(turn, voxel_size))
    composition = Composition.from_ct(ct)
    rays = rays_through(ct, pose)
    expected = textbook(composition, rays, pose)
    assert (expected[1] > 0).sum() > 60
    np.testing.assert_allclose(both(composition, rays, pose), expected, rtol=1e-6, atol=1e-7)


def test_a_uniform_box_gives_each_rays_chord() -> None:
    ct = CT.from_hounsfield(np.zeros(SIZE[::-1]), grid(TURN, (0.7, 1.9, 3.1)))
    rays = rays_through(ct, np.eye(4))
    # Slabs in the box's own axes.
    half = ct.voxel_size * SIZE / 2
    axes = ct.ct_from_voxel[:3, :3] / ct.voxel_size
    source, way = (rays.source - ct.centre) @ axes, (rays.target - rays.source) @ axes
    crossings = np.sort([(-half - source) / way, (half - source) / way], axis=0)
    chord = np.maximum(crossings[1].min(axis=1) - crossings[0].max(axis=1), 0) * np.linalg.norm(way, axis=1)
    water, bone = both(Composition.from_ct(ct), rays, np.eye(4))
    assert (chord > 1).sum() > 60 and not bone.any()
    np.testing.assert_allclose(water, chord / 10, rtol=2e-5, atol=1e-6)


def test_rays_along_the_axes_sum_rows_of_voxels() -> None:
    ct = random_ct(np.diag([2.0, 3.0, 4.0, 1.0]))
    composition = Composition.from_ct(ct)
    density = composition.counts * composition.units
    k, j, i = 2, 3, 4
    through = np.array([2.0 * i, 3.0 * j, 4.0 * k])
    rows = (density[k, j, :], density[k, :, i], density[:, j, i])
    for axis, row in enumerate(rows):
        for sign in (1, -1):
            way = sign * 100.0 * np.eye(3)[axis]
            areal = both(composition, Rays(through[None] - way, through[None] + way), np.eye(4))
            np.testing.assert_allclose(areal[:, 0], row.sum(axis=0) * (2.0, 3.0, 4.0)[axis] / 10, rtol=1e-6)


def test_rays_in_faces_and_through_corners_lose_nothing() -> None:
    # All voxels alike, so that it does not matter which of its neighbours a face belongs to.
    composition = Composition.from_ct(CT.from_hounsfield(np.zeros((4, 4, 4)), np.eye(4)))
    face_to_face = Rays(np.array([[-9.0, 1.5, 1.5]]), np.array([[9.0, 1.5, 1.5]]))
    corner_to_corner = Rays(np.array([[-2.5, -2.5, -2.5]]), np.array([[5.5, 5.5, 5.5]]))
    edge_to_edge = Rays(np.array([[-1.5, -1.5, 0.5]]), np.array([[4.5, 4.5, 0.5]]))
    for rays, length in ((face_to_face, 4), (corner_to_corner, 4 * np.sqrt(3)), (edge_to_edge, 4 * np.sqrt(2))):
        for there in (rays, Rays(rays.target, rays.source)):
            np.testing.assert_allclose(both(composition, there, np.eye(4))[0], length / 10, rtol=2e-5)


def test_rays_may_start_and_end_inside() -> None:
    composition = Composition.from_ct(CT.from_hounsfield(np.zeros((8, 8, 8)), np.eye(4)))
    source = np.array([[1.2, 3.3, 4.1], [1.2, 3.3, 4.1], [3.0, 3.0, 3.0], [20.0, 0.0, 0.0]])
    target = np.array([[6.2, 3.3, 4.1], [1.2, 3.3, 90.0], [3.0, 3.0, 3.0], [30.0, 0.0, 0.0]])
    water = both(composition, Rays(source, target), np.eye(4))[0]
    np.testing.assert_allclose(water, [0.5, 0.34, 0, 0], rtol=2e-5)


def test_a_ray_back_sees_the_same() -> None:
    ct = random_ct(grid(TURN, (0.7, 1.9, 3.1)))
    composition = Composition.from_ct(ct)
    rays = rays_through(ct, POSE)
    forth, back = both(composition, rays, POSE), both(composition, Rays(rays.target, rays.source), POSE)
    np.testing.assert_allclose(forth, back, rtol=1e-6, atol=1e-7)


def test_moving_rays_and_ct_together_changes_nothing() -> None:
    ct = random_ct(grid(TURN, (0.7, 1.9, 3.1)))
    composition = Composition.from_ct(ct)
    rays = rays_through(ct, np.eye(4))
    moved = Rays(rigid.transform_points(POSE, rays.source), rigid.transform_points(POSE, rays.target))
    np.testing.assert_allclose(
        both(composition, moved, POSE), both(composition, rays, np.eye(4)), rtol=1e-6, atol=1e-7
    )


def test_a_smooth_object_looks_as_the_solvers_renderer_sees_it() -> None:
    k, j, i = np.mgrid[:60, :60, :60]
    bump = np.exp(-((i - 30) ** 2 + (j - 26) ** 2 + (k - 33) ** 2) / (2 * 9.0**2))
    ct = CT.from_hounsfield(np.where(bump > 0.051, 1000 * bump - 1000, -1000), grid(TURN, (1.0, 1.0, 1.0)))
    rays = rays_through(ct, POSE)
    water = both(Composition.from_ct(ct), rays, POSE)[0]
    line_integral = Projector(ct).render(rays, POSE, step_mm=0.1)[0]
    # The renderer's 0.0192 mm⁻¹ is a density of 1 g/cm³.
    seen = line_integral / (10 * WATER_ATTENUATION_PER_MM)
    # Rays along rows of voxels are off by up to half a voxel on a slope, others average that out.
    np.testing.assert_allclose(water, seen, atol=0.03 * seen.max())
    assert np.sqrt(((water - seen) ** 2).mean()) < 0.004 * seen.max()


def test_an_empty_ct_is_seen_through() -> None:
    ct = CT(np.zeros((3, 4, 5), dtype=np.float32), np.eye(4))
    assert not both(Composition.from_ct(ct), rays_through(ct, np.eye(4)), np.eye(4)).any()
