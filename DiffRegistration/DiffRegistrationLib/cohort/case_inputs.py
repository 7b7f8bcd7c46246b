"""What a line of the manifest means: files that exist, and numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isfinite
from pathlib import Path
from typing import TypeVar

from ..registration.registration import DEFAULT_SIMILARITY
from ..registration.starts import START_NAMES
from ..tracking.bodies import BodyFile
from ..xray.errors import InputError
from ..xray.files.c_arm_geometry import CArmGeometry
from ..xray.files.xray_with_geometry import XrayFile
from .cohort_case import COLUMNS_OF_KIND, KINDS, TRACK, CohortCase

_BONE = {"bright": True, "dark": False}
_LIST = ";"
_PATTERN = re.compile(r"[*?\[]")

T = TypeVar("T")


@dataclass(frozen=True)
class CaseInputs:
    """The files and numbers of a case. A view of a sequence may be a folder or a pattern such as cam1/*.tif."""

    ct: Path
    views: tuple[XrayFile, ...]
    start: str
    similarity: str
    series: str | None
    key_frame: int | None
    first: int | None
    last: int | None
    frames_per_second: float | None
    labels: Path | None
    bodies: tuple[BodyFile, ...]
    joints: tuple[tuple[str, str], ...]

    @property
    def files(self) -> tuple[Path, ...]:
        """All files, folders and patterns that the case is made from."""
        given: list[Path | None] = [self.ct, self.labels]
        for view in self.views:
            given += [view.path, view.camera, view.mask]
        for body in self.bodies:
            given += [body.mask, body.ct]
        if self.start not in START_NAMES:
            given.append(Path(self.start))
        return tuple(path for path in given if path is not None)


def matching(path: Path) -> list[Path]:
    """The path itself if it exists, or what it matches as a pattern, in order."""
    if path.exists():
        return [path]
    return sorted(path.parent.glob(path.name)) if _PATTERN.search(path.name) else []


def case_inputs(case: CohortCase, source: Path) -> CaseInputs:
    """What the line of `case` gives; paths are relative to `source`.

    InputError, naming line and column, for a file that does not exist, for what is no number, for columns that do not
    go together.
    """
    return _Line(case, source).inputs()


class _Line:
    def __init__(self, case: CohortCase, source: Path) -> None:
        self._case, self._source = case, source

    def inputs(self) -> CaseInputs:
        self._check_columns()
        return CaseInputs(
            ct=self._file("ct", self._case.get("ct") or ""),
            views=self._views(),
            start=self._start(),
            similarity=self._case.get("similarity") or DEFAULT_SIMILARITY,
            series=self._case.get("series"),
            key_frame=self._one("key_frame", self._whole),
            first=self._one("first", self._whole),
            last=self._one("last", self._whole),
            frames_per_second=self._one("frames_per_second", self._positive),
            labels=self._one("labels", self._file),
            bodies=self._bodies(),
            joints=tuple(self._joint(text) for text in self._several("joints")),
        )

    def _wrong(self, column: str, problem: str, remedy: str) -> InputError:
        return InputError(f"line {self._case.line}, column {column}", problem, remedy)

    def _check_columns(self) -> None:
        kind = self._case.kind
        if kind not in KINDS:
            raise self._wrong("kind", f"{kind!r} is not known", f"Write {' or '.join(KINDS)}, or nothing.")
        for other in KINDS:
            for column in COLUMNS_OF_KIND[other]:
                if other != kind and self._case.get(column) is not None:
                    raise self._wrong(
                        column, f"says something, but the case is of kind {kind}", f"Empty it, or write {other}."
                    )
        beside = [name for name in ("sdd", "sod", "spacing", "angles") if self._case.get(name) is not None]
        if beside and self._case.get("cameras") is not None:
            raise self._wrong(
                beside[0], "is given beside cameras, whose files already say all of the geometry", "Empty one of them."
            )

    def _one(self, column: str, read: Callable[[str, str], T]) -> T | None:
        text = self._case.get(column)
        return None if text is None else read(column, text)

    def _several(self, column: str) -> list[str]:
        text = self._case.get(column)
        return [part.strip() for part in text.split(_LIST)] if text is not None else []

    def _one_each(self, column: str, count: int, read: Callable[[str, str], T]) -> list[T | None]:
        """One for each X-ray, None for those left empty; all None where the column says nothing."""
        parts = self._several(column)
        if not parts:
            return [None] * count
        if len(parts) != count:
            raise self._wrong(
                column,
                f"has {len(parts)} for {count} X-ray{'' if count == 1 else 's'}",
                f"Give one for each X-ray, separated by {_LIST}, in their order.",
            )
        return [read(column, part) if part else None for part in parts]

    def _views(self) -> tuple[XrayFile, ...]:
        paths = [self._xray("xrays", part) for part in self._several("xrays")]
        count = len(paths)
        spacing = self._one("spacing", self._spacing)
        sdd, sod = self._one("sdd", self._positive), self._one("sod", self._positive)
        frame = self._one("frame", self._whole) or 0
        bone = self._one("bone", self._bone)
        views = []
        for path, camera, mask, angles in zip(
            paths,
            self._one_each("cameras", count, self._file),
            self._one_each("masks", count, self._file),
            self._one_each("angles", count, self._pair),
            strict=True,
        ):
            geometry = CArmGeometry(
                source_detector_distance=sdd,
                source_object_distance=sod,
                pixel_spacing=spacing,
                primary_angle_deg=angles[0] if angles else None,
                secondary_angle_deg=angles[1] if angles else None,
            )
            views.append(XrayFile(path, camera, geometry, frame, mask, bone))
        return tuple(views)

    def _file(self, column: str, text: str) -> Path:
        path = self._source / text
        if not text or not path.exists():
            raise self._wrong(
                column, f"there is no file or folder {text}", "Correct it; it is relative to the manifest."
            )
        return path

    def _xray(self, column: str, text: str) -> Path:
        path = self._source / text
        if text and self._case.kind == TRACK and not path.exists():
            if matching(path):
                return path
            if _PATTERN.search(text):
                raise self._wrong(column, f"no file matches {text}", "Correct it; it is relative to the manifest.")
        return self._file(column, text)

    def _start(self) -> str:
        text = self._case.get("start") or "auto"
        if text in START_NAMES:
            return text
        path = self._source / text
        if not path.is_file():
            raise self._wrong(
                "start",
                f"{text!r} is neither the name of a start nor a file",
                f"Write one of {', '.join(START_NAMES)}, or a pose or network file, relative to the manifest.",
            )
        return str(path)

    def _numbers(self, column: str, text: str) -> tuple[float, ...]:
        try:
            numbers = tuple(float(part) for part in re.split(r"[,\s]+", text))
        except ValueError:
            numbers = ()
        if not numbers or not all(map(isfinite, numbers)):
            raise self._wrong(column, f"{text!r} is no number", "Write numbers with a decimal point.")
        return numbers

    def _positive(self, column: str, text: str) -> float:
        numbers = self._numbers(column, text)
        if len(numbers) != 1 or not 0 < numbers[0] < inf:
            raise self._wrong(column, f"{text!r} is not one number above 0", "Write one, with a decimal point.")
        return numbers[0]

    def _whole(self, column: str, text: str) -> int:
        if not re.fullmatch(r"\d{1,9}", text):
            raise self._wrong(column, f"{text!r} is no whole number from 0", "Write one.")
        return int(text)

    def _pair(self, column: str, text: str) -> tuple[float, float]:
        numbers = self._numbers(column, text)
        if len(numbers) != 2:
            raise self._wrong(
                column, f"{text!r} is not two numbers", f"Write primary and secondary angle (180 0){_LIST} and so on."
            )
        return numbers[0], numbers[1]

    def _spacing(self, column: str, text: str) -> tuple[float, float]:
        numbers = self._numbers(column, text)
        if len(numbers) not in (1, 2) or not min(numbers) > 0:
            raise self._wrong(
                column,
                f"{text!r} is not one or two lengths above 0",
                "Write mm at the detector: 0.3, or rows columns.",
            )
        return numbers[0], numbers[-1]

    def _bone(self, column: str, text: str) -> bool:
        if text not in _BONE:
            raise self._wrong(column, f"{text!r} is not known", f"Write {' or '.join(_BONE)}, or nothing.")
        return _BONE[text]

    def _bodies(self) -> tuple[BodyFile, ...]:
        bodies = tuple(self._body(text) for text in self._several("bodies"))
        by_label = [body.name for body in bodies if body.label is not None]
        if by_label and self._case.get("labels") is None:
            raise self._wrong(
                "bodies", f"{by_label[0]} is a label of a label map, which is not given", "Fill in the column labels."
            )
        return bodies

    def _body(self, text: str) -> BodyFile:
        name, _, rest = (part.strip() for part in text.partition("="))
        what, _, value = (part.strip() for part in rest.partition(":"))
        if name and what == "label":
            return BodyFile(name, label=self._whole("bodies", value))
        if name and what == "mask":
            return BodyFile(name, mask=self._file("bodies", value))
        if name and what == "ct":
            return BodyFile(name, ct=self._file("bodies", value))
        raise self._wrong(
            "bodies",
            f"{text!r} is no body",
            f"Write skull=label:1, jaw=mask:jaw.nrrd or wire=ct:wire.nrrd, separated by {_LIST}.",
        )

    def _joint(self, text: str) -> tuple[str, str]:
        one, _, other = (part.strip() for part in text.partition(":"))
        if not one or not other or one == other:
            raise self._wrong("joints", f"{text!r} is no joint", f"Write skull:jaw, separated by {_LIST}.")
        return one, other
