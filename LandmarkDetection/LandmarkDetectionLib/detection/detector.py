"""Finds all landmarks in an X-ray: the network's places, brought together by how heads are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.radiograph import Radiograph
from jaxtyping import Float64

from ..atlas.definitions import skull_landmarks
from ..network.close_up import aim_at
from ..network.fusion import fused, measured, places_to_aim_at
from ..network.landmark_network import LandmarkNetwork, NetworkAnswer
from ..network.model_file import TrainedDetector
from ..shape_prior.shape_fit import FittedPlaces, MeasuredPlaces, fitted_places
from .landmark_detections import LandmarkDetections
from .mirror_image import apart_in_mirror_mm, mirrored
from .network_image import SeenByNetwork, seen_by_network, seen_closely
from .usable_part import in_usable_part

# What no head is as far from, in standard deviations; and how unsure the network may be of a head at most (mm).
_LARGEST_MISFIT, _MOST_UNSURE_MM = 2.5, 15.0
# Of heads the mirror image shows the same to a few mm, of wrists and knees to 15 mm and more.
_MOST_APART_MM = 10.0
_FEWEST_VISIBLE = 4
# Each is aimed by what the one before it found.
_CLOSE_LOOKS = 3
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
    heads in general, which has learnt mirrored heads as well, must find the same in the mirror image to be sure.
    InputError where too little of the X-ray can be used, and for a depth that is none.
    """
    if depth_mm is not None and not 0 < depth_mm < np.inf:
        problem = f"expected a distance in mm, more than 0, got {depth_mm:g}"
        raise InputError("depth", problem, "Give how far the head's middle is from the source, or leave it out.")
    whole, first = _overview(trained, radiograph)
    found = _looked_closely(trained, radiograph, whole, first, depth_mm)
    if trained.is_of_patient:
        return found
    if with_less_likely:
        looks = (
            _looked_closely_if_it_shows_enough(trained, radiograph, whole, other, depth_mm)
            for other in first.with_other_aspects(_POSSIBLE)
        )
        found = replace(found, less_likely=tuple(look for look in looks if look is not None))
    if not found.is_sure:
        return found
    mirror = mirrored(radiograph)
    in_mirror = _looked_closely_if_it_shows_enough(trained, mirror, *_overview(trained, mirror), depth_mm)
    if in_mirror is None:
        return replace(found, is_sure=False, words="in the mirrored image the head is found where little can be seen")
    apart = apart_in_mirror_mm(found, in_mirror, radiograph.camera.size[1])
    if apart <= _MOST_APART_MM:
        return found
    words = f"in the mirrored image half of the landmarks are found {apart:.0f} mm elsewhere or more, as in no head"
    return replace(found, is_sure=False, words=words)


def _overview(trained: TrainedDetector, radiograph: Radiograph) -> tuple[SeenByNetwork, NetworkAnswer]:
    """The whole X-ray, and the first answer to it."""
    whole = seen_by_network(radiograph, trained.networks.overview.form.size, trained.field)
    return whole, _answered(trained.networks.overview, whole)


def _looked_closely_if_it_shows_enough(
    trained: TrainedDetector,
    radiograph: Radiograph,
    whole: SeenByNetwork,
    first: NetworkAnswer,
    depth_mm: float | None,
) -> LandmarkDetections | None:
    """As `_looked_closely`; None where too little of the X-ray can be used there."""
    try:
        return _looked_closely(trained, radiograph, whole, first, depth_mm)
    except InputError:
        return None


def _looked_closely(
    trained: TrainedDetector,
    radiograph: Radiograph,
    whole: SeenByNetwork,
    first: NetworkAnswer,
    depth_mm: float | None,
) -> LandmarkDetections:
    aim = aim_at(places_to_aim_at(first)[0].double().numpy(), whole.field)
    network = trained.networks.close_up
    for look in range(_CLOSE_LOOKS):
        seen = seen_closely(radiograph, whole, network.form.size, aim)
        answer = _answered(network, seen)
        if look < _CLOSE_LOOKS - 1:
            # Not drawn apart again: a look that is wider is less sure, and would make the next one wider still.
            aim = aim_at(fused(answer).places[0].double().numpy(), seen.field).after(aim)
    placed = measured(answer)
    places = MeasuredPlaces(
        placed.places[0].double().numpy(),
        placed.across[0].double().numpy(),
        placed.depth[0].double().numpy(),
        seen.field,
    )
    fit = fitted_places(trained.shape, places, depth_mm)
    found = _detections(seen, radiograph, placed.visibility[0].double().numpy(), places, fit)
    return replace(found, depth_told_mm=depth_mm)


def _answered(network: LandmarkNetwork, seen: SeenByNetwork) -> NetworkAnswer:
    attenuation, mask = (
        torch.from_numpy(np.ascontiguousarray(i))[None] for i in (seen.image.attenuation, seen.image.mask)
    )
    with torch.no_grad():
        answer: NetworkAnswer = network(attenuation, mask)
    return answer


def _detections(
    seen: SeenByNetwork,
    radiograph: Radiograph,
    visibility: Float64[np.ndarray, "n"],
    found: MeasuredPlaces,
    fit: FittedPlaces,
) -> LandmarkDetections:
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
    )
