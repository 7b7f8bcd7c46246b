"""The projector against line integrals and derivatives that are known exactly."""

from __future__ import annotations

import numpy as np
import pytest
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.geometry import PinholeCamera, Rays, rigid
from DiffRegistrationLib.xray.projector import Projector


def tilted_grid(voxel_size: tuple[float, float, float], size: tuple[int, int, int]) -> np.ndarray:
    """ct_from_voxel of a grid that is anisotropic, left-handed along j, tilted, and centred off the origin."""
    rotation = rigid.rotation_exp([0.2, -0.3, 0.4]) @ np.diag([1.0, -1.0, 1.0])
    matrix = rigid.rigid(rotation @ np.diag(voxel_size), np.zeros(3))
    matrix[:3, 3] = np.array([12.0, -7.0, 30.0]) - matrix[:3, :3] @ ((np.array(size) - 1) / 2)
    return matrix


def blobs(voxel_size: tuple[float, float, float] = (1.0, 1.3, 2.0), size: tuple[int, int, int] = (60, 50, 30)) -> CT:
    """A smooth, asymmetric CT."""
    matrix = tilted_grid(voxel_size, size)
    k, j, i = np.mgrid[0 : size[2], 0 : size[1], 0 : size[0]]
    points = rigid.transform_points(matrix, np.stack([i, j, k], axis=-1).reshape(-1, 3)) - [12.0, -7.0, 30.0]
    values = np.zeros(len(points))
    for centre, width, height in [((0, 0, 0), 7, 0.02), ((10, 6, -8), 5, 0.04), ((-12, 9, 7), 4, 0.03)]:
        values += height * np.exp(-((points - centre) ** 2).sum(axis=1) / (2 * width**2))
    return CT(values.reshape(k.shape).astype(np.float32), matrix)


def camera(size: int = 40, spacing: float = 4.0) -> PinholeCamera:
    """A camera 600 mm in front of (12, −7, 30), looking along −x and a little down."""
    look = rigid.rotation_exp([0.05, 0.1, -0.04]) @ np.array([[0.0, 1, 0], [0, 0, -1], [-1, 0, 0]])
    pose = rigid.rigid(look, np.array([3.0, -2.0, 600.0]) - look @ np.array([12.0, -7.0, 30.0]))
    return PinholeCamera.from_distances(1000.0, (spacing, spacing), (size, size), pose)


POSE = rigid.about([12.0, -7.0, 30.0], rigid.exp([0.1, -0.05, 0.2, 3.0, -4.0, 2.0]))


@pytest.mark.parametrize("voxel_size", [(1.0, 1.0, 1.0), (0.7, 1.4, 2.1)])
def test_a_box_gives_the_length_of_each_ray_inside_it(voxel_size: tuple[float, float, float]) -> None:
    size = (40, 30, 20)
    matrix = tilted_grid(voxel_size, size)
    ct = CT(np.full(size[::-1], 0.02, dtype=np.float32), matrix)
    # Rays that enter and leave through faces: trilinear padding gives the first and last cell half a voxel each.
    half = np.array(voxel_size) * np.array(size) / 2
    rng = np.random.default_rng(1)
    centre = ct.centre
    axes = matrix[:3, :3] / voxel_size
    for axis in range(3):
        lateral = rng.uniform(-0.6, 0.6, (200, 3)) * half
        start, stop = lateral.copy(), lateral.copy() + rng.uniform(-0.05, 0.05, (200, 3)) * half
        start[:, axis], stop[:, axis] = -4 * half[axis], 4 * half[axis]
        rays = Rays(start @ axes.T + centre, stop @ axes.T + centre)
        length = np.linalg.norm(stop - start, axis=1) * half[axis] * 2 / (8 * half[axis])
        image = Projector(ct).render(rays, np.eye(4), step_mm=0.05)[0]
        np.testing.assert_allclose(image, 0.02 * length, rtol=1e-3)


