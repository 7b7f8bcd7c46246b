"""Growth of a tree toward the tissue that it does not reach yet: space colonisation.

Source: Runions, Lane, Prusinkiewicz, "Modeling trees with a space colonization algorithm", Natural Phenomena 2007.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from scipy.spatial import cKDTree

Points = Float64[np.ndarray, "n 3"]


@dataclass(frozen=True)
class Growth:
    """How a tree grows, in mm: length of a piece, how far it feels tissue, how near it feeds it; and its unrest.

    A tip grows for any tissue that pulls at it, but a new branch takes `votes` points at first, which come down to one
    where nothing else is left to grow: great vessels run far before they divide.
    """

    step_mm: float = 3.0
    influence_mm: float = 60.0
    supply_mm: float = 5.0
    unrest: float = 0.2
    votes: int = 6
    most_rounds: int = 150


def grow(
    position: Points,
    parent: Int64[np.ndarray, "n"],
    tissue: Float64[np.ndarray, "m 3"],
    confined: Callable[[Points], tuple[Points, np.ndarray]],
    growth: Growth,
    random: np.random.Generator,
) -> tuple[Points, Int64[np.ndarray, "k"]]:
    """Nodes (mm) and parents of the tree that grows from one until it feeds all `tissue` points that it can reach.

    Each round, every point of unfed tissue pulls at its nearest node, and nodes that are pulled put out a piece along
    the mean pull. `confined` moves new nodes (mm) to where vessels may be and says which of them are there.
    """
    nodes, parents = list(position), list(parent)
    nearest = cKDTree(position)
    unfed = tissue[nearest.query(tissue)[0] > growth.supply_mm]
    votes = growth.votes
    for _ in range(growth.most_rounds):
        found = nearest.query(unfed, distance_upper_bound=growth.influence_mm)
        distance, pulled = np.asarray(found[0]), np.asarray(found[1])
        felt = np.isfinite(distance)
        if not felt.any():
            break
        sources, which, pulls = np.unique(pulled[felt], return_inverse=True, return_counts=True)
        at = np.array(nodes)[sources]
        pull = np.zeros((len(sources), 3))
        np.add.at(pull, which, (unfed[felt] - at[which]) / distance[felt, None])
        pull /= np.maximum(np.linalg.norm(pull, axis=1, keepdims=True), 1e-9)
        pull += growth.unrest * random.normal(size=pull.shape)
        pull /= np.linalg.norm(pull, axis=1, keepdims=True)
        new, allowed = confined(at + growth.step_mm * pull)
        # Tissue in balance between two nodes would have them bud into the same place for ever.
        allowed &= nearest.query(new)[0] > 0.6 * growth.step_mm
        allowed &= (pulls >= votes) | ~np.isin(sources, parents)
        if not allowed.any():
            if votes == 1:
                break
            votes -= 1
            continue
        nodes.extend(new[allowed])
        parents.extend(sources[allowed])
        nearest = cKDTree(np.array(nodes))
        unfed = unfed[nearest.query(unfed)[0] > growth.supply_mm]
        if not len(unfed):
            break
    return np.array(nodes), np.array(parents, dtype=np.int64)


def smoothed(
    position: Points,
    parent: Int64[np.ndarray, "n"],
    fixed: int,
    confined: Callable[[Points], tuple[Points, np.ndarray]],
    rounds: int = 3,
) -> Points:
    """The tree (mm) without its kinks.

    Nodes with one child, but for the first `fixed` nodes, move toward the middle between their neighbours.
    """
    children = np.bincount(parent[parent >= 0], minlength=len(parent))
    only_child = np.zeros(len(parent), dtype=np.int64)
    only_child[parent[parent >= 0]] = np.flatnonzero(parent >= 0)
    moving = np.flatnonzero((children == 1) & (np.arange(len(parent)) >= fixed))
    position = position.copy()
    for _ in range(rounds):
        middle = 0.5 * (position[parent[moving]] + position[only_child[moving]])
        placed, allowed = confined(0.5 * (position[moving] + middle))
        position[moving[allowed]] = placed[allowed]
    return position


def tortuosity(position: Points, random: np.random.Generator) -> Points:
    """How far (mm) vessels at these points wind off their straight way: about 1.5 mm, over 12 to 30 mm.

    A sum of waves through space, so that what runs together winds together and nothing tears.
    """
    waves = 8
    direction, swing = random.normal(size=(2, waves, 3))
    direction *= 2 * np.pi / random.uniform(12, 30, size=(waves, 1)) / np.linalg.norm(direction, axis=1)[:, None]
    phase = np.einsum("ni,wi->nw", position, direction) + random.uniform(0, 2 * np.pi, size=waves)
    return 1.2 * np.sqrt(1 / waves) * np.einsum("nw,wi->ni", np.cos(phase), swing)
