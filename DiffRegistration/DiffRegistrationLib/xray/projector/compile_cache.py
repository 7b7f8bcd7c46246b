"""Where compiled kernels are kept, so that only the very first start on a machine compiles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numba
import platformdirs


def kernel_cache_folder() -> Path:
    """The user's own folder for compiled kernels: writable also where the package itself is installed read-only."""
    return Path(platformdirs.user_cache_dir("FluoroRegistration", appauthor=False)) / "kernels"


@contextmanager
def _numba_cache_in(folder: Path) -> Iterator[None]:
    # numba asks for its folder while it decorates; other users of numba in this process keep theirs.
    previous, numba.config.CACHE_DIR = numba.config.CACHE_DIR, str(folder)
    try:
        yield
    finally:
        numba.config.CACHE_DIR = previous


def compiled(parallel: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: compile on first call, keep the machine code in `kernel_cache_folder`."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        with _numba_cache_in(kernel_cache_folder()):
            return numba.njit(function, parallel=parallel, fastmath=True, nogil=True, error_model="numpy", cache=True)

    return decorate
