"""Another head from a known one: its CT resampled through a smooth map, its landmarks carried by the same map."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
from DiffRegistrationLib.training.training_volumes import continued
from DiffRegistrationLib.xray.attenuation import attenuation_from_hounsfield
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import rigid
from DiffRegistrationLib.xray.provenance import Provenance
from jaxtyping import Float32, Float64

from ..atlas.head import Head
from ..atlas.head_frame import ct_from_head
from ..atlas.landmark_set import LandmarkSet
from .anatomy import Anatomy
from .head_variation import HeadVariation
from .jaw import Jaw
from .origin_field import OriginField
from .pull_backs import PullBack, chained, neck_pull_back, shape_pull_back, wave_pull_back
from .resampling import resample

# Between nodes of the map, and how far places may move.
_NODES_MM, _REACH_MM = 6.0, 45.0
# How far a neck that was cut goes on, so that a bent one still ends in a whole slice.
_BEYOND_MM = 60.0
# A map that shrinks a volume's origin below this part of it is nearly a fold.
_LEAST_GROWTH = 0.1
_WEAKER, _TRIES = 0.75, 8
_LARGEST_ERROR_MM = 0.02
_BONE_ABOVE_HOUNSFIELD = 100.0
_ROUNDS = 30


class DeformableHead:
    """A head made ready for being deformed many times, on cubic voxels of `voxel_mm`.

    InputError where its landmarks are too few for a head's frame.
    """

    def __init__(self, head: Head, voxel_mm: float = 2.0) -> None:
        self.name, self._landmarks, self._voxel_mm = head.name, head.landmarks, voxel_mm
        self._provenance = head.ct.provenance
        self._anatomy = Anatomy.of(head.landmarks)
        self._ct_from_head = ct_from_head(head.landmarks)
        coarse = no_finer_than(voxel_mm, head).ct
        self._axes = coarse.ct_from_voxel[:3, :3] / coarse.voxel_size
        """Columns: the grid's axes, along which grids of deformed heads lie as well."""
        self._low, self._high = _tissue_box(coarse)
        source = continued(coarse, _BEYOND_MM)
        self._volume: Float32[np.ndarray, "k j i"] = np.pad(source.attenuation, 1)
        self._voxel_from_head = np.linalg.inv(source.ct_from_voxel) @ self._ct_from_head
        self._voxel_from_head[:3, 3] += 1

    def deformed(self, random: np.random.Generator, strength: float = 1.0) -> Head:
        """Another head; same state of `random`, same head. `strength` 0 only resamples, 1 is a population's."""
        drawn = HeadVariation.drawn(random)
        for attempt in range(_TRIES):
            made = self._made(drawn.times(strength * _WEAKER**attempt))
            if made is not None:
                return made
        raise self._folded

    def varied(self, variation: HeadVariation) -> Head:
        """The head that differs from this one by `variation`. InputError where space would fold."""
        made = self._made(variation)
        if made is None:
            raise self._folded
        return made

    @property
    def _folded(self) -> InputError:
        return InputError(
            f"head {self.name}",
            "cannot be deformed without folds: its landmarks contradict each other",
            "Check them: right and left, and any that lies far from where its name says.",
        )

    def _made(self, variation: HeadVariation) -> Head | None:
        """The head of `variation`; None where space would fold or landmarks would not be exact."""
        # The template opens its mouth before it becomes another head; the way back ends with the jaw.
        jaw = Jaw(variation.jaw_opening_deg, self._anatomy)
        field = self._field(variation)
        points, error = self._carried(jaw, field)
        field = self._around_tissue(jaw, field)
        if field.least_growth < _LEAST_GROWTH or error > _LARGEST_ERROR_MM:
            return None
        return self._resampled(jaw, field, points, variation.bone_density)

    def pull_back(self, variation: HeadVariation) -> PullBack:
        """Where places of the head that differs by `variation` come from, both in the head's frame (mm), the origin's
        mouth still open.
        """
        shape = shape_pull_back(variation, self._anatomy)
        # The neck turns where the new proportions have put it.
        shaped = Anatomy.from_points(_inverted(shape, self._anatomy.as_points()))
        return chained([wave_pull_back(variation), neck_pull_back(variation.flexion_deg, shaped), shape])

    def _field(self, variation: HeadVariation) -> OriginField:
        """Where places (mm along the CT's axes) come from: points in the head's frame, its mouth still open."""
        way = self.pull_back(variation)
        head_from_ct = rigid.inverse(self._ct_from_head)
        turn, shift = head_from_ct[:3, :3] @ self._axes, head_from_ct[:3, 3]

        def pull_back(points: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3"]:
            return way(points @ turn.T + shift)

        places = np.vstack([self._low, self._high, self._landmarks.points[self._landmarks.is_known] @ self._axes])
        low, high = places.min(axis=0) - _REACH_MM, places.max(axis=0) + _REACH_MM
        return OriginField.sampled(pull_back, low, high, self._spacing * self._voxel_mm)

    @property
    def _spacing(self) -> int:
        """Voxels from node to node."""
        return max(1, round(_NODES_MM / self._voxel_mm))

    def _carried(self, jaw: Jaw, field: OriginField) -> tuple[Float64[np.ndarray, "n 3"], float]:
        """The landmarks in the CT's frame (mm), NaN where unknown, and how exact they are."""
        known = self._landmarks.is_known
        points = np.full((len(known), 3), np.nan)
        before = self._landmarks.points[known]
        origins = jaw.opened(rigid.transform_points(rigid.inverse(self._ct_from_head), before))
        moved, error = field.inverse_at(origins, before @ self._axes)
        points[known] = moved @ self._axes.T
        return points, float(error.max(initial=0))

    def _around_tissue(self, jaw: Jaw, field: OriginField) -> OriginField:
        """The part of the field that holds all tissue."""
        closed = jaw.closed(field.origin.reshape(-1, 3))
        places = rigid.transform_points(self._ct_from_head, closed) @ self._axes
        inside = ((places >= self._low) & (places <= self._high)).all(axis=1).reshape(field.origin.shape[:3])
        where = np.argwhere(inside)
        return field.part(np.maximum(where.min(axis=0) - 1, 0), where.max(axis=0) + 2)

    def _resampled(self, jaw: Jaw, field: OriginField, points: Float64[np.ndarray, "n 3"], density: float) -> Head:
        depth, rows, columns = (self._spacing * (n - 1) + 1 for n in field.origin.shape[:3])
        image = np.empty((depth, rows, columns), dtype=np.float32)
        bone = np.float32(attenuation_from_hounsfield(np.array([_BONE_ABOVE_HOUNSFIELD]))[0])
        resample(
            self._volume,
            np.ascontiguousarray(field.origin),
            self._spacing,
            jaw.parameters,
            self._voxel_from_head[:3].copy(),
            bone,
            np.float32(density),
            image,
        )
        matrix = np.eye(4)
        matrix[:3, :3] = self._voxel_mm * self._axes
        matrix[:3, 3] = self._axes @ field.first
        landmarks = self._landmarks
        moved = LandmarkSet(landmarks.names, points, landmarks.uncertainty_mm, landmarks.status)
        origin = Provenance("CT", "deformed into another head", "computed")
        return Head(f"{self.name}, deformed", CT(image, matrix, None, (*self._provenance, origin)), moved)


_ready: WeakKeyDictionary[Head, dict[float, DeformableHead]] = WeakKeyDictionary()


def deformable(head: Head, voxel_mm: float = 2.0) -> DeformableHead:
    """`head` made ready, once for as long as it lives."""
    made = _ready.setdefault(head, {})
    if voxel_mm not in made:
        made[voxel_mm] = DeformableHead(head, voxel_mm)
    return made[voxel_mm]


def deformed_head(head: Head, random: np.random.Generator, strength: float = 1.0, voxel_mm: float = 2.0) -> Head:
    """`head` deformed into another one, with its landmarks, on cubic voxels of `voxel_mm`; its labels are lost.

    Same state of `random`, same head. InputError where its landmarks are too few for a head's frame.
    """
    return deformable(head, voxel_mm).deformed(random, strength)


def no_finer_than(voxel_mm: float, head: Head) -> Head:
    """The head with its CT's voxels joined along each axis until they are about as long as `voxel_mm`."""
    ct = head.ct
    blocks, matrix = ct.attenuation, ct.ct_from_voxel.copy()
    for axis, size in enumerate(ct.voxel_size):
        factor = max(1, round(voxel_mm / float(size)))
        starts = np.arange(0, blocks.shape[2 - axis], factor)
        blocks = np.add.reduceat(blocks, starts, axis=2 - axis) / np.float32(factor)
        matrix[:3, 3] += (factor - 1) / 2 * matrix[:3, axis]
        matrix[:3, axis] *= factor
    return Head(head.name, CT(blocks, matrix, None, ct.provenance), head.landmarks)


def _tissue_box(ct: CT) -> tuple[Float64[np.ndarray, "3"], Float64[np.ndarray, "3"]]:
    """Ends (mm along the grid's axes) of what is not air. InputError for a CT of air."""
    tissue = ct.attenuation > attenuation_from_hounsfield(np.array([-500.0]))[0]
    if not tissue.any():
        raise InputError("CT", "shows nothing but air", "Give a CT of a head.")
    first = ct.ct_from_voxel[:3, 3] @ (ct.ct_from_voxel[:3, :3] / ct.voxel_size)
    low, high = np.empty(3), np.empty(3)
    for axis in range(3):
        where = np.flatnonzero(tissue.any(axis=tuple(a for a in range(3) if a != 2 - axis)))
        low[axis], high[axis] = first[axis] + ct.voxel_size[axis] * where[[0, -1]]
    return low, high


def _inverted(pull_back: PullBack, origins: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3"]:
    """The points that come from `origins`, for a pull-back that changes proportions only, by fixed-point iteration."""
    points = origins
    for _ in range(_ROUNDS):
        points = points + origins - pull_back(points)
    return points
