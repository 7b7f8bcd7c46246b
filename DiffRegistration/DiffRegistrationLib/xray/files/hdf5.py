"""HDF5 files, with a word that helps where the package for them is missing or a file is damaged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import InputError


def is_hdf5(content: bytes) -> bool:
    """Whether a file's content starts as HDF5 does."""
    return content.startswith(b"\x89HDF\r\n\x1a\n")


def h5py_for(path: str | Path) -> Any:
    """The package h5py; InputError about `path`, which needs it, where it is not installed."""
    try:
        import h5py
    except ImportError as missing:
        raise InputError(
            path, "HDF5 needs the package h5py", "Install it: pip install 'fluororegistration[deepfluoro]'."
        ) from missing
    return h5py


@contextmanager
def opened_hdf5(path: str | Path) -> Iterator[Any]:
    """The `h5py.File` at `path`, to read from; InputError without h5py, and for a file that is damaged."""
    h5py = h5py_for(path)
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, RuntimeError) as error:
        raise InputError(path, "cannot be opened as HDF5", "Check that the download is complete.") from error
