"""The GPU's kernels against the CPU's: on a GPU where there is one, else in Triton's interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import fluororeg_runs
import numpy as np
import pytest
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.geometry import PinholeCamera, Rays, ScanningSlitCamera, rigid
from DiffRegistrationLib.xray.projector import Projector
from DiffRegistrationLib.xray.projector.ray_order import tile_order

torch = pytest.importorskip("torch")
if find_spec("triton") is None:
    pytest.skip("TRITON ABSENT: pip install '.[gpu]' on Linux to test the GPU's kernels", allow_module_level=True)
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
if DEVICE == "cpu":
    # Read when triton is first imported.
    pytest.MonkeyPatch().setenv("TRITON_INTERPRET", "1")

from DiffRegistrationLib.benchmarks.gpu_renderers import Ours  # noqa: E402
from DiffRegistrationLib.benchmarks.projector_on_gpu import Extent, measured, samples_taken  # noqa: E402
from DiffRegistrationLib.registration.on_device.weighted_sums import weighted_sums  # noqa: E402
from DiffRegistrationLib.training import device_training_volumes  # noqa: E402
from DiffRegistrationLib.training.device_training_volumes import DeviceTrainingVolumes  # noqa: E402
from DiffRegistrationLib.training.training_volumes import TrainingVolumes  # noqa: E402
from DiffRegistrationLib.xray.projector import device_projector as device_projector_module  # noqa: E402
from DiffRegistrationLib.xray.projector import triton_casting  # noqa: E402
from DiffRegistrationLib.xray.projector.accelerated_projector import AcceleratedProjector  # noqa: E402
from DiffRegistrationLib.xray.projector.autograd import render  # noqa: E402
from DiffRegistrationLib.xray.projector.device_projector import DeviceProjector, has_fused_kernel  # noqa: E402
from DiffRegistrationLib.xray.projector.triton_casting import Tile  # noqa: E402

CENTRE = np.array([12.0, -7.0, 30.0])
# The interpreter takes 50 ms for each step of a tile, whatever its size: one large tile, and few samples.
SIZE, SAMPLES = 11, 10


def blobs(voxel_size: tuple[float, float, float] = (4.0, 5.0, 6.0), size: tuple[int, int, int] = (26, 20, 14)) -> CT:
    """A CT without symmetries on a tilted, left-handed grid of flat voxels, with air and labels."""
    rotation = rigid.rotation_exp([0.2, -0.3, 0.4]) @ np.diag([1.0, -1.0, 1.0])
    matrix = rigid.rigid(rotation @ np.diag(voxel_size), np.zeros(3))
    matrix[:3, 3] = CENTRE - matrix[:3, :3] @ ((np.array(size) - 1) / 2)
    k, j, i = np.mgrid[0 : size[2], 0 : size[1], 0 : size[0]]
    points = rigid.transform_points(matrix, np.stack([i, j, k], axis=-1).reshape(-1, 3)) - CENTRE
    values = np.zeros(len(points))
    for centre, width, height in [((-8, 2, 0), 12, 0.02), ((28, 10, -8), 7, 0.04), ((-20, 15, 12), 8, 0.03)]:
        values += height * np.exp(-((points - centre) ** 2).sum(axis=1) / (2 * width**2))
    values[values < 1e-3] = 0
    labels = (i > 9).astype(np.uint8) + (j > 11) * (i > 13)
    return CT(values.reshape(k.shape).astype(np.float32), matrix, labels=labels.astype(np.uint8))


def camera(size: int = SIZE) -> PinholeCamera:
    look = rigid.rotation_exp([0.05, 0.1, -0.04]) @ np.array([[0.0, 1, 0], [0, 0, -1], [-1, 0, 0]])
    pose = rigid.rigid(look, np.array([3.0, -2.0, 600.0]) - look @ CENTRE)
    return PinholeCamera.from_distances(1000.0, (160 / size, 160 / size), (size, size), pose)


POSES = np.stack([np.eye(4), rigid.about(CENTRE, rigid.exp([0.1, -0.05, 0.2, 3.0, -4.0, 2.0]))])


@cache
def ct() -> CT:
    return blobs()


@cache
def device_projector() -> DeviceProjector:
    projector = DeviceProjector(ct(), DEVICE)
    assert projector.fused
    return projector


@pytest.fixture(autouse=True)
def interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a GPU the kernel is interpreted, by these tests alone, in large tiles."""
    if DEVICE == "cpu":
        monkeypatch.setattr(triton_casting, "TILE", Tile(rays=128, warps=4))
        for module in (device_projector_module, device_training_volumes):
            monkeypatch.setattr(module, "has_fused_kernel", lambda device: True)


