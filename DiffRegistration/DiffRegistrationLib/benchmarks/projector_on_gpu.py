"""The projector beside nanodrr's fused kernels on a GPU, in one run: times, limits by count, and the CPU's figures.

Every call has poses of its own and the next of several CTs, so that no cache holds what the last call has read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch._dynamo
from jaxtyping import Float64

from ..evaluation.peers import check_peers_installed
from ..xray.ct import CT
from ..xray.geometry import Rays, rigid
from ..xray.projector import Projector
from ..xray.projector.accelerated_projector import projector_on
from ..xray.projector.device_arrays import DeviceVolume
from ..xray.projector.device_projector import DeviceProjector
from . import registration_on_gpu
from .gpu_renderers import OURS, PEERS, GpuRenderer, MakeRenderer, Ours
from .machine import machine
from .projector import SAMPLES, SIZES, benchmark_camera, benchmark_ct

_SEED = 41
# Frames that are registered.
_FRAMES = 8
_ROTATION_DEG, _TRANSLATION_MM = 15.0, 30.0
# Sums and products of a sample in `triton_kernel`, an fma being two: for the image, and with the derivative.
_OPERATIONS = {"forward": 35, "gradient": 56}
_BYTES_GATHERED = 8 * 2


@dataclass(frozen=True)
class Extent:
    """How much is measured: sides of images, poses of a batch, samples a ray; calls in a row, and how often.

    For the tiles: (rays, warps) of each, and into how many parts rays are cut. For the device's own limits: numbers
    that are copied, and rows of a matrix that is multiplied.
    """

    sizes: tuple[int, ...] = SIZES
    batch: int = 64
    samples: int = SAMPLES
    calls: int = 16
    rounds: int = 7
    tiles: tuple[tuple[int, int], ...] = ((32, 1), (64, 1), (64, 2), (128, 4))
    parts: tuple[int, ...] = (1, 2, 4, 8)
    copied: int = 2**28
    rows: int = 8192


def run(tell: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Measure on this machine's GPU; InputError without CUDA, Triton or nanodrr.

    `…_of_peer` are our best time over the peers' best, the larger of both sizes: less than 1 is faster. A renderer
    that fails has its error in place of a time.
    """
    make_projector = projector_on("cuda")
    check_peers_installed()
    device = torch.device("cuda")
    # The compiled peers are compiled for each CT and batch.
    torch._dynamo.config.cache_size_limit = 256
    ct, name = benchmark_ct()
    content = measured(several(ct), {**OURS, **PEERS}, device, Extent(), tell)
    return {
        **content,
        "volume": name,
        "registration": registration_on_gpu.run(make_projector, "visible-human", _FRAMES, tell),
        "gpu": torch.cuda.get_device_name(device),
        "machine": machine("fluororegistration", "nanodrr", "torch", "triton", "numpy", "numba"),
    }


def several(ct: CT) -> list[CT]:
    """The CT and its mirror images in three axes: of one size, but not in one place of memory."""
    mirrored = [np.ascontiguousarray(np.flip(ct.attenuation, axis)) for axis in range(3)]
    return [ct, *(CT(attenuation, ct.ct_from_voxel) for attenuation in mirrored)]


def random_poses(
    random: np.random.Generator, centre: Float64[np.ndarray, "3"], count: int
) -> Float64[np.ndarray, "poses 4 4"]:
    """world_from_ct within 15° and 30 mm of where the camera looks."""
    turns = np.radians(_ROTATION_DEG) * random.uniform(-1, 1, (count, 3))
    moves = _TRANSLATION_MM * random.uniform(-1, 1, (count, 3))
    return np.stack([rigid.move_about(centre, xi, np.eye(4)) for xi in np.hstack([turns, moves])])


