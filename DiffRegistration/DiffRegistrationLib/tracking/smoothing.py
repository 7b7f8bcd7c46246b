"""The likeliest trajectory of a body that moves steadily, from poses measured frame by frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float64, Int

from .steady_motion import (
    Factorised,
    Marginals,
    Squares,
    Trajectory,
    measurement_squares,
    rotation_vectors,
    rotations,
    steadiness_squares,
    weighted_sum,
)
from .track import BodyTrack

# Student's t with four degrees of freedom: robust, and nearly as sharp as least squares on clean data (Lange et al.,
# JASA 1989). Its weights fall off as Cauchy's do.
_FREEDOM = 4.0
# The scale (of a variance of 1) that this t in six dimensions finds in normal noise.
_SCALE_OF_NORMAL = 0.8166
_MEASURED = 6
# A registration's covariance is thought right to a factor of about ten; many frames outvote that, a few do not.
_INFLATION_SPREAD = np.log(10.0)
_MOST_INFLATION = 1e6
# Logarithms of the variances of measurement, rotation's and position's unsteadiness, from the search's parameters.
_PARTS_FROM_PARAMETERS = np.array([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [1.0, 0.0, 1.0]])
# At this ratio of measured to process noise hundreds of frames are averaged. Where one direction is known far worse
# than the rest, as depth in a single view, its own ratio is where rounding begins to tell.
_STIFFEST, _STIFFEST_OF_WORST = 1e10, 1e12
_MOST_ROUNDS, _MOST_STEPS = 15, 12
_SAME_LOGARITHM, _SAME_WEIGHT = 0.03, 0.03
_NEAR, _SAME = 1e-5, 1e-9
# Three parameters are known well enough from so many frames, in runs of consecutive ones spread over the sequence.
_RUNS, _FRAMES_A_RUN = 6, 250
_FAR_OFF = 5.0
_ALONE = 1 / 16
_DISREGARDED = 1e-3
_UNKNOWN_VARIANCE = np.repeat([1e-3**2, 0.1**2], 3)


@dataclass(frozen=True, eq=False)
class Smoothing:
    """A smoothed trajectory.

    `poses` are world_from_ct, NaN before the first and after the last measured frame; `covariances` are those of the
    left increment ξ = (ω rad, v mm) about the body's centre, NaN where nothing is known of them. `filled` are the
    frames between that had no measurement. `weights` tell how much each measurement counted: about 1 as measured,
    near 0 as an outlier, NaN without one. `inflation` (≥ 1) is by how much the measured covariances were too small.
    """

    poses: Float64[np.ndarray, "times 4 4"]
    covariances: Float64[np.ndarray, "times 6 6"]
    filled: Bool[np.ndarray, "times"]
    weights: Float64[np.ndarray, "times"]
    inflation: float


# The report, its charts and each joint ask for the same bodies.
@lru_cache(maxsize=16)
def smoothed_track(body: BodyTrack) -> Smoothing:
    """The smoothing of a body's trusted frames, at the times that they have in the sequence."""
    unknown = np.full((6, 6), np.nan)
    covariances = [unknown if frame.covariance is None else frame.covariance for frame in body.frames]
    return smoothed(
        np.where(body.trusted[:, None, None], body.poses, np.nan),
        np.array(covariances).reshape(-1, 6, 6),
        body.centre,
        np.array([frame.time for frame in body.frames], dtype=np.float64),
    )


