"""What the images show for a pose: how well each view agrees, what of the CT it sees, and how sure the pose is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64

from ..xray.geometry import rigid
from ..xray.projector import Projector
from ..xray.radiograph import Radiograph
from .quality import CUT_OUT, WHOLE, Evidence, Standard
from .result import ViewFit
from .scene import PlacedBody, line_integrals_of
from .search import search_binning
from .solver import Refinement
from .surroundings import lacks_surroundings
from .views import view_level

# Fewer pixels that see the CT say nothing about its brightness.
_FEWEST_SHARED = 16


@dataclass(frozen=True, eq=False)
class Shown:
    """What X-rays show: the CT (its projector), and bodies beside it that stay where they are."""

    projector: Projector
    radiographs: tuple[Radiograph, ...]
    others: tuple[PlacedBody, ...] = ()

    def standard(self) -> Standard:
        """By what poses of this CT are judged."""
        return CUT_OUT if lacks_surroundings(self.projector.ct) else WHOLE

    def fit(self, view: int, pose: Float64[np.ndarray, "4 4"]) -> ViewFit:
        """How one view agrees with a pose."""
        standard, radiograph = self.standard(), self.radiographs[view]
        footprint = radiograph.camera.pixel_footprint_mm(self.centre(pose))
        wanted = standard.footprint_mm or (standard.footprint_voxels or 1.0) * self.voxel_mm
        binning = int(2 ** max(0, round(np.log2(wanted / footprint))))
        level = view_level(radiograph, binning, self.projector, pose, standard.similarity, self.others)
        return ViewFit(
            level.compare(self.projector, pose).agreement,
            self._correlation(radiograph.binned(binning), pose),
            self._covered(radiograph, pose),
        )

    @property
    def voxel_mm(self) -> float:
        """Edge of a cube as large as a voxel."""
        return float(np.cbrt(np.prod(self.projector.ct.voxel_size)))

    def centre(self, pose: Float64[np.ndarray, "4 4"]) -> Float64[np.ndarray, "3"]:
        """The CT's centre in the world (mm)."""
        return rigid.transform_points(pose, [self.projector.ct.centre])[0]

    def drr(
        self, radiograph: Radiograph, pose: Float64[np.ndarray, "4 4"], bodies: bool = True
    ) -> Float32[np.ndarray, "rows columns"]:
        """DRR on all pixels, also the masked ones: a person looks at the whole image. `bodies`: with the others."""
        camera = radiograph.camera
        footprint = camera.pixel_footprint_mm(self.centre(pose))
        rays = camera.rays()
        image = self.projector.render(rays, pose, binning=self.projector.binning_for(footprint))[0]
        background = line_integrals_of(self.others, rays, footprint) if bodies else None
        if background is not None:
            image = image + background
        return image.reshape(camera.size).astype(np.float32)

    def _correlation(self, radiograph: Radiograph, pose: Float64[np.ndarray, "4 4"]) -> float:
        """NCC of brightness where both X-ray and DRR show the CT."""
        alone = self.drr(radiograph, pose, bodies=False)
        shared = radiograph.mask & (alone > 0)
        if shared.sum() <= _FEWEST_SHARED:
            return 0.0
        drr = (self.drr(radiograph, pose) if self.others else alone)[shared]
        xray = radiograph.attenuation[shared]
        return float(np.corrcoef(xray, drr)[0, 1]) if min(xray.std(), drr.std()) > 0 else 0.0

    def _covered(self, radiograph: Radiograph, pose: Float64[np.ndarray, "4 4"]) -> float:
        """Part of the X-ray that sees the CT, or part of the CT's shadow that is on the X-ray, whichever is larger."""
        coarse = radiograph.binned(search_binning(radiograph.camera, self.projector, pose))
        rows, columns = coarse.camera.size
        wide = coarse.camera.cropped(-rows, -columns, (3 * rows, 3 * columns))
        shadow = self.projector.coverage(wide.rays(), pose).crosses.reshape(3 * rows, 3 * columns)
        shared = int((shadow[rows : 2 * rows, columns : 2 * columns] & coarse.mask).sum())
        return max(shared / max(int(coarse.mask.sum()), 1), shared / max(int(shadow.sum()), 1))


def covariance_of(refinement: Refinement) -> Float64[np.ndarray, "6 6"]:
    """Covariance of ξ = (ω rad, v mm) after a refinement, from its normal equations."""
    comparison = refinement.comparison
    return comparison.residual**2 / comparison.samples * np.linalg.pinv(comparison.hessian, rcond=1e-12)


def evidence_for(
    shown: Shown,
    pose: Float64[np.ndarray, "4 4"],
    rivals: Sequence[Float64[np.ndarray, "4 4"]],
    refinement: Refinement,
) -> tuple[Evidence, tuple[ViewFit, ...]]:
    """What a verdict on `pose` rests on, and how each view fits. `rivals` are poses that are clearly others."""
    views = range(len(shown.radiographs))
    fits = tuple(shown.fit(view, pose) for view in views)
    covariance = covariance_of(refinement)
    # Uncertainty is judged along the camera's axes: the depth of a single view is never known well.
    turn = np.kron(np.eye(2), shown.radiographs[0].camera.camera_from_world[:3, :3])
    standard = shown.standard()

    def agreement(of: Sequence[ViewFit]) -> float:
        """Of a bone alone all views must agree: along another bone it may fit well in one of them."""
        each = [fit.agreement for fit in of]
        return float(np.mean(each) if standard.brightness else min(each))

    evidence = Evidence(
        agreement(fits),
        float(np.mean([fit.correlation for fit in fits])),
        min(fit.covered for fit in fits),
        max((agreement([shown.fit(view, rival) for view in views]) for rival in rivals), default=None),
        np.sqrt(np.maximum(np.diag(turn @ covariance @ turn.T), 0)),
        refinement.converged,
        standard,
    )
    return evidence, fits
