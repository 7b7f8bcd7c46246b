"""Registration of one CT to its X-ray views: search, coarse to fine refinement, verdict."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from ..xray.geometry import rigid
from ..xray.projector import Projector
from ..xray.radiograph import Radiograph
from .evidence import Shown, covariance_of, evidence_for
from .level_refinement import refined_at_level
from .quality import judge
from .result import Iteration, RegistrationResult
from .scene import PlacedBody
from .search import Candidate, around, correlate_in_plane, distinct, orientations_around, search_binning
from .similarity import AUTO
from .solver import Refinement
from .starts import Start, twin
from .surroundings import lacks_surroundings
from .task import Task

DEFAULT_SIMILARITY = AUTO

# Iterations by level, coarse to fine: the finer, the closer the pose already is. On the last one it shall arrive.
_ITERATIONS, _LAST_ITERATIONS = (12, 10, 8, 8), 20
# From a pose that is nearly right the levels before the last ones have nothing to add.
_LEVELS_NEAR = 3
# Poses that differ by less are one basin at the level where they are told apart.
_BASIN_DEG, _BASIN_MM = 4.0, 8.0
# So many basins are gone on with at most, where coarse detail tells them apart.
_MOST_BASINS = 4
# Poses kept after the search and after each of the first levels.
_KEPT_TRUSTED, _KEPT_SEARCHED, _KEPT_WIDE = (6, 2, 2), (16, 4, 2), (64, 12, 4, 2)
# Coarse detail does not tell a bone from the ones beside it.
_KEPT_STRUCTURE = (20, 8, 3)

Watch = Callable[[str, Iteration | None, Float64[np.ndarray, "4 4"]], None]


@dataclass(frozen=True)
class _Levels:
    """Binnings of each view, coarse to fine; views of different size go in step."""

    binnings: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, task: Task, start: Start) -> _Levels:
        """Many candidates begin where the search left them, few of them with twice its detail."""
        pose, projector = start.poses[0][1], task.projector
        centre = rigid.transform_points(pose, [projector.ct.centre])[0]
        voxel = float(np.cbrt(np.prod(projector.ct.voxel_size)))
        pyramids = []
        for radiograph in task.radiographs:
            footprint = radiograph.camera.pixel_footprint_mm(centre)
            finest = 1
            # Pixels much finer than voxels show nothing that the CT could match.
            while footprint * finest < 0.6 * voxel and finest < 64:
                finest *= 2
            searched = search_binning(radiograph.camera, projector, pose)
            coarsest = max(searched if start.wide else searched // 2, finest)
            pyramids.append([2**n for n in range(int(np.log2(coarsest)), int(np.log2(finest)) - 1, -1)])
        depth = max(map(len, pyramids))
        steps = list(zip(*[[p[0]] * (depth - len(p)) + p for p in pyramids], strict=True))
        return cls(tuple(steps[-_LEVELS_NEAR:] if start.near else steps))

    def iterations(self, level: int) -> int:
        """How many the solver may take."""
        last = level == len(self.binnings) - 1
        return _LAST_ITERATIONS if last else _ITERATIONS[min(level, len(_ITERATIONS) - 1)]


def register(
    projector: Projector,
    radiographs: Sequence[Radiograph],
    start: Start,
    *,
    similarity: str | Sequence[str] = DEFAULT_SIMILARITY,
    weights: Sequence[float] | None = None,
    others: Sequence[PlacedBody] = (),
    wants_drrs: bool = True,
    watch: Watch | None = None,
) -> RegistrationResult:
    """The pose (world_from_ct) of the projector's CT that explains all `radiographs` at once.

    `similarity` is one of `SIMILARITY_NAMES`, for all views or one each; `weights` is what each view counts (1).
    `others` are bodies that the X-rays show as well and that stay where they are. `watch(stage, iteration, pose)` is
    called as it goes, for progress and a live overlay. Without `wants_drrs` the result has none, which saves time. The
    result says how sure it is; nothing is raised for images that do not fit.
    """
    began = time.perf_counter()
    task = Task.of(projector, radiographs, similarity, weights, others)
    winner, rivals, refinement = _search_and_refine(task, start, watch)
    shown = Shown(projector, task.radiographs, task.others)
    others_found = distinct(
        [winner, *rivals], projector.ct.centre, [r.camera for r in radiographs], 3, _BASIN_DEG, _BASIN_MM
    )[1:]
    evidence, fits = evidence_for(shown, winner.pose, [rival.pose for rival in others_found], refinement)
    verdict, reason = judge(evidence)
    drrs = tuple(shown.drr(radiograph, winner.pose) for radiograph in radiographs) if wants_drrs else ()
    return RegistrationResult(
        pose=winner.pose,
        verdict=verdict,
        reason=reason,
        similarity=evidence.correlation,
        covariance=covariance_of(refinement),
        centre=shown.centre(winner.pose),
        seconds=time.perf_counter() - began,
        iterations=winner.iterations,
        start=winner.name,
        views=fits,
        drrs=drrs,
    )


def _search_and_refine(task: Task, start: Start, watch: Watch | None) -> tuple[Candidate, list[Candidate], Refinement]:
    """The best pose, its rivals, and the refinement that led to it."""
    projector, ct = task.projector, task.projector.ct

    def tell(stage: str, iteration: Iteration | None, pose: Float64[np.ndarray, "4 4"]) -> None:
        if watch is not None:
            watch(stage, iteration, pose)

    def refined(candidates: Sequence[Candidate], level: int, stage: str) -> list[tuple[Candidate, Refinement]]:
        refinements = refined_at_level(
            cropped,
            levels.binnings[level],
            [candidate.pose for candidate in candidates],
            most_iterations=levels.iterations(level),
            watch=lambda iteration, pose: tell(stage, iteration, pose),
        )
        return [
            (
                Candidate(
                    refinement.pose,
                    refinement.comparison.agreement,
                    candidate.name,
                    (*candidate.iterations, *refinement.iterations),
                    candidate.is_given,
                ),
                refinement,
            )
            for candidate, refinement in zip(candidates, refinements, strict=True)
        ]

    radiographs = task.radiographs
    if start.trusted:
        radiographs = tuple(around(r, projector, start.poses[0][1], start.reach_mm) for r in radiographs)
    cameras = [radiograph.camera for radiograph in radiographs]
    cropped = replace(task, radiographs=radiographs)
    levels = _Levels.of(cropped, start)
    if start.near:
        candidates = [Candidate(pose, -1.0, name) for name, pose in start.poses]
    else:
        candidates = _searched(task, radiographs, start)
    alone = lacks_surroundings(ct)
    searched = _KEPT_STRUCTURE if alone else _KEPT_SEARCHED
    kept = _KEPT_TRUSTED if start.trusted else _KEPT_WIDE if start.wide else searched
    candidates = distinct(candidates, ct.centre, cameras, kept[0], _BASIN_DEG, _BASIN_MM)
    tell("search", None, candidates[0].pose)

    rivals: list[Candidate] = []
    refinement: Refinement | None = None
    for level in range(len(levels.binnings)):
        stage = f"level {level + 1} of {len(levels.binnings)}"
        outcomes = refined(candidates, level, stage)
        if level == 0 and not start.trusted:
            best = sorted(outcomes, key=lambda outcome: -outcome[0].score)[: kept[1]]
            twins = [Candidate(twin(c.pose, ct, cameras[0]), 0.0, f"{c.name}, mirrored twin") for c, _ in best]
            outcomes += refined(twins, level, stage)
        outcomes.sort(key=lambda outcome: -outcome[0].score)
        keep = kept[level + 1] if level + 1 < len(kept) else 1
        # Finer levels part basins more finely; what has run into the winner's is no rival any more.
        most = len(outcomes) if alone else _MOST_BASINS
        basin = _BASIN_DEG * 0.5**level, _BASIN_MM * 0.5**level
        ranked = distinct([c for c, _ in outcomes], ct.centre, cameras, most, *basin)
        if len(outcomes) > 1:
            rivals = ranked[1:2]
        candidates, refinement = ranked[:keep], outcomes[0][1]
        given = next((c for c in ranked if c.is_given), None)
        if alone and given is not None and given not in candidates and level + 1 < len(levels.binnings):
            # Another bone may fit better in coarse detail; what was given is judged in fine detail.
            candidates.append(given)
    assert refinement is not None
    return candidates[0], rivals, refinement


def _searched(task: Task, radiographs: Sequence[Radiograph], start: Start) -> list[Candidate]:
    """All starts with their neighbourhood, placed in plane by correlation; best first after a trusted start itself."""
    projector = task.projector
    tried = []
    for name, pose in start.poses:
        centre = rigid.transform_points(pose, [projector.ct.centre])[0]
        camera = radiographs[0].camera
        ray = camera.rays(camera.project(centre[None]))
        beam = (ray.target - ray.source)[0] / np.linalg.norm(ray.target - ray.source)
        for depth in start.depths_mm:
            moved = rigid.rigid(np.eye(3), depth * beam) @ pose
            tried += [
                (turned, name)
                for turned in orientations_around(moved, centre + depth * beam, start.reach_deg, start.step_deg)
            ]
    given = [Candidate(pose, -1.0, name, is_given=True) for name, pose in start.poses]
    found = correlate_in_plane(radiographs, projector, tried, start.reach_mm, task.others)
    # Correlation may be drawn away by something brighter than the CT: a trusted start is refined as it is, too.
    return [*given, *found] if start.trusted or not found else found
