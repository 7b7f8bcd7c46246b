"""The pose network of an evaluation: trained on the suite's own CT, for so many minutes, before the first case."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64

from ..pose_network.torch_needed import torch_needed
from ..registration.starts import Start
from ..xray.ct import CT
from ..xray.radiograph import Radiograph

if TYPE_CHECKING:
    from ..pose_network.model_file import TrainedNetwork
    from ..training.training_loop import Progress


@dataclass(frozen=True, eq=False)
class NetworkStart:
    """What the network made of a case: its own pose, the start for the solver, and the seconds it took."""

    pose: Float64[np.ndarray, "4 4"]
    start: Start
    seconds: float


class NetworkUnderTest:
    """A network for `ct` and `preset`, in `folder`; trained or trained on until `minutes` are full.

    InputError where torch is absent, and for a folder with a network of something else.
    """

    def __init__(self, ct: CT, preset: str, folder: Path, minutes: float, tell: Callable[[str], None]) -> None:
        with torch_needed():
            from ..pose_network.model_file import read_model
            from ..training.preset import preset_named
            from ..training.recipe import DEFAULT_RECIPE, recipe_named
            from ..training.training_loop import Budget
            from ..training.workflow import train
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "network.pt"

        def told(progress: Progress) -> None:
            v = progress.validation
            off = "" if v is None else f", off by {v.distance_mm:.1f} mm, {v.rotation_deg:.1f}°"
            tell(f"training: {progress.seconds_left:.0f} s left{off}")

        if not path.exists() or float(read_model(path).metadata["seconds"]) < 60 * minutes:
            recipe = recipe_named(DEFAULT_RECIPE)
            train(ct, path, preset=preset_named(preset), recipe=recipe, budget=Budget(seconds=60 * minutes), tell=told)
        self._trained: TrainedNetwork = read_model(path)
        self._trained.check_knows(ct, path)
        self._ct = ct

    def start(self, radiographs: tuple[Radiograph, ...]) -> NetworkStart:
        """What the network says of these X-rays."""
        from ..registration.network_start import start_from_network

        began = time.perf_counter()
        start = start_from_network(self._trained, self._ct, radiographs)
        return NetworkStart(start.poses[0][1], start, time.perf_counter() - began)
