"""A smooth deformation that brings one head's bone onto another's: closest points in a pyramid of B-spline lattices.

The displacement is a sum of cubic B-spline lattices, coarse to fine, whose coefficients are normal with mean zero: a
Gaussian process with several length scales (as in Lüthi et al. 2018, Gaussian process morphable models). Bone that
finds no bone to match (a jaw that the CT does not show, a table that the template does not know) has no say by robust
weights, and moves as its surroundings do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from DiffRegistrationLib.xray.geometry import rigid
from jaxtyping import Float64, Int64
from scipy import ndimage, sparse
from scipy.spatial import cKDTree

from .bone_points import BonePoints
from .head_alignment import Target, features


@dataclass(frozen=True)
class _Level:
    """Lattice spacing; standard deviation of its coefficients, which is how far people differ at that scale once an
    affine map has been fitted; the spacing of the points that fit it; the robust weight's width, first and last."""

    lattice_mm: float
    sigma_mm: float
    points_mm: float
    scales_mm: tuple[float, float]
    steps: int


_LEVELS = (
    _Level(70.0, 7.0, 10.0, (8.0, 4.0), 6),
    _Level(40.0, 4.0, 8.0, (5.0, 3.0), 6),
    _Level(22.0, 2.0, 6.0, (3.0, 2.0), 8),
)
# Neighbouring points err together, so each counts for less than its own scatter would have it: a point of a surface
# thinned to 4 mm has this standard deviation, one that stands for more surface a smaller one.
_POINT_SIGMA_MM = 3.0
# Along a surface closest points say little; a little keeps the fit from sliding at random.
_ALONG_SURFACE = 0.05
_KNOWN_SIGMA_MM = 0.3
# Closest points change after each answer: it need not be exact. Three times as many bring the landmarks no nearer.
_MOST_SOLVER_STEPS = 8


