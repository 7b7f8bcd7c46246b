"""Finds all landmarks in an X-ray: the network's places, brought together by how heads are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.radiograph import Radiograph

from ..atlas.definitions import skull_landmarks
from ..network.landmark_network import NetworkAnswer
from ..network.model_file import TrainedDetector
from ..shape_prior.shape_fit import fitted_places
from .close_look import CloseLook, looked_closely, overview
from .landmark_detections import LandmarkDetections
from .mirror_image import brought_together, mirrored, mirrored_back
from .network_image import SeenByNetwork
from .usable_part import in_usable_part

# What no head is as far from, in standard deviations; and how unsure the network may be of a head at most (mm).
_LARGEST_MISFIT, _MOST_UNSURE_MM = 2.5, 15.0
# Of heads the mirror image shows the same to a few mm, of wrists and knees to 15 mm and more.
_MOST_APART_MM = 10.0
_FEWEST_VISIBLE = 4
# An aspect that is less probable is not looked at.
_POSSIBLE = 0.05


def detect(
    trained: TrainedDetector,
    radiograph: Radiograph,
    depth_mm: float | None = None,
    *,
    with_less_likely: bool = False,
) -> LandmarkDetections:
    """All landmarks of a head in `radiograph`; `with_less_likely` also as seen from other sides that are possible.

    `depth_mm` is the distance of the head's middle from the source along the beam, where it is known. A network of
    heads in general, which has learnt mirrored heads as well, must find the same in the mirror image to be sure; what
    it finds there and here is brought together.
    InputError where too little of the X-ray can be used, and for a depth that is none.
    """
    if depth_mm is not None and not 0 < depth_mm < np.inf:
        problem = f"expected a distance in mm, more than 0, got {depth_mm:g}"
        raise InputError("depth", problem, "Give how far the head's middle is from the source, or leave it out.")
    whole, first = overview(trained, radiograph)
    look = looked_closely(trained, radiograph, whole, first)
    found = _detections(trained, radiograph, look, depth_mm)
    if trained.is_of_patient:
        return found
    less_likely: tuple[LandmarkDetections, ...] = ()
    if with_less_likely:
        looks = (
            _looked_closely_if_enough_is_shown(trained, radiograph, whole, other)
            for other in first.with_other_aspects(_POSSIBLE)
        )
        less_likely = tuple(_detections(trained, radiograph, one, depth_mm) for one in looks if one is not None)
    found = replace(found, less_likely=less_likely)
    return _as_in_mirror(trained, radiograph, look, found, with_less_likely) if found.is_sure else found


def _as_in_mirror(
    trained: TrainedDetector,
    radiograph: Radiograph,
    look: CloseLook,
    found: LandmarkDetections,
    with_less_likely: bool,
) -> LandmarkDetections:
    """What both looks say together; where the mirror image says another, what was `found`, which is doubtful then."""
    mirror, depth_mm = mirrored(radiograph), found.depth_told_mm
    in_mirror = _looked_closely_if_enough_is_shown(trained, mirror, *overview(trained, mirror))
    if in_mirror is None:
        return replace(found, is_sure=False, words="in the mirrored image the head is found where little can be seen")
    back = mirrored_back(in_mirror, look.seen)
    other = _detections(trained, radiograph, back, depth_mm)
    apart = float(np.nanmedian(np.linalg.norm(found.pixels - other.pixels, axis=1)) * found.mm_per_pixel)
    if apart <= _MOST_APART_MM:
        both = _detections(trained, radiograph, brought_together(look, back), depth_mm)
        return replace(both, less_likely=found.less_likely)
    words = f"in the mirrored image half of the landmarks are found {apart:.0f} mm elsewhere or more, as in no head"
    less_likely = (replace(other, is_sure=False, words=words), *found.less_likely) if with_less_likely else ()
    return replace(found, is_sure=False, words=words, less_likely=less_likely)


def _looked_closely_if_enough_is_shown(
    trained: TrainedDetector, radiograph: Radiograph, whole: SeenByNetwork, first: NetworkAnswer
) -> CloseLook | None:
    """As `looked_closely`; None where too little of the X-ray can be used there."""
    try:
        return looked_closely(trained, radiograph, whole, first)
    except InputError:
        return None


def _detections(
    trained: TrainedDetector, radiograph: Radiograph, look: CloseLook, depth_mm: float | None
) -> LandmarkDetections:
    """The head that explains a look."""
    seen, visibility, found = look.seen, look.visibility, look.places
    fit = fitted_places(trained.shape, found, depth_mm)
    known = np.isfinite(fit.pixels).all(axis=1)
    places = np.where(known[:, None], fit.pixels, 0.0)
    D = seen.pixel_derivative(places)
    pixels = np.where(known[:, None], seen.pixels(places), np.nan)
    covariance = np.einsum("nij,njk,nlk->nil", D, fit.pixel_covariance, D)
    turn = seen.camera_from_network
    points = fit.points @ turn.T
    depth = float(np.nanmean(points[:, 2]))
    mm_per_pixel = depth / float(np.sqrt(seen.camera.intrinsic[0, 0] * seen.camera.intrinsic[1, 1]))
    unsure = mm_per_pixel * float(np.nanmedian(np.sqrt(np.trace(covariance, axis1=1, axis2=2) / 2)))
    words = ""
    if fit.misfit > _LARGEST_MISFIT:
        words = f"the places found are {fit.misfit:.1f} standard deviations from those of any head"
    elif unsure > _MOST_UNSURE_MM:
        words = f"half of the landmarks may be off by {unsure:.0f} mm or more"
    elif np.count_nonzero(visibility > 0.5) < _FEWEST_VISIBLE:
        words = f"only {np.count_nonzero(visibility > 0.5)} landmarks seem to be in the image"
    return LandmarkDetections(
        skull_landmarks().names,
        pixels,
        covariance,
        points,
        np.einsum("ij,njk,lk->nil", turn, fit.point_covariance, turn),
        np.where(known, visibility, 0.0),
        in_usable_part(radiograph, pixels),
        np.where(known[:, None], seen.pixels(found.places[:, :2]), np.nan),
        found.across[:, None, None] ** 2 * np.einsum("nij,nkj->nik", D, D),
        mm_per_pixel,
        fit.misfit,
        not words,
        words,
        depth_told_mm=depth_mm,
    )