def smoothed(
    poses: Float64[np.ndarray, "times 4 4"],
    covariances: Float64[np.ndarray, "times 6 6"],
    centre: Float64[np.ndarray, "3"],
    seconds: Float64[np.ndarray, "times"],
) -> Smoothing:
    """The likeliest poses (world_from_ct) of a steadily moving body, given measured ones (NaN where there is none).

    `covariances` are those of the left increment ξ = (ω rad, v mm) about the body's `centre` (mm, the CT's frame);
    where one is not finite, the others stand in. `seconds` rise, in steps and units of any size. How steady the body
    is, in rotation and in position, and how much too small the covariances are, comes from the data: parameters of
    the greatest marginal likelihood, with Student's t for the measurements, by variational Bayes (Tipping and
    Lawrence, Neurocomputing 2005). Outliers so lose their say. Two measured frames are joined at constant velocity,
    with no covariance between them. ValueError if times do not rise.
    """
    poses, seconds = np.asarray(poses, dtype=np.float64), np.asarray(seconds, dtype=np.float64)
    if len(seconds) != len(poses) or not (np.diff(seconds) > 0).all():
        raise ValueError("there must be one time a frame, and times must rise")
    measured = np.isfinite(poses).all(axis=(1, 2))
    frames = np.flatnonzero(measured)
    result = Smoothing(
        np.where(measured[:, None, None], poses, np.nan),
        np.where(measured[:, None, None], covariances, np.nan),
        np.zeros(len(poses), dtype=bool),
        np.where(measured, 1.0, np.nan),
        1.0,
    )
    if len(frames) < 2:
        return result
    window = slice(frames[0], frames[-1] + 1)
    result.filled[window] = ~measured[window]
    unit = float(np.median(np.diff(seconds[window])))
    there = np.where(measured[:, None, None], poses, np.eye(4))[window]
    data = _Measured(
        there[:, :3, :3],
        there[:, :3, :3] @ centre + there[:, :3, 3],
        _usable_covariances(np.asarray(covariances, dtype=np.float64)[window], measured[window]),
        measured[window],
        (seconds[window] - seconds[frames[0]]) / unit,
    )
    if len(frames) == 2:
        result.poses[window] = _as_poses(data.joined(measured[window]), centre)
        return result
    found = _Search(data).result()
    result.poses[window] = _as_poses(found.trajectory, centre)
    result.covariances[window] = found.marginals.diagonal[:, :_MEASURED, :_MEASURED]
    result.weights[window] = np.where(measured[window], found.weights, np.nan)
    return Smoothing(result.poses, result.covariances, result.filled, result.weights, found.inflation)


@dataclass(frozen=True, eq=False)
class _Measured:
    """Rotations and positions of the centre, of meaning where `known`, as the first and the last frame are."""

    rotation: Float64[np.ndarray, "times 3 3"]
    position: Float64[np.ndarray, "times 3"]
    covariance: Float64[np.ndarray, "times 6 6"]
    known: Bool[np.ndarray, "times"]
    times: Float64[np.ndarray, "times"]

    def joined(self, kept: Bool[np.ndarray, "times"]) -> Trajectory:
        """The `kept` frames (two at least) joined at constant velocity, at rest before and after them."""
        from scipy.spatial.transform import Rotation, Slerp

        within = np.clip(self.times, *self.times[kept][[0, -1]])
        rotation = Slerp(self.times[kept], Rotation.from_matrix(self.rotation[kept]))(within).as_matrix()
        position = np.column_stack([np.interp(self.times, self.times[kept], p[kept]) for p in self.position.T])
        intervals = np.diff(self.times)[:, None]
        turning = rotation_vectors(rotation[1:] @ rotation[:-1].swapaxes(1, 2)) / intervals
        moving = np.diff(position, axis=0) / intervals
        return Trajectory(rotation, position, np.vstack([turning, turning[-1:]]), np.vstack([moving, moving[-1:]]))


@dataclass(frozen=True, eq=False)
class _Found:
    trajectory: Trajectory
    marginals: Marginals
    weights: Float64[np.ndarray, "times"]
    inflation: float


