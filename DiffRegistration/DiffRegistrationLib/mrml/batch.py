"""A folder of patients, registered one after another, with a table of what came of each.

INPUT holds one folder a patient. In it:

- the CT: a folder `ct` of DICOM slices, or a file `ct.nrrd` (.nii.gz, .mha …), or else the only volume file there is;
- the X-rays: every file whose name begins with `xray` or `x-ray`, in the order of their names. They share one pose; of
  a file with several frames the first is taken;
- their cameras, where the X-rays do not tell their geometry themselves: `xray-ap.camera.json` or `camera-ap.json` is
  that of `xray-ap.png`, `camera.json` that of `xray.png`. With one X-ray and one camera any `camera*.json` will do.

Upper and lower case are the same. Into OUTPUT/PATIENT go pose.tfm, pose.h5, pose.json, drr-1.nrrd …, result.json and
report.html, and into OUTPUT/results.csv a line for each patient.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import slicer

# What is read here is read, and told of its frame of reference, as `fluororeg register` does.
from ..registration.starts import START_NAMES
from ..worker.messages import Progress
from ..xray.errors import UNUSABLE, InputError, as_input_error
from ..xray.files.atomic import atomic_write
from ..xray.files.ct_files import read_volume
from ..xray.files.lps import ras_from_index
from ..xray.files.volume_file import VOLUME_SUFFIXES, is_volume_file
from ..xray.files.xray_with_geometry import XrayFile
from .job_results import Listener
from .registration_logic import RegistrationLogic
from .registration_summary import RegistrationSummary
from .scanner_session import note_session
from .scene import new_node, set_ras_from_ijk
from .xray_node import add_xray

TABLE = "results.csv"
HEADING = (
    *("patient", "verdict", "reason", "x-rays", "start", "similarity"),
    *("largest std deg", "largest std mm", "seconds", "report"),
)
# In the place of a verdict, where there is none.
ERROR = "error"

# What a patient's results were made from; written last, so that it tells that they are whole.
_MADE_FROM = "made-from.json"
_RESULTS = (_MADE_FROM, "result.json", "report.html", "pose.tfm", "pose.h5", "pose.json", "drr-*.nrrd")
_XRAY = re.compile(r"x-?ray", re.IGNORECASE)
# Beside a header of the same name, and no image by themselves.
_NO_IMAGES = (".json", ".raw", ".zraw")


@dataclass(frozen=True)
class Patient:
    """What a patient's folder holds."""

    folder: Path
    ct: Path
    xrays: tuple[XrayFile, ...]

    @classmethod
    def in_folder(cls, folder: Path) -> Patient:
        """InputError where a CT or X-rays are missing or cannot be told apart, and for a camera of no X-ray."""
        names = [path for path in folder.iterdir() if not path.name.startswith(".")]
        xrays = [path for path in names if _is_xray(path)]
        if not xrays:
            raise InputError(folder, "holds no X-ray", "Call the X-rays xray.png, xray-lateral.dcm or the like.")
        xrays.sort(key=_order)
        cameras = _cameras(folder, names, xrays)
        return cls(folder, _ct(folder, names), tuple(XrayFile(path, cameras.get(path)) for path in xrays))

    def fingerprint(self, start: str) -> str:
        """Changes when a file of the patient or the start does; tells nothing about them."""
        given = [self.ct, *(path for xray in self.xrays for path in (xray.path, xray.camera) if path is not None)]
        if start not in START_NAMES:
            given.append(self.folder / start)
        digest = hashlib.sha256(start.encode())
        for top in given:
            for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
                if path.is_file():
                    status = path.stat()
                    name = path.relative_to(top.parent).as_posix()
                    digest.update(f"\n{name} {status.st_size} {status.st_mtime_ns}".encode())
        return digest.hexdigest()[:16]


