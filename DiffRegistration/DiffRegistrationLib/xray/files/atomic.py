"""Files that appear whole or not at all."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import InputError


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path`, with its suffix, that takes its place when the block ends without an error.

    After an error nothing of it is left and an older file at `path` is untouched. InputError when the folder is
    missing or cannot be written to, or when `path` is a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(path, "is a folder, expected the name of a file", "Give a file name in it.")
    temporary = path.with_name(f".{uuid.uuid4().hex[:8]}{''.join(path.suffixes[-2:])}")
    try:
        temporary.touch(exist_ok=False)
    except OSError as error:
        raise InputError(
            path, f"cannot be written: {error.strerror}", "Choose a folder that exists and that you may write to."
        ) from error
    try:
        yield temporary
        try:
            temporary.replace(path)
        except OSError as error:
            raise InputError(
                path, f"cannot be replaced: {error.strerror}", "Close programs that have the file open and try again."
            ) from error
    finally:
        temporary.unlink(missing_ok=True)
