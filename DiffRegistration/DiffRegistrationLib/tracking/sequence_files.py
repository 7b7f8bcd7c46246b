"""Frames of several views from files, brought together by their numbers."""

from __future__ import annotations

from collections.abc import Sequence

from ..registration.inputs import check_pixels, check_shared_world, told_apart
from ..xray.errors import InputError
from ..xray.files.ct_files import frame_of_reference
from ..xray.files.xray_sequences import XraySequence
from ..xray.provenance import Provenance
from ..xray.radiograph import Radiograph
from .frames import Frame

# Views that share less than this part of their frames' numbers are out of step.
_LEAST_SHARED = 0.5


class SequenceFiles:
    """A `FrameSource` of files; a view that lacks a frame does without it.

    `first` and `last` bound the numbers of the frames, if given. `frame_of_ct` is the CT's frame of reference (see
    `ct_files.frame_of_reference`). InputError where the views are out of step, where no frame is left, and where all
    frames of a view cannot be used, as with a camera of another size.
    """

    def __init__(
        self,
        views: Sequence[XraySequence],
        first: int | None = None,
        last: int | None = None,
        frame_of_ct: str | None = None,
    ) -> None:
        self._views, self._frame_of_ct = tuple(views), frame_of_ct
        _check_in_step(self._views)
        there = sorted(set().union(*(view.numbers for view in self._views)))
        self._times = tuple(n for n in there if (first is None or n >= first) and (last is None or n <= last))
        if not self._times:
            low, high = there[0] if first is None else first, there[-1] if last is None else last
            raise InputError(
                "frames",
                f"none of the frames {there[0]} to {there[-1]} lies between {low} and {high}",
                "Widen --first and --last.",
            )
        self._first = tuple(self._first_usable(view) for view in self._views)
        check_shared_world([radiograph for radiograph in self._first if radiograph is not None])

    @property
    def times(self) -> Sequence[int]:
        """Numbers of the frames that any view has."""
        return self._times

    @property
    def views(self) -> int:
        """How many views there are."""
        return len(self._views)

    def missing(self) -> dict[int, tuple[int, ...]]:
        """The frames that each view (by its number) lacks, where it lacks any."""
        lacks = {n: tuple(t for t in self._times if t not in view.frames) for n, view in enumerate(self._views)}
        return {view: times for view, times in lacks.items() if times}

    def provenance(self) -> dict[int, tuple[Provenance, ...]]:
        """What is known of each view (by its number), as its first usable frame says it."""
        return {n: one.provenance for n, one in enumerate(self._first) if one is not None}

    def frame(self, time: int) -> Frame:
        """A frame's radiographs. InputError for one that cannot be used; it names no file, as results quote it."""
        found: list[Radiograph | None] = []
        for number, view in enumerate(self._views, start=1):
            try:
                found.append(self._read(view, time) if time in view.frames else None)
            except InputError as error:
                raise InputError(f"view {number}, frame {time}", error.problem, error.remedy) from error
        check_shared_world([radiograph for radiograph in found if radiograph is not None])
        return tuple(found)

    def _first_usable(self, view: XraySequence) -> Radiograph | None:
        """None for a view that lacks all frames; the first frame's InputError where none can be used."""
        problem: InputError | None = None
        for time in self._times:
            if time in view.frames:
                try:
                    return self._read(view, time)
                except InputError as error:
                    problem = problem or error
        if problem is not None:
            raise problem
        return None

    def _read(self, view: XraySequence, time: int) -> Radiograph:
        radiograph = view.read(time)
        path = view.frames[time].path
        check_pixels(radiograph, f"{path}, frame {time}" if len(self._times) > 1 else path)
        return told_apart(radiograph, frame_of_reference(path), self._frame_of_ct)


def _check_in_step(views: Sequence[XraySequence]) -> None:
    """InputError where views hardly share numbers of frames."""
    if not views:
        raise InputError("X-rays", "no view was given", "Give a file, a folder or a pattern for each view.")
    first = set(views[0].numbers)
    for number, view in enumerate(views[1:], start=2):
        numbers = set(view.numbers)
        if len(numbers & first) < _LEAST_SHARED * max(len(numbers), len(first)):
            raise InputError(
                view.path,
                f"is out of step with {views[0].path}: view 1 has frames {min(first)} to {max(first)}, view {number} "
                f"{min(numbers)} to {max(numbers)}; they share {len(numbers & first)}",
                "Number the frames of all views by one clock, in their names.",
            )