class Batch:
    """Registers the patients of a folder into another one by `logic`; `say` is told how it goes, a line at a time.

    `start` is a name of `registration.starts.START_NAMES`, or the name of a pose or network file that each patient's
    folder has. InputError for folders that cannot be used, and for a start that is no name and no patient's file.
    """

    def __init__(
        self,
        logic: RegistrationLogic,
        source: Path,
        output: Path,
        *,
        start: str = "auto",
        say: Callable[[str], None] = print,
    ) -> None:
        self._logic, self._say, self._start = logic, say, start
        self._folders, self._output = _patient_folders(source), _output_folder(output, source)
        if start not in START_NAMES and not any((folder / start).is_file() for folder in self._folders):
            raise InputError(
                f"start {start!r}",
                "is neither the name of a start nor a file of any patient",
                f"Use one of {', '.join(START_NAMES)}, or put a file of this name into the patients' folders.",
            )
        # The table's lines by patient; those of patients whose turn has not come are of an earlier run.
        self._rows: dict[str, tuple[str, ...]] = {}

    def run(self, again: bool = False) -> bool:
        """Register all patients, but those that are done already unless `again`; whether all of them went well.

        Well means without an error and with a verdict other than “failed”. InputError where the table cannot be
        written.
        """
        for folder in self._folders:
            summary = self._kept(folder)
            if summary is not None:
                self._note(folder, summary)
        done = set() if again else set(self._rows)
        count = len(self._folders)
        for number, folder in enumerate(self._folders, start=1):
            place = f"[{number}/{count}] {folder.name}: "
            if folder.name in done:
                self._say(f"{place}done before, {self._rows[folder.name][1]}")
                continue
            self._treat(folder, place)
            self._write_table()
        self._write_table()
        return all(row[1] not in (ERROR, "failed") for row in self._rows.values())

    def _treat(self, folder: Path, place: str) -> None:
        try:
            summary = self._registered(folder, place)
        except UNUSABLE as error:
            self._note(folder, as_input_error(error))
        except Exception as error:
            # A fault of the program in one patient is no reason to leave out the others.
            traceback.print_exc()
            self._note(folder, InputError(folder, f"failed: {error!r}", "Report this as a fault of the program."))
        else:
            self._note(folder, summary)
        finally:
            slicer.mrmlScene.Clear()
        row = self._rows[folder.name]
        self._say(f"{place}{row[1]}: {row[2]}")

    def _registered(self, folder: Path, place: str) -> RegistrationSummary:
        out = self._output / folder.name
        for pattern in _RESULTS:
            for old in out.glob(pattern):
                old.unlink()
        patient = Patient.in_folder(folder)
        start = self._start if self._start in START_NAMES else str(folder / self._start)
        made_from = patient.fingerprint(self._start)
        names = [patient.ct.name, *(xray.path.name for xray in patient.xrays)]
        self._say(f"{place}reading {', '.join(names)}")
        ct = _add_ct(patient.ct)
        xrays = [add_xray(xray, xray.path.name) for xray in patient.xrays]
        told = ""

        def progressed(progress: Progress) -> None:
            nonlocal told
            if progress.words != told:
                told = progress.words
                self._say(f"{place}{100 * progress.part:.0f} %, {told}")

        found = self._logic.register(ct, xrays, start=start, output=out, listener=Listener(progressed=progressed))
        assert found is not None
        with atomic_write(out / _MADE_FROM) as temporary:
            temporary.write_text(json.dumps({"inputs": made_from}) + "\n", encoding="utf-8")
        return found.summary

    def _kept(self, folder: Path) -> RegistrationSummary | None:
        """What an earlier run found from the same files and start; None where there is nothing whole."""
        out = self._output / folder.name
        try:
            made_from = json.loads((out / _MADE_FROM).read_text(encoding="utf-8"))["inputs"]
            if made_from != Patient.in_folder(folder).fingerprint(self._start):
                return None
            return RegistrationSummary.from_dict(json.loads((out / "result.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _note(self, folder: Path, came: RegistrationSummary | InputError) -> None:
        """The patient's line of the table."""
        if isinstance(came, InputError):
            self._rows[folder.name] = (folder.name, ERROR, str(came), *[""] * (len(HEADING) - 3))
            return
        std = np.array(came.std) if len(came.std) == 6 else np.full(6, np.nan)
        report = Path(folder.name) / "report.html"
        views = len(list((self._output / folder.name).glob("drr-*.nrrd")))
        self._rows[folder.name] = (
            *(folder.name, came.verdict, came.reason, str(views), came.start, f"{came.similarity:.4f}"),
            *(f"{np.degrees(std[:3].max()):.3f}", f"{std[3:].max():.3f}", f"{came.seconds:.2f}", report.as_posix()),
        )

    def _write_table(self) -> None:
        rows = [self._rows[folder.name] for folder in self._folders if folder.name in self._rows]
        self._output.mkdir(parents=True, exist_ok=True)
        with (
            atomic_write(self._output / TABLE) as temporary,
            temporary.open("w", encoding="utf-8", newline="") as file,
        ):
            csv.writer(file).writerows([HEADING, *rows])


def _patient_folders(source: Path) -> list[Path]:
    try:
        folders = [path for path in source.iterdir() if path.is_dir() and not path.name.startswith(".")]
    except OSError as error:
        raise InputError(source, f"cannot be read: {error.strerror}", "Give the folder of the patients.") from error
    if not folders:
        raise InputError(source, "holds no folder", "Give a folder that holds one folder a patient.")
    return sorted(folders)


def _output_folder(output: Path, source: Path) -> Path:
    if output.resolve().is_relative_to(source.resolve()):
        raise InputError(output, "lies within the folder of the patients", "Choose a folder beside it.")
    if output.exists() and not output.is_dir():
        raise InputError(output, "is a file, a folder was expected", "Choose another name for the output.")
    return output


def _is_xray(path: Path) -> bool:
    return bool(_XRAY.match(path.name)) and path.suffix.lower() not in _NO_IMAGES and path.is_file()


def _order(path: Path) -> tuple[list[str | int], str]:
    """Sorts names as people do: 2 before 10, and a name before its longer ones."""
    parts = re.split(r"(\d+)", path.stem.lower())
    return [int(part) if number % 2 else part for number, part in enumerate(parts)], path.name


def _ct(folder: Path, names: Sequence[Path]) -> Path:
    volumes = [path for path in names if path.is_file() and is_volume_file(path) and not _XRAY.match(path.name)]
    called_so = [path for path in names if path.is_dir() and path.name.lower() == "ct"]
    called_so += [path for path in volumes if path.name.lower().partition(".")[0] == "ct"]
    found = called_so or volumes
    if len(found) == 1:
        return found[0]
    raise InputError(
        folder,
        f"holds {len(found)} CTs ({', '.join(sorted(path.name for path in found))})" if found else "holds no CT",
        f"Put one there: a folder ct of DICOM slices, or ct.nrrd ({', '.join(VOLUME_SUFFIXES)}).",
    )


def _cameras(folder: Path, names: Sequence[Path], xrays: Sequence[Path]) -> dict[Path, Path]:
    """Camera files by the X-ray that they belong to."""
    cameras = {
        path.name.lower(): path
        for path in names
        if path.suffix.lower() == ".json"
        and (path.name.lower().startswith("camera") or path.name.lower().endswith(".camera.json"))
    }
    if len(cameras) == len(xrays) == 1:
        return dict(zip(xrays, cameras.values(), strict=True))
    found: dict[Path, Path] = {}
    for xray in xrays:
        stem = xray.stem.lower()
        for name in (
            f"{stem}.camera.json",
            f"{xray.name.lower()}.camera.json",
            f"camera{_XRAY.sub('', stem, 1)}.json",
        ):
            if xray not in found and name in cameras:
                found[xray] = cameras.pop(name)
    if cameras:
        raise InputError(
            folder,
            f"it is not clear which X-ray these cameras belong to: {', '.join(sorted(cameras))}",
            "Call a camera as its X-ray: xray-ap.camera.json or camera-ap.json for xray-ap.png.",
        )
    return found


def _add_ct(path: Path) -> Any:
    """The CT as a node, read by the engine, which takes tilted and uneven series for what they are."""
    volume = read_volume(path, None)
    node = new_node("vtkMRMLScalarVolumeNode", path.name)
    slicer.util.updateVolumeFromArray(node, volume.hounsfield)
    set_ras_from_ijk(node, ras_from_index(volume.lps_from_voxel))
    note_session(node, path)
    return node
