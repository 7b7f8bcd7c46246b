"""The projector for programs that live on a device: tensors in, tensors out, and nothing fetched in between."""

from __future__ import annotations

from importlib.util import find_spec
from weakref import WeakKeyDictionary

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64

from ..ct import CT
from ..geometry import Rays
from .device_arrays import DeviceRays, DeviceVolume
from .projector import Projector
from .torch_kernel import torch_kernel

Poses = Float[torch.Tensor, "*poses 4 4"] | Float64[np.ndarray, "*poses 4 4"]
Images = Float32[torch.Tensor, "poses rays"]
Jacobians = Float32[torch.Tensor, "poses rays 6"]


def has_fused_kernel(device: torch.device) -> bool:
    """Whether the Triton kernel runs there: on CUDA where Triton is installed."""
    return device.type == "cuda" and find_spec("triton") is not None


class DeviceProjector:
    """`Projector` on a device: the same `render` and `render_with_jacobian`, whose results are tensors there.

    CT levels and rays are put there on first use and stay, rays as long as they live. Poses may be tensors of any
    device, or arrays. `fused` says whether one kernel does it all; where it cannot (no Triton: Windows, macOS and its
    MPS) the plain torch path takes its place, which is many times slower and sets its rays up on the CPU.
    """

    def __init__(self, ct: CT, device: torch.device | str, on_host: Projector | None = None) -> None:
        """`on_host` has CT levels that may be there already."""
        self.ct, self.device = ct, torch.device(device)
        self.fused = has_fused_kernel(self.device)
        self.on_host = (on_host or Projector(ct)) if self.fused else Projector(ct, torch_kernel(str(self.device)))
        self.centre = torch.tensor(ct.centre, dtype=torch.float32, device=self.device)
        self._volumes: dict[int, DeviceVolume] = {}
        self._rays: WeakKeyDictionary[Rays, DeviceRays] = WeakKeyDictionary()

    def volume(self, binning: int = 1) -> DeviceVolume:
        """The CT level on the device, put there on first use."""
        if binning not in self._volumes:
            volume = self.on_host.volume(binning)
            self._volumes[binning] = DeviceVolume.from_volume(volume, self.ct.centre, self.device)
        return self._volumes[binning]

    def rays(self, rays: Rays) -> DeviceRays:
        """The rays on the device, put there on first use."""
        if rays not in self._rays:
            self._rays[rays] = DeviceRays.from_rays(rays, self.device)
        return self._rays[rays]

    def render(
        self, rays: Rays, poses: Poses, *, binning: int = 1, step_mm: float | None = None, samples: int = 0
    ) -> Images:
        """Line integrals of every ray under every pose."""
        if not self.fused:
            image = self.on_host.render(rays, _array(poses), binning=binning, step_mm=step_mm, samples=samples)
            return torch.from_numpy(image).to(self.device)
        return self._cast(rays, poses, binning, step_mm, samples, False)[0]

    def render_with_jacobian(
        self, rays: Rays, poses: Poses, *, binning: int = 1, step_mm: float | None = None, samples: int = 0
    ) -> tuple[Images, Jacobians]:
        """Line integrals and their derivative by the left increment ξ = (ω rad, v mm) about the CT's centre."""
        if not self.fused:
            found = self.on_host.render_with_jacobian(
                rays, _array(poses), binning=binning, step_mm=step_mm, samples=samples
            )
            return torch.from_numpy(found[0]).to(self.device), torch.from_numpy(found[1]).to(self.device)
        image, jacobian = self._cast(rays, poses, binning, step_mm, samples, True)
        assert jacobian is not None
        return image, jacobian

    def render_structures(
        self, rays: Rays, poses: Poses, *, step_mm: float | None = None, samples: int = 0
    ) -> Float32[torch.Tensor, "poses structures rays"]:
        """One channel per label (nearest voxel of each sample), as `Projector.render_structures`.

        ValueError without labels. Where there is no fused kernel the CPU renders them.
        """
        structures = self.on_host.structure_count
        if not self.fused:
            image = self.on_host.render_structures(rays, _array(poses), step_mm=step_mm, samples=samples)
            return torch.from_numpy(image).to(self.device)
        return self._cast(rays, poses, 1, step_mm, samples, False, structures)[0]

    def _cast(
        self,
        rays: Rays,
        poses: Poses,
        binning: int,
        step_mm: float | None,
        samples: int,
        jacobian: bool,
        structures: int = 0,
    ) -> tuple[Float32[torch.Tensor, "poses ..."], Jacobians | None]:
        from .triton_casting import integrate

        volume = self.volume(binning)
        step = step_mm or volume.volume.voxel_size_mm
        stack = torch.as_tensor(poses).detach().reshape(-1, 4, 4)
        return integrate(volume, self.rays(rays), stack, step, samples, jacobian=jacobian, structures=structures)


def _array(poses: Poses) -> Float64[np.ndarray, "*poses 4 4"]:
    return np.asarray(torch.as_tensor(poses).detach().cpu().tolist(), dtype=np.float64)
