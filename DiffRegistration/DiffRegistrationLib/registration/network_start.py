"""A start from a trained network: near where it is sure, wider where it is not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from ..pose_network.model_file import TrainedNetwork
from ..pose_network.pose_prediction import PosePrediction, predict
from ..xray.ct import CT
from ..xray.radiograph import Radiograph
from .starts import Start

# Within these expected errors the solver arrives from the network's pose itself; it captures several times as much.
_SURE_DEG, _SURE_DEPTH_MM = 4.0, 20.0
_SAMPLES = 24
# The reach of the search about each pose, in expected errors.
_REACH = 4.0
_LEAST_REACH_MM = 15.0


def start_from_network(trained: TrainedNetwork, ct: CT, radiographs: Sequence[Radiograph]) -> Start:
    """What `trained` says of each view, the surest first, with other aspects that it holds for nearly as likely; with
    samples of what it holds for possible when unsure.

    InputError for a view with a camera that no network knows. `trained` must be of this CT (`check_knows`).
    """
    said = [predict(trained.networks, radiograph, ct.centre) for radiograph in radiographs]
    said.sort(key=lambda hypotheses: hypotheses[0].rotation_deg)
    best = said[0][0]
    reach_mm = max(_LEAST_REACH_MM, _REACH * best.across_mm)
    name = (
        f"network, which expects to be off by {best.rotation_deg:.1f}°, {best.across_mm:.1f} mm across and "
        f"{best.depth_mm:.0f} mm in depth"
    )
    # Of several views some may be none that it was trained on, and it need not know: all that it says is compared.
    others = [
        (f"network, {'another aspect' if view == 0 else f'of another view ({view})'}", hypothesis.pose)
        for view, hypotheses in enumerate(said)
        for hypothesis in hypotheses
        if hypothesis is not best
    ]
    samples: list[tuple[str, Float64[np.ndarray, "4 4"]]] = []
    if not _is_sure(best):
        random = np.random.default_rng(0)
        samples = [(f"network, sample {n}", best.sample(random)) for n in range(1, _SAMPLES + 1)]
        reach_mm *= 2
    trusted = not others and not samples
    return Start(((name, best.pose), *others, *samples), 0.0, 1.0, (0.0,), reach_mm, trusted)


def _is_sure(prediction: PosePrediction) -> bool:
    return prediction.rotation_deg < _SURE_DEG and prediction.depth_mm < _SURE_DEPTH_MM
