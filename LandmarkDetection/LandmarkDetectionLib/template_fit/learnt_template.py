"""A template made from a known head: the modes in which the heads that a population makes of it differ."""

from __future__ import annotations

import numpy as np
from DiffRegistrationLib.training.training_volumes import continued
from DiffRegistrationLib.xray.attenuation import attenuation_from_hounsfield
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.geometry import rigid
from jaxtyping import Bool, Float32, Float64

from ..atlas.head import Head
from ..atlas.head_frame import ct_from_head
from ..population.anatomy import Anatomy
from ..population.deformation import DeformableHead, no_finer_than
from ..population.head_variation import HeadVariation
from ..population.origin_field import OriginField
from .deformable_template import DeformableTemplate

_VOXEL_MM, _NODES_MM = 2.0, 14.0
# How far tissue may move beyond the template's; how far a neck that was cut goes on, and how much of that is believed.
_REACH_MM, _BEYOND_MM, _BELIEVED_MM = 30.0, 60.0, 40.0
_LAST_SLICES_MM = 10.0
_BONE_ABOVE_HOUNSFIELD, _TISSUE_ABOVE_HOUNSFIELD = 100.0, -500.0
_EXAMPLES, _EXPLAINED, _MOST_MODES = 300, 0.97, 64
# Nodes that no tissue is near to count so much where modes are learnt.
_AIR = 0.1


def deformable_template(head: Head, seed: int = 0) -> DeformableTemplate:
    """`head` with its modes: principal components of the maps that lead from heads of the population back to it.

    InputError where its landmarks are too few for a head's frame.
    """
    frame = ct_from_head(head.landmarks)
    head_from_ct = rigid.inverse(frame)
    coarse = no_finer_than(_VOXEL_MM, head).ct
    whole = continued(coarse, _BEYOND_MM)
    voxel_from_head = np.linalg.inv(whole.ct_from_voxel) @ frame
    voxel_from_head[:3, 3] += 1
    tissue = rigid.transform_points(head_from_ct, _tissue(whole))
    grid = OriginField.sampled(
        lambda points: points, tissue.min(axis=0) - _REACH_MM, tissue.max(axis=0) + _REACH_MM, _NODES_MM
    )
    nodes = grid.origin.reshape(-1, 3)
    origins = _origins(head, nodes, seed)
    mean = origins.mean(axis=0)
    modes = _modes(origins - mean, np.where(_is_near(grid, tissue), 1.0, _AIR))
    points = rigid.transform_points(head_from_ct, head.landmarks.points)
    bone, known = _attenuation(_BONE_ABOVE_HOUNSFIELD), rigid.transform_points(head_from_ct, _tissue(coarse))
    end = float(known[:, 2].min())
    last = known[known[:, 2] < end + _LAST_SLICES_MM, :2]
    return DeformableTemplate(
        head.name,
        np.pad(whole.attenuation, 1),
        voxel_from_head[:3].copy(),
        bone,
        mean.reshape(grid.origin.shape),
        np.ascontiguousarray(np.moveaxis(modes, 0, -1)).reshape(*grid.origin.shape, len(modes)),
        grid.first,
        _NODES_MM,
        Anatomy.of(head.landmarks),
        np.where(head.landmarks.is_in_ct[:, None], points, np.nan),
        end - _BELIEVED_MM,
        np.array([last.min(axis=0), last.max(axis=0)]),
    )


def _origins(head: Head, nodes: Float64[np.ndarray, "n 3"], seed: int) -> Float32[np.ndarray, "examples n 3"]:
    """Where `nodes` of other heads come from."""
    random = np.random.default_rng([seed, *b"modes"])
    deformable = DeformableHead(head, _NODES_MM)
    return np.stack(
        [deformable.pull_back(HeadVariation.drawn(random))(nodes).astype(np.float32) for _ in range(_EXAMPLES)]
    )


def _modes(
    deviations: Float32[np.ndarray, "examples n 3"], weight: Float64[np.ndarray, "n"]
) -> Float32[np.ndarray, "m n 3"]:
    """Ways in which examples differ from their mean, the largest first, each as long as its standard deviation."""
    count = len(deviations)
    weighted = (deviations * weight[:, None].astype(np.float32)).reshape(count, -1)
    values, vectors = np.linalg.eigh((weighted @ weighted.T).astype(np.float64))
    values, vectors = values[::-1], vectors[:, ::-1]
    kept = min(int(np.searchsorted(np.cumsum(values), _EXPLAINED * values.sum())) + 1, _MOST_MODES)
    scores = (vectors[:, :kept].T / np.sqrt(count - 1)).astype(np.float32)
    return (scores @ deviations.reshape(count, -1)).reshape(kept, -1, 3)


def _attenuation(hounsfield: float) -> float:
    return float(attenuation_from_hounsfield(np.array([hounsfield]))[0])


def _tissue(ct: CT) -> Float64[np.ndarray, "n 3"]:
    """Middles of voxels that are not air (mm, the CT's frame)."""
    where = np.argwhere(ct.attenuation > _attenuation(_TISSUE_ABOVE_HOUNSFIELD))
    return rigid.transform_points(ct.ct_from_voxel, where[:, ::-1].astype(np.float64))


def _is_near(grid: OriginField, places: Float64[np.ndarray, "n 3"]) -> Bool[np.ndarray, "nodes"]:
    """Nodes that one of the places is nearest to."""
    near = np.zeros(grid.origin.shape[:3], dtype=bool)
    i, j, k = np.rint((places - grid.first) / grid.step).astype(int).T
    near[k, j, i] = True
    return near.ravel()
