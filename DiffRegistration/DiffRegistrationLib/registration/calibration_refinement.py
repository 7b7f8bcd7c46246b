"""Joint refinement of a pose and of what calibration left uncertain: where the detector is, and where the cameras are.

Bundle adjustment on images (Triggs et al., *Bundle Adjustment: A Modern Synthesis*, 2000), with Gaussian priors on the
cameras as given: the maximum of the posterior, by Levenberg–Marquardt. A camera's number changes the rays, and to one
ray every change of a camera looks like some motion of the CT, so that all derivatives follow from those by the pose.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from jaxtyping import Bool, Float64

from ..xray.errors import InputError
from ..xray.geometry import PinholeCamera, rigid
from ..xray.geometry.pixel_grid import all_pixels
from ..xray.projector import Projector
from ..xray.provenance import Provenance
from ..xray.radiograph import Radiograph
from .calibration_prior import CalibrationPrior
from .camera_numbers import PER_VIEW, camera_jacobian, moved_camera
from .evidence import Shown, evidence_for
from .quality import judge
from .registration import DEFAULT_SIMILARITY
from .result import Iteration, RegistrationResult, Verdict
from .similarity import Comparison, chosen
from .solver import Refinement
from .views import ViewLevel, view_level

# Of the finest useful binning, for what is still pixels off; the last one again, for weights and masks once it fits.
_STAGES, _MOST_ITERATIONS, _MOST_REFUSALS = (4, 2, 1, 1), 20, 4
# Fewer pixels that show the CT cannot tell this many numbers apart.
_FEWEST_PIXELS = 400
# A step is the last one when it promises less than this of −log posterior: a third of a standard deviation.
_SETTLED = 0.05
# The images say little of a number that they leave with more than this part of the prior's deviation.
_HARDLY_NARROWED = 0.8

_NAMES = (
    ("offset_u_px", "detector offset along image rows (u)", "px"),
    ("offset_v_px", "detector offset along image columns (v)", "px"),
    ("source_detector_distance_percent", "source-detector distance", "%"),
    *((f"rotation_{axis}_deg", f"camera turned about {axis}", "°") for axis in "RAS"),
    *((f"translation_{axis}_mm", f"camera moved along {axis}", "mm") for axis in "RAS"),
)
_UNITS = np.array([1.0, 1.0, 100.0, *np.degrees(np.ones(3)), 1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Shift:
    """One number of a camera: how far from as given it seems to be, with standard deviations after and before."""

    name: str
    in_words: str
    unit: str
    value: float
    std: float
    prior_std: float

    @property
    def moved(self) -> float:
        """The shift in standard deviations of the prior."""
        return self.value / self.prior_std

    @property
    def determined(self) -> bool:
        """Whether the images tell much more of it than the prior."""
        return self.std < _HARDLY_NARROWED * self.prior_std


@dataclass(frozen=True, eq=False)
class RefinedCalibration:
    """Pose and cameras that explain the X-rays best, together with the prior on the cameras.

    `pose` is world_from_ct; `covariance` is that of its ξ = (ω rad, v mm) about the CT's centre, with what remains
    unknown of the cameras; `shifts` are those of each view's numbers that were free. `comparison` of all views holds
    no derivatives but the pose's.
    """

    pose: Float64[np.ndarray, "4 4"]
    covariance: Float64[np.ndarray, "6 6"]
    cameras: tuple[PinholeCamera, ...]
    shifts: tuple[tuple[Shift, ...], ...]
    prior: CalibrationPrior
    comparison: Comparison
    iterations: tuple[Iteration, ...]
    converged: bool

    @property
    def moved(self) -> float:
        """The largest shift in standard deviations of the prior: beyond 3 the prior or something else is wrong."""
        return max(abs(shift.moved) for shifts in self.shifts for shift in shifts)

    @property
    def reason(self) -> str:
        """In words what the images leave open and what speaks against the outcome; empty for nothing."""
        said = []
        for number, shifts in enumerate(self.shifts, start=1):
            if vague := [shift.in_words for shift in shifts if not shift.determined]:
                said.append(
                    f"the images hardly determine of view {number}: {', '.join(vague)} (there the prior stands)"
                )
            said += [
                f"view {number}: {shift.in_words} went {abs(shift.moved):.1f} standard deviations of the prior away"
                for shift in shifts
                if abs(shift.moved) > 3
            ]
        if not self.converged:
            said.append("the solver was still moving when its iterations ended")
        return "; ".join(said)


@dataclass(frozen=True, eq=False)
class RecalibratedResult(RegistrationResult):
    """A registration whose cameras were refined; the pose, its covariance, the fits and DRRs are those of after."""

    calibration: RefinedCalibration


@dataclass(frozen=True, eq=False)
class _State:
    """A pose with its cameras' numbers, and what the images and the prior say there: −log posterior, g and H."""

    pose: Float64[np.ndarray, "4 4"]
    numbers: Float64[np.ndarray, "views 9"]
    parts: tuple[Comparison, ...]
    cost: float
    gradient: Float64[np.ndarray, "n"]
    hessian: Float64[np.ndarray, "n n"]


