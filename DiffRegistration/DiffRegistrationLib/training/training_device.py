"""Where a network is trained, and in what precision."""

from __future__ import annotations

import os
from functools import cache

import torch

from ..xray.errors import InputError

DEVICES = ("auto", "cpu", "cuda", "mps")


def training_device(name: str) -> torch.device:
    """The device of this name; "auto" takes the fastest there is. InputError for one that this machine lacks."""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = "cuda" if available["cuda"] else "mps" if available["mps"] else "cpu"
    if name not in available:
        raise InputError(f"device {name!r}", "is not known", f"Use one of {', '.join(DEVICES)}.")
    if not available[name]:
        raise InputError(
            f"device {name!r}",
            f"is not there for torch {torch.__version__}",
            "Use --device auto, or install a build of torch for it.",
        )
    if name == "cuda":
        # torchrun gives each process of a machine its own.
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return torch.device(name)


def autocast(device: torch.device, *, on_processors: bool = False) -> torch.autocast:
    """Half precision where it is faster and safe: bfloat16 on GPUs that have it, else everything in single.

    With `on_processors` also on processors that multiply matrices of it: for networks whose norms are of all maps
    together; a norm for each group of maps takes nearly twice as long in it.
    """
    enabled = (device.type == "cuda" or on_processors) and multiplies_bfloat16(device)
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)


@cache
def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether `device` has units for it; processors without multiply singles a hundred times faster."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    # Older versions of torch do not say what a processor can do.
    told = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return device.type == "cpu" and bool(told.get("amx_bf16", False))