class _Search:
    """Trajectory, weights of the measurements and the three parameters, in turns until they stand still.

    `parameters` are the logarithms of the inflation, and of the process noise of rotation and of position over the
    inflation: so the bounds of these ratios bound how ill-conditioned the sums can be.
    """

    def __init__(self, data: _Measured) -> None:
        self.data = data
        self.intervals = np.diff(data.times)
        self.information = np.zeros_like(data.covariance)
        self.information[data.known] = np.linalg.inv(data.covariance[data.known])
        kept, noise = _first_guess(data)
        self.weights = np.where(data.known, np.where(kept, 1.0, _DISREGARDED), 0.0)
        self.trajectory = data.joined(kept)
        variances = np.einsum("tii->ti", data.covariance[data.known])
        typical = np.array([np.median(variances[:, :3]), np.median(variances[:, 3:])])
        worst = np.array([np.median(variances[:, axes].max(axis=1)) for axes in (slice(3), slice(3, 6))])
        stiffest = min(1e3 * data.times[-1] ** 3, _STIFFEST)
        steadiest = np.maximum(typical / stiffest, worst / _STIFFEST_OF_WORST)
        loosest = np.maximum(1e3 * worst, 10 * noise) / self.intervals.min() ** 3
        least, most = np.log(_SCALE_OF_NORMAL), np.log(_MOST_INFLATION)
        self.bounds = [(least, most), *zip(np.log(steadiest), np.log(loosest), strict=True)]
        low, high = np.transpose(self.bounds)
        start = np.concatenate([[0.0], np.log(np.maximum(noise, np.finfo(float).tiny))])
        self.parameters = np.clip(start, low, high)
        self.judged = _judged_frames(np.flatnonzero(data.known))

    def result(self) -> _Found:
        for _ in range(_MOST_ROUNDS):
            before = self.parameters.copy(), self.weights.copy()
            self._follow(_NEAR)
            distances = self._estimate_parameters()
            # Scale and weights can stand in for each other; their common part moves at once (PX-EM: Liu, Rubin and Wu,
            # Biometrika 1998), which saves most of the rounds.
            self.parameters[0] -= np.log(self.weights[self.data.known].mean())
            self.parameters[0] = np.clip(self.parameters[0], *self.bounds[0])
            weights = (_FREEDOM + _MEASURED) / (_FREEDOM + distances / np.exp(self.parameters[0]))
            self.weights = np.where(self.data.known, weights, 0.0)
            if (
                np.abs(self.parameters - before[0]).max() < _SAME_LOGARITHM
                and np.abs(self.weights - before[1]).max() < _SAME_WEIGHT
            ):
                break
        self._follow(_SAME)
        marginals = Factorised(self._weighted(self._parts())).marginals()
        inflation = float(np.exp(self.parameters[0])) / _SCALE_OF_NORMAL
        return _Found(self.trajectory, marginals, self.weights * _SCALE_OF_NORMAL, inflation)

    def _parts(self, frames: Int[np.ndarray, "n"] | None = None) -> tuple[Squares, Squares, Squares]:
        """Squares of measurement and of unsteadiness in rotation and position, for all three parameters at zero.

        Of certain `frames` only, if given; what they skip parts them.
        """
        data, trajectory, intervals = self.data, self.trajectory, self.intervals
        rotation, position, information = data.rotation, data.position, self.weights[:, None, None] * self.information
        if frames is not None:
            trajectory = trajectory.at(frames)
            intervals = np.where(np.diff(frames) == 1, intervals[frames[:-1]], np.inf)
            rotation, position, information = rotation[frames], position[frames], information[frames]
        measured = measurement_squares(trajectory, rotation, position, information)
        return (measured, *steadiness_squares(trajectory, intervals))

    def _weighted(self, parts: tuple[Squares, Squares, Squares]) -> Squares:
        return weighted_sum(parts, np.exp(-_PARTS_FROM_PARAMETERS @ self.parameters).tolist())

    def _follow(self, closely: float) -> None:
        """Gauss–Newton on the trajectory until steps are below `closely` rad, and as many metres."""
        for _ in range(_MOST_STEPS):
            step = Factorised(self._weighted(self._parts())).minimum()
            self.trajectory = self.trajectory.moved(step)
            if np.abs(step[:, :3]).max() < closely and np.abs(step[:, 3:6]).max() < 1e3 * closely:
                break

    def _estimate_parameters(self) -> Float64[np.ndarray, "times"]:
        """Parameters of the greatest marginal likelihood, the trajectory integrated out by Laplace's method.

        Returns each frame's expected squared distance there. The gradient is Fisher's identity.
        """
        from scipy.optimize import minimize

        parts = self._parts(self.judged)
        joined = int((np.diff(self.judged) == 1).sum())
        counts = _MEASURED * np.array([self.data.known[self.judged].sum(), joined, joined])

        def unlikelihood(parameters: np.ndarray) -> tuple[float, np.ndarray]:
            logarithms = _PARTS_FROM_PARAMETERS @ parameters
            factors = np.exp(-logarithms)
            squares = weighted_sum(parts, factors.tolist())
            factorised = Factorised(squares)
            x, marginals = factorised.minimum(), factorised.marginals()
            value = (
                squares.energy
                - float(np.sum(squares.pull * x))
                + factorised.log_determinant
                + float(counts @ logarithms)
            )
            expected = np.array([part.at(x) + part.expected_extra(marginals) for part in parts])
            gradient = (counts - factors * expected) @ _PARTS_FROM_PARAMETERS
            # The inflation alone is held by what is known beforehand.
            beyond = (parameters[0] - np.log(_SCALE_OF_NORMAL)) / _INFLATION_SPREAD
            value += beyond**2
            gradient[0] += 2 * beyond / _INFLATION_SPREAD
            return value, gradient

        found = minimize(
            unlikelihood,
            self.parameters,
            jac=True,
            method="L-BFGS-B",
            bounds=self.bounds,
            options={"maxiter": 30, "ftol": 1e-7},
        )
        self.parameters = np.asarray(found.x)
        marginals = Factorised(self._weighted(self._parts())).marginals()
        raw = measurement_squares(self.trajectory, self.data.rotation, self.data.position, self.information)
        return raw.energies + np.sum(raw.diagonal * marginals.diagonal, axis=(1, 2))


