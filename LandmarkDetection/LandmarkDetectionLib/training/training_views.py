"""Views of heads to learn from and their landmarks: same heads, ranges, seed and first step, same views."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from DiffRegistrationLib.pose_network.network_camera import NetworkCamera
from DiffRegistrationLib.training.domain_randomisation import DomainRandomisation, Looks
from DiffRegistrationLib.training.ranges import drawn
from DiffRegistrationLib.training.training_volumes import ENERGIES_KEV
from DiffRegistrationLib.xray.simulator.ranges import TRAINING
from jaxtyping import Bool, Float, Float64, Int

from ..network.close_up import Aim, aim_at, turned_toward
from ..network.landmark_networks import Image
from ..population.drawn_views import drawn_view
from ..population.view_ranges import ViewRanges
from .aspects import aspect_of
from .training_heads import TrainingHeads
from .wide_view import WideView, cut, wide_view

# Views that are kept, at 87 kB each; of a step's images so many are of new ones.
_REMEMBERED = 4096
_NEW_PART = 0.125
# How far off close-ups are aimed at most times: across (half widths, twice), roll (rad), logarithm of the size.
_OFF = np.array([0.1, 0.1, 0.12, 0.12])


@dataclass(frozen=True, eq=False)
class ViewLabels:
    """Where a view's landmarks are.

    `places` are in half widths of the image: x right and y down from its middle, z away from the source relative to
    the landmarks' mean depth. `scale_mm` is half the image's width at that depth, `depth_mm` the depth itself.
    """

    places: Float64[np.ndarray, "n 3"]
    known: Bool[np.ndarray, "n"]
    aspect: int
    scale_mm: float
    depth_mm: float


@dataclass(frozen=True, eq=False)
class LandmarkBatch:
    """Images as the network gets them, and the labels behind them; `visible` landmarks lie in the open field."""

    attenuation: Float[torch.Tensor, "batch size size"]
    mask: Bool[torch.Tensor, "batch size size"]
    places: Float[torch.Tensor, "batch n 3"]
    known: Bool[torch.Tensor, "batch n"]
    visible: Bool[torch.Tensor, "batch n"]
    aspect: Int[torch.Tensor, "batch"]
    scale_mm: Float[torch.Tensor, "batch"]
    depth_mm: Float[torch.Tensor, "batch"]

    @property
    def shown(self) -> Image:
        """What the network gets of it."""
        return self.attenuation, self.mask


@dataclass(frozen=True, eq=False)
class Exposure:
    """X-rays that were taken, before any camera: `turns` are image_from_wide, `fields` those of whole images."""

    views: tuple[WideView, ...]
    turns: Float64[np.ndarray, "batch 3 3"]
    fields: Float64[np.ndarray, "batch"]
    looks: Looks


class TrainingViews:
    """X-rays of `heads` from `ranges`, in looks of the simulator's training ranges.

    Whole images have `sizes[0]`² pixels, close-ups `sizes[1]`². `plain` ones are as they are rendered, in no look,
    behind the same shutters.
    """

    def __init__(
        self,
        heads: TrainingHeads,
        ranges: ViewRanges,
        sizes: tuple[int, int],
        *,
        seed: int,
        device: torch.device | str = "cpu",
        plain: bool = False,
    ) -> None:
        self._heads, self._ranges, self._seed, self._plain = heads, ranges, seed, plain
        self._device = torch.device(device)
        # Looks are told in parts of the field, whatever its width; blurs in mm at the middle of the fields.
        self._field = float(np.mean(ranges.field))
        self._looks = [
            DomainRandomisation(
                NetworkCamera(size, self._field), self._field, self._device, collimated_share=ranges.collimated_share
            )
            for size in sizes
        ]
        self._sizes = sizes
        self._memory: dict[int, WideView] = {}
        self._first: int | None = None

    def exposure(self, step: int, count: int, part: slice = slice(None), ease: float = 0.0) -> Exposure:
        """Of the `count` X-rays of this step those in `part`; `ease` as in `DomainRandomisation.drawn`.

        A part of the views is new; the others have been seen within the last `_REMEMBERED`, and are cut anew, in
        other looks.
        """
        random = np.random.default_rng([self._seed, step, 1])
        new = max(1, round(_NEW_PART * count))
        known = (step + 1) * new
        # A training that goes on begins with new views: to make the old ones again would take minutes.
        self._first = min(step, step if self._first is None else self._first)
        old = random.integers(max(self._first * new, known - _REMEMBERED), known, size=count - new)
        numbers = np.concatenate([np.arange(step * new, known), old])
        looks = self._looks[0].drawn(numbers % len(ENERGIES_KEV), random, ease).part(part)
        cuts = [self._cut_drawn(random) for _ in numbers][part]
        views = tuple(self.view(int(number)) for number in numbers[part])
        while len(self._memory) > 2 * _REMEMBERED:
            del self._memory[next(iter(self._memory))]
        return Exposure(views, np.stack([turn for turn, _ in cuts]), np.array([field for _, field in cuts]), looks)

    def whole(self, exposure: Exposure) -> LandmarkBatch:
        """The whole images."""
        aims = [Aim(np.eye(3), float(field)) for field in exposure.fields]
        return self._seen(0, exposure, aims)

    def close_up(self, exposure: Exposure, aims: Sequence[Aim]) -> LandmarkBatch:
        """The same X-rays by cameras aimed elsewhere."""
        return self._seen(1, exposure, aims)

    def near_aims(self, exposure: Exposure, step: int) -> list[Aim]:
        """Aims at the heads, as far off as first looks are, and farther."""
        random = np.random.default_rng([self._seed, step, 2])
        aims = []
        for view, turn, field in zip(exposure.views, exposure.turns, exposure.fields, strict=True):
            places = projected_places(view.points @ turn.T, turn @ view.middle, float(field))
            x, y, roll, size = random.uniform() * random.laplace(size=4) * _OFF
            aims.append(aim_at(places, float(field)).moved(np.array([x, y]), roll, size))
        return aims

    def view(self, number: int) -> WideView:
        """The view of this number, rendered unless it is still in memory."""
        if number not in self._memory:
            random = np.random.default_rng([self._seed, number])
            head = self._heads.of_view(number)
            _, pose, _ = drawn_view(self._ranges, head.points[head.known], head.axes, random)
            iodine = float(drawn(TRAINING.iodine_mg_per_ml, 1, random)[0])
            if random.uniform() >= self._ranges.contrast_share:
                iodine = 0.0
            self._memory[number] = wide_view(head, pose, number % len(ENERGIES_KEV), iodine)
        return self._memory[number]

    def _cut_drawn(self, random: np.random.Generator) -> tuple[Float64[np.ndarray, "3 3"], float]:
        """image_from_wide and the field of an image, placed as the ranges place heads in images."""
        family, pose, field = self._ranges.drawn_of_family(random)
        roll = np.radians(random.uniform(*self._ranges.families[family].poses.roll_deg))
        return turned_toward(pose[:3, 3], float(roll)), field

    def _seen(self, number: int, exposure: Exposure, aims: Sequence[Aim]) -> LandmarkBatch:
        """X-rays by cameras that are aimed from those of the whole images."""
        turns = np.stack([aim.turn @ turn for aim, turn in zip(aims, exposure.turns, strict=True)])
        fields = np.array([aim.field for aim in aims])
        wide = torch.stack([view.integrals for view in exposure.views]).float()
        integrals, there = cut(wide.to(self._device), turns, fields, self._sizes[number])
        back = np.stack([self._to_detector(aim, field) for aim, field in zip(aims, exposure.fields, strict=True)])
        attenuation, mask = self._looks[number].apply(integrals, exposure.looks, np.swapaxes(back, 1, 2))
        if self._plain:
            attenuation = integrals
        labels = [labels_of(*one) for one in zip(exposure.views, turns, fields, strict=True)]
        on_detector = [
            labels_of(*one).places for one in zip(exposure.views, exposure.turns, exposure.fields, strict=True)
        ]
        known = torch.from_numpy(np.stack([one.known for one in labels]))
        places = torch.from_numpy(np.stack([one.places for one in labels])).float()
        places = torch.where(known[..., None], places, 0)
        in_field = self._looks[number].is_open(exposure.looks, np.stack(on_detector)[..., :2])
        in_image = (places[..., :2].abs() < 1).all(dim=-1)
        return LandmarkBatch(
            attenuation,
            mask & there,
            places.to(self._device),
            known.to(self._device),
            (known & torch.from_numpy(in_field) & in_image).to(self._device),
            torch.tensor([one.aspect for one in labels], device=self._device),
            torch.tensor([one.scale_mm for one in labels], dtype=torch.float32, device=self._device),
            torch.tensor([one.depth_mm for one in labels], dtype=torch.float32, device=self._device),
        )

    def _to_detector(self, aim: Aim, field: float) -> Float64[np.ndarray, "3 3"]:
        """From ways in the looks' own camera to places on the detector of this field, for an aimed camera."""
        own = np.diag([1.0, 1.0, self._field / 2])
        return (
            np.linalg.inv(own)
            @ np.diag([2 / field, 2 / field, 1.0])
            @ aim.turn.T
            @ np.diag([aim.field / 2, aim.field / 2, 1.0])
            @ own
        )


def labels_of(view: WideView, turn: Float64[np.ndarray, "3 3"], field: float) -> ViewLabels:
    """Where the landmarks of a view are in the image that a camera turned by image_from_wide cuts of it."""
    middle = turn @ view.middle
    places = projected_places(view.points @ turn.T, middle, field)
    return ViewLabels(places, view.known, aspect_of(view.beam), float(0.5 * field * middle[2]), float(middle[2]))


def projected_places(
    points: Float64[np.ndarray, "n 3"], middle: Float64[np.ndarray, "3"], field: float
) -> Float64[np.ndarray, "n 3"]:
    """Places, as `ViewLabels` has them, of points before the camera (mm) of a head with this `middle`."""
    # Beside the source a landmark has no place in the image; none is ever so near.
    z = np.maximum(points[:, 2:], 0.1 * middle[2])
    return np.hstack([2 * points[:, :2] / (field * z), 2 * (points[:, 2:] - middle[2]) / (field * middle[2])])
