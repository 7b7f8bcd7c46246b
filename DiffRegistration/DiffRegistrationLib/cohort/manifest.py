"""The list of a cohort's cases: a CSV table with a line a case."""

from __future__ import annotations

import csv
import difflib
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..xray.errors import InputError
from .case_inputs import case_inputs
from .cohort_case import COLUMNS, NEEDED_COLUMNS, CohortCase, Problem

# Spreadsheets of many countries save CSV with semicolons.
_DELIMITERS = (",", ";", "\t")
_REMEDY = f"Give a CSV table with the columns {', '.join(NEEDED_COLUMNS)} at least, a line a case."
_LONGEST_NAME = 100
_NEVER_IN_A_NAME = re.compile(r'[\\/:*?"<>|\x00-\x1f\x7f]')
# Windows keeps these for devices; the last two lie in the cohort's folder.
_TAKEN = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?|cohort\.csv|index\.html", re.IGNORECASE)


@dataclass(frozen=True)
class Manifest:
    """The cases of a cohort in the order of their lines, with what is wrong with those that cannot be used.

    `path` is absolute; paths of the table are relative to its folder.
    """

    path: Path
    cases: tuple[CohortCase, ...]

    @property
    def folder(self) -> Path:
        """What the table's paths are relative to."""
        return self.path.parent


def read_manifest(path: str | Path) -> Manifest:
    """The manifest at `path`. A line that cannot be used is a case with a `problem`.

    InputError for what is no manifest: no text, no cases, a column missing, unknown or twice.
    """
    path = Path(path).absolute()
    lines = _lines(path)
    header = _header(path, lines)
    cases = [_case(header, number, fields) for number, fields in lines[1:] if any(field.strip() for field in fields)]
    if not cases:
        raise InputError(path, "holds no case", _REMEDY)
    return Manifest(path, tuple(_checked(case, path.parent) for case in _told_apart(cases)))


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    """The table's rows with the number of the line that each begins on."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(path, "is no text in UTF-8", "In a spreadsheet, save it as CSV UTF-8.") from None
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror}", "Check the file's name and rights.") from None
    first = text.lstrip().partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first.count)
    try:
        found = list(_numbered(text, delimiter))
    except csv.Error as error:
        raise InputError(path, f"is no CSV table: {error}", _REMEDY) from None
    if not found:
        raise InputError(path, "is empty", _REMEDY)
    return found


def _numbered(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True)
    begins = 1
    for fields in reader:
        if fields:
            yield begins, fields
        begins = reader.line_num + 1


def _header(path: Path, lines: Sequence[tuple[int, list[str]]]) -> list[str]:
    number, fields = lines[0]
    header = [field.strip().lower() for field in fields]
    # Spreadsheets leave empty columns at the end.
    while header and not header[-1]:
        header.pop()
    place = f"{path}, line {number}"
    lacking = [name for name in NEEDED_COLUMNS if name not in header]
    if lacking:
        raise InputError(place, f"there is no column {', '.join(lacking)}", _REMEDY)
    for name in header:
        if name not in COLUMNS:
            near = difflib.get_close_matches(name, COLUMNS, 1)
            guess = f"Did you mean {near[0]}? " if near else ""
            raise InputError(place, f"the column {name!r} is not known", f"{guess}There are {', '.join(COLUMNS)}.")
        if header.count(name) > 1:
            raise InputError(place, f"there are {header.count(name)} columns {name}", "Leave one.")
    return header


def _case(header: Sequence[str], line: int, fields: Sequence[str]) -> CohortCase:
    said = {name: field.strip() for name, field in zip(header, fields, strict=False) if field.strip()}
    case = CohortCase(said.get("case", ""), line, tuple((name, said[name]) for name in COLUMNS if name in said))
    if any(field.strip() for field in fields[len(header) :]):
        return _bad(
            case,
            f"has {len(fields)} fields for {len(header)} columns",
            'Put a field that contains the separator into quotes: "0.3,0.3".',
        )
    lacking = [name for name in NEEDED_COLUMNS if name not in said]
    return _bad(case, f"says no {', '.join(lacking)}", "Fill it in.") if lacking else case


def _bad(case: CohortCase, problem: str, remedy: str, column: str = "") -> CohortCase:
    subject = f"line {case.line}, column {column}" if column else f"line {case.line}"
    return replace(case, problem=Problem(subject, problem, remedy))


def _told_apart(cases: Sequence[CohortCase]) -> Iterator[CohortCase]:
    """Cases with names that cannot be folders, or that others have too, made bad."""
    lines: dict[str, list[int]] = {}
    for case in cases:
        # Some disks take upper and lower case, and ways to write an accent, for the same.
        lines.setdefault(_same(case.name), []).append(case.line)
    for case in cases:
        unsafe = _unsafe(case.name)
        others = [line for line in lines[_same(case.name)] if line != case.line]
        if unsafe and case.name:
            yield replace(
                _bad(case, f"{case.name!r} {unsafe}", "Use letters, digits, - and _.", "case"), has_folder=False
            )
        elif others and case.name:
            also = f"{case.name!r} is also in line {', '.join(map(str, others))}"
            yield replace(_bad(case, also, "Give each case a name of its own.", "case"), has_folder=False)
        else:
            yield replace(case, has_folder=bool(case.name))


def _same(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _unsafe(name: str) -> str:
    """Why a folder of this name cannot be, or must not."""
    if found := _NEVER_IN_A_NAME.search(name):
        return f"contains {found[0]!r}, which no folder's name may"
    if not name[:1].isalnum():
        return "does not begin with a letter or digit"
    if name.endswith("."):
        return "ends in a dot"
    if len(name.encode()) > _LONGEST_NAME:
        return f"is longer than {_LONGEST_NAME} characters"
    return "is a name that is taken" if _TAKEN.fullmatch(name) else ""


def _checked(case: CohortCase, source: Path) -> CohortCase:
    if case.problem is not None:
        return case
    try:
        case_inputs(case, source)
    except InputError as error:
        return replace(case, problem=Problem.of(error))
    except (OSError, ValueError) as error:
        # Such as a path with characters that the system does not take.
        return _bad(case, f"its paths cannot be used: {error}", "Correct them.")
    return case
