"""The frames of a run whose radiographs a job's folder holds: number `time` · `views` + `view`, all from 0."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from ..xray.errors import InputError
from .job_files import radiograph_count


def frame_numbers(folder: Path, views: int, numbers: Sequence[int]) -> tuple[int, ...]:
    """The frames' own `numbers`; 0, 1, … if none are given.

    InputError where there is no whole number of frames, and for numbers that are too few or too many or do not rise.
    """
    radiographs = radiograph_count(folder)
    if views < 1 or not radiographs or radiographs % views:
        raise InputError(
            "X-rays of the sequence",
            f"{radiographs} of them are no whole number of frames of {views} views",
            "Give the same views for each frame, one frame at least.",
        )
    count = radiographs // views
    numbers = tuple(numbers) or tuple(range(count))
    if len(numbers) != count or any(later <= before for before, later in pairwise(numbers)):
        raise InputError(
            "numbers of the frames",
            f"{len(numbers)} were given for {count} frames, or they do not rise",
            "Give each frame a number, each greater than the one before.",
        )
    return numbers