def test_ellipsoids_on_a_tilted_anisotropic_grid_give_their_chords() -> None:
    # Ellipsoidal Gaussians have their line integral in closed form, and no edge that voxels could not resolve.
    width, size, voxel_size = 9.0, (240, 200, 140), (0.35, 0.45, 0.65)
    matrix = tilted_grid(voxel_size, size)
    k, j, i = np.mgrid[0 : size[2], 0 : size[1], 0 : size[0]]
    points = rigid.transform_points(matrix, np.stack([i, j, k], axis=-1).reshape(-1, 3)) - [12.0, -7.0, 30.0]
    shape = np.diag([1.0, 0.6, 0.8]) @ rigid.rotation_exp([0.5, 0.1, -0.3])
    inside = points @ shape.T / width
    ct = CT((0.02 * np.exp(-0.5 * (inside**2).sum(axis=1))).reshape(k.shape).astype(np.float32), matrix)
    rays = camera().rays()
    world_from_ct = POSE
    source = rigid.transform_points(rigid.inverse(world_from_ct), rays.source) - [12.0, -7.0, 30.0]
    target = rigid.transform_points(rigid.inverse(world_from_ct), rays.target) - [12.0, -7.0, 30.0]
    a, d = source @ shape.T / width, (target - source) @ shape.T / width
    dd = (d**2).sum(axis=1)
    closest = (a**2).sum(axis=1) - (a * d).sum(axis=1) ** 2 / dd
    length = np.linalg.norm(target - source, axis=1)
    exact = 0.02 * length * np.sqrt(2 * np.pi / dd) * np.exp(-0.5 * closest)
    image = Projector(ct).render(rays, world_from_ct, step_mm=0.2)[0]
    seen = exact > 0.2 * exact.max()
    assert seen.sum() > 200
    np.testing.assert_allclose(image[seen], exact[seen], rtol=1e-3)


def test_the_jacobian_is_the_derivative_of_the_image() -> None:
    projector = Projector(blobs(), dtype=np.float64)
    rays = camera(20, 8.0).rays()
    centre = rigid.transform_points(POSE, [projector.ct.centre])[0]
    image, jacobian = projector.render_with_jacobian(rays, POSE, samples=8000)
    for axis in range(6):
        step = np.zeros(6)
        step[axis] = 1e-5 if axis < 3 else 1e-3
        plus, minus = (
            projector.render(rays, rigid.move_about(centre, sign * step, POSE), samples=8000)[0] for sign in (1, -1)
        )
        numeric = (plus - minus) / (2 * step[axis])
        error = np.linalg.norm(jacobian[0, :, axis] - numeric) / np.linalg.norm(numeric)
        assert error <= 1e-3, f"parameter {axis}: {error:.1e}"
    assert np.isfinite(image).all()


def test_batches_subsets_and_single_poses_agree() -> None:
    projector = Projector(blobs())
    rays = camera().rays()
    chosen = np.arange(0, len(rays), 7)
    both, jacobian = projector.render_with_jacobian(rays, np.stack([np.eye(4), POSE]))
    np.testing.assert_array_equal(both[1], projector.render(rays, POSE)[0])
    part, part_jacobian = projector.render_with_jacobian(rays[chosen], POSE)
    np.testing.assert_array_equal(both[1][chosen], part[0])
    np.testing.assert_array_equal(jacobian[1][chosen], part_jacobian[0])


def test_skipping_air_changes_nothing() -> None:
    ct = blobs(size=(100, 80, 40))
    sparse = np.where(ct.attenuation > 0.01, ct.attenuation, 0).astype(np.float32)
    rays = camera().rays()
    skipping = Projector(CT(sparse, ct.ct_from_voxel))
    volume = skipping.volume()
    assert 0 < volume.occupied.mean() < 1
    image = skipping.render(rays, POSE, step_mm=0.1)
    filled = Projector(CT(sparse, ct.ct_from_voxel))
    volume.occupied.fill(1)
    object.__setattr__(volume, "lower", np.zeros(3))
    object.__setattr__(volume, "upper", np.array(ct.size) + 1 - 1e-4)
    filled._volumes[1] = volume
    np.testing.assert_allclose(image, filled.render(rays, POSE, step_mm=0.1), atol=2e-3 * image.max())


