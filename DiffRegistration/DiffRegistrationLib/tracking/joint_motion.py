"""How one body moves in another: the joint coordinate system of Grood and Suntay, and the finite helical axis.

Grood and Suntay (J Biomech Eng 1983) turn the distal body about three axes: the proximal body's right axis, the distal
body's superior axis, and the floating axis at right angles to both. In the order of the matrix that is
R(proximal ← distal) = Rx(−flexion) · Ry(−abduction) · Rz(rotation), x right, y anterior, z superior.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from ..registration.result import Verdict
from .anatomical_frame import default_frame
from .smoothing import smoothed_track
from .steady_motion import rotation_vectors, rotations
from .track import BodyTrack, FramePose

ANGLES = ("flexion", "abduction", "internal_rotation")
TRANSLATIONS = ("right", "anterior", "superior")
CONVENTION = (
    "Joint coordinate system of Grood and Suntay (1983). Flexion turns about the proximal body's right axis, internal "
    "rotation about the distal body's superior axis, abduction about the floating axis at right angles to both. "
    "Flexion is positive where the distal body's top tips forward, as when a knee bends or the head bows; bending of "
    "hip, elbow and wrist is then negative. Abduction is positive where the distal body's top tips to the patient's "
    "left, its lower end to the right: away from the middle for a right limb, towards it for a left one, and to the "
    "left shoulder for the head. Internal rotation is positive where the distal body's front turns to the patient's "
    "left: inward for a right limb, outward for a left one, and to the left for the head. Translations are those of "
    "the distal body's origin along the proximal body's right, anterior and superior axes."
)
# Closer to 90° of abduction, flexion and rotation turn about nearly the same axis.
_LOCKED_COSINE = float(np.cos(np.radians(85)))
_INDISTINGUISHABLE = 1e-8
_STEP = 1e-5
_ORDER = (Verdict.ACCEPTED, Verdict.DOUBTFUL, Verdict.FAILED)


@dataclass(frozen=True, eq=False)
class JointMotion:
    """The motion of the body `distal` in the body `proximal`; NaN in frames where either is unknown.

    `angles` (°) are those of ANGLES, `translations` (mm) of TRANSLATIONS, as CONVENTION says; both have standard
    deviations of first order from the poses' covariances, the two bodies' errors being independent. Angles run on
    without jumps. `near_gimbal_lock` marks frames within 5° of 90° abduction, where only the sum or the difference of
    flexion and rotation means something.

    The helical axis leads from frame `reference` (the first in which both bodies are trusted, None without one) to
    each frame: angle (0–180°), direction and shift along it (mm), and the axis' point nearest to where the distal
    origin was, in the proximal body's axes. An angle below twice its standard deviation has no axis: NaN.
    `proximal_frame` and `distal_frame` are ct_from_anatomical. `verdicts` are the worse of the two bodies'.
    """

    proximal: str
    distal: str
    times: tuple[int, ...]
    smoothed: bool
    verdicts: tuple[Verdict, ...]
    proximal_frame: Float64[np.ndarray, "4 4"]
    distal_frame: Float64[np.ndarray, "4 4"]
    angles: Float64[np.ndarray, "times 3"]
    angles_std: Float64[np.ndarray, "times 3"]
    translations: Float64[np.ndarray, "times 3"]
    translations_std: Float64[np.ndarray, "times 3"]
    near_gimbal_lock: Bool[np.ndarray, "times"]
    reference: int | None
    helical_angle: Float64[np.ndarray, "times"]
    helical_angle_std: Float64[np.ndarray, "times"]
    helical_axis: Float64[np.ndarray, "times 3"]
    helical_shift: Float64[np.ndarray, "times"]
    helical_point: Float64[np.ndarray, "times 3"]


def joint_motion(
    proximal: BodyTrack,
    distal: BodyTrack,
    frames: Mapping[str, Float64[np.ndarray, "4 4"]] | None = None,
    smoothed: bool = True,
) -> JointMotion:
    """The motion of `distal` in `proximal`, from their smoothed poses or from those of their trusted frames.

    `frames` are ct_from_anatomical by a body's name; a body without one has its CT's axes about its centre.
    ValueError if the two were not followed through the same frames.
    """
    times = tuple(frame.time for frame in proximal.frames)
    if times != tuple(frame.time for frame in distal.frames):
        raise ValueError(f"{proximal.name} and {distal.name} were followed through different frames")
    given = frames or {}
    anatomical = [np.asarray(given.get(body.name, default_frame(body.centre))) for body in (proximal, distal)]
    poses, covariances = zip(*(_poses(body, smoothed) for body in (proximal, distal)), strict=True)
    relative = _relative(poses[0], poses[1], *anatomical)
    known = np.isfinite(relative).all(axis=(1, 2))

    angles = np.full((len(times), 3), np.nan)
    angles[known] = _continuous(relative[known, :3, :3])
    both = np.flatnonzero(known & proximal.trusted & distal.trusted)
    reference = int(both[0]) if len(both) else None
    helix = _helix(relative, relative[reference] if reference is not None else np.full((4, 4), np.nan))

    std = np.full((len(times), 7), np.nan)
    if known.any():
        std[known] = _deviations(
            [pose[known] for pose in poses],
            [covariance[known] for covariance in covariances],
            [proximal.centre, distal.centre],
            anatomical,
            None if reference is None else int(np.count_nonzero(known[:reference])),
        )
    unclear = ~(helix.angle > 2 * np.nan_to_num(std[:, 6]))
    helix.axis[unclear], helix.point[unclear] = np.nan, np.nan
    return JointMotion(
        proximal=proximal.name,
        distal=distal.name,
        times=times,
        smoothed=smoothed,
        verdicts=tuple(_worse(one, other) for one, other in zip(proximal.frames, distal.frames, strict=True)),
        proximal_frame=anatomical[0],
        distal_frame=anatomical[1],
        angles=np.degrees(angles),
        angles_std=np.degrees(std[:, :3]),
        translations=relative[:, :3, 3],
        translations_std=std[:, 3:6],
        near_gimbal_lock=np.abs(np.cos(angles[:, 1])) < _LOCKED_COSINE,
        reference=reference,
        helical_angle=np.degrees(helix.angle),
        helical_angle_std=np.degrees(std[:, 6]),
        helical_axis=helix.axis,
        helical_shift=np.where(unclear, np.nan, helix.shift),
        helical_point=helix.point,
    )


def _worse(one: FramePose, other: FramePose) -> Verdict:
    return max(one.verdict, other.verdict, key=_ORDER.index)


def _poses(
    body: BodyTrack, smoothed: bool
) -> tuple[Float64[np.ndarray, "times 4 4"], Float64[np.ndarray, "times 6 6"]]:
    if smoothed:
        # The covariances belong to the same poses that the track holds.
        return body.smoothed, smoothed_track(body).covariances
    unknown = np.full((6, 6), np.nan)
    covariances = np.array([unknown if frame.covariance is None else frame.covariance for frame in body.frames])
    return np.where(body.trusted[:, None, None], body.poses, np.nan), covariances.reshape(-1, 6, 6)


def _relative(
    proximal: Float64[np.ndarray, "times 4 4"],
    distal: Float64[np.ndarray, "times 4 4"],
    proximal_frame: Float64[np.ndarray, "4 4"],
    distal_frame: Float64[np.ndarray, "4 4"],
) -> Float64[np.ndarray, "times 4 4"]:
    """proximal_from_distal between the anatomical frames."""
    first, second = proximal @ proximal_frame, distal @ distal_frame
    turned = first[:, :3, :3].swapaxes(1, 2)
    relative = np.zeros_like(first)
    relative[:, :3, :3] = turned @ second[:, :3, :3]
    relative[:, :3, 3:] = turned @ (second[:, :3, 3:] - first[:, :3, 3:])
    relative[:, 3, 3] = 1
    relative[~np.isfinite(relative).all(axis=(1, 2))] = np.nan
    return relative


def _principal(rotation: Float64[np.ndarray, "n 3 3"]) -> Float64[np.ndarray, "n 3"]:
    """Angles (rad) in the order of ANGLES, abduction within ±90°; without meaning where that is all but reached."""
    flexion = np.arctan2(rotation[:, 1, 2], rotation[:, 2, 2])
    abduction = -np.arcsin(np.clip(rotation[:, 0, 2], -1, 1))
    turn = np.arctan2(-rotation[:, 0, 1], rotation[:, 0, 0])
    return np.column_stack([flexion, abduction, turn])


def _continuous(rotation: Float64[np.ndarray, "n 3 3"]) -> Float64[np.ndarray, "n 3"]:
    """Angles (rad) that run on from frame to frame: of all that mean the same rotation, those nearest to the last."""
    angles = _principal(rotation)
    locked = np.hypot(rotation[:, 0, 0], rotation[:, 0, 1]) < _INDISTINGUISHABLE
    last = np.zeros(3)
    for k in range(len(angles)):
        if locked[k]:
            # Flexion is taken to stand still, and rotation is what it leaves.
            x, y = -last[0], -angles[k, 1]
            about_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
            about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
            rest = (about_x @ about_y).T @ rotation[k]
            angles[k] = last[0], angles[k, 1], np.arctan2(rest[1, 0], rest[0, 0])
        if k > 0:
            # The same rotation: past 90° of abduction, both other angles half a turn on.
            twins = np.array([angles[k], angles[k] * [1, -1, 1] + np.pi])
            twins += 2 * np.pi * np.round((last - twins) / (2 * np.pi))
            angles[k] = twins[np.argmin(np.sum((twins - last) ** 2, axis=1))]
        last = angles[k]
    return angles


@dataclass(frozen=True, eq=False)
class _Helix:
    angle: Float64[np.ndarray, "times"]
    axis: Float64[np.ndarray, "times 3"]
    shift: Float64[np.ndarray, "times"]
    point: Float64[np.ndarray, "times 3"]


def _helix(relative: Float64[np.ndarray, "times 4 4"], reference: Float64[np.ndarray, "4 4"]) -> _Helix:
    """The screw in the proximal axes that takes the distal body from `reference` to where it is (angles in rad)."""
    times = len(relative)
    angle, shift = np.full(times, np.nan), np.full(times, np.nan)
    axis, point = np.full((times, 3), np.nan), np.full((times, 3), np.nan)
    known = np.flatnonzero(np.isfinite(relative).all(axis=(1, 2)) & np.isfinite(reference).all())
    if not len(known):
        return _Helix(angle, axis, shift, point)
    turn = rotation_vectors(relative[known, :3, :3] @ reference[:3, :3].T)
    angle[known] = np.linalg.norm(turn, axis=1)
    moved = relative[known, :3, 3] - reference[:3, 3]
    turned = angle[known] > _INDISTINGUISHABLE
    known, moved = known[turned], moved[turned]
    axis[known] = turn[turned] / angle[known][:, None]
    shift[known] = np.sum(moved * axis[known], axis=1)
    across = moved - shift[known][:, None] * axis[known]
    half = 1 / np.tan(angle[known] / 2)
    point[known] = reference[:3, 3] + 0.5 * (across + half[:, None] * np.cross(axis[known], across))
    return _Helix(angle, axis, shift, point)


def _deviations(
    poses: list[Float64[np.ndarray, "n 4 4"]],
    covariances: list[Float64[np.ndarray, "n 6 6"]],
    centres: list[Float64[np.ndarray, "3"]],
    anatomical: list[Float64[np.ndarray, "4 4"]],
    reference: int | None,
) -> Float64[np.ndarray, "n 7"]:
    """Standard deviations of the angles (rad), the translations (mm) and the helical angle (rad), of first order.

    The helical angle's is that of the rotation about its axis in both frames, whose errors are independent.
    """
    Jacobian = np.zeros((len(poses[0]), 9, 12))
    nominal = _relative(poses[0], poses[1], *anatomical)
    for number in range(12):
        body, direction = divmod(number, 6)
        values = []
        for sign in (1.0, -1.0):
            increment = np.zeros(6)
            increment[direction] = sign * _STEP
            moved = [_moved(pose, centre, increment) for pose, centre in zip(poses, centres, strict=True)]
            changed = [moved[k] if k == body else poses[k] for k in range(2)]
            relative = _relative(changed[0], changed[1], *anatomical)
            turn = rotation_vectors(relative[:, :3, :3] @ nominal[:, :3, :3].swapaxes(1, 2))
            values.append((_principal(relative[:, :3, :3]), relative[:, :3, 3], turn))
        change = np.angle(np.exp(1j * (values[0][0] - values[1][0])))
        Jacobian[:, :3, number] = change / (2 * _STEP)
        Jacobian[:, 3:6, number] = (values[0][1] - values[1][1]) / (2 * _STEP)
        Jacobian[:, 6:, number] = (values[0][2] - values[1][2]) / (2 * _STEP)
    covariance = np.zeros((len(poses[0]), 12, 12))
    covariance[:, :6, :6], covariance[:, 6:, 6:] = covariances
    spread = Jacobian @ covariance @ Jacobian.swapaxes(1, 2)
    helical = np.full(len(spread), np.nan)
    if reference is not None:
        helix = _helix(nominal, nominal[reference])
        both = spread[:, 6:, 6:] + spread[reference, 6:, 6:]
        # Without an axis yet, the largest of all directions is on the safe side.
        about = np.einsum("ti,tij,tj->t", np.nan_to_num(helix.axis), both, np.nan_to_num(helix.axis))
        largest = np.array([np.linalg.eigvalsh(one)[-1] if np.isfinite(one).all() else np.nan for one in both])
        helical = np.where(np.isfinite(helix.axis[:, 0]), about, largest)
    variances = np.column_stack([np.einsum("tii->ti", spread)[:, :6], helical])
    return np.sqrt(np.maximum(variances, 0))


def _moved(
    poses: Float64[np.ndarray, "n 4 4"], centre: Float64[np.ndarray, "3"], increment: Float64[np.ndarray, "6"]
) -> Float64[np.ndarray, "n 4 4"]:
    """`rigid.move_about` of each pose, about the body's centre (the CT's frame)."""
    turn = rotations(increment[None, :3])[0]
    there = poses[:, :3, :3] @ centre + poses[:, :3, 3]
    moved = poses.copy()
    moved[:, :3, :3] = turn @ poses[:, :3, :3]
    moved[:, :3, 3] = there + increment[3:] - moved[:, :3, :3] @ centre
    return moved
