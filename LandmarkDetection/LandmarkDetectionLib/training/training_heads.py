"""The heads that a training sees: one patient's, or ever new ones of a population; each made when it is needed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from DiffRegistrationLib.training.device_training_volumes import DeviceTrainingVolumes
from DiffRegistrationLib.training.training_volumes import TrainingVolumes
from DiffRegistrationLib.xray.geometry import rigid
from jaxtyping import Bool, Float64

from ..atlas.head import Head
from ..atlas.head_frame import ct_from_head
from ..population.anatomy import Anatomy
from ..population.dry_skull import dry_skull, without_jaw
from ..population.population import population_head
from ..population.vessels import ContrastVessels

# Heads of a population that are in memory, and views of each before the next one takes its place.
_AT_ONCE, _VIEWS = 4, 160
# Parts of the population that are bone alone, and that end at the skull's base.
_DRY, _CUT_OFF = 0.15, 0.12


@dataclass(frozen=True, eq=False)
class TrainingHead:
    """A head ready to be rendered; `points` (mm, NaN where unknown) are its landmarks, `axes` ct_from_head."""

    volumes: DeviceTrainingVolumes
    vessels: ContrastVessels
    points: Float64[np.ndarray, "n 3"]
    known: Bool[np.ndarray, "n"]
    axes: Float64[np.ndarray, "3 3"]

    @property
    def middle(self) -> Float64[np.ndarray, "3"]:
        """Mean of the landmarks (mm, the CT's frame): what views are about, and depths are told from."""
        return self.points[self.known].mean(axis=0)

    def middle_at(self, camera_from_ct: Float64[np.ndarray, "4 4"]) -> Float64[np.ndarray, "3"]:
        """The same before a camera."""
        return rigid.transform_points(camera_from_ct, self.middle[None])[0]


class TrainingHeads:
    """Heads by the number of a view: those of `templates` themselves, or new ones deformed from them.

    `footprint_mm` is the finest pixel's width at the head; they are rendered on `device`. Same seed and number, same
    head.
    """

    def __init__(
        self,
        templates: Sequence[Head],
        is_population: bool,
        footprint_mm: float,
        seed: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self._templates, self._is_population = tuple(templates), is_population
        self._footprint_mm, self._seed, self._device = footprint_mm, seed, torch.device(device)
        self._ready: OrderedDict[int, TrainingHead] = OrderedDict()

    def of_view(self, number: int) -> TrainingHead:
        """The head that the view of this number shows."""
        if self._is_population:
            head = (number // (_AT_ONCE * _VIEWS)) * _AT_ONCE + number % _AT_ONCE
        else:
            head = number % len(self._templates)
        if head not in self._ready:
            self._ready[head] = self._made(head)
            kept = 2 * _AT_ONCE if self._is_population else len(self._templates)
            while len(self._ready) > kept:
                self._ready.popitem(last=False)
        return self._ready[head]

    def _varied(self, head: Head, number: int) -> Head:
        """Now and then without soft tissue, or cut off at the skull's base, as CTs and phantoms are."""
        dry, cut = np.random.default_rng([self._seed, number, *b"varied"]).uniform(size=2)
        if cut < _CUT_OFF:
            head = without_jaw(head)
        return dry_skull(head) if dry < _DRY else head

    def _made(self, number: int) -> TrainingHead:
        head = self._templates[number % len(self._templates)]
        if self._is_population:
            head = self._varied(population_head(self._templates, number, self._seed), number)
        frame = ct_from_head(head.landmarks)
        random = np.random.default_rng([self._seed, number, *b"vessels"])
        return TrainingHead(
            DeviceTrainingVolumes(TrainingVolumes(head.ct, self._footprint_mm), self._device),
            ContrastVessels(frame, Anatomy.of(head.landmarks), random),
            np.array(head.landmarks.points),
            head.landmarks.is_known & head.landmarks.is_in_ct,
            frame[:3, :3],
        )
