"""X-rays of heads after the protocol of Fum et al. (Medical Physics 2024): any view, magnification, collimation.

They come from the simulator with its evaluation ranges, not from the renderer that networks learn from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from DiffRegistrationLib.xray.geometry import PinholeCamera, rigid
from DiffRegistrationLib.xray.radiograph import Radiograph
from DiffRegistrationLib.xray.simulator import Simulator
from DiffRegistrationLib.xray.simulator.ranges import EVALUATION, PHYSICS, drawn_settings, with_only
from jaxtyping import Bool, Float64

from ..atlas.head import Head
from ..atlas.head_frame import ct_from_head
from ..population.drawn_views import drawn_view
from ..population.population import population_head
from ..population.view_ranges import ViewRanges

# What Fum et al. vary, and the physics that no X-ray is without.
PROTOCOL = (*PHYSICS, "vignetting", "vessels", "collimator", "display")
_SIZE = 480
# A detector stands so far behind the head's middle.
_BEHIND_MM = 350.0
_HEAD_VOXEL_MM = 1.25
_OPEN = 0.5


@dataclass(frozen=True, eq=False)
class LandmarkCase:
    """An X-ray and where its landmarks are: `pixels` (u, v), `points` in the camera's frame (mm), which is the world.

    `visible` ones lie in the open field; `known` ones in the head's CT. `focal_length` is in pixels.
    """

    number: int
    radiograph: Radiograph
    camera_from_ct: Float64[np.ndarray, "4 4"]
    pixels: Float64[np.ndarray, "n 2"]
    points: Float64[np.ndarray, "n 3"]
    known: Bool[np.ndarray, "n"]
    visible: Bool[np.ndarray, "n"]
    focal_length: float

    @property
    def visible_part(self) -> float:
        """Of the known landmarks."""
        return float(self.visible.sum() / max(self.known.sum(), 1))

    @property
    def depth_mm(self) -> float:
        """Of the landmarks' mean."""
        return float(self.points[self.known, 2].mean())


HeadOfCase = Callable[[int], Head]


def unseen_heads(templates: Sequence[Head], seed: int) -> HeadOfCase:
    """Heads by case, deformed from `templates` with numbers that no training draws."""
    return lambda number: population_head(templates, number, seed, voxel_mm=_HEAD_VOXEL_MM)


def simulated_case(head: Head, ranges: ViewRanges, seed: int, number: int) -> LandmarkCase:
    """X-ray `number` of a head in a view that `ranges` draw: same arguments, same case."""
    random = np.random.default_rng([seed, number, *b"landmarks"])
    landmarks = head.landmarks
    known = landmarks.is_known & landmarks.is_in_ct
    axes = ct_from_head(landmarks)[:3, :3]
    _, camera_from_ct, field = drawn_view(ranges, landmarks.points[known], axes, random)
    points = rigid.transform_points(camera_from_ct, np.where(known[:, None], landmarks.points, 0))
    distance = float(points[known, 2].mean()) + _BEHIND_MM
    pixel_mm = field * distance / _SIZE
    camera = PinholeCamera.from_distances(distance, (pixel_mm, pixel_mm), (_SIZE, _SIZE), np.eye(4))
    settings = with_only(drawn_settings(EVALUATION, 1000 * seed + number, (_SIZE * pixel_mm,) * 2), *PROTOCOL)
    xray = Simulator(head.ct, settings, 1000 * seed + number).expose(camera, camera_from_ct)
    assert settings.collimator is not None
    is_open = np.asarray(settings.collimator.open_fraction(camera.size, (pixel_mm, pixel_mm))) > _OPEN
    pixels = camera.project(points)
    return LandmarkCase(
        number,
        xray.radiograph(),
        camera_from_ct,
        np.where(known[:, None], pixels, np.nan),
        np.where(known[:, None], points, np.nan),
        known,
        known & _is_in(pixels, is_open),
        float(camera.intrinsic[0, 0]),
    )


def _is_in(pixels: Float64[np.ndarray, "n 2"], usable: Bool[np.ndarray, "rows columns"]) -> Bool[np.ndarray, "n"]:
    rows, columns = usable.shape
    inside = np.asarray(((pixels > -0.5) & (pixels < [columns - 0.5, rows - 0.5])).all(axis=1))
    at = np.rint(np.where(inside[:, None], pixels, 0)).astype(int)
    return np.asarray(inside & usable[at[:, 1], at[:, 0]])
