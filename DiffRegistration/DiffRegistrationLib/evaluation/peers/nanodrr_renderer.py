"""nanodrr's renderer on our CT and our camera, so that both see the same attenuation along the same rays."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64
from nanodrr.data import Subject
from nanodrr.drr import render

from ...xray.ct import CT
from ...xray.geometry import PinholeCamera, rigid

# Where rays end when the detector's distance is unknown: behind any patient.
_FAR_MM = 4000.0


def _tensor(values: Any) -> Float[torch.Tensor, "..."]:
    return torch.tensor(np.asarray(values, dtype=np.float32))


def nanodrr_subject(ct: CT) -> Subject:
    """The CT for nanodrr, in the CT's frame: our attenuation (mm⁻¹) as it is, without its own conversion from HU."""
    volume = _tensor(ct.attenuation)[None, None]
    return Subject(
        volume,
        torch.zeros_like(volume),
        _tensor(ct.ct_from_voxel),
        _tensor(np.linalg.inv(ct.ct_from_voxel)),
        Subject._make_voxel_to_grid(volume.shape[1:]),
        _tensor(ct.centre),
        max_label=0,
        convert_to_mu=False,
    )


class NanodrrRenderer:
    """Renders one CT for one camera with nanodrr.

    `samples` lie along the part of each ray inside the volume. `strips` cuts the image's rows into that many views
    rendered as a batch: the same image, but torch samples a volume with one core for each view of a batch.
    """

    def __init__(self, subject: Subject, camera: PinholeCamera, samples: int, strips: int = 1) -> None:
        self._subject, self._samples = subject, samples
        rows, self._columns = camera.size
        edges = np.linspace(0, rows, strips + 1).round().astype(int)
        # A batch has one height; the surplus row that a strip may get lies above it and is dropped again.
        self._kept = np.diff(edges)
        self._height = int(self._kept.max())
        inverse_intrinsics = []
        for last_edge in edges[1:]:
            # Its pixel centres lie at half integers, ours at integers.
            K = camera.cropped(last_edge - self._height, 0, (self._height, self._columns)).intrinsic.copy()
            K[:2, 2] += 0.5
            inverse_intrinsics.append(np.linalg.inv(K))
        self.inverse_intrinsic = _tensor(inverse_intrinsics)
        self.source_detector_distance = _tensor([camera.source_detector_distance or _FAR_MM]).expand(strips)

    def render(self, ct_from_camera: Float[torch.Tensor, "1 4 4"]) -> Float[torch.Tensor, "1 1 rows columns"]:
        """Line integrals, differentiable by the pose of the camera in the CT's frame."""
        strips = render(
            self._subject,
            self.inverse_intrinsic,
            ct_from_camera.expand(len(self._kept), -1, -1),
            self.source_detector_distance,
            self._height,
            self._columns,
            n_samples=self._samples,
        )
        return torch.cat([strip[None, :, -kept:] for strip, kept in zip(strips, self._kept, strict=True)], dim=2)


def camera_in_ct(camera: PinholeCamera, world_from_ct: Float64[np.ndarray, "4 4"]) -> Float[torch.Tensor, "1 4 4"]:
    """ct_from_camera (float32), the pose that nanodrr moves."""
    return _tensor(rigid.inverse(camera.camera_from_world @ world_from_ct))[None]


def ct_in_world(camera: PinholeCamera, ct_from_camera: Float[torch.Tensor, "1 4 4"]) -> Float64[np.ndarray, "4 4"]:
    """world_from_ct of a pose that nanodrr found."""
    matrix = ct_from_camera.detach()[0].numpy().astype(np.float64)
    return rigid.inverse(camera.camera_from_world) @ rigid.inverse(rigid.orthonormalised(matrix))
