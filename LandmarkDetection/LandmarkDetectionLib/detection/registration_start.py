"""A start from a network that finds landmarks: those in the X-rays against those of the CT."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from DiffRegistrationLib.registration.landmark_start import CTLandmarks, SeenLandmarks, start_from_landmarks
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
    return start_from_landmarks(known_in(there), seen_in(views), ct, cameras)


def known_in(landmarks: LandmarkSet) -> CTLandmarks:
    """Those that their CT shows."""
    usable = landmarks.is_known & landmarks.is_in_ct
    names = tuple(name for name, use in zip(landmarks.names, usable, strict=True) if use)
    return CTLandmarks(names, landmarks.points[usable], landmarks.uncertainty_mm[usable])


def seen_in(views: Sequence[LandmarkDetections]) -> list[SeenLandmarks]:
    """What a pose is made of: what the network itself says of each view.

    Places that the shape of heads brought together err together. Where no view is sure, what they say may still be
    right: the solver's verdict will tell.
    """
    none_is_sure = not any(found.is_sure for found in views)
    return [
        SeenLandmarks(
            found.names,
            found.network_pixels,
            found.network_covariance,
            found.visibility if found.is_sure or none_is_sure else 0 * found.visibility,
        )
        for found in views
    ]
