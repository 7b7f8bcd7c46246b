"""The renderers that are measured on a GPU, ours and nanodrr's: volumes and rays lie there, as poses do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Float64

from ..xray.ct import CT
from ..xray.geometry import PinholeCamera
from ..xray.projector.autograd import render
from ..xray.projector.device_projector import DeviceProjector

Poses = Float64[np.ndarray, "poses 4 4"]


class GpuRenderer(Protocol):
    """One program's images, and gradients of ½ Σ I² by the pose, of several CTs before one camera."""

    def poses(self, world_from_ct: Poses) -> torch.Tensor:
        """Poses as the program takes them, on the device."""
        ...

    def forward(self, volume: int, poses: torch.Tensor) -> torch.Tensor:
        """Images (poses, …) of one of the CTs."""
        ...

    def gradient(self, volume: int, poses: torch.Tensor) -> torch.Tensor:
        """Gradient (poses, 4, 4)."""
        ...


# Of CTs, camera, samples a ray and device.
MakeRenderer = Callable[[Sequence[CT], PinholeCamera, int, torch.device], GpuRenderer]


def _gradient(image_of: Callable[[torch.Tensor], torch.Tensor], poses: torch.Tensor) -> torch.Tensor:
    leaf = poses.detach().requires_grad_(True)
    return torch.autograd.grad(0.5 * (image_of(leaf).float() ** 2).sum(), leaf)[0]


class Ours:
    """Our projector as a training calls it."""

    def __init__(self, cts: Sequence[CT], camera: PinholeCamera, samples: int, device: torch.device) -> None:
        self.projectors = [DeviceProjector(ct, device) for ct in cts]
        self.rays, self._samples, self._device = camera.rays(), samples, device

    def poses(self, world_from_ct: Poses) -> torch.Tensor:
        return torch.tensor(world_from_ct, dtype=torch.float32, device=self._device)

    def forward(self, volume: int, poses: torch.Tensor) -> torch.Tensor:
        return self.projectors[volume].render(self.rays, poses, samples=self._samples)

    def gradient(self, volume: int, poses: torch.Tensor) -> torch.Tensor:
        projector = self.projectors[volume]
        return _gradient(lambda leaf: render(projector, self.rays, leaf, samples=self._samples), poses)


class OursRecorded:
    """Ours, each call recorded as a CUDA graph the first time and played again then: no work for the CPU."""

    def __init__(self, cts: Sequence[CT], camera: PinholeCamera, samples: int, device: torch.device) -> None:
        self._ours = Ours(cts, camera, samples, device)
        self.poses = self._ours.poses
        self._recorded: dict[tuple[str, int, int], Callable[[torch.Tensor], torch.Tensor]] = {}

    def forward(self, volume: int, poses: torch.Tensor) -> torch.Tensor:
        return self._played("forward", volume, poses)

    def gradient(self, volume: int, poses: torch.Tensor) -> torch.Tensor:
        return self._played("gradient", volume, poses)

    def _played(self, name: str, volume: int, poses: torch.Tensor) -> torch.Tensor:
        key = (name, volume, len(poses))
        if key not in self._recorded:
            work = getattr(self._ours, name)
            self._recorded[key] = _recorded(lambda held: work(volume, held), poses)
        return self._recorded[key](poses)


def _recorded(
    work: Callable[[torch.Tensor], torch.Tensor], poses: torch.Tensor
) -> Callable[[torch.Tensor], torch.Tensor]:
    held = poses.clone()
    # What is made on first use (kernels, volumes) must be there before the recording, on a stream beside its own.
    beside = torch.cuda.Stream()
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        for _ in range(3):
            work(held)
    torch.cuda.current_stream().wait_stream(beside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = work(held)

    def play(new: torch.Tensor) -> torch.Tensor:
        held.copy_(new)
        graph.replay()
        return result

    return play


class Nanodrr:
    """nanodrr's module, which keeps its rays as ours does, on the same attenuation."""

    def __init__(
        self,
        cts: Sequence[CT],
        camera: PinholeCamera,
        samples: int,
        device: torch.device,
        *,
        half: bool = False,
        compiled: bool = False,
    ) -> None:
        from nanodrr.drr import DRR

        from ..evaluation.peers.nanodrr_renderer import NanodrrRenderer, nanodrr_subject

        on_host = [nanodrr_subject(ct) for ct in cts]
        prepared = NanodrrRenderer(on_host[0], camera, samples)
        self._module = DRR(prepared.inverse_intrinsic, prepared.source_detector_distance, *camera.size).to(device)
        self._subjects = [subject.to(device) for subject in on_host]
        if half:
            # The volume alone: poses in half precision would be coarser than a voxel.
            for subject in self._subjects:
                subject._image_hu = subject.image.half()
        self._camera, self._samples, self._device = camera, samples, device
        self._render: Any = self._module
        self._marks = compiled
        if compiled:
            # The settings of nanodrr's own published figures.
            self._render = torch.compile(self._module, mode="reduce-overhead", fullgraph=True)

    def poses(self, world_from_ct: Poses) -> torch.Tensor:
        ct_from_camera = np.linalg.inv(self._camera.camera_from_world @ world_from_ct)
        return torch.tensor(ct_from_camera, dtype=torch.float32, device=self._device)

    def forward(self, volume: int, poses: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return self._image(volume, poses)

    def gradient(self, volume: int, poses: torch.Tensor) -> torch.Tensor:
        return _gradient(lambda leaf: self._image(volume, leaf), poses)

    def _image(self, volume: int, poses: torch.Tensor) -> torch.Tensor:
        if self._marks:
            torch.compiler.cudagraph_mark_step_begin()
        return self._render(self._subjects[volume], poses, n_samples=self._samples)


def _nanodrr(**options: bool) -> MakeRenderer:
    return lambda cts, camera, samples, device: Nanodrr(cts, camera, samples, device, **options)


OURS: dict[str, MakeRenderer] = {"ours": Ours, "ours, recorded": OursRecorded}
PEERS: dict[str, MakeRenderer] = {
    "nanodrr": _nanodrr(),
    "nanodrr, half precision": _nanodrr(half=True),
    "nanodrr, compiled": _nanodrr(compiled=True),
    "nanodrr, compiled, half precision": _nanodrr(half=True, compiled=True),
}
