"""The moving bones as files: CT, label map, starts, and a folder of frames and a camera for each view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.files.camera_files import write_camera
from DiffRegistrationLib.xray.files.ct_writing import write_ct
from DiffRegistrationLib.xray.files.transform_files import write_pose
from moving_bones import CAMERAS, LOWER, UPPER, bones, camera, off, truth, xray
from PIL import Image
from test_bodies import write_labels

FIRST = 20


def write_frame(path: Path, attenuation: np.ndarray) -> None:
    """A picture of 16 bits as a detector counts it: bright = more X-rays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.rint(60000 * np.exp(-attenuation)).astype(np.uint16)).save(path)


@dataclass(frozen=True)
class SequenceOnDisk:
    """Files of a tracking of two views that works."""

    folder: Path
    count: int

    @property
    def out(self) -> Path:
        """Where results go; not there yet."""
        return self.folder / "out"

    def frame(self, view: int, number: int) -> Path:
        """The picture of a frame."""
        return self.folder / f"cam{view}" / f"shot-{number:04d}.png"

    def track(self, *options: object, labels: str = "labels.nrrd", body: str = "label") -> tuple[object, ...]:
        """Arguments that follow both bones and their joint."""
        return (
            *("track", self.folder / "ct.nrrd", self.folder / "cam1", self.folder / "cam2"),
            *("--camera", self.folder / "cam1.json", "--camera", self.folder / "cam2.json"),
            *("--labels", self.folder / labels, "--body", f"upper={body}:{UPPER}", "--body", f"lower={body}:{LOWER}"),
            *("--body-start", f"upper={self.folder / 'upper.tfm'}", "--joint", "upper:lower"),
            *("--out", self.out, *options),
        )


def write_sequence(folder: Path, times: Sequence[int]) -> SequenceOnDisk:
    """Frames are numbered from FIRST."""
    files = SequenceOnDisk(folder, len(times))
    ct = bones()
    write_ct(folder / "ct.nrrd", CT(ct.attenuation, ct.ct_from_voxel))
    write_labels(folder / "labels.nrrd", ct.labels, ct)
    write_pose(folder / "upper.tfm", off(UPPER, truth(UPPER, times[0])))
    for view, primary in enumerate(CAMERAS, start=1):
        write_camera(folder / f"cam{view}.json", camera(primary))
        for place, time in enumerate(times):
            poses = {label: truth(label, time) for label in (UPPER, LOWER)}
            write_frame(files.frame(view, FIRST + place), xray(primary, poses, place).attenuation)
    return files
