"""Files that appear whole or not at all, one by one or several together."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import InputError


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path`, with its suffix, that takes its place when the block ends without an error.

    After an error nothing of it is left and an older file at `path` is untouched. InputError when the folder is
    missing or cannot be written to, or when `path` is a folder.
    """
    path = Path(path)
    check_file_for_writing(path)
    temporary = path.with_name(f".{uuid.uuid4().hex[:8]}{''.join(path.suffixes[-2:])}")
    try:
        temporary.touch(exist_ok=False)
    except OSError as error:
        raise _unwritable(path, error.strerror) from error
    try:
        yield temporary
        _replace(temporary, path, named=path)
    except OSError as error:
        raise _unwritable(path, error.strerror) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_write_by_itk(path: str | Path) -> Iterator[Path]:
    """As `atomic_write`; ITK's writers raise RuntimeError for what Python calls an OSError, such as a full disk."""
    with atomic_write(path) as temporary:
        try:
            yield temporary
        except RuntimeError as error:
            raise _unwritable(path, "ITK's writer gave up") from error


def check_file_for_writing(path: str | Path) -> None:
    """InputError unless `path` can be the name of a file: its folder must exist, and no folder may have that name."""
    path = Path(path)
    if path.is_dir():
        raise InputError(path, "is a folder, expected the name of a file", "Give a file name in it.")
    if not path.parent.is_dir():
        raise InputError(
            path,
            f"cannot be written: there is no folder {path.parent}",
            "Make the folder, or choose one that exists.",
        )


@contextmanager
def written_together(folder: str | Path) -> Iterator[Path]:
    """A temporary folder in `folder` (made if need be) whose files move up when the block ends without an error.

    After an error neither a new file nor a new folder is left, and older files are untouched. InputError when the
    folder cannot be made or written to, or when a folder has the name of a new file.
    """
    folder = Path(folder)
    made, temporary = _made(folder)
    try:
        yield temporary
        _move_up(sorted(temporary.iterdir()), folder)
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        _remove_empty(made)
        if isinstance(error, InputError):
            # A person knows the files by their final names.
            subject = error.subject.replace(str(temporary), str(folder))
            raise InputError(subject, error.problem, error.remedy) from error
        raise
    shutil.rmtree(temporary, ignore_errors=True)


def check_folder_for_writing(folder: str | Path) -> None:
    """InputError unless files can be written into `folder`, which need not exist yet; nothing is left of the trial."""
    made, temporary = _made(Path(folder))
    shutil.rmtree(temporary, ignore_errors=True)
    _remove_empty(made)


def _move_up(files: list[Path], folder: Path) -> None:
    """Move `files` into `folder`, all or none: what they replace comes back if one of them cannot move."""
    for file in files:
        if (folder / file.name).is_dir():
            raise InputError(folder / file.name, "is a folder where a file has to be written", "Move it away.")
    moved: list[tuple[Path, Path | None]] = []
    try:
        for file in files:
            target = folder / file.name
            kept = file.with_name(f"{file.name}.before") if target.exists() else None
            if kept is not None:
                _replace(target, kept, named=target)
            moved.append((target, kept))
            _replace(file, target, named=target)
    except BaseException:
        for target, kept in moved:
            target.unlink(missing_ok=True)
            if kept is not None:
                kept.replace(target)
        raise


def _made(folder: Path) -> tuple[list[Path], Path]:
    """The folders that had to be made, deepest first, and a new temporary one in `folder`."""
    made: list[Path] = []
    temporary = folder / f".{uuid.uuid4().hex[:8]}"
    try:
        if folder.exists() and not folder.is_dir():
            raise InputError(folder, "is a file, expected a folder", "Choose another output folder.")
        made = [place for place in (folder, *folder.parents) if not place.exists()]
        temporary.mkdir(parents=True)
    except OSError as error:
        _remove_empty(made)
        raise InputError(folder, f"cannot be written to: {error.strerror}", "Choose another output folder.") from error
    return made, temporary


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        # It may hold what another program put there meanwhile.
        with suppress(OSError):
            folder.rmdir()


def _unwritable(path: str | Path, reason: str | None) -> InputError:
    return InputError(
        path,
        f"cannot be written: {reason}",
        "Choose a folder that exists and that you may write to, and check the space left on the disk.",
    )


def _replace(new: Path, old: Path, named: Path) -> None:
    try:
        new.replace(old)
    except OSError as error:
        raise InputError(
            named, f"cannot be replaced: {error.strerror}", "Close programs that have the file open and try again."
        ) from error
