"""Registration of one CT to its X-ray views: search, coarse to fine refinement, verdict."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64

from ..xray.geometry import rigid
from ..xray.projector import Projector
from ..xray.radiograph import Radiograph
from .quality import Evidence, judge
from .result import Iteration, RegistrationResult
from .search import Candidate, around, correlate_in_plane, distinct, orientations_around, search_binning
from .solver import Refinement, refine
from .starts import Start, twin
from .views import compare_all, view_level

DEFAULT_SIMILARITY = "gradient-ncc"

# Iterations by level, coarse to fine: the finer, the closer the pose already is.
_ITERATIONS = (12, 10, 8, 5)
# Poses that differ by less are one basin at the level where they are told apart.
_BASIN_DEG, _BASIN_MM = 4.0, 8.0
# Poses kept after the search and after each of the first levels.
_KEPT_TRUSTED, _KEPT_SEARCHED, _KEPT_WIDE = (6, 2, 2), (16, 4, 2), (64, 12, 4, 2)
# Level on which verdicts are passed: edges of anatomy show, pixel noise does not.
_JUDGING_FOOTPRINT_MM = 2.0

Watch = Callable[[str, Iteration | None, Float64[np.ndarray, "4 4"]], None]


@dataclass(frozen=True)
class _Levels:
    """Binnings of each view, coarse to fine; views of different size go in step."""

    binnings: tuple[tuple[int, ...], ...]

    @classmethod
    def of(
        cls, radiographs: Sequence[Radiograph], projector: Projector, pose: Float64[np.ndarray, "4 4"], wide: bool
    ) -> _Levels:
        """Many candidates begin where the search left them, few of them with twice its detail."""
        centre = rigid.transform_points(pose, [projector.ct.centre])[0]
        voxel = float(np.cbrt(np.prod(projector.ct.voxel_size)))
        pyramids = []
        for radiograph in radiographs:
            footprint = radiograph.camera.pixel_footprint_mm(centre)
            finest = 1
            # Pixels much finer than voxels show nothing that the CT could match.
            while footprint * finest < 0.6 * voxel and finest < 64:
                finest *= 2
            searched = search_binning(radiograph.camera, projector, pose)
            coarsest = max(searched if wide else searched // 2, finest)
            pyramids.append([2**n for n in range(int(np.log2(coarsest)), int(np.log2(finest)) - 1, -1)])
        depth = max(map(len, pyramids))
        return cls(tuple(zip(*[[p[0]] * (depth - len(p)) + p for p in pyramids], strict=True)))


def register(
    projector: Projector,
    radiographs: Sequence[Radiograph],
    start: Start,
    *,
    similarity: str = DEFAULT_SIMILARITY,
    watch: Watch | None = None,
) -> RegistrationResult:
    """The pose (world_from_ct) of the projector's CT that explains all `radiographs` at once.

    `watch(stage, iteration, pose)` is called as it goes, for progress and a live overlay. The result says how sure it
    is; nothing is raised for images that do not fit.
    """
    began = time.perf_counter()
    ct = projector.ct

    def tell(stage: str, iteration: Iteration | None, pose: Float64[np.ndarray, "4 4"]) -> None:
        if watch is not None:
            watch(stage, iteration, pose)

    def refined(candidate: Candidate, level: int, stage: str) -> tuple[Candidate, Refinement]:
        binnings = levels.binnings[level]
        views = [
            view_level(radiograph, binning, projector, candidate.pose, similarity)
            for radiograph, binning in zip(radiographs, binnings, strict=True)
        ]
        refinement = refine(
            views,
            projector,
            candidate.pose,
            binning=binnings[0],
            most_iterations=_ITERATIONS[min(level, len(_ITERATIONS) - 1)],
            watch=lambda iteration, pose: tell(stage, iteration, pose),
        )
        steps = (*candidate.iterations, *refinement.iterations)
        return Candidate(refinement.pose, refinement.comparison.agreement, candidate.name, steps), refinement

    whole = radiographs
    if start.trusted:
        radiographs = [around(r, projector, start.poses[0][1], start.reach_mm) for r in whole]
    cameras = [radiograph.camera for radiograph in radiographs]
    levels = _Levels.of(radiographs, projector, start.poses[0][1], start.wide)
    candidates = _searched(projector, radiographs, start)
    kept = _KEPT_TRUSTED if start.trusted else _KEPT_WIDE if start.wide else _KEPT_SEARCHED
    candidates = distinct(candidates, ct.centre, cameras, kept[0], _BASIN_DEG, _BASIN_MM)
    tell("search", None, candidates[0].pose)

    rivals: list[Candidate] = []
    refinement: Refinement | None = None
    for level in range(len(levels.binnings)):
        stage = f"level {level + 1} of {len(levels.binnings)}"
        outcomes = [refined(candidate, level, stage) for candidate in candidates]
        if level == 0 and not start.trusted:
            best = sorted(outcomes, key=lambda outcome: -outcome[0].score)[: kept[1]]
            twins = [Candidate(twin(c.pose, ct, cameras[0]), 0.0, f"{c.name}, mirrored twin") for c, _ in best]
            outcomes += [refined(candidate, level, stage) for candidate in twins]
        outcomes.sort(key=lambda outcome: -outcome[0].score)
        keep = kept[level + 1] if level + 1 < len(kept) else 1
        # Finer levels part basins more finely; what has run into the winner's is no rival any more.
        narrower = 0.5**level
        ranked = distinct([c for c, _ in outcomes], ct.centre, cameras, 4, _BASIN_DEG * narrower, _BASIN_MM * narrower)
        if len(outcomes) > 1:
            rivals = ranked[1:2]
        candidates, refinement = ranked[:keep], outcomes[0][1]
    assert refinement is not None
    return _result(projector, whole, candidates[0], rivals, refinement, began)


def _searched(projector: Projector, radiographs: Sequence[Radiograph], start: Start) -> list[Candidate]:
    """All starts with their neighbourhood, placed in plane by correlation; best first after a trusted start itself."""
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
    given = [Candidate(pose, -1.0, name) for name, pose in start.poses]
    found = correlate_in_plane(radiographs, projector, tried, start.reach_mm)
    # Correlation may be drawn away by something brighter than the CT: a trusted start is refined as it is, too.
    return [*given, *found] if start.trusted or not found else found


def _result(
    projector: Projector,
    radiographs: Sequence[Radiograph],
    winner: Candidate,
    rivals: Sequence[Candidate],
    refinement: Refinement,
    began: float,
) -> RegistrationResult:
    pose = winner.pose
    centre = rigid.transform_points(pose, [projector.ct.centre])[0]
    comparison = refinement.comparison
    covariance = comparison.residual**2 / comparison.samples * np.linalg.pinv(comparison.hessian, rcond=1e-12)
    drrs = tuple(_whole_drr(projector, radiograph, pose) for radiograph in radiographs)
    edges = _edge_score(projector, radiographs, pose)
    cameras = [radiograph.camera for radiograph in radiographs]
    others = distinct([winner, *rivals], projector.ct.centre, cameras, 3, _BASIN_DEG, _BASIN_MM)[1:]
    correlations, covered = [], []
    for radiograph, drr in zip(radiographs, drrs, strict=True):
        shared = radiograph.mask & (drr > 0)
        covered.append(_covered(projector, radiograph, pose))
        enough = shared.sum() > 16 and min(drr[shared].std(), radiograph.attenuation[shared].std()) > 0
        correlations.append(float(np.corrcoef(radiograph.attenuation[shared], drr[shared])[0, 1]) if enough else 0.0)
    # Uncertainty is judged along the camera's axes: the depth of a single view is never known well.
    turn = np.kron(np.eye(2), radiographs[0].camera.camera_from_world[:3, :3])
    evidence = Evidence(
        edges,
        float(np.mean(correlations)),
        min(covered),
        max((_edge_score(projector, radiographs, rival.pose) for rival in others), default=None),
        np.sqrt(np.maximum(np.diag(turn @ covariance @ turn.T), 0)),
        refinement.converged,
    )
    verdict, reason = judge(evidence)
    return RegistrationResult(
        pose=pose,
        verdict=verdict,
        reason=reason,
        similarity=evidence.correlation,
        covariance=covariance,
        centre=centre,
        seconds=time.perf_counter() - began,
        iterations=winner.iterations,
        start=winner.name,
        drrs=drrs,
    )


def _edge_score(projector: Projector, radiographs: Sequence[Radiograph], pose: Float64[np.ndarray, "4 4"]) -> float:
    """How well edges agree at about `_JUDGING_FOOTPRINT_MM` per pixel, whatever similarity was optimised."""
    centre = rigid.transform_points(pose, [projector.ct.centre])[0]
    views = []
    for radiograph in radiographs:
        footprint = radiograph.camera.pixel_footprint_mm(centre)
        binning = int(2 ** max(0, round(np.log2(_JUDGING_FOOTPRINT_MM / footprint))))
        views.append(view_level(radiograph, binning, projector, pose, "gradient-ncc"))
    return compare_all(views, projector, pose).agreement


def _covered(projector: Projector, radiograph: Radiograph, pose: Float64[np.ndarray, "4 4"]) -> float:
    """Part of the X-ray that sees the CT, or part of the CT's shadow that is on the X-ray, whichever is larger."""
    coarse = radiograph.binned(search_binning(radiograph.camera, projector, pose))
    rows, columns = coarse.camera.size
    wide = coarse.camera.cropped(-rows, -columns, (3 * rows, 3 * columns))
    shadow = projector.coverage(wide.rays(), pose).crosses.reshape(3 * rows, 3 * columns)
    shared = int((shadow[rows : 2 * rows, columns : 2 * columns] & coarse.mask).sum())
    return max(shared / max(int(coarse.mask.sum()), 1), shared / max(int(shadow.sum()), 1))


def _whole_drr(
    projector: Projector, radiograph: Radiograph, pose: Float64[np.ndarray, "4 4"]
) -> Float32[np.ndarray, "rows columns"]:
    """DRR on all pixels of the X-ray, also the masked ones: a person looks at the whole image."""
    centre = rigid.transform_points(pose, [projector.ct.centre])[0]
    camera = radiograph.camera
    binning = projector.binning_for(camera.pixel_footprint_mm(centre))
    return projector.render(camera.rays(), pose, binning=binning)[0].reshape(camera.size).astype(np.float32)
