"""X-rays of a head in looks of the simulator's training ranges, with where its landmarks are in each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
import torch
from DiffRegistrationLib.pose_network.network_camera import NetworkCamera
from DiffRegistrationLib.training.domain_randomisation import DomainRandomisation
from DiffRegistrationLib.training.ranges import drawn
from DiffRegistrationLib.training.training_volumes import ENERGIES_KEV, TrainingVolumes
from DiffRegistrationLib.xray.geometry import PinholeCamera, Rays, rigid
from DiffRegistrationLib.xray.simulator.ranges import TRAINING
from jaxtyping import Bool, Float32, Float64, Int8

from ..atlas.head import Head
from ..atlas.head_frame import ct_from_head
from .anatomy import Anatomy
from .drawn_views import drawn_view
from .vessels import ContrastVessels
from .view_ranges import ViewRanges


class Visibility(IntEnum):
    """Whether an image shows a landmark."""

    UNKNOWN = 0
    """The CT does not show it."""
    SHOWN = 1
    SHUT_OUT = 2
    """Within the image, but beyond the collimator or the detector's edge."""
    OUTSIDE = 3
    """Beyond the image's edge."""


@dataclass(frozen=True, eq=False)
class HeadImages:
    """X-rays of one head, as read from files, and the labels behind them.

    `pixels` are (u, v), also outside the image; `points` the landmarks in the camera's frame (mm), z their depth; both
    NaN where not known. `intrinsic` is K in pixels, `family` the number of the ranges' family.
    """

    attenuation: Float32[np.ndarray, "n size size"]
    mask: Bool[np.ndarray, "n size size"]
    pixels: Float64[np.ndarray, "n landmarks 2"]
    points: Float64[np.ndarray, "n landmarks 3"]
    visibility: Int8[np.ndarray, "n landmarks"]
    camera_from_ct: Float64[np.ndarray, "n 4 4"]
    intrinsic: Float64[np.ndarray, "n 3 3"]
    family: Int8[np.ndarray, "n"]
    has_contrast: Bool[np.ndarray, "n"]


class HeadImageMaker:
    """Makes images of `size`² pixels of any head, seen from `ranges`."""

    def __init__(self, ranges: ViewRanges, size: int, device: torch.device | str = "cpu") -> None:
        self._ranges, self._size, self._device = ranges, size, torch.device(device)
        # Looks are told in parts of the field, whatever its width; blurs in mm at the middle of the fields.
        field = float(np.mean(ranges.field))
        self._looks = DomainRandomisation(
            NetworkCamera(size, field), field, self._device, collimated_share=ranges.collimated_share
        )

    def images_of(self, head: Head, count: int, random: np.random.Generator) -> HeadImages:
        """`count` images of a head. InputError where its landmarks are too few for a head's frame."""
        known = head.landmarks.is_known & head.landmarks.is_in_ct
        axes = ct_from_head(head.landmarks)[:3, :3]
        views = [drawn_view(self._ranges, head.landmarks.points[known], axes, random) for _ in range(count)]
        cameras = [NetworkCamera(self._size, field).camera(pose) for _, pose, field in views]
        energies = np.arange(count) % len(ENERGIES_KEV)
        integrals = self.line_integrals(head, cameras, energies)
        has_contrast = random.uniform(size=count) < self._ranges.contrast_share
        if has_contrast.any():
            integrals[has_contrast] += self._contrast(
                head,
                [camera for camera, has in zip(cameras, has_contrast, strict=True) if has],
                energies[has_contrast],
                random,
            )
        looks = self._looks.drawn(energies, random)
        still = np.tile(np.eye(3), (count, 1, 1))
        attenuation, mask = self._looks.apply(torch.from_numpy(integrals).to(self._device), looks, still)
        pixels = np.stack([camera.project(head.landmarks.points) for camera in cameras])
        within = ((pixels > -0.5) & (pixels < self._size - 0.5)).all(axis=2)
        places = (2 * pixels + 1) / self._size - 1
        is_open = self._looks.is_open(looks, np.where(np.isfinite(places), places, 9.0))
        visibility = np.where(within, np.where(is_open, Visibility.SHOWN, Visibility.SHUT_OUT), Visibility.OUTSIDE)
        visibility[:, ~known] = Visibility.UNKNOWN
        return HeadImages(
            attenuation.cpu().numpy(),
            mask.cpu().numpy(),
            pixels,
            np.stack([rigid.transform_points(pose, head.landmarks.points) for _, pose, _ in views]),
            visibility.astype(np.int8),
            np.stack([pose for _, pose, _ in views]),
            np.stack([camera.intrinsic for camera in cameras]),
            np.array([family for family, _, _ in views], dtype=np.int8),
            has_contrast,
        )

    def line_integrals(
        self, head: Head, cameras: list[PinholeCamera], energies: np.ndarray
    ) -> Float32[np.ndarray, "n size size"]:
        """What each camera sees of a head, at these of `ENERGIES_KEV`, before any look; a camera's world is the CT."""
        middle = head.landmarks.points[head.landmarks.is_known].mean(axis=0)
        volumes = TrainingVolumes(head.ct, min(camera.pixel_footprint_mm(middle) for camera in cameras))
        images = [
            volumes.render(_rays(camera), camera.camera_from_world[None], energies[number : number + 1])
            for number, camera in enumerate(cameras)
        ]
        return np.concatenate(images).reshape(-1, self._size, self._size)

    def _contrast(
        self, head: Head, cameras: list[PinholeCamera], energies: np.ndarray, random: np.random.Generator
    ) -> Float32[np.ndarray, "n size size"]:
        vessels = ContrastVessels(ct_from_head(head.landmarks), Anatomy.of(head.landmarks), random)
        iodine = drawn(TRAINING.iodine_mg_per_ml, len(cameras), random)
        kev = np.array(ENERGIES_KEV)[energies]
        images = [
            vessels.line_integrals(_rays(camera), camera.camera_from_world[None], kev[n : n + 1], iodine[n : n + 1])
            for n, camera in enumerate(cameras)
        ]
        return np.concatenate(images).reshape(-1, self._size, self._size)


def _rays(camera: PinholeCamera) -> Rays:
    """Rays of the camera in its own frame, in which a CT's pose is camera_from_ct."""
    return replace(camera, camera_from_world=np.eye(4)).rays()
