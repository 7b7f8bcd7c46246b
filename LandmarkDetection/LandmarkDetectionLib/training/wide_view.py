"""A head rendered wider than any image, of which images are then cut: by a camera that turns about its source.

A shadow depends on the source alone. Where a detector stands behind the head, how it is rolled and how much of the
head it shows can be changed after rendering by resampling, which takes a twentieth of the time and is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from DiffRegistrationLib.pose_network.close_up import turn_toward
from DiffRegistrationLib.pose_network.network_camera import NetworkCamera
from DiffRegistrationLib.training.training_volumes import ENERGIES_KEV
from DiffRegistrationLib.xray.geometry import Rays, rigid
from jaxtyping import Bool, Float, Float16, Float64

from .training_heads import TrainingHead

# Width over source-detector distance, and pixels along a side.
WIDE_FIELD, WIDE_SIZE = 0.56, 208


@dataclass(frozen=True, eq=False)
class WideView:
    """Line integrals of a head in the middle of a wide image, upright, at the energy of this number.

    `points` are its landmarks in the camera's frame (mm), `middle` their mean, `beam` the beam in the head's axes.
    """

    integrals: Float16[torch.Tensor, "wide wide"]
    points: Float64[np.ndarray, "n 3"]
    known: Bool[np.ndarray, "n"]
    middle: Float64[np.ndarray, "3"]
    beam: Float64[np.ndarray, "3"]
    energy: int


def wide_view(head: TrainingHead, camera_from_ct: Float64[np.ndarray, "4 4"], energy: int, iodine: float) -> WideView:
    """A head seen from where the source stands at `camera_from_ct`, its arteries filled with `iodine` (mg/ml)."""
    turn = turn_toward(camera_from_ct, head.middle)
    pose = rigid.rigid(turn, np.zeros(3)) @ camera_from_ct
    rays = _rays()
    energies = np.array([energy])
    image = head.volumes.render(rays, pose[None], energies)
    if iodine > 0:
        kiloelectronvolts = np.array(ENERGIES_KEV)[energies]
        filled = head.vessels.line_integrals(rays, pose[None], kiloelectronvolts, np.array([iodine]))
        image = image + torch.from_numpy(filled).to(image.device)
    there = np.isfinite(head.points).all(axis=1)
    points = rigid.transform_points(pose, np.where(there[:, None], head.points, head.middle))
    return WideView(
        image.reshape(WIDE_SIZE, WIDE_SIZE).half(),
        points,
        head.known,
        rigid.transform_points(pose, head.middle[None])[0],
        head.axes.T @ pose[2, :3],
        energy,
    )


@cache
def _rays() -> Rays:
    """Always the same ones, so that a device has them already."""
    return NetworkCamera(WIDE_SIZE, WIDE_FIELD).camera().rays()


def cut(
    integrals: Float[torch.Tensor, "batch wide wide"],
    turns: Float64[np.ndarray, "batch 3 3"],
    fields: Float64[np.ndarray, "batch"],
    size: int,
) -> tuple[Float[torch.Tensor, "batch size size"], Bool[torch.Tensor, "batch size size"]]:
    """Images of `size`² pixels and `fields` by cameras that are turned by image_from_wide, and where they show any."""
    line = (torch.arange(size, dtype=torch.float32, device=integrals.device) * 2 + 1) / size - 1
    half = torch.tensor(0.5 * fields, dtype=torch.float32, device=integrals.device)[:, None, None]
    x = half * line.expand(len(fields), size, size)
    y = half * line[:, None].expand(len(fields), size, size)
    ways = torch.stack([x, y, torch.ones_like(x)], dim=1)
    back = torch.tensor(turns, dtype=torch.float32, device=integrals.device)
    seen = torch.einsum("bji,bjhw->bihw", back, ways)
    grid = seen[:, :2] / seen[:, 2:].clamp(min=0.1) / (0.5 * WIDE_FIELD)
    there = (grid.abs().amax(dim=1) < 1) & (seen[:, 2] > 0.1)
    cut_out = torch.nn.functional.grid_sample(
        integrals[:, None], grid.permute(0, 2, 3, 1), align_corners=False, padding_mode="border"
    )
    return cut_out[:, 0], there
