"""What jobs on landmarks come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64


@dataclass(frozen=True, eq=False)
class Carried:
    """Landmarks carried to a CT: their list, what a person should know, and whether the fit is doubtful."""

    node: Any
    words: tuple[str, ...]
    doubtful: bool


@dataclass(frozen=True)
class TrainedLandmarks:
    """A training that ended: the network's file, the picture of its views, whether it was stopped before its time,
    and the mean error of landmarks that are seen, on views that it never saw (mm; NaN where it was not measured).
    """

    model: Path
    views_picture: Path
    stopped: bool
    distance_mm: float


@dataclass(frozen=True)
class TrainedStyle:
    """A translation that was learnt: its file, the picture of what it does, and whether it was stopped before its
    time.
    """

    model: Path
    preview: Path
    stopped: bool


@dataclass(frozen=True, eq=False)
class Detected:
    """Landmarks found in X-rays: the study's node, whether it was stopped before the last frame, and what is to be
    said of X-rays that could not be used or have no geometry of their own.
    """

    study: Any
    stopped: bool
    words: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class LandmarkPose:
    """A pose (world_from_ct, RAS mm) from landmarks, how many agreed and how well, and whether to trust it."""

    pose: Float64[np.ndarray, "4 4"]
    words: str
    trusted: bool


@dataclass(frozen=True, eq=False)
class Exposed:
    """What X-rays shone on: the coloured skin, the table of frames, the folder of files, and for each frame what was
    in the field (as `LandmarkDetectionLib.worker.exposure_job` tells it). `words` say what the numbers are not.
    """

    model: Any
    table: Any
    folder: Path
    frames: tuple[Mapping[str, Any], ...]
    words: str