def _judged_frames(known: Int[np.ndarray, "n"]) -> Int[np.ndarray, "m"]:
    """Frames that the parameters are judged by: all from the first known to the last, or runs of them if many."""
    if len(known) <= _RUNS * _FRAMES_A_RUN:
        return np.arange(known[0], known[-1] + 1)
    starts = np.linspace(0, len(known) - _FRAMES_A_RUN, _RUNS).astype(int)
    runs = [np.arange(known[start], known[start + _FRAMES_A_RUN - 1] + 1) for start in starts]
    return np.unique(np.concatenate(runs))


def _first_guess(data: _Measured) -> tuple[Bool[np.ndarray, "times"], Float64[np.ndarray, "2"]]:
    """Frames that no pair of neighbours speaks against, and process noise of rotation (rad²) and position (mm²).

    Each frame is compared with the one that its two neighbours put in its place at constant velocity. White noise q
    on acceleration makes a variance of q a²b² / 3(a+b) there, a and b being the times to the neighbours.
    """
    kept = np.flatnonzero(data.known)
    noise = np.zeros(2)
    for _ in range(4):
        if len(kept) < 3:
            break
        a, b = np.diff(data.times[kept])[:-1], np.diff(data.times[kept])[1:]
        share = (a / (a + b))[:, None]
        first, middle, last = kept[:-2], kept[1:-1], kept[2:]
        turn = rotation_vectors(data.rotation[last] @ data.rotation[first].swapaxes(1, 2))
        between = rotations(share * turn) @ data.rotation[first]
        off_rotation = rotation_vectors(data.rotation[middle] @ between.swapaxes(1, 2))
        off_position = data.position[middle] - (1 - share) * data.position[first] - share * data.position[last]
        of_one = (a * b) ** 2 / (3 * (a + b))
        score = np.zeros(len(middle))
        for kind, off in enumerate((off_rotation, off_position)):
            squared = (off**2).sum(axis=1) / 3
            # The median of χ² of three degrees of freedom is 0.789 of its mean.
            noise[kind] = np.median(squared / of_one) / 0.789
            axes = slice(3 * kind, 3 * kind + 3)
            variance = np.einsum("tii->t", data.covariance[kept][:, axes, axes]) / 3
            own = variance[1:-1] + (1 - share[:, 0]) ** 2 * variance[:-2] + share[:, 0] ** 2 * variance[2:]
            score += squared / (noise[kind] * of_one + own)
        # A wrong frame spoils its neighbours' scores too, but less than its own.
        around = np.concatenate([[0.0], score, [0.0]])
        wrong = (score > _FAR_OFF**2) & (score >= around[:-2]) & (score >= around[2:])
        if not wrong.any():
            break
        outliers = middle[wrong]
        # A wrong first or last frame speaks against its neighbour alone, a wrong neighbour against the next one too.
        for end, beside in ((0, 1), (-1, -2)):
            if len(score) > 1 and wrong[end] and score[beside] < _ALONE * score[end]:
                outliers = np.append(outliers[outliers != middle[end]], kept[end])
        kept = np.setdiff1d(kept, outliers)
    chosen = np.zeros(len(data.known), dtype=bool)
    chosen[kept] = True
    return chosen, noise


def _usable_covariances(
    covariances: Float64[np.ndarray, "times 6 6"], measured: Bool[np.ndarray, "times"]
) -> Float64[np.ndarray, "times 6 6"]:
    """Covariances with the typical one of all (or a guess, which the inflation corrects) where one is of no use."""
    finite = np.isfinite(covariances).all(axis=(1, 2))
    # Zero variance, as of a pose that was set by hand, would be a measurement without error.
    usable = finite & (np.linalg.eigvalsh(np.where(finite[:, None, None], covariances, 0.0))[:, 0] > 0)
    chosen = usable & measured
    variances = np.einsum("tii->ti", covariances[chosen])
    typical = np.diag(np.median(variances, axis=0) if chosen.any() else _UNKNOWN_VARIANCE)
    return np.where(usable[:, None, None], covariances, typical)


def _as_poses(trajectory: Trajectory, centre: Float64[np.ndarray, "3"]) -> Float64[np.ndarray, "times 4 4"]:
    poses = np.zeros((len(trajectory.rotation), 4, 4))
    poses[:, :3, :3] = trajectory.rotation
    poses[:, :3, 3] = trajectory.position - trajectory.rotation @ centre
    poses[:, 3, 3] = 1
    return poses
