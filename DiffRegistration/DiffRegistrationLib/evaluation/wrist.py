"""Real dual fluoroscopy of a wrist: radius and ulna as masked bones, two frames of two calibrated cameras."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from ..tracking.bodies import Body
from ..tracking.frames import Frame
from ..xray.ct import CT
from ..xray.files.sample_data import sample
from ..xray.files.xray_with_geometry import XrayFile
from ..xray.geometry import rigid
from ..xray.projector import Projector
from ..xray.radiograph import Radiograph

BONES = ("radius", "ulna")
FRAMES = (2, 99)
KEY_FRAME = 99
# Of the wrist's CT, by the notes of those who published it; the files' own spacing is wrong.
_VOXEL_MM = (0.39625, 0.39625, 0.625)
_STORED_OFFSET = 1024.0


@dataclass(frozen=True, eq=False)
class Wrist:
    """The bones (`bodies`), the frames by number, and the published rough pose of the radius in the key frame."""

    bodies: tuple[Body, ...]
    frames: dict[int, Frame]
    rough: Float64[np.ndarray, "4 4"]

    @property
    def times(self) -> Sequence[int]:
        """Numbers of the frames."""
        return FRAMES

    @property
    def views(self) -> int:
        """Two."""
        return 2

    def frame(self, time: int) -> Frame:
        """The radiographs of a frame."""
        return self.frames[time]


def wrist() -> Wrist:
    """Read it all. InputError, which says how to get it, where the data is absent."""
    bodies = tuple(Body(bone, Projector(masked_bone(sample(f"wrist-{bone}")))) for bone in BONES)
    frames: dict[int, Frame] = {frame: tuple(wrist_view(frame, number) for number in (1, 2)) for frame in FRAMES}
    return Wrist(bodies, frames, rough_pose())


def rough_pose() -> Float64[np.ndarray, "4 4"]:
    """The published rough pose (world_from_ct) of the radius in the key frame: a start, not the truth."""
    content = json.loads(sample("wrist-radius-pose").read_text(encoding="utf-8"))
    turn, to, about = (np.array(content[key], dtype=np.float64) for key in ("R", "t", "c"))
    return rigid.orthonormalised(rigid.rigid(turn, to - turn @ about))


def masked_bone(path: Path) -> CT:
    """A bone's CT, whose frame is that of its voxels times their size: stored values are HU + 1024."""
    import SimpleITK

    stored = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path))).astype(np.float32)
    return CT.from_hounsfield(stored - _STORED_OFFSET, np.diag([*_VOXEL_MM, 1.0]))


def wrist_view(frame: int, number: int) -> Radiograph:
    """One frame of view 1 or 2 with its calibrated camera; fluoroscopy frames of this study show bone dark."""
    name = f"wrist-xray-{number}" if frame == KEY_FRAME else f"wrist-xray-{number}-frame-{frame}"
    return XrayFile(sample(name), sample(f"wrist-camera-{number}")).read()
