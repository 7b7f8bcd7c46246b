"""Sample data by name: from the folder that FLUOROREG_DATA names or a public address, checked by SHA-256."""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import shutil
import tarfile
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from ..errors import InputError

DATA_VARIABLE = "FLUOROREG_DATA"
_CONNECTIONS = 8


@dataclass(frozen=True)
class Sample:
    """One entry of the registry.

    `local` is its place below the folder of FLUOROREG_DATA (a packed series ends in .tar.xz) and `sha256` the sum of
    that file; `address` is the public folder that holds `files` (name to SHA-256), empty where there is none.
    """

    name: str
    title: str
    licence: str
    local: str
    sha256: str
    address: str
    files: dict[str, str]


def samples() -> dict[str, Sample]:
    """Every sample by its name."""
    entries = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
    return {
        name: Sample(
            name,
            entry["title"],
            entry["licence"],
            entry["local"],
            entry["sha256"],
            entry.get("address", ""),
            entry.get("files", {}),
        )
        for name, entry in entries.items()
    }


def sample(name: str) -> Path:
    """The file, or the folder of a DICOM series, of a sample; unpacked or downloaded once into the user's cache.

    InputError for an unknown name, for data that is not what the registry says, and where there is no network.
    """
    known = samples()
    if name not in known:
        raise InputError(name, "there is no sample of this name", f"Choose one of {', '.join(known)}.")
    chosen = known[name]
    local = _local_file(chosen)
    if local is None:
        return _downloaded(chosen)
    if not chosen.local.endswith(".tar.xz"):
        _check_sum(local, chosen.sha256)
        return local
    folder = cache_folder() / f"{name}-{chosen.sha256[:8]}"
    if not folder.is_dir():
        _check_sum(local, chosen.sha256)
        unpack(local, folder)
    return folder


def cache_folder() -> Path:
    """Where unpacked and downloaded samples are kept, one folder for each user."""
    return Path(platformdirs.user_cache_dir("FluoroRegistration", appauthor=False)) / "samples"


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a .tar.xz into `folder`, which appears whole or not at all. InputError when it cannot be."""
    with _appearing(folder) as partial:
        try:
            with tarfile.open(archive) as packed:
                packed.extractall(partial, filter="data")
        except (tarfile.TarError, lzma.LZMAError, EOFError, OSError) as error:
            raise InputError(
                archive, "it cannot be unpacked", "Copy it again; check that the disk has room."
            ) from error


def _local_file(chosen: Sample) -> Path | None:
    named = os.environ.get(DATA_VARIABLE)
    path = Path(named) / chosen.local if named else None
    return path if path and path.is_file() else None


def _downloaded(chosen: Sample) -> Path:
    """The sample in the cache, downloaded if it is not there; a broken download goes on where it stopped."""
    by_hand = f"Set {DATA_VARIABLE} to a folder that holds {chosen.local}"
    if not chosen.files:
        raise InputError(chosen.name, "this sample has no public address to download it from", f"{by_hand}.")
    key = hashlib.sha256("".join(chosen.files.values()).encode()).hexdigest()[:8]
    folder = cache_folder() / f"{chosen.name}-{key}"
    if not folder.is_dir():
        partial = folder.with_name(folder.name + ".part")
        _fetch(chosen, partial, by_hand)
        try:
            partial.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    return folder / next(iter(chosen.files)) if len(chosen.files) == 1 else folder


def _fetch(chosen: Sample, folder: Path, by_hand: str) -> None:
    try:
        import pooch
        import requests
    except ImportError as error:
        raise InputError(
            chosen.name,
            "downloading needs the package pooch",
            f'Install it with: pip install "fluororegistration[data]". {by_hand} to do without.',
        ) from error

    pooch.get_logger().setLevel("WARNING")
    store = pooch.create(path=folder, base_url=chosen.address, registry=chosen.files)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            list(pool.map(store.fetch, chosen.files))
    except requests.RequestException as error:
        raise InputError(
            chosen.name,
            f"{chosen.address} cannot be reached",
            f"Connect to the network and try again. {by_hand} to work without one.",
        ) from error
    except ValueError as error:
        raise InputError(
            chosen.name,
            f"a file from {chosen.address} is not the one that was registered (its SHA-256 differs)",
            f"Try again; a proxy may have answered instead. {by_hand} to work without a download.",
        ) from error


def _check_sum(path: Path, expected: str) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise InputError(
            path,
            f"this is not the sample that was registered: SHA-256 {found[:12]}…, expected {expected[:12]}…",
            "Copy it again, or give your own file by its path instead of a sample's name.",
        )


@contextmanager
def _appearing(folder: Path) -> Iterator[Path]:
    """A temporary folder beside `folder` that takes its place when the block ends without an error."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f".{uuid.uuid4().hex[:8]}")
    partial.mkdir()
    try:
        yield partial
        try:
            partial.rename(folder)
        except OSError:
            # Another process was faster; its copy is as good.
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
