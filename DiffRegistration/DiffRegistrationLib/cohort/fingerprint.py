"""A name for what a case is made from: another line, file or program gives another one."""

from __future__ import annotations

import glob
import hashlib
import json
from pathlib import Path

from .. import __version__
from .case_inputs import CaseInputs, matching
from .cohort_case import CohortCase

# Headers whose pixels lie in files beside them, of the same name.
_HEADERS = (".mhd", ".nhdr", ".hdr")


class Fingerprints:
    """Fingerprints of cases; files that cases share are looked at once."""

    def __init__(self) -> None:
        self._stamps: dict[Path, str] = {}

    def of(self, case: CohortCase, inputs: CaseInputs) -> str:
        """Changes with the case's line, the program's version, and size or time of any file; tells nothing of them.

        Manifest and files may be moved together.
        """
        given = [__version__, case.values, [self._stamp(path) for path in inputs.files]]
        return hashlib.sha256(json.dumps(given).encode()).hexdigest()[:20]

    def _stamp(self, top: Path) -> str:
        if top not in self._stamps:
            digest = hashlib.sha256()
            for path in _files(top):
                status = path.stat()
                name = path.relative_to(top.parent).as_posix()
                digest.update(f"\n{name} {status.st_size} {status.st_mtime_ns}".encode())
            self._stamps[top] = digest.hexdigest()
        return self._stamps[top]


def _files(top: Path) -> list[Path]:
    found: set[Path] = set()
    for path in matching(top):
        found |= set(path.rglob("*")) if path.is_dir() else {path}
        if path.suffix.lower() in _HEADERS:
            found |= set(path.parent.glob(f"{glob.escape(path.stem)}.*"))
    return sorted(path for path in found if path.is_file())
