"""How well a trajectory agrees with measured poses and with steady motion, as sums of squares, and their minimum.

A body moves steadily when its velocities are a random walk: white noise on acceleration (Barfoot, *State Estimation
for Robotics*, ch. 11; Anderson and Barfoot, IROS 2015). Rotation and the centre's position are kept apart as
increments keep them, on SO(3) × R³. Every frame has twelve unknowns: small left increments of rotation (rad) and
position (mm), and of their velocities per unit of time. Only neighbours in time meet, so all sums are block
tridiagonal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int

_STATE = 12
_ROTATION, _POSITION, _TURNING, _MOVING = (slice(first, first + 3) for first in (0, 3, 6, 9))
_SERIES_ANGLE = 0.1


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Rotation, position of the centre (mm), and their velocities (rad and mm per unit of time, world axes)."""

    rotation: Float64[np.ndarray, "times 3 3"]
    position: Float64[np.ndarray, "times 3"]
    turning: Float64[np.ndarray, "times 3"]
    moving: Float64[np.ndarray, "times 3"]

    def at(self, frames: Int[np.ndarray, "n"]) -> Trajectory:
        """The trajectory in these frames only."""
        return Trajectory(self.rotation[frames], self.position[frames], self.turning[frames], self.moving[frames])

    def moved(self, step: Float64[np.ndarray, "times 12"]) -> Trajectory:
        """The trajectory after small increments of all unknowns."""
        return Trajectory(
            rotations(step[:, _ROTATION]) @ self.rotation,
            self.position + step[:, _POSITION],
            self.turning + step[:, _TURNING],
            self.moving + step[:, _MOVING],
        )


@dataclass(frozen=True, eq=False)
class Squares:
    """A sum of squares of the unknowns x: energy − 2 pull·x + xᵀ A x, A block tridiagonal.

    `diagonal` are the blocks of A on the diagonal, `below` those that join a frame (columns) to the next (rows).
    `energies` are the frames' parts of the energy, each join's with its earlier frame.
    """

    diagonal: Float64[np.ndarray, "times 12 12"]
    below: Float64[np.ndarray, "times-1 12 12"]
    pull: Float64[np.ndarray, "times 12"]
    energies: Float64[np.ndarray, "times"]

    @property
    def energy(self) -> float:
        """The sum's value where all unknowns are 0."""
        return float(self.energies.sum())

    def at(self, x: Float64[np.ndarray, "times 12"]) -> float:
        """The sum's value."""
        column = x[:, :, None]
        bent = (self.diagonal @ column)[:, :, 0] - 2 * self.pull
        bent[1:] += 2 * (self.below @ column[:-1])[:, :, 0]
        return self.energy + float(np.sum(x * bent))

    def expected_extra(self, marginals: Marginals) -> float:
        """tr(A Σ): how much more the sum is on average where x is spread about its mean with covariance Σ."""
        return float(np.sum(self.diagonal * marginals.diagonal) + 2 * np.sum(self.below * marginals.below))


@dataclass(frozen=True, eq=False)
class Marginals:
    """The blocks of a covariance Σ = A⁻¹ where A itself has blocks."""

    diagonal: Float64[np.ndarray, "times 12 12"]
    below: Float64[np.ndarray, "times-1 12 12"]


def weighted_sum(parts: Sequence[Squares], factors: Sequence[float]) -> Squares:
    """Σ factor · part."""
    pairs = list(zip(factors, parts, strict=True))
    return Squares(
        np.sum([factor * part.diagonal for factor, part in pairs], axis=0),
        np.sum([factor * part.below for factor, part in pairs], axis=0),
        np.sum([factor * part.pull for factor, part in pairs], axis=0),
        np.sum([factor * part.energies for factor, part in pairs], axis=0),
    )


