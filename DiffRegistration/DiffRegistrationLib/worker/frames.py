"""Live frames: the newest DRR of each view as a file that is always whole, written seldom enough to cost little."""

from __future__ import annotations

import io
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, Float64

from ..xray.geometry import rigid
from .messages import Frame, Tell

if TYPE_CHECKING:
    from ..xray.geometry import Camera
    from ..xray.projector import Projector

LONGEST_SIDE = 256
# Faster than this nobody sees, and Slicer would draw nothing else.
_LEAST_SECONDS = 0.08
# About this part of a registration's time goes into showing it; but the next frame is due after so many seconds, as
# the first one may take long while its kernel is loaded.
_SHARE, _MOST_SECONDS = 0.15, 1.0
# Frames that would come more seldom than this get half the size, as long as their longer side keeps so many pixels.
_SELDOM_SECONDS, _SMALLEST_SIDE = 0.2, 128


def frame_path(folder: str | Path, view: int) -> Path:
    """The file of the newest frame of a view (from 0)."""
    return Path(folder) / f"frame-{view}.npy"


def write_frame(folder: str | Path, view: int, image: Float32[np.ndarray, "rows columns"]) -> Path | None:
    """Put a frame in the place of the one before; its file, or None where it could not be put there.

    Nobody waits for a frame, so one that cannot be written is left out.
    """
    path = frame_path(folder, view)
    temporary = path.with_name(f".{uuid.uuid4().hex[:8]}.npy")
    content = io.BytesIO()
    np.save(content, np.ascontiguousarray(image, dtype=np.float32), allow_pickle=False)
    try:
        temporary.write_bytes(content.getbuffer())
        temporary.replace(path)
    except OSError:
        # Windows replaces no file that is just being read.
        return None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    return path


def read_frame(path: str | Path) -> Float32[np.ndarray, "rows columns"] | None:
    """The frame in a file (line integrals, no unit); None where there is none or no whole one."""
    try:
        content = Path(path).read_bytes()
        image = np.load(io.BytesIO(content), allow_pickle=False)
    except (OSError, ValueError, EOFError, TypeError, SyntaxError):
        return None
    whole = isinstance(image, np.ndarray) and image.ndim == 2 and image.dtype == np.float32
    return image if whole else None


class LiveFrames:
    """Shows poses as DRRs of all views of a job, each view's longer side at most `longest_side` pixels."""

    def __init__(
        self,
        folder: Path,
        job: str,
        projector: Projector,
        cameras: Sequence[Camera],
        tell: Tell,
        *,
        longest_side: int = LONGEST_SIDE,
    ) -> None:
        self._folder, self._job, self._projector, self._tell = folder, job, projector, tell
        self._longest_side = max(1, longest_side)
        self._number = 0
        self._next = 0.0
        self.look_through(cameras)

    def look_through(self, cameras: Sequence[Camera], time_index: int = 0) -> None:
        """Show what these cameras see from now on, at this frame of the sequence."""
        self._cameras, self._time = cameras, time_index
        binnings = [min(-(-max(c.size) // self._longest_side), *c.size) for c in cameras]
        binned = [camera.binned(binning) for camera, binning in zip(cameras, binnings, strict=True)]
        self._views = [(binning, camera, camera.rays()) for binning, camera in zip(binnings, binned, strict=True)]

    def show(self, pose: Float64[np.ndarray, "4 4"], at_once: bool = False) -> bool:
        """Show a pose (world_from_ct), unless it comes too soon after the last one and need not be `at_once`.

        Whether it was shown.
        """
        began = time.perf_counter()
        if began < self._next and not at_once:
            return False
        self._number += 1
        shown = tuple(tuple(map(float, row)) for row in pose)
        centre = rigid.transform_points(pose, [self._projector.ct.centre])[0]
        for view, (binning, camera, rays) in enumerate(self._views):
            level = self._projector.binning_for(camera.pixel_footprint_mm(centre))
            image = self._projector.render(rays, pose, binning=level)[0].reshape(camera.size)
            path = write_frame(self._folder, view, image)
            if path is not None:
                self._tell(Frame(self._job, view, str(path), self._number, shown, binning, self._time))
        due = (time.perf_counter() - began) / _SHARE
        # The first one may take long for another reason.
        if due > _SELDOM_SECONDS and self._number > 1 and self._longest_side >= 2 * _SMALLEST_SIDE:
            self._longest_side //= 2
            self.look_through(self._cameras, self._time)
        self._next = began + max(_LEAST_SECONDS, min(due, _MOST_SECONDS))
        return True
