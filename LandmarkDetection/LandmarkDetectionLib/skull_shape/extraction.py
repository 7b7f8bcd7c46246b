"""The outer surface of a skull and of a head's skin in a CT.

A contour of bone has two sides wherever bone is a shell. What counts as outside is what can be seen from afar from
enough directions: the walls of orbits and the arches belong to it, the brain case's inside and closed sinuses do not.
"""

from __future__ import annotations

import numpy as np
from DiffRegistrationLib.xray.attenuation import attenuation_from_hounsfield
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import rigid
from jaxtyping import Bool, Float32, Float64
from scipy import ndimage, sparse

from .surface import Surface
from .vtk_surfaces import contour, reduced

BONE_HOUNSFIELD = 250.0
SKIN_HOUNSFIELD = -300.0
MOST_TRIANGLES = 30_000
# Finer voxels add triangles that the reduction takes away again.
_WORKING_VOXEL_MM = 1.0
# The lower jaw is a twentieth of the skull's bone; splinters of vessels, of a table and of noise are smaller.
_SMALLEST_BONE = 0.02
_SMALLEST_PIECE = 0.005
# A cone of 23°, about what looks into an orbit, is 4 % of all directions; what looks through the foramen magnum onto
# the vault is less than 1 %.
_DIRECTIONS = 120
_SEEN_FROM = 0.02
_CELL_MM = 2.0
_DEPTH_TOLERANCE_MM = 4.0


def skull_surface(ct: CT, most_triangles: int = MOST_TRIANGLES) -> Surface:
    """The outside of all larger bones of a head's CT (skull, lower jaw, neck), in the CT's frame (RAS mm).

    InputError if the CT shows no bone, and without VTK.
    """
    coarse = _coarsened(ct)
    return _outside(coarse, float(attenuation_from_hounsfield(np.array(BONE_HOUNSFIELD))), "bone", most_triangles)


def skin_surface(ct: CT, most_triangles: int = MOST_TRIANGLES) -> Surface:
    """The skin of a head's CT, in the CT's frame (RAS mm); open where the CT cuts the neck.

    InputError if the CT shows no body, and without VTK.
    """
    coarse = _coarsened(ct)
    return _outside(coarse, float(attenuation_from_hounsfield(np.array(SKIN_HOUNSFIELD))), "body", most_triangles)


def _outside(ct: CT, level: float, what: str, most_triangles: int) -> Surface:
    volume = ct.attenuation
    dense = volume > level
    if np.count_nonzero(dense) < 1000:
        raise InputError("CT", f"shows no {what}", "Choose a CT of a head, in Hounsfield units.")
    whole = contour(np.where(_near_large(dense, what), volume, np.float32(0)), level, ct.ct_from_voxel)
    # Where the CT cuts through the head there is no looking in.
    seen = _seen_share(whole, _cut_tissue(ct)) >= _SEEN_FROM
    # Single hidden vertices between seen ones are accidents of the cells; they would leave holes.
    seen = _majority_around(whole, seen)
    return reduced(_large_pieces(whole.part(seen)), most_triangles)


def _near_large(dense: Bool[np.ndarray, "k j i"], what: str) -> Bool[np.ndarray, "k j i"]:
    """Voxels in and beside the large connected parts: all but splinters of bone, the largest part of a body."""
    labels, _ = ndimage.label(dense)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    kept = sizes >= (_SMALLEST_BONE if what == "bone" else 1.0) * sizes.max()
    # The voxel beside the bone keeps its value: the contour lies between the two.
    large: Bool[np.ndarray, "k j i"] = ndimage.binary_dilation(kept[labels])
    return large & ~(dense & ~kept[labels])