def assert_like_the_cpu(image: Any, jacobian: Any, rays: Rays, poses: np.ndarray, **sampling: Any) -> None:
    expected, derivative = Projector(ct()).render_with_jacobian(rays, poses, **sampling)
    assert expected.max() > 0.3
    np.testing.assert_allclose(image.cpu().numpy(), expected, atol=1e-3 * expected.max())
    for axis in range(6):
        scale = abs(derivative[..., axis]).max()
        np.testing.assert_allclose(jacobian[..., axis].cpu().numpy(), derivative[..., axis], atol=1e-3 * scale)


def test_image_and_jacobian_of_a_batch_are_the_cpu_kernel_s() -> None:
    rays = camera().rays()
    image, jacobian = device_projector().render_with_jacobian(rays, POSES, step_mm=10.0)
    assert image.shape == (2, 121) and jacobian.shape == (2, 121, 6)
    assert_like_the_cpu(image, jacobian, rays, POSES, step_mm=10.0)


def test_a_subset_of_pixels_gives_the_same_pixels_and_the_image_alone_the_same_image() -> None:
    rays = camera().rays()
    chosen = np.random.default_rng(3).permutation(len(rays))[:50]
    poses = torch.tensor(POSES[1:], device=DEVICE)
    image, jacobian = device_projector().render_with_jacobian(rays[chosen], poses, samples=SAMPLES)
    assert_like_the_cpu(image, jacobian, rays[chosen], POSES[1:], samples=SAMPLES)
    torch.testing.assert_close(device_projector().render(rays[chosen], poses, samples=SAMPLES), image)


def test_every_ray_may_have_its_own_source_and_miss() -> None:
    look = rigid.rotation_exp([0.0, 0.1, 0.0]) @ np.array([[0.0, 1, 0], [0, 0, -1], [-1, 0, 0]])
    pose = rigid.rigid(look, np.array([0.0, 0.0, 600.0]) - look @ CENTRE)
    slit = ScanningSlitCamera(pose, (14, 9), (12.0, 14.0), (4.0, 6.5), 600.0, 1000.0)
    rays = slit.rays()
    assert len(np.unique(rays.source, axis=0)) == 14
    expected = Projector(ct()).render(rays, POSES[1], samples=SAMPLES)
    assert (expected == 0).any() and (expected > 0).any()
    image, jacobian = device_projector().render_with_jacobian(rays, POSES[1], samples=SAMPLES)
    assert_like_the_cpu(image, jacobian, rays, POSES[1], samples=SAMPLES)


def test_rays_cut_into_parts_and_tiles_add_up() -> None:
    projector, rays = device_projector(), camera().rays()
    image, jacobian = triton_casting.integrate(
        projector.volume(),
        projector.rays(rays),
        torch.tensor(POSES[1:]),
        12.0,
        0,
        jacobian=True,
        tile=Tile(64, 2),
        parts=3,
    )
    assert_like_the_cpu(image, jacobian, rays, POSES[1:], step_mm=12.0)


def test_the_projector_of_arrays_casts_its_rays_with_it() -> None:
    rays = camera().rays()
    projector = AcceleratedProjector(ct(), DEVICE)
    assert projector.on_device is not None and projector.on_device.fused
    image, jacobian = projector.render_with_jacobian(rays, POSES, samples=SAMPLES)
    assert isinstance(image, np.ndarray) and isinstance(projector.render(rays, POSES, samples=2), np.ndarray)
    assert_like_the_cpu(torch.tensor(image), torch.tensor(jacobian), rays, POSES, samples=SAMPLES)


def test_coarser_levels_of_the_ct_are_the_cpu_s() -> None:
    rays = camera().rays()
    image, jacobian = device_projector().render_with_jacobian(rays, POSES[1], binning=2, samples=SAMPLES)
    assert_like_the_cpu(image, jacobian, rays, POSES[1], binning=2, samples=SAMPLES)


