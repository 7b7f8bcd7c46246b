"""An X-ray as the landmark network sees it, and the way back from there to its pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from DiffRegistrationLib.pose_network.network_camera import NetworkCamera, NetworkImage
from DiffRegistrationLib.xray.geometry import PinholeCamera
from DiffRegistrationLib.xray.radiograph import Radiograph
from jaxtyping import Float64

from ..network.close_up import Aim, turned_toward
from .standing_camera import standing_for


@dataclass(frozen=True, eq=False)
class SeenByNetwork:
    """`image` as the network's camera shows it, whose `field` is the image's width over its distance.

    `camera` is the X-ray's own, or the pinhole camera that stands for a scanning one.
    """

    image: NetworkImage
    field: float
    camera: PinholeCamera

    @property
    def camera_from_network(self) -> Float64[np.ndarray, "3 3"]:
        """Rotation; both cameras share the source."""
        return self.camera.camera_from_world[:3, :3] @ self.image.camera_from_world[:3, :3].T

    def pixels(self, places: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n 2"]:
        """Pixels (u, v) of the X-ray for places in half widths of the network's image."""
        ways = np.column_stack([places * 0.5 * self.field, np.ones(len(places))]) @ self.camera_from_network.T
        seen = ways @ self.camera.intrinsic.T
        return seen[:, :2] / seen[:, 2:]

    def pixel_derivative(self, places: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n 2 2"]:
        """How pixels move with places."""
        step = 1e-4
        moved = [
            (self.pixels(places + step * axis) - self.pixels(places - step * axis)) / (2 * step) for axis in np.eye(2)
        ]
        return np.stack(moved, axis=-1)


def seen_by_network(radiograph: Radiograph, size: int, fields: tuple[float, float]) -> SeenByNetwork:
    """The usable part of an X-ray, as wide as that is, but within the `fields` that the network knows."""
    camera = standing_for(radiograph.camera)
    columns, rows = (np.flatnonzero(radiograph.mask.any(axis=axis)) for axis in (0, 1))
    ends = np.array([[columns[0], rows[0]], [columns[-1], rows[-1]]], dtype=float) if len(rows) else np.zeros((2, 2))
    focal = np.array([camera.intrinsic[0, 0], camera.intrinsic[1, 1]])
    field = float(np.clip(((ends[1] - ends[0] + 1) / focal).max(), *fields))
    return _seen(radiograph, camera, NetworkCamera(size, field), _turn_toward_pixel(camera, ends.mean(axis=0)))


def seen_closely(radiograph: Radiograph, whole: SeenByNetwork, size: int, aim: Aim) -> SeenByNetwork:
    """The X-ray as a camera sees it that is aimed from the one of the `whole` image."""
    turn = aim.turn @ whole.camera_from_network.T
    return _seen(radiograph, whole.camera, NetworkCamera(size, aim.field), turn)


def _seen(
    radiograph: Radiograph, camera: PinholeCamera, network: NetworkCamera, turn: Float64[np.ndarray, "3 3"]
) -> SeenByNetwork:
    """`turn` is network_from_camera."""
    shown = replace(radiograph, camera=camera)
    # `image_of` turns from a camera that looks at the image's middle.
    rows, columns = camera.size
    straight = _turn_toward_pixel(camera, np.array([(columns - 1) / 2, (rows - 1) / 2]))
    return SeenByNetwork(network.image_of(shown, turn @ straight.T), network.field, camera)


def _turn_toward_pixel(camera: PinholeCamera, pixel: Float64[np.ndarray, "2"]) -> Float64[np.ndarray, "3 3"]:
    """network_from_camera: the least turn that brings the ray through `pixel` (u, v) onto the z axis."""
    way = np.linalg.inv(camera.intrinsic) @ [*pixel, 1.0]
    return turned_toward(way, 0.0).T
