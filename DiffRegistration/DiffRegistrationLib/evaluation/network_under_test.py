"""The network of an evaluation: trained on the suite's own CT before the first case, or one in a file."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64

from ..pose_network.torch_needed import torch_needed
from ..registration.inputs import start_file
from ..registration.starts import Start
from ..xray.ct import CT
from ..xray.radiograph import Radiograph

if TYPE_CHECKING:
    from ..training.training_loop import Progress


@dataclass(frozen=True, eq=False)
class NetworkStart:
    """What the network made of a case: its own pose, the start for the solver, and the seconds it took."""

    pose: Float64[np.ndarray, "4 4"]
    start: Start
    seconds: float


class NetworkUnderTest:
    """Starts for registrations of `ct`, as `start_of` makes them from X-rays."""

    def __init__(self, ct: CT, start_of: Callable[[CT, Sequence[Radiograph]], Start]) -> None:
        self._ct, self._start_of = ct, start_of

    def start(self, radiographs: tuple[Radiograph, ...]) -> NetworkStart:
        """What the network says of these X-rays."""
        began = time.perf_counter()
        start = self._start_of(self._ct, radiographs)
        return NetworkStart(start.poses[0][1], start, time.perf_counter() - began)


def network_in_file(ct: CT, path: Path, landmarks: Path | None) -> NetworkUnderTest:
    """A pose network, or one that finds the landmarks of the CT (in the file `landmarks`); see `start_file`."""
    return NetworkUnderTest(ct, start_file(str(path), landmarks).start)


def network_trained(
    ct: CT, preset: str, folder: Path, minutes: float, tell: Callable[[str], None]
) -> NetworkUnderTest:
    """A pose network for `ct` and `preset`, in `folder`; trained or trained on until `minutes` are full.

    InputError where torch is absent, and for a folder with a network of something else.
    """
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
    return network_in_file(ct, path, None)
