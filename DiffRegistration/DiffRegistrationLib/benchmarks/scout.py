"""The real lateral scout of a skull: does every start lead to one pose, is it the scanner's, and how fast?"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float64

from ..registration.metrics import split_along_ray
from ..registration.registration import register
from ..registration.starts import start_from_name, start_from_pose
from ..xray.files.ct_files import read_ct
from ..xray.files.sample_data import sample
from ..xray.files.xray_with_geometry import XrayFile
from ..xray.geometry import rigid
from ..xray.projector import Projector
from .machine import machine

SEED = 1
LARGEST_ROTATION_DEG, LARGEST_SHIFT_MM = 15.0, 30.0
_SAME_ROTATION_DEG, _SAME_IN_PLANE_MM = 0.3, 0.3


def seeded_starts(centre: Float64[np.ndarray, "3"], count: int) -> list[Float64[np.ndarray, "4 4"]]:
    """Poses up to 15° and 30 mm from the header pose, in directions spread evenly over the sphere."""
    rng = np.random.default_rng(SEED)
    starts = []
    for _ in range(count):
        axis, way = (direction / np.linalg.norm(direction) for direction in rng.normal(size=(2, 3)))
        turn = axis * np.radians(rng.uniform(0, LARGEST_ROTATION_DEG))
        starts.append(rigid.move_about(centre, [*turn, *(way * rng.uniform(0, LARGEST_SHIFT_MM))], np.eye(4)))
    return starts


def run(count: int = 100, tell: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Register from `count` seeded starts and from none. InputError where the sample data is absent.

    `converged` counts poses within 0.3° and 0.3 mm in-plane of their median; `rotation_deg` and `in_plane_mm` are the
    median's distance from the header pose; `from_search_ok` says whether “lateral” alone led to the same pose.
    """
    ct = read_ct(sample("skull-phantom-ct"))
    radiograph = XrayFile(sample("skull-phantom-scout")).read()
    camera, projector = radiograph.camera, Projector(ct)
    truth = np.eye(4)
    register(projector, [radiograph], start_from_pose(truth))

    results = []
    for number, pose in enumerate(seeded_starts(ct.centre, count), start=1):
        results.append(register(projector, [radiograph], start_from_pose(pose)))
        tell(f"{number} of {count}: {results[-1].verdict.value}, {results[-1].seconds:.2f} s")
    increments = np.array([rigid.increment_between(ct.centre, result.pose, truth) for result in results])
    median = rigid.move_about(ct.centre, np.median(increments, axis=0), truth)

    def agrees(pose: Float64[np.ndarray, "4 4"]) -> bool:
        return (
            np.degrees(rigid.angle_between(pose, median)) <= _SAME_ROTATION_DEG
            and split_along_ray(pose, median, ct.centre, camera)[0] <= _SAME_IN_PLANE_MM
        )

    began = time.perf_counter()
    searched = register(projector, [radiograph], start_from_name("lateral", ct, [radiograph]))
    search_seconds = time.perf_counter() - began
    in_plane, depth = split_along_ray(median, truth, ct.centre, camera)
    seconds = [result.seconds for result in results]
    return {
        "converged": sum(agrees(result.pose) for result in results),
        "starts": count,
        "rotation_deg": float(np.degrees(rigid.angle_between(median, truth))),
        "in_plane_mm": in_plane,
        "depth_mm": depth,
        "median_seconds": float(np.median(seconds)),
        "p95_seconds": float(np.percentile(seconds, 95)),
        "accepted": sum(result.verdict == "accepted" for result in results),
        "wrong_but_accepted": sum(result.verdict == "accepted" and not agrees(result.pose) for result in results),
        "from_search_ok": agrees(searched.pose),
        "from_search_seconds": search_seconds,
        "from_search_verdict": searched.verdict.value,
        "seed": SEED,
        "machine": machine("fluororegistration", "numpy", "numba"),
    }
