"""From where heads are seen, and how much of them an image shows: by name or from a file of one's own."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from DiffRegistrationLib.training.pose_distributions import CArmRanges, Interval
from DiffRegistrationLib.training.preset import interval, number, views_named
from DiffRegistrationLib.xray.errors import InputError
from jaxtyping import Float64

_FOLDER = Path(__file__).with_name("presets")
RANGES_NAMES = tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))

_SHARES = ("contrast_share", "collimated_share")
_KEYS = {"description", "field", *_SHARES, "families"}
_INTERVALS = ("turn_deg", "tilt_deg", "roll_deg", "across_mm", "along_mm", "source_object_mm")
_FAMILY_KEYS = {"share", "views", *_INTERVALS}


@dataclass(frozen=True)
class ViewFamily:
    """Views of one kind, and how often they come up against the other kinds."""

    name: str
    share: float
    poses: CArmRanges


@dataclass(frozen=True)
class ViewRanges:
    """Views to draw from. `field` is the image's width over the source-detector distance; small ones magnify.

    `contrast_share` of the images show arteries filled with contrast medium, `collimated_share` are collimated.
    """

    name: str
    description: str
    families: tuple[ViewFamily, ...]
    field: Interval
    contrast_share: float
    collimated_share: float
    content: Mapping[str, Any]

    def drawn(self, random: np.random.Generator) -> tuple[Float64[np.ndarray, "4 4"], float]:
        """A view: camera_from_head, for a head with its Frankfurt axes about its middle (mm), and its field."""
        _, pose, field = self.drawn_of_family(random)
        return pose, field

    def drawn_of_family(self, random: np.random.Generator) -> tuple[int, Float64[np.ndarray, "4 4"], float]:
        """The same, and before it the number of the family that the view is of."""
        shares = np.array([family.share for family in self.families])
        which = int(random.choice(len(shares), p=shares / shares.sum()))
        pose = self.families[which].poses.drawn(random)
        # Even in magnification, of which one step counts as much as another.
        return which, pose, float(np.exp(random.uniform(*np.log(self.field))))


def view_ranges(name: str) -> ViewRanges:
    """The ranges of this name, or of a .toml file. InputError for a name without a file, and for what is wrong in one.

    A file holds families of views: see those in population/presets.
    """
    path = _FOLDER / f"{name}.toml" if name in RANGES_NAMES else Path(name)
    if path.suffix != ".toml" or not path.is_file():
        raise InputError(
            f"views {name!r}",
            "is neither a name of views nor a .toml file",
            f"Use one of {', '.join(RANGES_NAMES)}, or write a file like theirs.",
        )
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(path, f"is no TOML: {error}", "Correct it, or begin with a copy of one of ours.") from None
    _check_keys(path, content, _KEYS, "The file")
    for key in _SHARES:
        if not isinstance(content[key], int | float) or not 0 <= content[key] <= 1:
            raise InputError(path, f"{key} is {content[key]}", "Give a part between 0 and 1.")
    field = interval(path, content, "field")
    if not 0.02 <= field[0] <= field[1] <= 2:
        raise InputError(path, f"field is {field[0]:g} to {field[1]:g}", "Give widths between 0.02 and 2.")
    if not isinstance(content["families"], dict) or not content["families"]:
        raise InputError(path, "families is no table", "Add at least one [families.NAME].")
    families = tuple(_family(path, key, value) for key, value in content["families"].items())
    shares = {key: float(content[key]) for key in _SHARES}
    return ViewRanges(path.stem, str(content["description"]), families, field, **shares, content=content)


def _family(path: Path, name: str, content: Any) -> ViewFamily:
    if not isinstance(content, dict):
        raise InputError(path, f"families.{name} is no table", f"Write its values below [families.{name}].")
    _check_keys(path, content, _FAMILY_KEYS, f"families.{name}")
    views = content["views"]
    named = views_named(path, views if isinstance(views, list) and views else [views])
    poses = CArmRanges(named, **{key: interval(path, content, key) for key in _INTERVALS})
    return ViewFamily(name, number(path, content, "share"), poses)


def _check_keys(path: Path, content: Mapping[str, Any], expected: set[str], of: str) -> None:
    for key in sorted(expected ^ set(content)):
        problem = f"{key} is missing" if key in expected else f"{key} is not known"
        raise InputError(path, problem, f"{of} has {', '.join(sorted(expected))}.")
