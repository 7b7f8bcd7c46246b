"""Where no CT is at hand: a template, deformed as heads differ, is laid over the X-ray and shows its landmarks."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
from DiffRegistrationLib.xray.geometry import rigid
from DiffRegistrationLib.xray.radiograph import Radiograph

from ..atlas.head import phantom_head, template_head
from ..population.dry_skull import dry_skull
from ..skull_shape.procrustes import best_rigid
from ..template_fit.deformable_template import DeformableTemplate
from ..template_fit.evidence import FoundLandmarks, known_depth
from ..template_fit.learnt_template import deformable_template
from ..template_fit.placed_template import PlacedTemplate
from ..template_fit.template_fit import TemplateFit, best_fit
from .head_in_place import with_head_in_place
from .landmark_detections import LandmarkDetections
from .standing_camera import standing_for

_PHANTOM_MM = 1.5
# A network is wrong about many landmarks alike: each counts by this part.
_SHARE = 0.1
# Where less of the landmarks is shown, a network may be wrong and sure.
_ENOUGH_SHOWN = 0.4
# Part of the X-ray's edges: a template that explains less is not believed.
_BELIEVED = 0.15
# The computed head alone explains up to this much of X-rays of other heads, in places that are wrong.
_BELIEVED_ALONE = 0.5
_NO_HEAD = "no template of a head, however it is deformed, looks like this X-ray"
_ALONE = "; only the computed head is at hand as one, the Visible Human's would be read from the folder FLUOROREG_DATA"
_DEPTH_MM = 2.0
# Landmarks of the template are as exact as they were placed, and modes do not hold everything.
_PLACED_MM = 1.5
# What is the same about neighbouring pixels makes a fit seem surer than it is: variances by this factor.
_OVERCONFIDENCE = 4.0


@cache
def usual_templates() -> tuple[DeformableTemplate, ...]:
    """The templates that heads in X-rays are explained by: the usual one, its bone alone, and the computed head; made
    once, which takes seconds.
    """
    usual, computed = template_head(), phantom_head(_PHANTOM_MM)
    heads = (computed,) if usual.name == computed.name else (usual, dry_skull(usual), computed)
    return tuple(map(deformable_template, heads))


def refined_by_template(
    found: LandmarkDetections, radiograph: Radiograph, depth_mm: float | None = None
) -> LandmarkDetections:
    """The landmarks of the template that explains `radiograph` best, beginning from those `found`, or from what the
    network held less likely where that explains little; where none explains enough those `found`, and that they are
    doubtful. Where too little is shown of what templates know, those `found` as they are.

    `depth_mm` is the distance of the head's middle from the source along the beam, where it is known. Landmarks that
    the template does not know stay as they were found.
    """
    best: tuple[LandmarkDetections, TemplateFit] | None = None
    for answer in (found, *found.less_likely):
        fit = _fit(answer, radiograph, depth_mm)
        if fit is not None and (best is None or fit.agreement > best[1].agreement):
            best = answer, fit
        if best is not None and best[1].is_convincing:
            break
    if best is None:
        # Nothing was compared: that speaks neither for the head nor against it.
        return found
    is_alone = len(usual_templates()) == 1
    if best[1].agreement < (_BELIEVED_ALONE if is_alone else _BELIEVED):
        return replace(found, is_sure=False, words=found.words or _NO_HEAD + (_ALONE if is_alone else ""))
    shown = _shown(*best, radiograph)
    # An answer that is only less likely makes a doubtful view sure by what it explains alone.
    return shown if best[1].is_convincing else replace(shown, is_sure=found.is_sure, words=found.words)


def _fit(found: LandmarkDetections, radiograph: Radiograph, depth_mm: float | None) -> TemplateFit | None:
    """Of the usual templates the one that explains `radiograph` best, beginning from where landmarks were found."""
    camera = standing_for(radiograph.camera)
    world_from_camera = rigid.inverse(camera.camera_from_world)
    points = rigid.transform_points(world_from_camera, found.camera_points)
    begun = []
    for template in usual_templates():
        usual = template.landmarks(template.usual_shape)
        both = np.isfinite(usual).all(axis=1) & np.isfinite(points).all(axis=1)
        begun.append(PlacedTemplate(template, best_rigid(usual[both], points[both]), template.usual_shape))
    seen = FoundLandmarks(radiograph.camera, found.network_pixels, found.network_covariance, _SHARE)
    depth = None if depth_mm is None else known_depth(camera, depth_mm, _DEPTH_MM)
    return best_fit(begun, radiograph, seen, depth, looks_further=not _are_reliable(found))


def _are_reliable(found: LandmarkDetections) -> bool:
    """Whether the head can be expected near where its landmarks were found."""
    known = np.isfinite(found.pixels).all(axis=1)
    return found.is_sure and bool((found.visibility[known] > 0.5).mean() >= _ENOUGH_SHOWN)


def _shown(found: LandmarkDetections, fit: TemplateFit, radiograph: Radiograph) -> LandmarkDetections:
    world, J = fit.placed.landmarks_with_jacobian
    there = np.isfinite(world).all(axis=1)
    world, J = world[there], J[there]
    covariance = _OVERCONFIDENCE * np.einsum("nik,kl,njl->nij", J, fit.covariance, J) + _PLACED_MM**2 * np.eye(3)
    return replace(with_head_in_place(found, there, world, covariance, radiograph), is_fitted=True)