@dataclass(frozen=True, eq=False)
class _Stage:
    """One binning: the views' levels, and what a unit of each view's cost is worth in −log likelihood."""

    projector: Projector
    cameras: tuple[PinholeCamera, ...]
    levels: tuple[ViewLevel, ...]
    binning: tuple[int, ...]
    deviations: Float64[np.ndarray, "views 9"]
    pivot: Float64[np.ndarray, "3"]
    worth: tuple[float, ...] | None = None

    @property
    def free(self) -> Bool[np.ndarray, "views 9"]:
        return self.deviations > 0

    def at(self, pose: Float64[np.ndarray, "4 4"], numbers: Float64[np.ndarray, "views 9"]) -> _State:
        """The state with all derivatives: (ω, v) of the pose, then the free numbers view by view."""
        parts = tuple(self._compared(view, pose, numbers[view]) for view in range(len(self.levels)))
        worth = self.worth or [information(part) for part in parts]
        free, sigma = self.free, self.deviations[self.free]
        n = 6 + len(sigma)
        gradient, hessian = np.zeros(n), np.zeros((n, n))
        for view, (part, by) in enumerate(zip(parts, worth, strict=True)):
            first = 6 + int(free[:view].sum())
            where = [*range(6), *range(first, first + int(free[view].sum()))]
            gradient[where] += by * part.gradient
            hessian[np.ix_(where, where)] += by * part.hessian
        off = numbers[free] / sigma
        gradient[6:] += off / sigma
        hessian[range(6, n), range(6, n)] += sigma**-2
        cost = sum(by * part.cost for part, by in zip(parts, worth, strict=True)) + 0.5 * float(off @ off)
        return _State(pose, numbers, parts, cost, gradient, hessian)

    def _compared(self, view: int, pose: Float64[np.ndarray, "4 4"], numbers: Float64[np.ndarray, "9"]) -> Comparison:
        level, binning = self.levels[view], self.binning[view]
        camera = moved_camera(self.cameras[view], numbers, self.pivot)
        coarse = camera.binned(binning)
        pixels = all_pixels(coarse.size)[level.mask.ravel()]
        drr, by_pose = replace(level, camera=coarse, rays=coarse.rays(pixels)).drr(self.projector, pose)
        centre = rigid.transform_points(pose, [self.projector.ct.centre])[0]
        by_camera = np.zeros((PER_VIEW, *level.mask.shape), dtype=np.float32)
        by_camera[:, level.mask] = camera_jacobian(coarse, pixels, by_pose[:, level.mask], centre, numbers, self.pivot)
        # Offsets are counted in pixels of the X-ray, not of the level.
        by_camera[:2] /= binning
        return level.similarity(drr, np.concatenate([by_pose, by_camera[self.free[view]]]))


def information(comparison: Comparison) -> float:
    """What a unit of its cost is worth in −log likelihood: 1 / (variance of one of its independent samples)."""
    return comparison.samples / max(comparison.residual**2, 1e-12)


