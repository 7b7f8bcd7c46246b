"""What the GPU kernel is called with."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
from jaxtyping import Float, Float32

from .device_arrays import DeviceRays, DeviceVolume
from .triton_kernel import cast
from .volume import BRICK

# A stretch of samples is judged by the brick of its middle and its neighbours, so it may reach this far (voxels).
_REACH = 2 * (BRICK - 1)
# Small images are cut along the rays as well, so that every multiprocessor has this many warps to switch between.
_WARPS_A_PROCESSOR = 32
_MOST_PARTS = 8
# As few as the loop needs, so that half of a multiprocessor's warps find room: the set-up alone would take 100.
_REGISTERS = 64


@dataclass(frozen=True)
class Tile:
    """Rays that one program casts, and the warps it has for them: a warp alone waits for none of the others' rays."""

    rays: int
    warps: int


TILE = Tile(rays=32, warps=1)


def integrate(
    volume: DeviceVolume,
    rays: DeviceRays,
    poses: Float[torch.Tensor, "poses 4 4"],
    step_mm: float,
    samples: int,
    *,
    jacobian: bool = False,
    structures: int = 0,
    tile: Tile | None = None,
    parts: int | None = None,
) -> tuple[Float32[torch.Tensor, "poses *structures rays"], Float32[torch.Tensor, "poses rays 6"] | None]:
    """Line integrals and, if asked for, their derivative by the pose increment; both stay on the device.

    Poses are world_from_ct, RAS mm. Rays take `samples` midpoints inside the volume, or as many as keep them `step_mm`
    apart if that is 0. With `structures` each sample goes to the channel of its nearest voxel's label. Rays are cut
    into `parts` for as many programs: None takes what fills the device.
    """
    tile, device = tile or TILE, volume.counts.device
    poses = poses.to(device).contiguous()
    count, blocks = len(poses), triton.cdiv(len(rays), tile.rays)
    if structures:
        # Each structure's channel would be multiplied by the parts, and is added to in place.
        parts = 1
    elif parts is None:
        parts = _parts(device, count * blocks * tile.warps)
    shape = (parts, count, structures, len(rays)) if structures else (parts, count, len(rays))
    image = (torch.zeros if structures else torch.empty)(shape, device=device)
    derivative = torch.empty((parts, count, 6, len(rays)) if jacobian else (1,), device=device)
    if not count * blocks:
        return image[0], derivative[0].transpose(1, 2) if jacobian else None
    with torch.cuda.device_of(volume.counts):
        cast[(count * blocks * parts,)](
            volume.counts,
            volume.labels if structures else volume.occupied,
            volume.occupied,
            volume.geometry,
            rays.ends,
            rays.order,
            poses,
            image,
            derivative,
            len(rays),
            count,
            parts,
            volume.air,
            volume.volume.counts.shape[2],
            volume.volume.counts.shape[1] * volume.volume.counts.shape[2],
            volume.occupied.shape[2],
            volume.occupied.shape[1] * volume.occupied.shape[2],
            volume.volume.unit,
            float(step_mm),
            samples,
            JACOBIAN=jacobian,
            STRUCTURES=structures,
            REACH=_REACH,
            EDGE=BRICK,
            RAYS=tile.rays,
            num_warps=tile.warps,
            maxnreg=_REGISTERS,
            enable_fp_fusion=True,
        )
    whole = image[0] if parts == 1 else image.sum(dim=0)
    if not jacobian:
        return whole, None
    # Written parameter by parameter, which is how neighbouring rays write side by side.
    return whole, (derivative[0] if parts == 1 else derivative.sum(dim=0)).transpose(1, 2)


def _parts(device: torch.device, warps: int) -> int:
    if device.type != "cuda":
        return 1
    wanted = _WARPS_A_PROCESSOR * torch.cuda.get_device_properties(device).multi_processor_count
    return max(1, min(_MOST_PARTS, wanted // max(warps, 1)))
