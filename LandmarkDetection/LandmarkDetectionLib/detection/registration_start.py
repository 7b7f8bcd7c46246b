"""A start from a network that finds landmarks: those in the X-rays against those of the CT."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from DiffRegistrationLib.registration.landmark_start import start_from_landmarks
from DiffRegistrationLib.registration.starts import Start
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.radiograph import Radiograph

from ..atlas.head import template_head
from ..atlas.landmark_files import read_landmarks
from ..atlas.landmark_set import LandmarkSet
from ..atlas.transfer import transferred
from ..network.model_file import TrainedDetector, read_detector
from .detector import detect
from .landmark_detections import LandmarkDetections
from .named_landmarks import known_in, seen_in


def detected_landmarks_start(
    model: Path, landmarks: Path | None = None
) -> Callable[[CT, Sequence[Radiograph]], Start]:
    """The start that the network in `model` gives, once CT and X-rays are read.

    The CT's landmarks are those in the file `landmarks`, or those that a patient's network was trained with, or else
    carried over from the template, which takes a while. InputError for files that cannot be used.
    """
    trained = read_detector(model)
    landmarks_of = landmarks_of_ct(trained, landmarks)

    def start(ct: CT, radiographs: Sequence[Radiograph]) -> Start:
        trained.check_knows(ct, model)
        found = [detect(trained, radiograph) for radiograph in radiographs]
        return start_of(found, landmarks_of(ct), ct, radiographs)

    return start


def landmarks_of_ct(trained: TrainedDetector, landmarks: Path | None) -> Callable[[CT], LandmarkSet]:
    """Those in the file `landmarks`, or those that a patient's network was trained with, or the template's, carried
    over once for each CT.
    """
    given = trained.landmarks if landmarks is None else read_landmarks(landmarks)

    @cache
    def of(ct: CT) -> LandmarkSet:
        return given or transferred(template_head(), ct).landmarks

    return of


def start_of(
    views: Sequence[LandmarkDetections], there: LandmarkSet, ct: CT, radiographs: Sequence[Radiograph]
) -> Start:
    """The start that landmarks found in each of `radiographs` give, of a CT with its landmarks `there`."""
    cameras = [radiograph.camera for radiograph in radiographs]
    return start_from_landmarks(known_in(there), seen_in(views), ct.centre, cameras)