def measurement_squares(
    trajectory: Trajectory,
    rotation: Float64[np.ndarray, "times 3 3"],
    position: Float64[np.ndarray, "times 3"],
    information: Float64[np.ndarray, "times 6 6"],
) -> Squares:
    """Squares of the increments from the trajectory to the measured poses.

    `information` is the inverse covariance of (ω rad, v mm), zero where nothing was measured.
    """
    times = len(rotation)
    turn = rotation_vectors(rotation @ trajectory.rotation.swapaxes(1, 2))
    error = np.concatenate([turn, position - trajectory.position], axis=1)
    J = np.zeros((times, 6, _STATE))
    J[:, :3, _ROTATION] = -left_jacobian_inverses(-turn)
    J[:, 3:, _POSITION] = -np.eye(3)
    weighted = J.swapaxes(1, 2) @ information
    energies = _lengths(error, information)
    pull = -np.einsum("tij,tj->ti", weighted, error)
    return Squares(weighted @ J, np.zeros((times - 1, _STATE, _STATE)), pull, energies)


def steadiness_squares(trajectory: Trajectory, intervals: Float64[np.ndarray, "times-1"]) -> tuple[Squares, Squares]:
    """Squares of what is unsteady in rotation and in position, for process noise of 1 rad² and 1 mm² per time³.

    Across an infinite interval nothing is known.
    """
    count = len(intervals)
    tau = np.where(np.isfinite(intervals), intervals, 0.0)[:, None]
    information = np.zeros((count, 6, 6))
    for row, column, value in (
        (0, 0, 12 / intervals**3),
        (0, 3, -6 / intervals**2),
        (3, 0, -6 / intervals**2),
        (3, 3, 4 / intervals),
    ):
        information[:, row : row + 3, column : column + 3] = value[:, None, None] * np.eye(3)

    turn = rotation_vectors(trajectory.rotation[1:] @ trajectory.rotation[:-1].swapaxes(1, 2))
    to_later, to_earlier = left_jacobian_inverses(turn), left_jacobian_inverses(-turn)
    later_turning = np.einsum("tij,tj->ti", to_later, trajectory.turning[1:])
    error = np.concatenate([turn - tau * trajectory.turning[:-1], later_turning - trajectory.turning[:-1]], axis=1)
    before, after = np.zeros((2, count, 6, _STATE))
    before[:, :3, _ROTATION], after[:, :3, _ROTATION] = -to_earlier, to_later
    # J⁻¹(r) ω changes with r by about ½ ω ×: enough for the steps, and no error of their end.
    bend = 0.5 * skews(trajectory.turning[1:])
    before[:, 3:, _ROTATION], after[:, 3:, _ROTATION] = -bend @ to_earlier, bend @ to_later
    before[:, :3, _TURNING] = -tau[:, :, None] * np.eye(3)
    before[:, 3:, _TURNING], after[:, 3:, _TURNING] = -np.eye(3), to_later
    of_rotation = _squares(error, before, after, information)

    shift = trajectory.position[1:] - trajectory.position[:-1]
    error = np.concatenate(
        [shift - tau * trajectory.moving[:-1], trajectory.moving[1:] - trajectory.moving[:-1]], axis=1
    )
    before, after = np.zeros((2, count, 6, _STATE))
    before[:, :3, _POSITION], after[:, :3, _POSITION] = -np.eye(3), np.eye(3)
    before[:, :3, _MOVING] = -tau[:, :, None] * np.eye(3)
    before[:, 3:, _MOVING], after[:, 3:, _MOVING] = -np.eye(3), np.eye(3)
    return of_rotation, _squares(error, before, after, information)


def _squares(
    error: Float64[np.ndarray, "n 6"],
    before: Float64[np.ndarray, "n 6 12"],
    after: Float64[np.ndarray, "n 6 12"],
    information: Float64[np.ndarray, "n 6 6"],
) -> Squares:
    """Squares of errors that join each frame (Jacobian `before`) to the next (Jacobian `after`)."""
    weighted_before, weighted_after = before.swapaxes(1, 2) @ information, after.swapaxes(1, 2) @ information
    diagonal, pull = np.zeros((len(error) + 1, _STATE, _STATE)), np.zeros((len(error) + 1, _STATE))
    diagonal[:-1] += weighted_before @ before
    diagonal[1:] += weighted_after @ after
    pull[:-1] -= np.einsum("tij,tj->ti", weighted_before, error)
    pull[1:] -= np.einsum("tij,tj->ti", weighted_after, error)
    return Squares(diagonal, weighted_after @ before, pull, np.append(_lengths(error, information), 0.0))


