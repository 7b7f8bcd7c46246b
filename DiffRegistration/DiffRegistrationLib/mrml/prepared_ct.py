"""A CT made ready for worker and DRRs by a thread that touches no node, so that a window does not stand still."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64

from ..worker.job_files import ct_path, write_ct
from ..xray.ct import CT
from ..xray.geometry import Camera, rigid
from ..xray.projector import Projector

# About 30 ms of computing on two cores.
_RAYS_AT_ONCE = 1 << 15
# Numba's threads serve one caller at a time; on some systems a second one ends the process.
_rendering = threading.Lock()


class PreparedCT:
    """What is made of a CT's voxels, each thing once, after it was asked for, in `thread` (of one thread).

    `take` makes the CT and raises InputError for what is none; `folder` is where it is written. A future raises what
    making its thing raised.
    """

    def __init__(self, take: Callable[[], CT], folder: Path, thread: Executor) -> None:
        self.folder = folder
        self._thread = thread
        self._ct = thread.submit(take)
        self._written: Future[Path] | None = None
        self._projector: Future[Projector] | None = None
        self._levels: dict[int, Future[None]] = {}

    @property
    def failed(self) -> bool:
        """Whether it has turned out that there is no CT in it."""
        return self._ct.done() and self._ct.exception() is not None

    @property
    def busy(self) -> bool:
        """Whether its thread has something to make."""
        made = (self._ct, self._written, self._projector, *self._levels.values())
        return any(future is not None and not future.done() for future in made)

    @property
    def written(self) -> Future[Path]:
        """The CT's file, for `job_files.read_ct`; written again where that failed, or where it was removed."""
        before = self._written
        if before is None or (before.done() and (before.exception() is not None or not ct_path(self.folder).exists())):
            self._written = self._thread.submit(lambda: write_ct(self.folder, self._ct.result()))
        assert self._written is not None
        return self._written

    @property
    def projector(self) -> Future[Projector]:
        """The CT's projector."""
        if self._projector is None:
            self._projector = self._thread.submit(lambda: Projector(self._ct.result()))
        return self._projector

    def is_quick(self, camera: Camera, pose: Float64[np.ndarray, "4 4"]) -> bool:
        """Whether all is there that a DRR of this camera needs; where not, it is made meanwhile."""
        if not self.projector.done():
            return False
        projector = self.projector.result()
        binning = _binning(projector, camera, pose)
        if binning not in self._levels:
            self._levels[binning] = self._thread.submit(lambda: _load(projector, camera, pose, binning))
        level = self._levels[binning]
        if level.done():
            level.result()
        return level.done()

    def drr(self, camera: Camera, pose: Float64[np.ndarray, "4 4"]) -> Float32[np.ndarray, "rows columns"]:
        """The DRR (line integrals) that `camera` sees of the CT at `pose` (world_from_ct)."""
        *_pieces, image = self.drr_in_pieces(camera, pose, rays_at_once=camera.size[0] * camera.size[1])
        assert image is not None
        return image

    def drr_in_pieces(
        self, camera: Camera, pose: Float64[np.ndarray, "4 4"], rays_at_once: int = _RAYS_AT_ONCE
    ) -> Iterator[Float32[np.ndarray, "rows columns"] | None]:
        """As `drr`, which comes last: after each piece before it None, for whoever has something else to do."""
        projector = self.projector.result()
        binning = _binning(projector, camera, pose)
        rows, columns = camera.size
        image = np.empty((rows, columns), dtype=np.float32)
        step = max(1, rays_at_once // columns)
        for first in range(0, rows, step):
            v, u = np.mgrid[first : min(first + step, rows), 0:columns]
            rays = camera.rays(np.column_stack([u.ravel(), v.ravel()]).astype(np.float64))
            with _rendering:
                image[first : first + step] = projector.render(rays, pose, binning=binning)[0].reshape(u.shape)
            yield None
        yield image


def _binning(projector: Projector, camera: Camera, pose: Float64[np.ndarray, "4 4"]) -> int:
    centre = rigid.transform_points(pose, [projector.ct.centre])[0]
    return projector.binning_for(camera.pixel_footprint_mm(centre))


def _load(projector: Projector, camera: Camera, pose: Float64[np.ndarray, "4 4"], binning: int) -> None:
    """Have the level of the CT, and the kernel, loaded."""
    with _rendering:
        projector.render(camera.rays(np.zeros((1, 2))), pose, binning=binning)