def _coarsened(ct: CT) -> CT:
    """Means of as many voxels along each axis as make about a millimetre."""
    factors = np.maximum(1, np.floor(_WORKING_VOXEL_MM / ct.voxel_size + 0.25).astype(int))
    blocks: Float32[np.ndarray, "k j i"] = ct.attenuation
    for axis, factor in zip((2, 1, 0), factors, strict=True):
        if factor > 1:
            usable = blocks.shape[axis] // factor * factor
            shape = (*blocks.shape[:axis], usable // factor, factor, *blocks.shape[axis + 1 :])
            blocks = np.take(blocks, np.arange(usable), axis=axis).reshape(shape).mean(axis=axis + 1)
    matrix = ct.ct_from_voxel.copy()
    matrix[:3, 3] += matrix[:3, :3] @ ((factors - 1) / 2)
    matrix[:3, :3] = matrix[:3, :3] * factors
    return CT(blocks.astype(np.float32), matrix)


def _cut_tissue(ct: CT) -> Float64[np.ndarray, "n 3"]:
    """Voxel centres (mm) of the body, its hollows with it, in the outermost layer of the grid."""
    body = ct.attenuation > attenuation_from_hounsfield(np.array(SKIN_HOUNSFIELD))
    cut = np.zeros_like(body)
    for axis in range(3):
        of_body, of_cut = np.moveaxis(body, axis, 0), np.moveaxis(cut, axis, 0)
        for end in (0, -1):
            of_cut[end] |= ndimage.binary_fill_holes(of_body[end])
    return rigid.transform_points(ct.ct_from_voxel, np.argwhere(cut)[:, ::-1])


def _seen_share(surface: Surface, opaque: Float64[np.ndarray, "m 3"]) -> Float64[np.ndarray, "n"]:
    """From what share of all directions each vertex is seen: nothing in the way, its normal toward the eye."""
    points = np.concatenate([surface.vertices, opaque]).astype(np.float32)
    normals = surface.vertex_normals.astype(np.float32)
    count = len(normals)
    seen = np.zeros(count)
    for right, up, toward in _frames(_DIRECTIONS):
        u, v = (np.floor((points @ axis) / _CELL_MM).astype(np.int64) for axis in (right, up))
        u, v = u - u.min(), v - v.min()
        cell = v * (u.max() + 1) + u
        height = points @ toward
        top = np.full(cell.max() + 1, -np.inf, dtype=np.float32)
        np.maximum.at(top, cell, height)
        facing = normals @ toward > 0
        seen += facing & (height[:count] >= top[cell[:count]] - _DEPTH_TOLERANCE_MM)
    return seen / _DIRECTIONS


def _frames(count: int) -> list[Float32[np.ndarray, "3 3"]]:
    """Axes (right, up, toward the eye) of views from evenly spread directions: a Fibonacci lattice on the sphere."""
    number = np.arange(count) + 0.5
    z = 1 - 2 * number / count
    angle = np.pi * (1 + np.sqrt(5)) * number
    toward = np.stack([np.sqrt(1 - z**2) * np.cos(angle), np.sqrt(1 - z**2) * np.sin(angle), z], axis=1)
    frames = []
    for direction in toward:
        side = np.cross(np.eye(3)[np.argmin(np.abs(direction))], direction)
        side /= np.linalg.norm(side)
        frames.append(np.stack([side, np.cross(direction, side), direction]).astype(np.float32))
    return frames


def _majority_around(surface: Surface, marked: Bool[np.ndarray, "n"]) -> Bool[np.ndarray, "n"]:
    """Marked vertices and those whose neighbours mostly are, without those whose neighbours mostly are not."""
    for _ in range(3):
        total = marked.astype(np.float64)[surface.faces].sum(axis=1)
        corners = surface.faces.ravel()
        share = np.bincount(corners, np.repeat(total, 3), minlength=len(marked))
        number = np.bincount(corners, minlength=len(marked))
        marked = share > 1.5 * number
    return marked


def _large_pieces(surface: Surface) -> Surface:
    """The connected pieces that are no crumbs."""
    count = len(surface.vertices)
    first, second = surface.faces.ravel(), np.roll(surface.faces, 1, axis=1).ravel()
    joined = sparse.coo_matrix((np.ones(len(first), dtype=bool), (first, second)), (count, count))
    _, piece = sparse.csgraph.connected_components(joined, directed=False)
    sizes = np.bincount(piece[surface.faces[:, 0]])
    return surface.part((sizes >= _SMALLEST_PIECE * sizes.max(initial=0))[piece])
