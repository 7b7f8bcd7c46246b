"""What is said where torch is absent: the engine does without it, networks do not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..xray.errors import InputError


@contextmanager
def torch_needed() -> Iterator[None]:
    """Around imports that want torch: InputError that says how to get it, where it is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise InputError("torch", "is not installed", "pip install torch, or fluororegistration[torch].") from None