def test_air_is_skipped_and_nothing_else() -> None:
    # Two small bodies in a corner each of a CT that is all air between them.
    values = np.zeros((40, 24, 44), dtype=np.float32)
    values[2:9, 2:10, 2:10], values[30:38, 15:22, 34:42] = 0.05, 0.03
    matrix = rigid.rigid(np.diag([2.0, 2.0, 2.0]), CENTRE - [43.0, 23.0, 39.0])
    sparse = CT(values, matrix)
    projector = DeviceProjector(sparse, DEVICE)
    occupied = projector.volume().occupied
    assert 0 < occupied.float().mean() < 0.5
    rays = camera().rays()
    expected = Projector(sparse).render(rays, POSES[1], step_mm=5.0)
    np.testing.assert_allclose(projector.render(rays, POSES[1], step_mm=5.0).cpu(), expected, atol=1e-4)
    crossing = int((Projector(CT(np.ones_like(values), matrix)).render(rays, POSES[1]) > 0).sum())
    assert 0 < samples_taken(projector, rays, POSES[1:], 30) < 0.7 * 30 * crossing
    # A body whose bricks are said to be air is not seen: samples there are really not taken.
    half = occupied.shape[2] // 2
    occupied[:, :, half:] = 0
    image = projector.render(rays, POSES[1], step_mm=5.0).cpu().numpy()
    assert 0.05 * expected.sum() < image.sum() < 0.95 * expected.sum()


def test_structures_are_the_cpu_s_and_add_up() -> None:
    rays = camera().rays()
    expected = Projector(ct()).render_structures(rays, POSES[1], samples=SAMPLES)
    channels = device_projector().render_structures(rays, POSES[1], samples=SAMPLES)
    assert channels.shape == (1, 3, 121) and (expected.max(axis=2) > 0.05).all()
    np.testing.assert_allclose(channels.cpu(), expected, atol=2e-3 * expected.max())
    whole = device_projector().render(rays, POSES[1], samples=SAMPLES)
    torch.testing.assert_close(channels.sum(dim=1), whole, rtol=1e-3, atol=1e-4)


def test_the_gradient_of_poses_is_that_of_the_cpu_and_stays_on_the_device() -> None:
    rays = camera().rays()
    weights = np.random.default_rng(0).normal(size=(2, len(rays)))
    found = []
    for projector, device in ((device_projector(), DEVICE), (Projector(ct()), "cpu")):
        poses = torch.tensor(POSES, dtype=torch.float32, device=device, requires_grad=True)
        image = render(projector, rays, poses, samples=SAMPLES)
        assert image.device.type == device
        (image * torch.tensor(weights, dtype=torch.float32, device=device)).sum().backward()
        assert poses.grad is not None
        found.append(poses.grad.cpu().numpy())
    scale = abs(found[1]).max(axis=(0, 1))
    assert (abs(found[0] - found[1]) <= 1e-3 * np.maximum(scale, 1e-3)).all()


def test_sums_of_a_comparison_are_those_of_plain_operations() -> None:
    rng = np.random.default_rng(5)
    poses, count = 2, 700
    steepness = np.array([[90], [70], [80], [1], [2], [0.5]])
    J, drr, noise = (rng.normal(size=shape) for shape in ((poses, 6, count), (poses, count), (poses, count)))
    xray = 0.7 * drr + 0.4 + 0.1 * noise
    xray[:, :40] -= 3.0
    valid = (rng.uniform(size=(poses, count)) < 0.8).astype(np.float32)

    def there(values: Any, kind: Any = torch.float32) -> Any:
        return torch.tensor(values, dtype=kind, device=DEVICE)

    line = there([[0.7, 0.4], [0.5, 0.1]], torch.float64)
    for inverse_scale in ([0.0, 0.0], [4.0, 0.5]):
        for derivative in (there(J * steepness), None):
            arguments = (there(drr), derivative, there(xray), there(valid), line, there(inverse_scale, torch.float64))
            fused, plain = (weighted_sums(*arguments, fused=fused) for fused in (True, False))
            scale = plain.products.diagonal(dim1=1, dim2=2).sqrt().clamp(min=1e-6)
            off = (fused.products - plain.products) / (scale[:, :, None] * scale[:, None])
            assert float(off.abs().max()) < 1e-5
            torch.testing.assert_close(fused.logarithms, plain.logarithms, rtol=1e-5, atol=1e-5)
            assert float(plain.products[0, 0, 0]) > 1 or derivative is None


def test_images_of_a_training_are_the_processor_s_and_stay_on_the_device() -> None:
    volumes = TrainingVolumes(ct(), 12.0)
    on_device = DeviceTrainingVolumes(volumes, torch.device(DEVICE))
    rays, energies = camera().rays(), np.array([2, 0])
    images = on_device.render(rays, POSES, energies)
    assert images.device.type == DEVICE and len(on_device) == len(volumes) == 3
    expected = volumes.render(rays, POSES, energies)
    np.testing.assert_allclose(images.cpu(), expected, atol=1e-3 * expected.max())


