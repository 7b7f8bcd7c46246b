"""An X-ray seen in a mirror: a head in it is a head, too, its sides exchanged, and found at the mirrored places."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from DiffRegistrationLib.xray.geometry import Camera, PinholeCamera, ScanningSlitCamera
from DiffRegistrationLib.xray.radiograph import Radiograph
from jaxtyping import Float64

from ..atlas.definitions import skull_landmarks
from ..shape_prior.shape_fit import MeasuredPlaces
from .close_look import CloseLook
from .network_image import SeenByNetwork

# Of directions in a camera's frame.
_ACROSS = np.array([-1.0, 1.0, 1.0])


def mirrored(radiograph: Radiograph) -> Radiograph:
    """The X-ray with its columns in reverse, and the camera that sees a mirrored patient so."""
    return replace(
        radiograph,
        attenuation=np.ascontiguousarray(radiograph.attenuation[:, ::-1]),
        mask=np.ascontiguousarray(radiograph.mask[:, ::-1]),
        camera=_mirrored(radiograph.camera),
    )


def mirrored_back(in_mirror: CloseLook, seen: SeenByNetwork) -> CloseLook:
    """What was found in the mirror image, as if it had been found in what was `seen` of the X-ray itself."""
    partners, half, half_in_mirror = skull_landmarks().partners, 0.5 * seen.field, 0.5 * in_mirror.seen.field
    x, y, z = in_mirror.places.places[partners].T
    distance = 1 + half_in_mirror * z
    ways = np.column_stack([x * half_in_mirror * distance, y * half_in_mirror * distance, distance])
    ways = (ways @ in_mirror.seen.camera_from_network.T * _ACROSS) @ seen.camera_from_network
    places = np.column_stack([ways[:, :2] / (ways[:, 2:] * half), (ways[:, 2] / ways[:, 2].mean() - 1) / half])
    across, depth = (half_in_mirror / half * d[partners] for d in (in_mirror.places.across, in_mirror.places.depth))
    return CloseLook(seen, MeasuredPlaces(places, across, depth, seen.field), in_mirror.visibility[partners])


def brought_together(one: CloseLook, other: CloseLook) -> CloseLook:
    """Means of two looks in what one of them saw, each place by how sure it is. As they err alike, deviations are
    those of one look.
    """
    x_y, across = _means(
        (one.places.places[:, :2], other.places.places[:, :2]), (one.places.across, other.places.across)
    )
    z, depth = _means((one.places.places[:, 2:], other.places.places[:, 2:]), (one.places.depth, other.places.depth))
    places = MeasuredPlaces(np.column_stack([x_y, z]), across, depth, one.places.field)
    return CloseLook(one.seen, places, (one.visibility + other.visibility) / 2)


def _means(
    values: tuple[Float64[np.ndarray, "n axes"], Float64[np.ndarray, "n axes"]],
    deviations: tuple[Float64[np.ndarray, "n"], Float64[np.ndarray, "n"]],
) -> tuple[Float64[np.ndarray, "n axes"], Float64[np.ndarray, "n"]]:
    """Means weighted by precision, and deviations as if there were one value."""
    weights = np.stack(deviations)[..., None] ** -2
    total = weights.sum(axis=0)
    return (weights * np.stack(values)).sum(axis=0) / total, np.sqrt(2 / total[:, 0])


def _mirrored(camera: Camera) -> Camera:
    last = camera.size[1] - 1
    if isinstance(camera, PinholeCamera):
        K = camera.intrinsic.copy()
        K[0, 1], K[0, 2] = -K[0, 1], last - K[0, 2]
        return replace(camera, intrinsic=K)
    assert isinstance(camera, ScanningSlitCamera)
    return replace(camera, centre=(last - camera.centre[0], camera.centre[1]))
