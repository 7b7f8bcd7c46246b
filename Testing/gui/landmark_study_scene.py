"""A scene for sections of the landmark module: a head, X-rays of it, and landmarks as a network may find them."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

# The small head of the unit tests.
sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from DiffRegistrationLib.xray.geometry import Camera, rigid
from DiffRegistrationLib.xray.projector import Projector
from DiffRegistrationLib.xray.radiograph import Radiograph
from fluororeg_runs import camera, head, truth
from LandmarkDetectionLib.atlas.definitions import skull_landmarks
from LandmarkDetectionLib.atlas.head import Head, phantom_head
from LandmarkDetectionLib.detection.landmark_detections import LandmarkDetections
from LandmarkDetectionLib.detection.landmark_run import LandmarkRun

NAMES = skull_landmarks().names
SIGMA_PX = 0.3
# Between two frames of a sequence: a turn (rad) and a shift (mm).
STEP = np.array([0.02, -0.01, 0.015, 2.0, 1.0, -1.0])


@cache
def small_head() -> Head:
    """The head of the X-rays with its landmarks."""
    return phantom_head(4.0)


def pose_at(step: int = 0) -> np.ndarray:
    """Where the head truly lies after some steps of a slow motion."""
    centre = rigid.transform_points(truth(), [head().centre])[0]
    return rigid.move_about(centre, STEP * step, truth())


def cine(frames: Sequence[int], primary_deg: float = 180.0, name: str = "Cine") -> Any:
    """An X-ray sequence of the moving head, which is a view."""
    from DiffRegistrationLib.mrml.views import add_view
    from DiffRegistrationLib.mrml.xray_sequence import add_radiograph_sequence

    view, radiographs = camera(primary_deg), []
    for step, _number in enumerate(frames):
        image = Projector(head()).render(view.rays(), pose_at(step))[0].reshape(view.size)
        image = image + np.random.default_rng(step).normal(scale=0.02, size=image.shape)
        radiographs.append(Radiograph(image.astype(np.float32), np.ones(view.size, dtype=bool), view))
    node, _browser = add_radiograph_sequence(radiographs, frames, name)
    add_view(node)
    return node


def flat_xray(name: str = "Scan") -> Any:
    """An X-ray of which no geometry is known, which is a view."""
    import slicer
    from DiffRegistrationLib.mrml.views import add_view

    pixels = np.random.default_rng(1).uniform(0, 255, (1, 90, 80)).astype(np.uint8)
    node = slicer.util.addVolumeFromArray(pixels, name=name)
    add_view(node)
    return node


def found_in(seen_by: Camera, step: int = 0, seed: int = 0, **changes: Any) -> LandmarkDetections:
    """The head's landmarks with the noise that they say they have."""
    in_world = rigid.transform_points(pose_at(step), small_head().landmarks.points)
    in_camera = rigid.transform_points(seen_by.camera_from_world, in_world)
    pixels = seen_by.project(in_world)
    pixels = pixels + np.random.default_rng(seed).normal(scale=SIGMA_PX, size=pixels.shape)
    edges = np.array([seen_by.size[1], seen_by.size[0]])
    inside = ((pixels > 0) & (pixels < edges - 1)).all(axis=1)
    errors = np.tile(SIGMA_PX**2 * np.eye(2), (len(NAMES), 1, 1))
    values = {
        "names": NAMES,
        "pixels": pixels,
        "pixel_covariance": errors,
        "camera_points": in_camera,
        "camera_covariance": np.tile(np.diag([1.0, 1.0, 400.0]), (len(NAMES), 1, 1)),
        "visibility": np.where(inside, 0.95, 0.02),
        "is_in_image": inside,
        "network_pixels": pixels,
        "network_covariance": errors,
        "mm_per_pixel": 2.24,
        "misfit": 0.8,
        "is_sure": True,
        "words": "",
    }
    return LandmarkDetections(**(values | changes))


def run_with(found: Sequence[Sequence[LandmarkDetections | None]], **changes: Any) -> LandmarkRun:
    """A run of these, [time][view]."""
    values = {
        "views": len(found[0]),
        "numbers": tuple(range(len(found))),
        "found": tuple(tuple(row) for row in found),
        "planar": (False,) * len(found[0]),
        "definitions": skull_landmarks().fingerprint,
        "model": "network of the heads of a population, views any-view, 0 steps",
    }
    return LandmarkRun(**(values | changes))


def study_of(xrays: Sequence[Any], angles: Sequence[float], numbers: Sequence[int] = (0,), ct: Any = None) -> Any:
    """A study of the head in X-rays (by their primary angles), one frame or many."""
    from LandmarkDetectionLib.mrml.landmark_study import make_study

    found = [
        [found_in(camera(angle), step, seed=10 * step + view) for view, angle in enumerate(angles)]
        for step in range(len(numbers))
    ]
    return make_study(run_with(found, numbers=tuple(numbers)), list(xrays), ct)


def with_landmarks(ct: Any) -> Any:
    """The CT with the head's landmarks."""
    from LandmarkDetectionLib.mrml.ct_landmarks import put_landmarks

    put_landmarks(ct, small_head().landmarks)
    return ct


_SMALL_TEMPLATE = """
from LandmarkDetectionLib.atlas import head
head.template_head = lambda: head.phantom_head(4.0)
"""


def use_small_template(panel: Any, folder: Path) -> None:
    """Have the worker of a window that has not begun yet take the small head for the template, which is quick."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_SMALL_TEMPLATE, encoding="utf-8")
    panel.session.logic._runner.worker._environment = {**os.environ, "PYTHONPATH": str(folder)}


def network_file(path: Path, definitions: str | None = None, steps: int = 0) -> Path:
    """A detector that has learnt nothing, in a moment; of other landmark definitions if these are given."""
    import torch
    from DiffRegistrationLib.pose_network.model_file import read_tensors, write_tensors
    from LandmarkDetectionLib.network.landmark_network import NetworkForm
    from LandmarkDetectionLib.network.landmark_networks import LandmarkNetworks
    from LandmarkDetectionLib.network.model_file import write_detector
    from LandmarkDetectionLib.shape_prior.landmark_shape import patient_shape

    torch.manual_seed(1)
    form = NetworkForm(64, len(NAMES), 4)
    # About the middle of the image: what is not looked for there leads nowhere.
    networks = LandmarkNetworks((form, form), 0.3 * torch.randn(2, 4, len(NAMES), 3))
    about = {
        "ct_fingerprint": None,
        "views": {"name": "any-view", "field": [0.14, 0.45]},
        "seconds": 1.0,
        "steps": steps,
    }
    write_detector(path, networks, patient_shape(small_head()), None, about)
    if definitions is not None:
        content = read_tensors(path)
        known = skull_landmarks().fingerprint
        write_tensors(path, {**content, "metadata": content["metadata"].replace(known, definitions)})
    return path
