"""A registration on a GPU beside the processor's: frames of a moving head, each from a pose that is nearly right."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64

from ..evaluation.head_motion_frames import HeadMotion, followed_ct, head_motion
from ..evaluation.subjects import subject_named
from ..registration.registration import register
from ..registration.starts import start_from_prediction
from ..xray.geometry import rigid
from ..xray.projector import Projector
from ..xray.projector.accelerated_projector import MakeProjector
from ..xray.radiograph import Radiograph

_ACTIVITY, _SEED = "walking", 43
# As far as a prediction from the frames before is off.
_OFF_DEG, _OFF_MM = 1.5, 2.0

Pose = Float64[np.ndarray, "4 4"]


def run(make: MakeProjector, subject: str, count: int, tell: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Seconds of a frame by one view and by two, median of `count`, for a projector that `make` makes and the CPU's.

    Also how far both are from the truth (median, mm at the CT's corners), and from each other (largest). The first
    frame, in which kernels are compiled, is registered twice and counts once. InputError for absent data.
    """
    whose = subject_named(subject)
    ct = followed_ct(whose)
    projectors = {"cpu": Projector(ct), "gpu": make(ct)}
    motion = head_motion(whose, _ACTIVITY, count, tell)
    return {
        "one_view": registered(projectors, motion, 1, tell),
        "two_views": registered(projectors, motion, 2, tell),
        "frames": count,
    }


def registered(
    projectors: dict[str, Projector], motion: HeadMotion, views: int, tell: Callable[[str], None]
) -> dict[str, Any]:
    """The figures by the first `views` of each frame; `projectors` are "cpu" and "gpu"."""
    random = np.random.default_rng(_SEED)
    seconds: dict[str, list[float]] = {name: [] for name in projectors}
    poses: dict[str, list[Pose]] = {name: [] for name in projectors}
    ct = projectors["cpu"].ct
    for number, (frame, truth) in enumerate(zip(motion.frames, motion.truth, strict=True)):
        radiographs = [radiograph for radiograph in frame[:views] if radiograph is not None]
        centre = rigid.transform_points(truth, [ct.centre])[0]
        off = [*np.radians(random.normal(0, _OFF_DEG, 3)), *random.normal(0, _OFF_MM, 3)]
        begin = rigid.move_about(centre, off, truth)
        for name, projector in projectors.items():
            for _ in range(2 if number == 0 else 1):
                pose, took = _timed(projector, radiographs, begin)
            seconds[name].append(took)
            poses[name].append(pose)
        tell(f"{views} views: {number + 1} of {len(motion.frames)} frames registered")

    def apart(one: Sequence[Pose], other: Sequence[Pose]) -> list[float]:
        corners = [[rigid.transform_points(pose, ct.corners(0.5)) for pose in poses] for poses in (one, other)]
        return [float(np.linalg.norm(a - b, axis=1).mean()) for a, b in zip(*corners, strict=True)]

    return {
        "seconds": {name: float(np.median(taken)) for name, taken in seconds.items()},
        "off_mm": {name: float(np.median(apart(found, list(motion.truth)))) for name, found in poses.items()},
        "apart_mm": max(apart(poses["cpu"], poses["gpu"])),
    }


def _timed(projector: Projector, radiographs: Sequence[Radiograph], begin: Pose) -> tuple[Pose, float]:
    began = time.perf_counter()
    result = register(projector, radiographs, start_from_prediction(begin, "beside"), wants_drrs=False)
    return result.pose, time.perf_counter() - began