def refine_calibration(
    projector: Projector,
    radiographs: Sequence[Radiograph],
    pose: Float64[np.ndarray, "4 4"],
    prior: CalibrationPrior,
    *,
    similarity: str = DEFAULT_SIMILARITY,
) -> RefinedCalibration:
    """Refine a registered `pose` (world_from_ct) and the X-rays' pinhole cameras together.

    `similarity` is one of `SIMILARITY_NAMES`. InputError for views that cannot tell what the prior lets move, and for
    one that hardly shows the CT.
    """
    prior.check_fits(radiographs)
    cameras = tuple(r.camera for r in radiographs if isinstance(r.camera, PinholeCamera))
    numbers, deviations = np.zeros((len(cameras), PER_VIEW)), prior.deviations(len(cameras))
    pivot = rigid.transform_points(pose, [projector.ct.centre])[0]
    name = chosen(similarity, projector.ct)
    finest = [_useful_binning(camera, projector, pivot) for camera in cameras]
    iterations: list[Iteration] = []
    for place, coarser in enumerate(_STAGES):
        binning = tuple(coarser * one for one in finest)
        now = [moved_camera(camera, row, pivot) for camera, row in zip(cameras, numbers, strict=True)]
        levels = tuple(
            view_level(replace(radiograph, camera=camera), by, projector, pose, name)
            for radiograph, camera, by in zip(radiographs, now, binning, strict=True)
        )
        few = [view for view, level in enumerate(levels, start=1) if level.mask.sum() < _FEWEST_PIXELS]
        if few and place < len(_STAGES) - 1:
            continue
        if few:
            raise InputError(
                f"X-ray {few[0]}",
                "too few of its usable pixels show the CT to refine its calibration",
                "Leave out --refine-calibration.",
            )
        stage = _Stage(projector, cameras, levels, binning, deviations, pivot)
        state, steps, converged = _descended(stage, pose, numbers)
        pose, numbers = state.pose, state.numbers
        iterations += steps
    # Weighed by what the views leave unexplained in the end, not by what they did at first.
    state = stage.at(pose, numbers)
    covariance = np.linalg.pinv(state.hessian, rcond=1e-12, hermitian=True)
    std = np.zeros_like(deviations)
    std[deviations > 0] = np.sqrt(np.maximum(np.diag(covariance)[6:], 0))
    return RefinedCalibration(
        pose,
        covariance[:6, :6],
        tuple(moved_camera(camera, row, pivot) for camera, row in zip(cameras, numbers, strict=True)),
        tuple(_shifts(*rows) for rows in zip(numbers, std, deviations, strict=True)),
        prior,
        _of_the_pose(state, covariance[:6, :6]),
        tuple(iterations),
        converged,
    )


def _useful_binning(camera: PinholeCamera, projector: Projector, centre: Float64[np.ndarray, "3"]) -> int:
    """The finest binning whose pixels are not much finer than voxels, at the CT."""
    voxel = float(np.cbrt(np.prod(projector.ct.voxel_size)))
    return int(2 ** max(0, np.ceil(np.log2(0.6 * voxel / camera.pixel_footprint_mm(centre)))))


def _descended(
    stage: _Stage, pose: Float64[np.ndarray, "4 4"], numbers: Float64[np.ndarray, "views 9"]
) -> tuple[_State, list[Iteration], bool]:
    """Levenberg–Marquardt from here, in units that make all numbers alike: mm at the CT's edge, priors' deviations."""
    ct = stage.projector.ct
    radius = float(np.linalg.norm(ct.corners(0.5) - ct.centre, axis=1).mean())
    scale = np.concatenate([[1 / radius] * 3, [1.0] * 3, stage.deviations[stage.free]])
    state = stage.at(pose, numbers)
    stage = replace(stage, worth=tuple(information(part) for part in state.parts))
    steps: list[Iteration] = []
    damping, refusals = 1e-3, 0
    for number in range(1, _MOST_ITERATIONS + 1):
        H, g = state.hessian * np.outer(scale, scale), state.gradient * scale
        step = -np.linalg.solve(H + damping * np.diag(np.diag(H)) + 1e-12 * np.diag(H).max() * np.eye(len(g)), g)
        promised = -float(g @ step + 0.5 * step @ H @ step)
        step = scale * step
        centre = rigid.transform_points(state.pose, [ct.centre])[0]
        turned = state.numbers.copy()
        turned[stage.free] += step[6:]
        tried = stage.at(rigid.orthonormalised(rigid.move_about(centre, step[:6], state.pose)), turned)
        improved = tried.cost < state.cost
        steps.append(_iteration(max(stage.binning), number, tried, step, improved))
        if improved:
            state, damping, refusals = tried, max(damping / 10, 1e-7), 0
        else:
            damping, refusals = damping * 10, refusals + 1
        if promised < _SETTLED or refusals >= _MOST_REFUSALS:
            return state, steps, True
    return state, steps, False


