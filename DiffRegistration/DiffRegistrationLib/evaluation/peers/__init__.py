"""Others' published registration recipes, run on the same images from the same starts: baselines, not straw men.

Each recipe is written anew from its paper and its authors' settings, on the authors' own renderer and similarity
measures (nanodrr). Nothing here imports torch before a recipe runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec

import numpy as np
from jaxtyping import Float64

from ...xray.ct import CT
from ...xray.errors import InputError
from ...xray.radiograph import Radiograph
from .peer_result import PeerResult

Peer = Callable[[CT, Sequence[Radiograph], Float64[np.ndarray, "4 4"]], PeerResult]


def check_peers_installed() -> None:
    """InputError where the peers' renderer cannot be imported."""
    if find_spec("torch") is None or find_spec("nanodrr") is None:
        raise InputError(
            "nanodrr", "is not installed, so there is no peer to measure beside", "Run: pip install '.[peers]'."
        )


def _diffpose(ct: CT, radiographs: Sequence[Radiograph], start: Float64[np.ndarray, "4 4"]) -> PeerResult:
    from .diffpose import register_by_diffpose

    return register_by_diffpose(ct, radiographs, start)


def _xvr(ct: CT, radiographs: Sequence[Radiograph], start: Float64[np.ndarray, "4 4"]) -> PeerResult:
    from .xvr import register_by_xvr

    return register_by_xvr(ct, radiographs, start)


PEERS: Mapping[str, Peer] = {"diffpose": _diffpose, "xvr": _xvr}
"""Recipes by name: of a CT, one X-ray and a start (world_from_ct) to the pose that they find."""
