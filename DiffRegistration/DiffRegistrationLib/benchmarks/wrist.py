"""Real dual fluoroscopy of a wrist: do beads triangulate, and do starts, similarities and single views agree?

No truth is known of the bones: figures are agreement. The beads do not move with the radius.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from ..evaluation.real_benches import turned_and_shifted
from ..evaluation.wrist import BONES, FRAMES, KEY_FRAME, Wrist, wrist
from ..registration.metrics import split_along_ray
from ..registration.registration import register
from ..registration.result import RegistrationResult
from ..registration.scene import PlacedBody
from ..registration.starts import Start, start_from_pose, start_from_prediction
from ..tracking.track import Track
from ..tracking.track_files import write_track
from ..tracking.track_pictures import write_pictures
from ..tracking.tracker import Tracker
from ..xray.ct import CT
from ..xray.files.point_files import read_seen_points
from ..xray.files.sample_data import sample
from ..xray.geometry import rigid
from ..xray.geometry.triangulation import triangulate
from ..xray.radiograph import Radiograph
from .machine import machine

SEED = 108
_MOST_DEG, _MOST_MM = 6.0, 5.0
_OTHER_SIMILARITY = "gradient-ncc"
# The ulna lies beside the radius, turned like it in the CT.
_BESIDE_DEG, _BESIDE_STEP_DEG, _BESIDE_MM = 24.0, 12.0, 60.0
# Where the rough pose may be wrong by as much as the forearm moves from one frame to the other.
_WIDE_DEG, _WIDE_STEP_DEG, _WIDE_MM = 36.0, 12.0, 80.0

Pose = Float64[np.ndarray, "4 4"]


def run(starts: int = 20, tell: Callable[[str], None] = lambda _: None, folder: Path | None = None) -> dict[str, Any]:
    """Every figure; with a `folder` also the report and the track. InputError where the data is absent.

    `spread_mm` and `spread_deg` are the largest distances of a start's pose from the median one, over bones and
    frames; `bones` has them, the pose (`world_from_ct`), the other similarity's and single views' distances from it,
    seconds, and how far from it a wide search about the rough pose of the radius in frame 99 ends.
    """
    scene = wrist()
    tell("beads")
    beads = read_seen_points(sample("wrist-beads"), 2)
    cameras = [radiograph.camera for radiograph in _radiographs(scene, KEY_FRAME)]
    reprojection = triangulate(cameras, beads.pixels).mean_reprojection
    tell("radius and ulna in both frames, from the rough pose")
    track = Tracker(scene.bodies, scene, _key_start(scene), key_frame=KEY_FRAME).run()
    if folder is not None:
        write_track(folder, track)
        write_pictures(folder, track, scene.bodies, scene, [], provenance=_provenance(scene), title="Wrist")
    bones: dict[str, dict[str, Any]] = {}
    for frame in FRAMES:
        for bone in BONES:
            name = f"{bone}, frame {frame}"
            tell(name)
            bones[name] = _agreement(scene, track, bone, frame, starts, tell)
    figures = list(bones.values())
    return {
        "bead_reprojection_px": reprojection,
        "beads": len(beads.names),
        "starts": starts,
        **{
            key: max(figure[key] for figure in figures)
            for key in ("spread_mm", "spread_deg", "other_similarity_mm", "other_similarity_deg", "single_view_mm")
        },
        "seconds": float(np.median([figure["seconds"] for figure in figures])),
        "accepted": all(figure["verdict"] == "accepted" for figure in figures),
        "from_search": all(figure["from_search_mm"] < 1.0 for figure in figures),
        "other_similarity": _OTHER_SIMILARITY,
        "bones": bones,
        "seed": SEED,
        "machine": machine("fluororegistration", "numpy", "numba"),
    }


def _radiographs(scene: Wrist, frame: int) -> list[Radiograph]:
    return [radiograph for radiograph in scene.frames[frame] if radiograph is not None]


def _key_start(scene: Wrist) -> Callable[[int, Sequence[Radiograph], Mapping[int, Pose]], Start]:
    def start(number: int, radiographs: Sequence[Radiograph], found: Mapping[int, Pose]) -> Start:
        if number == 0:
            return start_from_pose(scene.rough, "the published rough pose")
        radius, ulna = (body.projector.ct for body in scene.bodies)
        beside = (("beside the radius", _beside(found[0], radius, ulna)),)
        return Start(beside, _BESIDE_DEG, _BESIDE_STEP_DEG, (0.0,), _BESIDE_MM, trusted=False)

    return start


def _beside(pose: Pose, one: CT, other: CT) -> Pose:
    """A pose of `one` as it would be that of `other`: turned alike, centres in one place."""
    centre = rigid.transform_points(pose, [one.centre])[0]
    return rigid.rigid(pose[:3, :3], centre - pose[:3, :3] @ other.centre)


def _agreement(
    scene: Wrist, track: Track, bone: str, frame: int, starts: int, tell: Callable[[str], None]
) -> dict[str, Any]:
    """Figures of one bone in one frame, the other bone in its place."""
    number, time = BONES.index(bone), FRAMES.index(frame)
    projector = scene.bodies[number].projector
    ct, radiographs = projector.ct, _radiographs(scene, frame)
    others = tuple(
        PlacedBody(body.projector, track.bodies[n].poses[time]) for n, body in enumerate(scene.bodies) if n != number
    )
    found = track.bodies[number].frames[time]
    pose = track.bodies[number].poses[time]

    def registered(start: Start, views: Sequence[Radiograph] = radiographs, **options: Any) -> RegistrationResult:
        return register(projector, views, start, others=others, wants_drrs=False, **options)

    centre = rigid.transform_points(pose, [ct.centre])[0]
    results = []
    for n in range(starts):
        random = np.random.default_rng([SEED, frame, number, n])
        start = start_from_pose(turned_and_shifted(pose, centre, random, _MOST_DEG, _MOST_MM))
        results.append(registered(start))
        tell(f"{bone}, frame {frame}: start {n + 1} of {starts}")
    increments = np.array([rigid.increment_between(centre, result.pose, pose) for result in results])
    from_median = increments - np.median(increments, axis=0)
    near = start_from_prediction(pose, "the pose itself")
    other = registered(near, similarity=_OTHER_SIMILARITY).pose
    alone = [split_along_ray(registered(near, [one]).pose, pose, ct.centre, one.camera)[0] for one in radiographs]
    tell(f"{bone}, frame {frame}: search")
    radius = scene.bodies[0].projector.ct
    about = scene.rough if number == 0 else _beside(scene.rough, radius, ct)
    searched = registered(_wide(about, "search about the rough pose"))
    away = _distance(searched.pose, pose, centre)
    similar = _distance(other, pose, centre)
    return {
        "world_from_ct": pose.tolist(),
        "verdict": found.verdict.value,
        "reason": found.reason,
        "spread_mm": float(np.linalg.norm(from_median[:, 3:], axis=1).max()),
        "spread_deg": float(np.degrees(np.linalg.norm(from_median[:, :3], axis=1)).max()),
        "other_similarity_mm": similar[0],
        "other_similarity_deg": similar[1],
        "single_view_mm": max(alone),
        "single_views_mm": alone,
        "seconds": float(np.median([result.seconds for result in results])),
        "starts_accepted": sum(result.verdict == "accepted" for result in results),
        "from_search_mm": away[0],
        "from_search_deg": away[1],
        "from_search_verdict": searched.verdict.value,
        "from_search_seconds": searched.seconds,
    }


def _distance(one: Pose, other: Pose, centre: Float64[np.ndarray, "3"]) -> tuple[float, float]:
    """mm and degrees between two poses."""
    increment = rigid.increment_between(centre, one, other)
    return float(np.linalg.norm(increment[3:])), float(np.degrees(np.linalg.norm(increment[:3])))


def _wide(pose: Pose, name: str) -> Start:
    """Many orientations and all positions about a pose of another frame or of the bone beside."""
    return Start(((name, pose),), _WIDE_DEG, _WIDE_STEP_DEG, (0.0,), _WIDE_MM, trusted=False)


def _provenance(scene: Wrist) -> dict[str, Any]:
    return {
        f"View {view}": radiograph.provenance
        for view, radiograph in enumerate(_radiographs(scene, KEY_FRAME), start=1)
    }