def _iteration(binning: int, number: int, state: _State, step: Float64[np.ndarray, "n"], improved: bool) -> Iteration:
    return Iteration(
        binning,
        number,
        float(np.mean([part.score for part in state.parts])),
        float(np.sqrt(np.mean([part.residual**2 for part in state.parts]))),
        float(np.degrees(np.linalg.norm(step[:3]))),
        float(np.linalg.norm(step[3:6])),
        improved,
    )


def _shifts(
    numbers: Float64[np.ndarray, "9"], std: Float64[np.ndarray, "9"], prior: Float64[np.ndarray, "9"]
) -> tuple[Shift, ...]:
    rows = zip(_NAMES, numbers * _UNITS, std * _UNITS, prior * _UNITS, strict=True)
    return tuple(Shift(*name, float(value), float(one), float(before)) for name, value, one, before in rows if before)


def _of_the_pose(state: _State, covariance: Float64[np.ndarray, "6 6"]) -> Comparison:
    """The comparison of all views whose normal equations leave the pose this `covariance`."""
    parts = state.parts
    return Comparison(
        state.cost,
        state.gradient[:6],
        np.linalg.pinv(covariance, rcond=1e-12, hermitian=True),
        float(np.mean([part.score for part in parts])),
        1.0,
        1.0,
        float(np.mean([part.agreement for part in parts])),
    )


def recalibrated(
    projector: Projector,
    radiographs: Sequence[Radiograph],
    result: RegistrationResult,
    prior: CalibrationPrior,
    *,
    similarity: str = DEFAULT_SIMILARITY,
) -> tuple[RecalibratedResult, tuple[Radiograph, ...]]:
    """A registration's result with pose and cameras refined, and its X-rays with those cameras.

    More freedom makes a better fit, which is no better proof: the verdict can get worse by it, never better.
    """
    began = time.perf_counter()
    found = refine_calibration(projector, radiographs, result.pose, prior, similarity=similarity)
    line = Provenance("calibration", "refined by a registration", "the X-rays, and the deviations that were allowed")
    seen = tuple(
        replace(radiograph, camera=camera, provenance=(*radiograph.provenance, line))
        for radiograph, camera in zip(radiographs, found.cameras, strict=True)
    )
    shown = Shown(projector, seen)
    evidence, fits = evidence_for(
        shown, found.pose, (), Refinement(found.pose, found.comparison, found.iterations, found.converged)
    )
    verdict, reason = judge(evidence)
    order = list(Verdict)
    if order.index(verdict) <= order.index(result.verdict):
        verdict, reason = result.verdict, result.reason
    else:
        reason = f"with refined cameras, {reason}"
    kept = {field.name: getattr(result, field.name) for field in fields(RegistrationResult)}
    return RecalibratedResult(
        **{
            **kept,
            "pose": found.pose,
            "covariance": found.covariance,
            "centre": shown.centre(found.pose),
            "verdict": verdict,
            "reason": reason,
            "similarity": evidence.correlation,
            "seconds": result.seconds + time.perf_counter() - began,
            "iterations": (*result.iterations, *found.iterations),
            "views": fits,
            "drrs": tuple(shown.drr(radiograph, found.pose) for radiograph in seen) if result.drrs else (),
        },
        calibration=found,
    ), seen