@dataclass(frozen=True, eq=False)
class Lattice:
    """Cubic B-splines on a lattice: `count` nodes along each axis from `first`, `spacing_mm` apart."""

    first: Float64[np.ndarray, "3"]
    spacing_mm: float
    count: Int64[np.ndarray, "3"]

    @classmethod
    def around(cls, points: Float64[np.ndarray, "n 3"], spacing_mm: float) -> Lattice:
        """The lattice that covers these points."""
        low, high = points.min(axis=0), points.max(axis=0)
        cells = np.ceil((high - low) / spacing_mm).astype(int)
        first = (low + high) / 2 - (cells / 2 + 1) * spacing_mm
        return cls(first, spacing_mm, cells + 3)

    @property
    def nodes(self) -> int:
        """How many nodes there are."""
        return int(self.count.prod())

    def places(self, points: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3"]:
        """Points in nodes along each axis; those off the lattice take the places of its edge."""
        return np.clip((points - self.first) / self.spacing_mm, 1, self.count - 2 - 1e-9)

    def displacements(
        self, points: Float64[np.ndarray, "n 3"], coefficients: Float64[np.ndarray, "nodes 3"]
    ) -> Float64[np.ndarray, "n 3"]:
        """`weights` times these coefficients, without making them: in a quarter of the time."""
        along = self.places(points).T
        grids = coefficients.T.reshape(3, *self.count)
        return np.stack([ndimage.map_coordinates(grid, along, order=3, prefilter=False) for grid in grids], axis=1)

    def weights(self, points: Float64[np.ndarray, "n 3"]) -> sparse.csr_array:
        """(n, nodes): each node's weight at each point."""
        place = self.places(points)
        cell = place.astype(int)
        t = place - cell
        along = np.stack(
            [(1 - t) ** 3 / 6, (3 * t**3 - 6 * t**2 + 4) / 6, (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6, t**3 / 6]
        )
        values = np.einsum("an,bn,cn->nabc", along[..., 0], along[..., 1], along[..., 2])
        steps = np.arange(4) - 1
        i, j, k = ((cell[:, axis, None] + steps).astype(np.int64) for axis in range(3))
        index = (i[:, :, None, None] * self.count[1] + j[:, None, :, None]) * self.count[2] + k[:, None, None, :]
        rows = np.arange(0, 64 * len(points) + 1, 64)
        return sparse.csr_array((values.ravel(), index.ravel(), rows), shape=(len(points), self.nodes))


@dataclass(frozen=True, eq=False)
class Deformation:
    """ct_from_template: an affine map, then a smooth displacement."""

    affine: Float64[np.ndarray, "4 4"]
    lattices: tuple[Lattice, ...]
    coefficients: tuple[Float64[np.ndarray, "nodes 3"], ...]

    def __call__(self, points: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3"]:
        """Points of the template's frame in the CT's (RAS mm)."""
        points = np.asarray(points, dtype=np.float64).reshape(-1, 3)
        moved = rigid.transform_points(self.affine, points)
        for lattice, values in zip(self.lattices, self.coefficients, strict=True):
            moved = moved + lattice.displacements(points, values)
        return moved

    def normals(
        self, points: Float64[np.ndarray, "n 3"], normals: Float64[np.ndarray, "n 3"]
    ) -> Float64[np.ndarray, "n 3"]:
        """Normals at these points of the template's frame, turned with the surface that they stand on."""
        step = 0.5
        along = [(self(points + step * axis) - self(points - step * axis)) / (2 * step) for axis in np.eye(3)]
        # The cofactors of the local stretch turn normals; they are right where it turns a normal over, too.
        a, b, c = along
        mapped = sum(
            np.cross(one, other) * normals[:, [axis]] for axis, (one, other) in enumerate(((b, c), (c, a), (a, b)))
        )
        mapped = np.asarray(mapped)
        return mapped / np.maximum(np.linalg.norm(mapped, axis=1, keepdims=True), 1e-9)


def deformed_onto(
    template: BonePoints,
    ct: BonePoints,
    affine: Float64[np.ndarray, "4 4"],
    known: tuple[Float64[np.ndarray, "m 3"], Float64[np.ndarray, "m 3"]] | None = None,
    tell: Callable[[float], None] = lambda part: None,
) -> Deformation:
    """The deformation of the template's bone onto the CT's, from an affine map that is near. `known` are points of
    the template and where they are in the CT."""
    target = Target(ct, 3.0)
    fitted = Deformation(affine, (), ())
    total = sum(level.steps for level in _LEVELS)
    done = 0
    for level in _LEVELS:
        keep = template.thinned(level.points_mm)
        points = template.points[keep]
        before = fitted(points)
        facing = fitted.normals(points, template.normals[keep])
        lattice = Lattice.around(template.points, level.lattice_mm)
        basis = lattice.weights(points)
        values = np.zeros((lattice.nodes, 3))
        pinned = None if known is None else (lattice.weights(known[0]), known[1] - fitted(known[0]))
        precision = (level.points_mm / 4.0) ** 2 / _POINT_SIGMA_MM**2
        for scale in np.geomspace(*level.scales_mm, level.steps):
            moved = before + basis @ values
            pulls = _pulls(moved, facing, target, float(scale))
            pulls = _Pulls(precision * pulls.stiffness, precision * pulls.force)
            values = _solved(basis, pulls.about(before - moved), level.sigma_mm, values, pinned)
            done += 1
            tell(done / total)
        fitted = Deformation(affine, (*fitted.lattices, lattice), (*fitted.coefficients, values))
    return fitted


@dataclass(frozen=True, eq=False)
class _Pulls:
    """Quadratic pull on each point: stiffness·d = force for its displacement d (mm)."""

    stiffness: Float64[np.ndarray, "n 3 3"]
    force: Float64[np.ndarray, "n 3"]

    def about(self, shift: Float64[np.ndarray, "n 3"]) -> _Pulls:
        """The same pulls for displacements counted from places shifted by so much."""
        return _Pulls(self.stiffness, self.force - np.einsum("nij,nj->ni", self.stiffness, shift))


def _pulls(
    moved: Float64[np.ndarray, "n 3"], facing: Float64[np.ndarray, "n 3"], target: Target, scale: float
) -> _Pulls:
    """What closest points want of each template point, both ways: along the normal there, a little along the surface;
    Geman–McClure weights."""
    seen = np.flatnonzero(target.bone.depth_in_field(moved) > 0)
    distance, at = target.nearest(moved[seen], facing[seen])
    # The other way: bone of the CT that no template point found pulls the nearest one. Thinned to the same number.
    low, high = moved.min(axis=0) - 5, moved.max(axis=0) + 5
    inside = np.flatnonzero(((target.points > low) & (target.points < high)).all(axis=1))
    inside = inside[:: max(1, round(len(inside) / max(1, len(seen))))]
    back_distance, back_at = cKDTree(features(moved, facing)).query(
        features(target.points[inside], target.normals[inside]), workers=-1
    )
    index, places = np.concatenate([seen, back_at]), np.concatenate([at, inside])
    weight = 0.5 / (1 + (np.concatenate([distance, back_distance]) / scale) ** 2) ** 2
    normals = target.normals[places]
    along = (1 - _ALONG_SURFACE) * normals[:, :, None] * normals[:, None, :] + _ALONG_SURFACE * np.eye(3)
    stiffness = weight[:, None, None] * along
    force = np.einsum("nij,nj->ni", stiffness, target.points[places] - moved[index])
    sums = sparse.csr_array((np.ones(len(index)), (index, np.arange(len(index)))), shape=(len(moved), len(index)))
    return _Pulls((sums @ stiffness.reshape(-1, 9)).reshape(-1, 3, 3), sums @ force)


def _solved(
    basis: sparse.csr_array,
    pulls: _Pulls,
    sigma_mm: float,
    start: Float64[np.ndarray, "nodes 3"],
    known: tuple[sparse.csr_array, Float64[np.ndarray, "k 3"]] | None,
) -> Float64[np.ndarray, "nodes 3"]:
    """Coefficients of least squares with their own prior, by conjugate gradients, which need few steps from the last
    answer."""
    across = basis.T.tocsr()
    precision = 1 / sigma_mm**2

    def applied(values: Float64[np.ndarray, "nodes 3"]) -> Float64[np.ndarray, "nodes 3"]:
        out = across @ np.einsum("nij,nj->ni", pulls.stiffness, basis @ values) + precision * values
        if known is not None:
            out += known[0].T @ (known[0] @ values) / _KNOWN_SIGMA_MM**2
        return out

    right = across @ pulls.force
    diagonal = across.power(2) @ np.trace(pulls.stiffness, axis1=1, axis2=2) / 3 + precision
    if known is not None:
        right += known[0].T @ known[1] / _KNOWN_SIGMA_MM**2
        diagonal += known[0].power(2).T @ np.full(len(known[1]), 1 / _KNOWN_SIGMA_MM**2)
    values = start.copy()
    residual = right - applied(values)
    scaled = residual / diagonal[:, None]
    direction = scaled.copy()
    length = float(np.sum(residual * scaled))
    enough = 1e-5 * float(np.sum(right * right / diagonal[:, None])) + 1e-12
    for _ in range(_MOST_SOLVER_STEPS):
        if length < enough:
            break
        image = applied(direction)
        pace = length / float(np.sum(direction * image))
        values += pace * direction
        residual -= pace * image
        scaled = residual / diagonal[:, None]
        longer = float(np.sum(residual * scaled))
        direction = scaled + longer / length * direction
        length = longer
    return values