def test_coarser_levels_keep_mass_and_place() -> None:
    projector = Projector(blobs())
    rays = camera().rays()
    fine = projector.render(rays, POSE)[0]
    coarse = projector.render(rays, POSE, binning=2)[0]
    assert abs(coarse.sum() / fine.sum() - 1) < 0.01
    u, v = np.meshgrid(np.arange(40.0), np.arange(40.0))
    for grid in (u.ravel(), v.ravel()):
        assert abs((grid @ fine) / fine.sum() - (grid @ coarse) / coarse.sum()) < 0.02


def test_structures_add_up_to_the_whole() -> None:
    ct = blobs()
    labels = np.zeros(ct.attenuation.shape, dtype=np.uint8)
    labels[:, :, 20:40] = 1
    labels[:, 30:, 30:] = 2
    projector = Projector(CT(ct.attenuation, ct.ct_from_voxel, labels=labels))
    rays = camera().rays()
    channels = projector.render_structures(rays, POSE, step_mm=0.5)
    assert channels.shape == (1, 3, len(rays))
    np.testing.assert_allclose(channels.sum(axis=1), projector.render(rays, POSE, step_mm=0.5), rtol=1e-3, atol=1e-4)
    alone = Projector(CT(ct.attenuation, ct.ct_from_voxel, labels=labels).masked(2)).render(rays, POSE, step_mm=0.5)
    assert np.corrcoef(alone[0], channels[0, 2])[0, 1] > 0.999


def test_the_torch_fallback_agrees_with_the_cpu_kernel() -> None:
    pytest.importorskip("torch")
    from DiffRegistrationLib.xray.projector.torch_kernel import torch_kernel

    ct, rays = blobs(), camera().rays()
    poses = np.stack([np.eye(4), POSE])
    image, jacobian = Projector(ct).render_with_jacobian(rays, poses)
    other, other_jacobian = Projector(ct, torch_kernel("cpu")).render_with_jacobian(rays, poses)
    np.testing.assert_allclose(other, image, atol=1e-4 * image.max())
    for axis in range(6):
        scale = abs(jacobian[..., axis]).max()
        np.testing.assert_allclose(other_jacobian[..., axis], jacobian[..., axis], atol=1e-4 * scale)


def test_autograd_gives_the_same_gradient_through_any_parametrisation() -> None:
    torch = pytest.importorskip("torch")
    from DiffRegistrationLib.xray.projector.autograd import render

    projector = Projector(blobs(), dtype=np.float64)
    rays = camera(20, 8.0).rays()
    weights = np.random.default_rng(0).normal(size=len(rays))

    def pose_of(parameters: object) -> object:
        """Rotation by a unit quaternion, then a translation: not the twist that the Jacobian speaks of."""
        q = parameters[:4] / parameters[:4].norm()
        w, x, y, z = q
        rows = [
            torch.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y), parameters[4]]),
            torch.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x), parameters[5]]),
            torch.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y), parameters[6]]),
            torch.tensor([0.0, 0.0, 0.0, 1.0], dtype=torch.float64),
        ]
        return torch.stack(rows)[None]

    start = torch.tensor([1.0, 0.05, -0.03, 0.1, 3.0, -2.0, 1.0], dtype=torch.float64)

    def loss(parameters: object) -> object:
        return (render(projector, rays, pose_of(parameters), samples=8000)[0] * torch.tensor(weights)).sum()

    parameters = start.clone().requires_grad_(True)
    loss(parameters).backward()
    for index in range(7):
        step = torch.zeros(7, dtype=torch.float64)
        step[index] = 1e-5 if index < 4 else 1e-3
        numeric = (loss(start + step) - loss(start - step)) / (2 * step[index])
        assert abs(parameters.grad[index] - numeric) <= 2e-3 * parameters.grad.abs()[: 4 if index < 4 else 7].max()
