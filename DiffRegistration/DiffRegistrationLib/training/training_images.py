"""Images to learn from, by step: same CT, preset, seed, step and number of images, same images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float16, Float64, Int

from ..pose_network.close_up import turn_toward
from ..pose_network.network_camera import NetworkCamera
from ..xray.ct import CT
from ..xray.geometry import rigid
from .device_training_volumes import DeviceTrainingVolumes
from .domain_randomisation import DomainRandomisation, Looks
from .losses import TruePoses
from .pose_distributions import PoseDistribution
from .training_volumes import TrainingVolumes

# Views that are kept, at 18 kB each for 96².
_REMEMBERED = 4096
# By how much what a close-up is turned toward may be off the truth, in rad and mm: as first looks are, and worse.
_OFF_ROTATION, _OFF_MM = 0.12, 7.0


@dataclass(frozen=True, eq=False)
class Batch:
    """Images as a network gets them, and the poses (camera_from_ct, mm) behind them.

    `looks` made them, `turns` are camera_from_beam: the beam's camera looks at the middle of the detector.
    """

    attenuation: Float[torch.Tensor, "batch size size"]
    mask: Bool[torch.Tensor, "batch size size"]
    poses: Float64[np.ndarray, "batch 4 4"]
    truth: TruePoses
    turns: Float64[np.ndarray, "batch 3 3"]
    looks: Looks


@dataclass(frozen=True, eq=False)
class _View:
    integrals: Float16[torch.Tensor, "size size"]
    pose: Float64[np.ndarray, "4 4"]
    turn: Float64[np.ndarray, "3 3"]


class TrainingImages:
    """X-rays of `ct` before `camera`, posed by `distribution`, in looks of the training ranges.

    Close-ups are seen by a camera that was turned toward about where the CT is, whole images by one that looks at the
    middle of a detector that is about `detector_field` of its distance wide.
    """

    def __init__(
        self,
        ct: CT,
        camera: NetworkCamera,
        distribution: PoseDistribution,
        detector_field: float,
        *,
        close_up: bool,
        seed: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self._centre, self._camera, self._distribution, self._seed = ct.centre, camera, distribution, seed
        self._device, self._close_up = torch.device(device), close_up
        self._rays = camera.camera().rays()
        volumes = TrainingVolumes(ct, camera.pixel_angle * float(distribution.middle[2, 3]))
        self._volumes = DeviceTrainingVolumes(volumes, self._device)
        self._memory: dict[int, _View] = {}
        self._looks = DomainRandomisation(camera, detector_field, self._device)

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
        views = self._remembered(numbers[part])
        integrals = torch.stack([view.integrals for view in views]).float()
        poses, turns = (np.stack([getattr(view, name) for view in views]) for name in ("pose", "turn"))
        return self._exposed(integrals, poses, turns, looks)

    def seen_again(self, batch: Batch, turns: Float64[np.ndarray, "batch 3 3"]) -> Batch:
        """The X-rays of another camera's `batch`, as this one sees them turned by `turns` (camera_from_beam)."""
        poses = _turned(turns @ np.swapaxes(batch.turns, 1, 2), batch.poses)
        return self._exposed(self.rendered(np.arange(len(poses)), poses), poses, turns, batch.looks)

    def placed(
        self, numbers: Int[np.ndarray, "batch"]
    ) -> tuple[Float64[np.ndarray, "batch 4 4"], Float64[np.ndarray, "batch 3 3"]]:
        """camera_from_ct of the views of these numbers, and camera_from_beam."""
        from_centred = rigid.rigid(np.eye(3), -self._centre)
        poses, turns = [], []
        for number in numbers:
            random = np.random.default_rng([self._seed, int(number)])
            pose = self._distribution.drawn(random)
            turn = np.eye(3)
            if self._close_up:
                off = random.uniform() * random.laplace(size=6) * ([_OFF_ROTATION] * 3 + [_OFF_MM] * 3)
                turn = turn_toward(rigid.move_about(pose[:3, 3], off, pose), np.zeros(3))
            poses.append(rigid.rigid(turn, np.zeros(3)) @ pose @ from_centred)
            turns.append(turn)
        return np.stack(poses), np.stack(turns)

    def rendered(
        self, numbers: Int[np.ndarray, "batch"], poses: Float64[np.ndarray, "batch 4 4"]
    ) -> Float[torch.Tensor, "batch size size"]:
        """Line integrals before the camera, each view at the energy that belongs to its number."""
        size = self._camera.size
        energies = numbers % len(self._volumes)
        return self._volumes.render(self._rays, poses, energies).reshape(-1, size, size)

    def _remembered(self, numbers: Int[np.ndarray, "batch"]) -> list[_View]:
        """The views of these numbers, of which none is rendered that is still in memory."""
        missing = np.array([number for number in dict.fromkeys(numbers.tolist()) if number not in self._memory])
        if len(missing):
            poses, turns = self.placed(missing)
            rendered = self.rendered(missing, poses).half()
            for number, *view in zip(missing.tolist(), rendered, poses, turns, strict=True):
                self._memory[number] = _View(*view)
        found = [self._memory[number] for number in numbers.tolist()]
        while len(self._memory) > 2 * _REMEMBERED:
            del self._memory[next(iter(self._memory))]
        return found

    def _exposed(
        self,
        integrals: Float[torch.Tensor, "batch size size"],
        poses: Float64[np.ndarray, "batch 4 4"],
        turns: Float64[np.ndarray, "batch 3 3"],
        looks: Looks,
    ) -> Batch:
        attenuation, mask = self._looks.apply(integrals, looks, turns)
        return Batch(attenuation, mask, poses, true_poses(poses, self._centre, self._device), turns, looks)


def _turned(
    turns: Float64[np.ndarray, "batch 3 3"], poses: Float64[np.ndarray, "batch 4 4"]
) -> Float64[np.ndarray, "batch 4 4"]:
    turned = poses.copy()
    turned[:, :3] = turns @ poses[:, :3]
    return turned


def true_poses(
    poses: Float64[np.ndarray, "batch 4 4"], centre: Float64[np.ndarray, "3"], device: torch.device | str
) -> TruePoses:
    """camera_from_ct as the losses want them, the CT's centre (its frame, mm) instead of its origin."""
    placed = poses[:, :3, :3] @ centre + poses[:, :3, 3]
    return TruePoses(
        torch.tensor(poses[:, :3, :3], dtype=torch.float32, device=device),
        torch.tensor(placed, dtype=torch.float32, device=device),
    )