def measured(
    cts: Sequence[CT],
    renderers: Mapping[str, MakeRenderer],
    device: torch.device,
    extent: Extent,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """All figures but those of the machine; on a CPU too, where Triton's interpreter stands in for the kernel."""
    random = np.random.default_rng(_SEED)
    limits = {
        "bytes_per_second": _copied(extent.copied, device),
        "operations_per_second": _multiplied(extent.rows, device),
    }
    tables: dict[str, Any] = {}
    for size in extent.sizes:
        camera = benchmark_camera(cts[0], size)
        made, failed = _made(renderers, cts, camera, extent.samples, device)
        for batch in (1, extent.batch):
            calls = extent.calls if batch == 1 else len(cts)
            poses = [random_poses(random, cts[0].centre, batch) for _ in range(calls)]
            for pass_name in ("forward", "gradient"):
                tell(f"{size}×{size}, {batch} poses at once, {pass_name}")
                times = {**failed, **_times(made, pass_name, poses, len(cts), extent.rounds, device)}
                entry: dict[str, Any] = {"seconds": times, "of_peer": _of_peer(times)}
                if pass_name == "forward" and isinstance(times.get("nanodrr"), float):
                    entry["difference_from_peer"] = _difference_from_peer(made, poses[0])
                ours = made.get("ours")
                if isinstance(ours, Ours) and isinstance(times["ours"], float):
                    entry |= _of_limits(ours, poses[: len(cts)], extent.samples, pass_name, times["ours"], limits)
                tables[f"{size}×{size}, batch {batch}, {pass_name}"] = entry
        torch._dynamo.reset()
    tell("beside the CPU's kernel, and in other tiles")
    rays = benchmark_camera(cts[0], extent.sizes[0]).rays()
    agreement = beside_the_cpu(cts, rays, random_poses(random, cts[0].centre, 2), extent.samples, device)
    return {
        "forward_of_peer": _worst(tables, "batch 1, forward"),
        "gradient_of_peer": _worst(tables, "batch 1, gradient"),
        "batch_forward_of_peer": _worst(tables, f"batch {extent.batch}, forward"),
        "batch_gradient_of_peer": _worst(tables, f"batch {extent.batch}, gradient"),
        "difference_from_cpu": max(agreement.values()),
        "differences_from_cpu": agreement,
        "limits": limits,
        "passes": tables,
        "tiles": _tiles(cts, rays, random_poses(random, cts[0].centre, 1), extent, device),
        "samples": extent.samples,
        "volumes": len(cts),
        "volume_size": list(cts[0].size),
    }


def _made(
    renderers: Mapping[str, MakeRenderer], cts: Sequence[CT], camera: Any, samples: int, device: torch.device
) -> tuple[dict[str, GpuRenderer], dict[str, str]]:
    made: dict[str, GpuRenderer] = {}
    failed: dict[str, str] = {}
    for name, make in renderers.items():
        try:
            made[name] = make(cts, camera, samples, device)
        except Exception as error:
            failed[name] = f"{type(error).__name__}: {error}"
    return made, failed


def _times(
    made: Mapping[str, GpuRenderer],
    pass_name: str,
    poses: Sequence[np.ndarray],
    volume_count: int,
    rounds: int,
    device: torch.device,
) -> dict[str, float | str]:
    """Seconds a call, median over rounds in which the renderers take turns; what went wrong in their stead."""
    found: dict[str, list[float]] = {}
    failed: dict[str, str] = {}
    prepared = {name: [renderer.poses(one) for one in poses] for name, renderer in made.items()}
    volumes = [number % volume_count for number in range(len(poses))]
    # The first round is not counted: kernels are compiled in it.
    for number in range(rounds + 1):
        for name, renderer in made.items():
            if name in failed:
                continue
            work = getattr(renderer, pass_name)

            def all_of_them(work: Any = work, name: str = name) -> None:
                for volume, one in zip(volumes, prepared[name], strict=True):
                    work(volume, one)

            try:
                seconds = _seconds(all_of_them, device) / len(poses)
            # A peer that does not run here must not cost the others their figures.
            except Exception as error:
                failed[name] = f"{type(error).__name__}: {str(error)[:300]}"
                continue
            if number > 0:
                found.setdefault(name, []).append(seconds)
    return {name: failed.get(name) or float(np.median(found[name])) for name in made}


def _seconds(work: Callable[[], Any], device: torch.device) -> float:
    """What the device took, by its own clock."""
    if device.type != "cuda":
        began = time.perf_counter()
        work()
        return time.perf_counter() - began
    first, last = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    torch.cuda.synchronize(device)
    first.record()
    work()
    last.record()
    torch.cuda.synchronize(device)
    return first.elapsed_time(last) / 1000


def _difference_from_peer(made: Mapping[str, GpuRenderer], poses: np.ndarray) -> float:
    """Root mean square of the difference of both images, over that of nanodrr's."""
    ours, peer = (made[name].forward(0, made[name].poses(poses)).float().flatten() for name in ("ours", "nanodrr"))
    return float((ours - peer).norm() / peer.norm())


def _of_peer(times: Mapping[str, float | str]) -> float | None:
    """Our best time over the peers' best; None where either has none."""
    ours = [seconds for name, seconds in times.items() if name in OURS and isinstance(seconds, float)]
    peers = [seconds for name, seconds in times.items() if name in PEERS and isinstance(seconds, float)]
    return min(ours) / min(peers) if ours and peers else None


def _worst(tables: Mapping[str, Any], ending: str) -> float | None:
    found = [table["of_peer"] for name, table in tables.items() if name.endswith(ending)]
    return None if not found or None in found else max(found)


def samples_taken(projector: DeviceProjector, rays: Rays, poses: np.ndarray, samples: int) -> float:
    """How many samples the kernel takes of `samples` a ray: those in air are skipped, rays that miss have none.

    The same rays through a volume that is 1 wherever bricks are said to hold something: what is skipped is missing
    from the length of the way through it.
    """
    volume = projector.volume()
    ones = replace(volume.volume, counts=np.ones_like(volume.volume.counts), unit=1.0)
    everywhere = replace(ones, occupied=np.ones_like(ones.occupied))
    lengths = [_integral(one, projector, rays, poses, samples) for one in (ones, everywhere)]
    crossed = lengths[1] > 0
    return float((samples * (lengths[0][crossed] / lengths[1][crossed])).sum())


def _integral(volume: Any, projector: DeviceProjector, rays: Rays, poses: np.ndarray, samples: int) -> torch.Tensor:
    from ..xray.projector.triton_casting import integrate

    there = DeviceVolume.from_volume(volume, projector.ct.centre, projector.device)
    return integrate(there, projector.rays(rays), torch.tensor(poses), 1.0, samples)[0].double()


def _of_limits(
    ours: Ours,
    poses: Sequence[np.ndarray],
    samples: int,
    pass_name: str,
    seconds: float,
    limits: Mapping[str, float],
) -> dict[str, float]:
    """Work by count, over what the device can do: one CT's bytes read once, its samples' bytes and operations."""
    projector = ours.projectors[0]
    batch = len(poses[0])
    # A pose or two speak for a batch.
    taken = samples_taken(projector, ours.rays, poses[0][:2], samples) * batch / len(poses[0][:2])
    volume = projector.volume().volume
    numbers_a_ray = 7 if pass_name == "gradient" else 1
    needed = 2 * volume.counts.size * float(volume.occupied.mean()) + 4 * numbers_a_ray * batch * len(ours.rays)
    return {
        "samples_taken": taken,
        "samples_per_second": taken / seconds,
        "part_of_arithmetic": taken * _OPERATIONS[pass_name] / seconds / limits["operations_per_second"],
        "part_of_bandwidth": needed / seconds / limits["bytes_per_second"],
        "gathered_over_bandwidth": taken * _BYTES_GATHERED / seconds / limits["bytes_per_second"],
    }


def _copied(count: int, device: torch.device) -> float:
    """Bytes a second that a copy in the device's memory reads and writes."""
    block = torch.zeros(count, device=device)
    other = torch.empty_like(block)
    seconds = min(_seconds(lambda: other.copy_(block), device) for _ in range(5))
    return 2 * 4 * count / seconds


def _multiplied(rows: int, device: torch.device) -> float:
    """Operations a second of a product of single-precision matrices, without tensor cores."""
    matrix = torch.zeros((rows, rows), device=device)
    seconds = min(_seconds(lambda: matrix @ matrix, device) for _ in range(5))
    return 2 * rows**3 / seconds


def beside_the_cpu(
    cts: Sequence[CT], rays: Rays, poses: np.ndarray, samples: int, device: torch.device
) -> dict[str, float]:
    """Root mean square difference from the CPU kernel over its own, the largest of all CTs: image, and each of six.

    The CPU's in double precision: in single its derivatives are as far from that as the GPU's.
    """
    names = ("image", *(f"by {axis}" for axis in ("ωx", "ωy", "ωz", "vx", "vy", "vz")))
    largest = dict.fromkeys(names, 0.0)
    for ct in cts:
        image, jacobian = Projector(ct, dtype=np.float64).render_with_jacobian(rays, poses, samples=samples)
        ours, derivative = DeviceProjector(ct, device).render_with_jacobian(rays, poses, samples=samples)
        pairs = [(ours.cpu().numpy(), image)]
        pairs += [(derivative[..., axis].cpu().numpy(), jacobian[..., axis]) for axis in range(6)]
        for name, (one, other) in zip(names, pairs, strict=True):
            off = float(np.linalg.norm(one - other) / np.linalg.norm(other))
            largest[name] = max(largest[name], off)
    return largest


def _tiles(cts: Sequence[CT], rays: Rays, poses: np.ndarray, extent: Extent, device: torch.device) -> dict[str, float]:
    """Seconds of image and derivative by rays and warps of a tile, and by the parts that rays are cut into."""
    from ..xray.projector.triton_casting import Tile, integrate

    projectors = [DeviceProjector(ct, device) for ct in cts]
    there = torch.tensor(poses, dtype=torch.float32, device=device)
    found = {}
    for tile in (Tile(*one) for one in extent.tiles):
        for parts in extent.parts:

            def each(tile: Tile = tile, parts: int = parts) -> None:
                for p in projectors:
                    volume, on_device = p.volume(), p.rays(rays)
                    integrate(volume, on_device, there, 1.0, extent.samples, jacobian=True, tile=tile, parts=parts)

            each()
            seconds = float(np.median([_seconds(each, device) for _ in range(extent.rounds)])) / len(cts)
            found[f"{tile.rays} rays, {tile.warps} warps, {parts} parts"] = seconds
    return found
