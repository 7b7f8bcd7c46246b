"""Images to learn from, by step: same CT, preset, seed, step and number of images, same images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float16, Float32, Float64, Int

from ..pose_network.network_camera import NetworkCamera
from ..xray.ct import CT
from ..xray.geometry import rigid
from .domain_randomisation import DomainRandomisation
from .losses import TruePoses
from .pose_distributions import PoseDistribution
from .training_volumes import TrainingVolumes

# Views that are kept, at 18 kB each for 96².
_REMEMBERED = 4096


@dataclass(frozen=True, eq=False)
class Batch:
    """Images as the network gets them, and the poses (camera_from_ct, mm) behind them."""

    attenuation: Float[torch.Tensor, "batch size size"]
    mask: Bool[torch.Tensor, "batch size size"]
    poses: Float64[np.ndarray, "batch 4 4"]
    truth: TruePoses


class TrainingImages:
    """X-rays of `ct` before `camera`, posed by `distribution`, in looks of the training ranges."""

    def __init__(
        self, ct: CT, camera: NetworkCamera, distribution: PoseDistribution, seed: int, device: torch.device | str
    ) -> None:
        self._centre, self._camera, self._distribution, self._seed = ct.centre, camera, distribution, seed
        self._device = torch.device(device)
        self._rays = camera.camera().rays()
        self._volumes = TrainingVolumes(ct, camera.pixel_angle * float(distribution.middle[2, 3]))
        self._memory: dict[int, Float16[np.ndarray, "size size"]] = {}
        self._looks = DomainRandomisation(camera.size, camera.field, self._device)

    def poses(self, numbers: np.ndarray) -> Float64[np.ndarray, "batch 4 4"]:
        """camera_from_ct of the images of these numbers."""
        from_centred = rigid.rigid(np.eye(3), -self._centre)
        return np.stack(
            [self._distribution.drawn(np.random.default_rng([self._seed, int(n)])) @ from_centred for n in numbers]
        )

    def batch(self, step: int, count: int, part: slice = slice(None), ease: float = 0.0) -> Batch:
        """Of the `count` images of this step those in `part`; `ease` as in `DomainRandomisation.drawn`.

        Half of the views are new, half have been seen within the last `_REMEMBERED` and come back in other looks:
        rendering a view takes as long as learning from it.
        """
        random = np.random.default_rng([self._seed, step, 1])
        new = count - count // 2
        known = (step + 1) * new
        old = random.integers(max(0, known - _REMEMBERED), known, size=count // 2)
        numbers = np.concatenate([np.arange(step * new, known), old])
        looks = self._looks.drawn(numbers % len(self._volumes), random, ease).part(part)
        numbers = numbers[part]
        poses = self.poses(numbers)
        integrals = torch.from_numpy(self._rendered(numbers, poses)).to(self._device)
        attenuation, mask = self._looks.apply(integrals, looks)
        return Batch(attenuation, mask, poses, true_poses(poses, self._centre, self._device))

    def _rendered(
        self, numbers: Int[np.ndarray, "n"], poses: Float64[np.ndarray, "n 4 4"]
    ) -> Float32[np.ndarray, "n size size"]:
        """Line integrals of the views of these numbers, each at an energy of its own."""
        missing = [i for i, number in enumerate(numbers) if int(number) not in self._memory]
        if missing:
            size = self._camera.size
            energies = numbers[missing] % len(self._volumes)
            views = self._volumes.render(self._rays, poses[missing], energies).reshape(-1, size, size)
            for i, view in zip(missing, views, strict=True):
                self._memory[int(numbers[i])] = view.astype(np.float16)
        found = np.stack([self._memory[int(number)] for number in numbers]).astype(np.float32)
        while len(self._memory) > 2 * _REMEMBERED:
            del self._memory[next(iter(self._memory))]
        return found


def true_poses(
    poses: Float64[np.ndarray, "batch 4 4"], centre: Float64[np.ndarray, "3"], device: torch.device | str
) -> TruePoses:
    """camera_from_ct as the losses want them, the CT's centre (its frame, mm) instead of its origin."""
    placed = poses[:, :3, :3] @ centre + poses[:, :3, 3]
    return TruePoses(
        torch.tensor(poses[:, :3, :3], dtype=torch.float32, device=device),
        torch.tensor(placed, dtype=torch.float32, device=device),
    )