def test_neighbours_on_the_detector_are_neighbours_in_memory() -> None:
    rays = camera(40).rays()
    order = tile_order(rays)
    assert sorted(order) == list(range(1600))
    # Any 16 rays of a row are 16 pixels wide; a tile of them is about 4×4.
    extents = [np.ptp(tile % 40) + np.ptp(tile // 40) for tile in order.reshape(-1, 16)]
    assert np.mean(extents) < 8
    scattered = np.random.default_rng(2).permutation(1600)[:400]
    places = scattered[tile_order(rays[scattered])]
    assert np.mean([np.ptp(tile % 40) + np.ptp(tile // 40) for tile in places.reshape(-1, 16)]) < 24


def test_without_triton_the_torch_path_takes_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_projector_module, "find_spec", lambda name: None)
    monkeypatch.setattr(device_projector_module, "has_fused_kernel", has_fused_kernel)
    projector, rays = DeviceProjector(ct(), "cpu"), camera().rays()
    assert not projector.fused
    image, jacobian = projector.render_with_jacobian(rays, torch.tensor(POSES))
    assert isinstance(image, torch.Tensor) and isinstance(projector.render(rays, POSES), torch.Tensor)
    assert_like_the_cpu(image, jacobian, rays, POSES)
    assert projector.render_structures(rays, POSES).shape == (2, 3, 121)


# In a process of its own: in this one Triton interprets.
COMPILE = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from DiffRegistrationLib.registration.on_device import triton_weighted_sums
from DiffRegistrationLib.xray.projector import triton_kernel

POINTERS = {"volume": "*u16", "labels": "*i32", "occupied": "*u8", "order": "*i32"}
FLOATS = "poses image derivative drr jacobian xray valid line inverse_scale sums".split()

def compile(kernel, capability, **constants):
    names = kernel.arg_names
    types = {name: "constexpr" if name in constants else POINTERS.get(name, "i32") for name in names}
    types |= {name: "*fp32" for name in FLOATS if name in names}
    types |= {name: "*fp64" for name in ("geometry", "ends") if name in names}
    types |= {name: "fp32" for name in ("unit", "step_mm") if name in names}
    source = ASTSource(kernel, types, {(names.index(name),): value for name, value in constants.items()})
    compiled = triton.compile(source, target=GPUTarget("cuda", capability, 32), options={"num_warps": 1})
    assert compiled.asm["cubin"]

compile(triton_kernel.cast, 75, JACOBIAN=False, STRUCTURES=4, REACH=14, EDGE=8, RAYS=32)
compile(triton_kernel.cast, 90, JACOBIAN=True, STRUCTURES=0, REACH=14, EDGE=8, RAYS=32)
SUMS = dict(DRR=6, ONE=7, RESIDUAL=8, LOGARITHMS=9, ROWS=16, PIXELS=64)
compile(triton_weighted_sums._sum, 75, DERIVATIVE=False, **SUMS)
compile(triton_weighted_sums._sum, 80, DERIVATIVE=True, **SUMS)
"""


def test_kernels_compile_for_gpus_on_a_machine_without_one(tmp_path: Path) -> None:
    environment = {**os.environ, "TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)}
    ended = subprocess.run([sys.executable, "-c", COMPILE], capture_output=True, text=True, env=environment)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("verb", [("benchmark", "projector"), ("register", "ct", "xray"), ("track", "ct", "xrays")])
def test_commands_that_are_told_to_use_a_gpu_need_one(verb: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    ended = fluororeg_runs.run(*verb, "--device", "cuda", "--json")
    assert ended.code == 2
    assert ended.json["error"]["subject"] == "device 'cuda'" and "NVIDIA" in ended.json["error"]["remedy"]


def test_the_benchmark_of_gpus_counts_and_compares() -> None:
    extent = Extent((5,), 2, 2, 1, 1, tiles=((32, 1),), parts=(1,), copied=1000, rows=10)

    def broken(*_: Any) -> Any:
        raise RuntimeError("no such card")

    renderers = {"ours": Ours, "nanodrr": Ours, "nanodrr, compiled": broken}
    found = measured([ct()], renderers, torch.device(DEVICE), extent)
    assert found["difference_from_cpu"] < 1e-3
    assert found["forward_of_peer"] > 0 and found["batch_gradient_of_peer"] > 0
    one = found["passes"]["5×5, batch 2, gradient"]
    assert one["seconds"]["nanodrr, compiled"] == "RuntimeError: no such card"
    assert 0 < one["samples_taken"] <= 2 * 25 * 2
    assert found["passes"]["5×5, batch 1, forward"]["difference_from_peer"] == 0
