"""What was found in a run of X-rays, frame by frame and view by view, and as text that is kept with a scene.

The text is JSON: an object with, for each detection, one row in each array of numbers, rounded to what they are good
to. Covariances are symmetric: their upper triangles are written, row by row.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from DiffRegistrationLib.xray.errors import InputError

from ..atlas.definitions import skull_landmarks
from .landmark_detections import LandmarkDetections

_FORMAT = "fluororeg landmark run 1"
_REMEDY = "Find the landmarks again."
# Pixels and mm are known to less than four decimals, and nothing else to more than six digits.
_DECIMALS, _DIGITS = 4, 6
_PLACES = {"pixels": 2, "camera_points": 3, "network_pixels": 2}
_COVARIANCES = {"pixel_covariance": 2, "camera_covariance": 3, "network_covariance": 2}


@dataclass(frozen=True, eq=False)
class LandmarkRun:
    """Landmarks `found` at each time ([time][view]; None where a frame could not be used), of all the skull's.

    `numbers` are the frames' own. `planar` tells of each view whether its geometry was made up: depths and mm mean
    nothing there. `definitions` is the fingerprint of the landmarks, `model` a word for people about the network.
    ValueError for parts that do not fit each other, and for detections of other landmarks than all of the skull's.
    """

    views: int
    numbers: tuple[int, ...]
    found: tuple[tuple[LandmarkDetections | None, ...], ...]
    planar: tuple[bool, ...]
    definitions: str
    model: str

    def __post_init__(self) -> None:
        if self.views < 1 or len(self.planar) != self.views or any(len(row) != self.views for row in self.found):
            raise ValueError(f"a run of {self.views} views with other numbers of them in its parts")
        if len(self.found) != len(self.numbers) or len(set(self.numbers)) != len(self.numbers):
            raise ValueError(f"{len(self.found)} frames with the numbers {self.numbers}")
        names = skull_landmarks().names
        if any(found is not None and found.names != names for row in self.found for found in row):
            raise ValueError("landmarks that are not the skull's in their order")

    def at(self, number: int, view: int) -> LandmarkDetections | None:
        """What was found in a frame, by its own number, and a view (from 0); None where nothing was."""
        return self.found[self.numbers.index(number)][view] if number in self.numbers else None


def run_to_text(run: LandmarkRun) -> str:
    """The run as compact JSON: pixels and mm to four decimals, all else to six digits."""
    found = [one for row in run.found for one in row if one is not None]
    count = len(skull_landmarks().names)
    content: dict[str, Any] = {
        "format": _FORMAT,
        "definitions": run.definitions,
        "model": run.model,
        "views": run.views,
        "numbers": list(run.numbers),
        "planar": list(run.planar),
        "used": [[int(one is not None) for one in row] for row in run.found],
        "words": [one.words for one in found],
        "is_sure": [int(one.is_sure) for one in found],
        "is_registered": [int(one.is_registered) for one in found],
        "is_fitted": [int(one.is_fitted) for one in found],
        "depth_told_mm": [one.depth_told_mm for one in found],
        "mm_per_pixel": _as_list(_significant(np.array([one.mm_per_pixel for one in found], dtype=np.float64))),
        "misfit": _as_list(_significant(np.array([one.misfit for one in found], dtype=np.float64))),
        "visibility": _as_list(np.round([one.visibility for one in found], _DECIMALS)),
        "is_in_image": np.array([one.is_in_image for one in found]).astype(int).tolist(),
    }
    for name in _PLACES:
        content[name] = _as_list(np.round([getattr(one, name) for one in found], _DECIMALS))
    for name, size in _COVARIANCES.items():
        whole = np.array([getattr(one, name) for one in found], dtype=np.float64).reshape(
            len(found), count, size, size
        )
        content[name] = _as_list(_significant(whole[..., *np.triu_indices(size)]))
    return json.dumps(content, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def run_from_text(text: str, subject: object = "landmarks") -> LandmarkRun:
    """The run that `run_to_text` wrote. InputError, about `subject`, where it is damaged, of another version of the
    program, or of other landmark definitions than this program's.
    """
    damaged = InputError(subject, "cannot be read: damaged, or of another version of the program", _REMEDY)
    try:
        content = json.loads(text)
        if content["format"] != _FORMAT:
            raise damaged
        known = skull_landmarks()
        if content["definitions"] != known.fingerprint:
            raise InputError(
                subject,
                f"was made with other landmark definitions: {content['definitions']}, these are {known.fingerprint}",
                _REMEDY,
            )
        used = [[bool(one) for one in row] for row in content["used"]]
        found = iter(_detections(content, sum(map(sum, used)), known.names))
        return LandmarkRun(
            int(content["views"]),
            tuple(int(number) for number in content["numbers"]),
            tuple(tuple(next(found) if one else None for one in row) for row in used),
            tuple(bool(one) for one in content["planar"]),
            known.fingerprint,
            str(content["model"]),
        )
    except InputError:
        raise
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise damaged from error


def _detections(content: dict[str, Any], count: int, names: tuple[str, ...]) -> list[LandmarkDetections]:
    """Those of all frames and views that were used. ValueError for numbers that are missing or too many."""
    n = len(names)
    of: dict[str, np.ndarray] = {name: _numbers(content, name, (count, n, size)) for name, size in _PLACES.items()}
    for name, size in _COVARIANCES.items():
        first, second = np.triu_indices(size)
        upper = _numbers(content, name, (count, n, len(first)))
        whole = np.empty((count, n, size, size))
        whole[..., first, second] = whole[..., second, first] = upper
        of[name] = whole
    visibility, inside = (_numbers(content, name, (count, n)) for name in ("visibility", "is_in_image"))
    # Runs that were kept before templates were laid over X-rays, or depths told, say nothing of it.
    before: dict[str, Any] = {"is_fitted": [0] * count, "depth_told_mm": [None] * count}
    content = before | content
    told = _numbers(content, "depth_told_mm", (count,)).tolist()
    mm_per_pixel, misfit, sure, registered, fitted = (
        _numbers(content, name, (count,)).tolist()
        for name in ("mm_per_pixel", "misfit", "is_sure", "is_registered", "is_fitted")
    )
    words = [str(one) for one in content["words"]]
    if len(words) != count:
        raise ValueError(f"{len(words)} words for {count} detections")
    return [
        LandmarkDetections(
            names=names,
            visibility=visibility[k],
            is_in_image=inside[k] > 0.5,
            mm_per_pixel=mm_per_pixel[k],
            misfit=misfit[k],
            is_sure=bool(sure[k]),
            words=words[k],
            is_registered=bool(registered[k]),
            is_fitted=bool(fitted[k]),
            depth_told_mm=None if np.isnan(told[k]) else told[k],
            **{name: values[k] for name, values in of.items()},
        )
        for k in range(count)
    ]


def _numbers(content: dict[str, Any], name: str, shape: tuple[int, ...]) -> np.ndarray:
    values = np.array(content[name], dtype=np.float64)
    # An empty list does not tell of how many landmarks it has no detection.
    if values.shape != shape and not values.size == shape[0] == 0:
        raise ValueError(f"{name} of shape {values.shape}, expected {shape}")
    return values.reshape(shape)


def _significant(values: np.ndarray) -> np.ndarray:
    """Each number to six digits."""
    with np.errstate(divide="ignore", invalid="ignore"):
        digits = _DIGITS - 1 - np.floor(np.log10(np.abs(values)))
    digits = np.where(np.isfinite(digits), digits, 0)
    # Only positive powers of ten are exact.
    up, down = 10.0 ** np.maximum(digits, 0), 10.0 ** np.maximum(-digits, 0)
    return np.asarray(np.round(values * up / down) / up * down)


def _as_list(values: np.ndarray) -> Any:
    """For JSON, which knows neither NaN nor infinity."""
    unknown = ~np.isfinite(values)
    if not unknown.any():
        # Objects take several times as long.
        return values.tolist()
    listed = values.astype(object)
    listed[unknown] = None
    return listed.tolist()