def _lengths(
    errors: Float64[np.ndarray, "n 6"], information: Float64[np.ndarray, "n 6 6"]
) -> Float64[np.ndarray, "n"]:
    """eᵀ W e of each."""
    return np.sum(errors * (information @ errors[:, :, None])[:, :, 0], axis=1)


class Factorised:
    """A sum of squares made ready to be minimised: A = L Lᵀ, banded."""

    def __init__(self, squares: Squares) -> None:
        from scipy.linalg import cholesky_banded

        times = len(squares.diagonal)
        columns = np.zeros((times, 2 * _STATE, _STATE))
        columns[:, :_STATE] = squares.diagonal
        columns[:-1, _STATE:] = squares.below
        offset, column = np.indices((2 * _STATE, _STATE))
        row = offset + column
        inside = row < 2 * _STATE
        band = np.where(inside, columns[:, np.minimum(row, 2 * _STATE - 1), column], 0.0)
        self._squares = squares
        self._band = cholesky_banded(
            np.ascontiguousarray(band.transpose(1, 0, 2).reshape(2 * _STATE, -1)), lower=True, check_finite=False
        )

    @property
    def log_determinant(self) -> float:
        """ln det A."""
        return float(2 * np.log(self._band[0]).sum())

    def minimum(self) -> Float64[np.ndarray, "times 12"]:
        """The x of least squares."""
        from scipy.linalg import cho_solve_banded

        return cho_solve_banded((self._band, True), self._squares.pull.ravel(), check_finite=False).reshape(-1, _STATE)

    def marginals(self) -> Marginals:
        """The covariance of each frame's unknowns, and of each frame with the next.

        From L's blocks backward in time (Barfoot §3.2.1, in information form): Σₖ = Dₖ⁻¹ + Gₖ Σₖ₊₁ Gₖᵀ.
        """
        times = self._band.shape[1] // _STATE
        band = self._band.reshape(2 * _STATE, times, _STATE)
        row, column = np.indices((_STATE, _STATE))
        own = np.where(row >= column, band[np.maximum(row - column, 0), :, column].transpose(2, 0, 1), 0.0)
        next_ = band[_STATE + row - column, :, column].transpose(2, 0, 1)[:-1]
        inverse = np.linalg.inv(own)
        spread = inverse.swapaxes(1, 2) @ inverse
        gain = inverse[:-1].swapaxes(1, 2) @ next_.swapaxes(1, 2)
        diagonal = spread.copy()
        for k in range(times - 2, -1, -1):
            diagonal[k] += gain[k] @ diagonal[k + 1] @ gain[k].T
        return Marginals(diagonal, -diagonal[1:] @ gain.swapaxes(1, 2))


def rotations(vectors: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3 3"]:
    """Rotation matrices of rotation vectors (rad)."""
    from scipy.spatial.transform import Rotation

    return Rotation.from_rotvec(vectors).as_matrix()


def rotation_vectors(matrices: Float64[np.ndarray, "n 3 3"]) -> Float64[np.ndarray, "n 3"]:
    """Rotation vectors (rad, up to π) of rotation matrices."""
    from scipy.spatial.transform import Rotation

    return Rotation.from_matrix(matrices).as_rotvec()


def skews(vectors: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3 3"]:
    """[v]× of each vector."""
    matrices = np.zeros((len(vectors), 3, 3))
    for row, column, axis in ((2, 1, 0), (0, 2, 1), (1, 0, 2)):
        matrices[:, row, column], matrices[:, column, row] = vectors[:, axis], -vectors[:, axis]
    return matrices


def left_jacobian_inverses(vectors: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3 3"]:
    """`rigid.left_jacobian_inverse` of each rotation vector (rad)."""
    angle = np.linalg.norm(vectors, axis=1)
    s = angle**2
    safe = np.maximum(angle, _SERIES_ANGLE)
    closed = (1 - 0.5 * safe * np.sin(safe) / (1 - np.cos(safe))) / safe**2
    k = np.where(angle < _SERIES_ANGLE, (1 + s / 60 * (1 + s / 42 * (1 + s / 40))) / 12, closed)
    W = skews(vectors)
    return np.eye(3) - 0.5 * W + k[:, None, None] * (W @ W)
