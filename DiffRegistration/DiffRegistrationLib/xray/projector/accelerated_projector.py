"""A projector of arrays whose rays are cast on a GPU, and where that is to be had."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
from jaxtyping import Float32, Float64

from ..ct import CT
from ..errors import InputError
from ..geometry import Rays
from .projector import Projector

PROJECTOR_DEVICES = ("cpu", "cuda", "auto")
MakeProjector = Callable[[CT], Projector]


class AcceleratedProjector(Projector):
    """`Projector` on a device of torch's: arrays in, arrays out. What can stay on the device asks `on_device`."""

    def __init__(self, ct: CT, device: str) -> None:
        from .device_projector import DeviceProjector

        super().__init__(ct)
        self.on_device = DeviceProjector(ct, device, self)

    def __reduce__(self) -> tuple[type[AcceleratedProjector], tuple[CT, str]]:
        """Another process has a device's memory of its own."""
        assert self.on_device is not None
        return AcceleratedProjector, (self.ct, str(self.on_device.device))

    def render(
        self,
        rays: Rays,
        poses: Float64[np.ndarray, "*poses 4 4"],
        *,
        binning: int = 1,
        step_mm: float | None = None,
        samples: int = 0,
    ) -> Float32[np.ndarray, "poses rays"]:
        """As `Projector`."""
        assert self.on_device is not None
        image = self.on_device.render(rays, poses, binning=binning, step_mm=step_mm, samples=samples)
        return np.asarray(image.cpu().numpy())

    def render_with_jacobian(
        self,
        rays: Rays,
        poses: Float64[np.ndarray, "*poses 4 4"],
        *,
        binning: int = 1,
        step_mm: float | None = None,
        samples: int = 0,
    ) -> tuple[Float32[np.ndarray, "poses rays"], Float32[np.ndarray, "poses rays 6"]]:
        """As `Projector`."""
        assert self.on_device is not None
        found = self.on_device.render_with_jacobian(rays, poses, binning=binning, step_mm=step_mm, samples=samples)
        image, jacobian = (values.cpu().numpy() for values in found)
        return image, jacobian


def projector_on(device: str) -> MakeProjector:
    """What makes projectors of CTs on `device`: cpu, cuda, or auto for the faster one that is there.

    InputError for a device that is not known or not there, and for one on which rays would be cast more slowly than on
    the processor: Apple's mps, and CUDA without Triton.
    """
    if device == "mps":
        problem = "has no kernel for rays; torch's own operations cast them more slowly than the processor does"
        raise InputError(f"device {device!r}", problem, "Leave --device out.")
    if device not in PROJECTOR_DEVICES:
        raise InputError(f"device {device!r}", "is not known", f"Use one of {', '.join(PROJECTOR_DEVICES)}.")
    lacking = None if device == "cpu" else _lacking()
    if device == "cuda" and lacking is not None:
        raise lacking
    if device == "cpu" or lacking is not None:
        return Projector
    return lambda ct: AcceleratedProjector(ct, "cuda")


def _lacking() -> InputError | None:
    """What is missing for the fused kernel of GPUs."""
    if find_spec("torch") is None:
        return InputError("torch", "is not installed, so no GPU can be used", "Run: pip install '.[torch,gpu]'.")
    import torch

    if not torch.cuda.is_available():
        return InputError(
            "device 'cuda'",
            f"torch {torch.__version__} finds no GPU with CUDA",
            "Use a machine with an NVIDIA GPU and a build of torch for CUDA, or leave --device out for the processor.",
        )
    if find_spec("triton") is None:
        return InputError("triton", "is not installed, so there is no fused kernel", "Run: pip install '.[gpu]'.")
    return None
