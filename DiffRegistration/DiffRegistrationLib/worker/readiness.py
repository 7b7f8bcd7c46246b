"""What a worker has to compute with, told without loading any of it."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from .. import __version__
from .messages import Ready


def ready(device: str = "") -> Ready:
    """Versions from the packages' own records: to load torch would take seconds."""
    return Ready(__version__, platform.python_version(), _installed("torch"), _installed("numba"), device)


def ready_with_torch(device: str) -> Ready:
    """With the name of a torch device that a job computes on; loads torch."""
    import torch

    if device.startswith("cuda"):
        return ready(torch.cuda.get_device_name(device))
    return ready("Apple GPU" if device.startswith("mps") else f"CPU, {torch.get_num_threads()} threads")


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
