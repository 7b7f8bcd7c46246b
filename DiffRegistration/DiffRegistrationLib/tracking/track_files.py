"""A track in files: track.json, which holds all of it, and tables for a spreadsheet."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from ..registration.result import Verdict
from ..xray.errors import InputError
from ..xray.files.atomic import written_together
from .joint_motion import ANGLES, TRANSLATIONS, JointMotion
from .steady_motion import rotation_vectors
from .track import BodyTrack, FramePose, Track

TRACK, POSES = "track.json", "poses.csv"
_FORMAT = "fluoro registration track"
_VERSION = 1
_AXES = "xyz"
_CELLS = [f"{row}{column}" for row in range(4) for column in range(4)]


def write_track(folder: str | Path, track: Track, joints: Sequence[JointMotion] = ()) -> None:
    """Write track.json, poses.csv and a joint-NAME.csv for each joint into `folder`, all or none of them.

    Poses are world_from_ct (RAS mm), positions those of the bodies' centres in the world (mm), rotations rotation
    vectors (°). InputError if the folder cannot be written to.
    """
    with written_together(folder) as temporary:
        content = json.dumps(_as_json(track), allow_nan=False)
        (temporary / TRACK).write_text(content + "\n", encoding="utf-8")
        _write_table(temporary / POSES, _POSE_HEAD, _pose_rows(track))
        for joint in joints:
            _write_table(temporary / joint_file(joint), _JOINT_HEAD, _joint_rows(joint, track))


def joint_file(joint: JointMotion) -> str:
    """The name of a joint's table: joint-PROXIMAL-DISTAL.csv, with no signs that a file's name cannot have."""
    names = [re.sub(r"[^\w.]+", "_", name) for name in (joint.proximal, joint.distal)]
    return f"joint-{'-'.join(names)}.csv"


def read_track(path: str | Path) -> Track:
    """The track of a track.json, or of the folder that holds it. InputError for what is no whole track."""
    path = Path(path)
    path = path / TRACK if path.is_dir() else path
    remedy = "Give the track.json of a tracking that has ended, or track again."
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror}", "Check the file's name and rights.") from error
    except ValueError:
        raise InputError(path, "is no JSON", remedy) from None
    if not isinstance(content, dict) or content.get("format") != _FORMAT or content.get("version") != _VERSION:
        raise InputError(path, f"is no “{_FORMAT}” of version {_VERSION}", remedy)
    try:
        return Track(
            tuple(_body(body) for body in content["bodies"]),
            tuple(int(time) for time in content["times"]),
            content["frames_per_second"],
            bool(content["stopped"]),
        )
    except (KeyError, TypeError, ValueError):
        raise InputError(path, "is not whole", remedy) from None


def _as_json(track: Track) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "version": _VERSION,
        "units": "poses are world_from_ct, RAS mm; covariances are of (rotation rad, translation mm) about the centre",
        "times": list(track.times),
        "frames_per_second": track.frames_per_second,
        "stopped": track.stopped,
        "bodies": [
            {
                "name": body.name,
                "centre_ct_mm": body.centre.tolist(),
                "frames": [
                    {
                        "time": frame.time,
                        "pose": _nested(frame.pose),
                        "verdict": frame.verdict.value,
                        "reason": frame.reason,
                        "similarity": _number_or_none(frame.similarity),
                        "covariance": _nested(frame.covariance),
                        "views": list(frame.views),
                        "start": frame.start,
                        "seconds": frame.seconds,
                    }
                    for frame in body.frames
                ],
                "smoothed": [_nested(pose) for pose in body.smoothed],
            }
            for body in track.bodies
        ],
    }


def _nested(matrix: Float64[np.ndarray, "n n"] | None) -> list[list[float | None]] | None:
    """A matrix row by row; None for one that says nothing, and for single numbers that are not finite."""
    if matrix is None or np.isnan(matrix).all():
        return None
    return [[_number_or_none(value) for value in row] for row in matrix.tolist()]


def _number_or_none(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _body(content: dict[str, Any]) -> BodyTrack:
    frames = tuple(
        FramePose(
            int(frame["time"]),
            None if frame["pose"] is None else _matrix(frame["pose"], 4),
            Verdict(frame["verdict"]),
            str(frame["reason"]),
            frame["similarity"],
            None if frame["covariance"] is None else _matrix(frame["covariance"], 6),
            tuple(int(view) for view in frame["views"]),
            str(frame["start"]),
            float(frame["seconds"]),
        )
        for frame in content["frames"]
    )
    unknown = np.full((4, 4), np.nan)
    smoothed = [unknown if pose is None else _matrix(pose, 4) for pose in content["smoothed"]]
    if len(smoothed) != len(frames):
        raise ValueError("one smoothed pose a frame")
    centre = np.array(content["centre_ct_mm"], dtype=np.float64).reshape(3)
    return BodyTrack(str(content["name"]), centre, frames, np.array(smoothed).reshape(-1, 4, 4))


def _matrix(rows: list[list[float | None]], size: int) -> Float64[np.ndarray, "n n"]:
    """A square matrix; single numbers that are missing are NaN."""
    matrix = np.array(rows, dtype=np.float64)
    if matrix.shape != (size, size):
        raise ValueError(f"expected {size}×{size} numbers")
    return matrix


def _pose_columns(prefix: str) -> list[str]:
    """Names for position, rotation vector and matrix."""
    return [
        *(f"{prefix}centre_{axis}_mm" for axis in _AXES),
        *(f"{prefix}rotation_{axis}_deg" for axis in _AXES),
        *(f"{prefix}world_from_ct_{cell}{'_mm' if cell in ('03', '13', '23') else ''}" for cell in _CELLS),
    ]


_POSE_HEAD = [
    *("body", "frame", "time_s", "verdict", "similarity"),
    *_pose_columns(""),
    *(f"std_centre_{axis}_mm" for axis in _AXES),
    *(f"std_rotation_{axis}_deg" for axis in _AXES),
    *_pose_columns("smoothed_"),
]


def _pose_rows(track: Track) -> Iterable[list[object]]:
    for body in track.bodies:
        measured, smoothed = _pose_values(body.poses, body.centre), _pose_values(body.smoothed, body.centre)
        for number, frame in enumerate(body.frames):
            std = np.full(6, np.nan)
            if frame.covariance is not None:
                variances = np.diag(frame.covariance)
                std = np.sqrt(np.where(variances >= 0, variances, np.nan))
            yield [
                *(body.name, frame.time, _seconds(frame.time, track), frame.verdict.value, frame.similarity),
                *measured[number],
                *std[3:],
                *np.degrees(std[:3]),
                *smoothed[number],
            ]


def _pose_values(
    poses: Float64[np.ndarray, "times 4 4"], centre: Float64[np.ndarray, "3"]
) -> Float64[np.ndarray, "times 22"]:
    """Position of the centre (mm), rotation vector (°) and matrix; NaN for unknown poses."""
    values = np.full((len(poses), 22), np.nan)
    known = np.isfinite(poses).all(axis=(1, 2))
    if known.any():
        there = poses[known]
        values[known, :3] = there[:, :3, :3] @ centre + there[:, :3, 3]
        values[known, 3:6] = np.degrees(rotation_vectors(there[:, :3, :3]))
        values[known, 6:] = there.reshape(-1, 16)
    return values


_JOINT_HEAD = [
    *("frame", "time_s", "verdict"),
    *(f"{name}_deg" for name in ANGLES),
    *(f"{name}_mm" for name in TRANSLATIONS),
    *(f"std_{name}_deg" for name in ANGLES),
    *(f"std_{name}_mm" for name in TRANSLATIONS),
    "near_gimbal_lock",
    *("helical_angle_deg", "std_helical_angle_deg", "helical_shift_mm"),
    *(f"helical_axis_{name}" for name in TRANSLATIONS),
    *(f"helical_point_{name}_mm" for name in TRANSLATIONS),
]


def _joint_rows(joint: JointMotion, track: Track) -> Iterable[list[object]]:
    for number, time in enumerate(joint.times):
        yield [
            *(time, _seconds(time, track), joint.verdicts[number].value),
            *joint.angles[number],
            *joint.translations[number],
            *joint.angles_std[number],
            *joint.translations_std[number],
            "yes" if joint.near_gimbal_lock[number] else "no",
            *(joint.helical_angle[number], joint.helical_angle_std[number], joint.helical_shift[number]),
            *joint.helical_axis[number],
            *joint.helical_point[number],
        ]


def _seconds(time: int, track: Track) -> float | None:
    return None if track.frames_per_second is None else time / track.frames_per_second


def _write_table(path: Path, head: list[str], rows: Iterable[list[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        writer.writerows([_text(value) for value in row] for row in rows)


def _text(value: object) -> object:
    """Numbers to nine digits, which is well below a micrometre; empty where there is none."""
    if isinstance(value, float):
        return f"{value:.9g}" if math.isfinite(value) else ""
    return "" if value is None else value
