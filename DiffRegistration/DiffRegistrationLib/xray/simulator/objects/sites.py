"""Where on a head things are put."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from ...errors import InputError
from .head import Head

_CANDIDATES = 16


def sites(
    head: Head, count: int, lowest: float, random: np.random.Generator, *, on_bone: bool = False
) -> Float64[np.ndarray, "count 3"]:
    """Points (RAS mm) on skin or bone, well apart, all seen from `centre` at an elevation whose sine is over `lowest`.

    Each is the candidate farthest from those before it. InputError where there is neither skin nor bone. Source:
    Mitchell, "Spectrally optimal sampling for distribution ray tracing", SIGGRAPH 1991.
    """
    surface = head.skull if on_bone else head.skin
    chosen: list[Float64[np.ndarray, "3"]] = []
    for _ in range(count):
        candidates = surface(directions(_CANDIDATES, lowest, random))
        candidates = candidates[np.isfinite(candidates).all(axis=1)]
        if not len(candidates):
            what = "bone" if on_bone else "skin"
            raise InputError("CT", f"its upper part shows no {what}", "Use a CT of a whole head, or leave this out.")
        gaps = [np.linalg.norm(candidates - other, axis=1) for other in chosen]
        chosen.append(candidates[np.argmax(np.min(gaps, axis=0))] if gaps else candidates[0])
    return np.array(chosen).reshape(-1, 3)


def directions(count: int, lowest: float, random: np.random.Generator) -> Float64[np.ndarray, "count 3"]:
    """Unit vectors, evenly spread over the part of the sphere whose S is at least `lowest`."""
    s = random.uniform(lowest, 1, size=count)
    turn = random.uniform(0, 2 * np.pi, size=count)
    across = np.sqrt(1 - s * s)
    return np.stack([across * np.cos(turn), across * np.sin(turn), s], axis=1)


def across(normal: Float64[np.ndarray, "3"], random: np.random.Generator) -> Float64[np.ndarray, "3"]:
    """A unit vector at right angles to a unit `normal`, turned at random."""
    while True:
        vector = random.normal(size=3)
        vector -= (vector @ normal) * normal
        length = float(np.linalg.norm(vector))
        if length > 0.1:
            return vector / length
