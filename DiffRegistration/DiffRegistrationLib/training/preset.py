"""What a network is trained for: a procedure's views, by name or from a file of one's own."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..xray.errors import InputError
from ..xray.geometry.named_views import VIEW_BEAMS
from .pose_distributions import CArmRanges, GaussianTwists, PoseDistribution

_FOLDER = Path(__file__).with_name("presets")
PRESET_NAMES = tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))
DEFAULT_PRESET = "head-ap"

_INTERVALS = ("turn_deg", "tilt_deg", "roll_deg", "across_mm", "along_mm", "source_object_mm")
_C_ARM_KEYS = {"description", "field", "views", *_INTERVALS}
_GAUSSIAN_KEYS = {
    *("description", "field", "gaussian_view", "gaussian_rotation_deg", "gaussian_translation_mm"),
    "source_object_mm",
}


@dataclass(frozen=True)
class Preset:
    """Views to train on. `field` is the image's width over the source-detector distance."""

    name: str
    description: str
    poses: PoseDistribution
    field: float
    content: Mapping[str, Any]


def preset_named(name: str) -> Preset:
    """The preset of this name, or of a .toml file. InputError for a name without a file, and for what is wrong in one.

    A file holds either C-arm ranges or a Gaussian cloud: see those in training/presets.
    """
    path = _FOLDER / f"{name}.toml" if name in PRESET_NAMES else Path(name)
    if path.suffix != ".toml" or not path.is_file():
        raise InputError(
            f"preset {name!r}",
            "is neither the name of a preset nor a .toml file",
            f"Use one of {', '.join(PRESET_NAMES)}, or write a file like theirs.",
        )
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(path, f"is no TOML: {error}", "Correct it, or begin with a copy of a preset.") from None
    poses: PoseDistribution
    if "gaussian_view" in content:
        _check_keys(path, content, _GAUSSIAN_KEYS)
        poses = GaussianTwists(
            views_named(path, [content["gaussian_view"]])[0],
            _numbers(path, content, "gaussian_rotation_deg", 3),  # type: ignore[arg-type]
            _numbers(path, content, "gaussian_translation_mm", 3),  # type: ignore[arg-type]
            number(path, content, "source_object_mm"),
        )
    else:
        _check_keys(path, content, _C_ARM_KEYS)
        given = content["views"]
        views = given if isinstance(given, list) and given else [given]
        poses = CArmRanges(views_named(path, views), **{key: interval(path, content, key) for key in _INTERVALS})
    return Preset(path.stem, str(content["description"]), poses, number(path, content, "field"), content)


def _check_keys(path: Path, content: Mapping[str, Any], expected: set[str]) -> None:
    for key in sorted(expected - set(content)):
        raise InputError(path, f"{key} is missing", f"A preset of this kind has {', '.join(sorted(expected))}.")
    for key in sorted(set(content) - expected):
        raise InputError(path, f"{key} is not known", f"A preset of this kind has {', '.join(sorted(expected))}.")


def views_named(path: Path, names: list[Any]) -> tuple[str, ...]:
    """Views of these names, in their order. InputError for one that is not known."""
    for name in names:
        if not isinstance(name, str) or name not in VIEW_BEAMS:
            raise InputError(path, f"view {name!r} is not known", f"Use of {', '.join(VIEW_BEAMS)}.")
    return tuple(names)


def _numbers(path: Path, content: Mapping[str, Any], key: str, count: int) -> tuple[float, ...]:
    values = content[key]
    if (
        not isinstance(values, list)
        or len(values) != count
        or not all(isinstance(v, int | float) and np.isfinite(v) for v in values)
    ):
        raise InputError(path, f"{key} is {values}", f"Give {count} numbers in brackets.")
    return tuple(map(float, values))


def interval(path: Path, content: Mapping[str, Any], key: str) -> tuple[float, float]:
    """An interval of the file. InputError where its ends are exchanged, or a distance is not above 0."""
    low, high = _numbers(path, content, key, 2)
    if low > high or (key == "source_object_mm" and low <= 0):
        raise InputError(path, f"{key} is {low:g} to {high:g}", "Give the lower number first; distances above 0.")
    return low, high


def number(path: Path, content: Mapping[str, Any], key: str) -> float:
    """A number of the file. InputError where it is not above 0."""
    value = content[key]
    if not isinstance(value, int | float) or not 0 < value < np.inf:
        raise InputError(path, f"{key} is {value}", "Give a number above 0.")
    return float(value)
