"""The one camera that a pose network knows; X-rays of every other pinhole camera are brought before it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64
from scipy import ndimage

from ..xray.errors import InputError
from ..xray.geometry import PinholeCamera, rigid
from ..xray.geometry.pixel_grid import all_pixels
from ..xray.radiograph import Radiograph

# A pixel that is made of less usable ones than this is not usable.
_MOSTLY_USABLE = 0.5
# Pixels of the X-ray that are left for a network to go by: fewer show no anatomy.
_FEWEST_PIXELS = 256


@dataclass(frozen=True, eq=False)
class NetworkImage:
    """What the network is shown: line integrals, where they are usable, and how its camera stands.

    `camera_from_world` is that of the network's camera, 4×4 (RAS mm).
    """

    attenuation: Float32[np.ndarray, "size size"]
    mask: Bool[np.ndarray, "size size"]
    camera_from_world: Float64[np.ndarray, "4 4"]


@dataclass(frozen=True)
class NetworkCamera:
    """`size`² square pixels over a `field` (width over source-detector distance), the beam's axis in the middle.

    A shadow depends on the source alone, not on where behind the patient it is caught: whatever the detector's
    distance, spacing, offset and size, its image can be resampled onto this camera with the same source, turned to
    look at the detector's middle. The network then has to know neither of them, and its poses hold for all.
    """

    size: int
    field: float

    @property
    def focal_length(self) -> float:
        """In pixels."""
        return self.size / self.field

    @property
    def pixel_angle(self) -> float:
        """Width of a pixel per mm of distance from the source."""
        return self.field / self.size

    def camera(self, camera_from_world: Float64[np.ndarray, "4 4"] | None = None) -> PinholeCamera:
        """As a camera in the world; by default the world is its own frame."""
        middle = (self.size - 1) / 2
        K = np.array([[self.focal_length, 0, middle], [0, self.focal_length, middle], [0, 0, 1.0]])
        return PinholeCamera(K, np.eye(4) if camera_from_world is None else camera_from_world, (self.size, self.size))

    def image_of(self, radiograph: Radiograph, turn: Float64[np.ndarray, "3 3"] | None = None) -> NetworkImage:
        """`radiograph` as this camera would have seen it; what lies beyond its edges is not usable.

        The camera looks at the detector's middle, or is turned away from there by `turn` (camera_from_beam).
        InputError for a camera that is no pinhole camera, and where too little of the X-ray is within the field.
        """
        camera = radiograph.camera
        if not isinstance(camera, PinholeCamera):
            raise InputError(
                "X-ray", "is of a scanning camera, pose networks know cone beams only", "Give another --start."
            )
        step = min(camera.intrinsic[0, 0], camera.intrinsic[1, 1]) * self.pixel_angle
        # Averaged to about this camera's pixels first: sampling alone would pick single noisy pixels.
        factor = max(1, min(int(step), min(camera.size) // 8))
        binned = radiograph.binned(factor)
        from_detector = _turn_to_the_middle(camera)
        if turn is not None:
            from_detector = turn @ from_detector
        directions = (
            np.linalg.inv(self.camera().intrinsic)
            @ np.column_stack([all_pixels((self.size, self.size)), np.ones(self.size**2)]).T
        )
        seen = camera.binned(factor).intrinsic @ from_detector.T @ directions
        rows, columns = seen[1] / seen[2], seen[0] / seen[2]
        usable = binned.mask.astype(np.float32)
        sampled, weight = (
            ndimage.map_coordinates(image, [rows, columns], order=1, mode="constant").reshape(self.size, self.size)
            for image in (np.where(binned.mask, binned.attenuation, 0), usable)
        )
        mask = weight > _MOSTLY_USABLE
        if mask.sum() < _FEWEST_PIXELS:
            raise InputError(
                "X-ray",
                f"only {int(mask.sum())} of the {mask.size} pixels of the network's image are usable on it",
                "Give a larger or less masked image; a registration can also begin with another --start.",
            )
        attenuation = np.where(mask, sampled / np.maximum(weight, 1e-6), 0).astype(np.float32)
        return NetworkImage(attenuation, mask, rigid.rigid(from_detector, np.zeros(3)) @ camera.camera_from_world)


def _turn_to_the_middle(camera: PinholeCamera) -> Float64[np.ndarray, "3 3"]:
    """network_from_camera: the least turn that brings the ray through the image's middle onto the z axis."""
    middle = np.array([(camera.size[1] - 1) / 2, (camera.size[0] - 1) / 2, 1.0])
    ray = np.linalg.inv(camera.intrinsic) @ middle
    ray /= np.linalg.norm(ray)
    axis = np.cross(ray, [0.0, 0.0, 1.0])
    sine = float(np.linalg.norm(axis))
    if sine < 1e-12:
        return np.eye(3)
    return rigid.rotation_exp(axis / sine * np.arctan2(sine, ray[2]))
