"""Samples come from the user's folder or a public address, whole and as registered, or the user is told what to do."""

from __future__ import annotations

import functools
import hashlib
import http.server
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files import sample_data
from DiffRegistrationLib.xray.files.sample_data import Sample, sample, samples

CONTENT = {"I10": b"first slice", "I20": b"second slice"}


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sample_data, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.delenv(sample_data.DATA_VARIABLE, raising=False)
    return tmp_path / "cache"


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A local address that serves CONTENT."""
    served = tmp_path / "served"
    served.mkdir()
    for name, content in CONTENT.items():
        (served / name).write_bytes(content)
    handler = functools.partial(_QuietHandler, directory=str(served))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def register(monkeypatch: pytest.MonkeyPatch, **changes: object) -> None:
    files = {name: digest(content) for name, content in CONTENT.items()}
    fields = {
        "name": "it",
        "title": "",
        "licence": "",
        "local": "a/it.tar.xz",
        "sha256": "",
        "address": "",
        "files": files,
    }
    monkeypatch.setattr(sample_data, "samples", lambda: {"it": Sample(**{**fields, **changes})})  # type: ignore[arg-type]


def packed(folder: Path) -> Path:
    (folder / "a").mkdir(parents=True)
    for name, content in CONTENT.items():
        (folder / name).write_bytes(content)
    with tarfile.open(folder / "a" / "it.tar.xz", "w:xz") as archive:
        for name in CONTENT:
            archive.add(folder / name, f"series/{name}")
    return folder / "a" / "it.tar.xz"


def test_a_packed_series_is_unpacked_once(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = packed(tmp_path / "data")
    register(monkeypatch, sha256=digest(archive.read_bytes()))
    monkeypatch.setenv(sample_data.DATA_VARIABLE, str(tmp_path / "data"))
    folder = sample("it")
    assert (folder / "series" / "I20").read_bytes() == CONTENT["I20"]
    assert [path.name for path in cache.iterdir()] == [folder.name]
    (folder / "series" / "I20").write_bytes(b"seen")
    assert (sample("it") / "series" / "I20").read_bytes() == b"seen"


def test_a_damaged_archive_leaves_nothing_behind(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = packed(tmp_path / "data")
    archive.write_bytes(archive.read_bytes()[:100])
    monkeypatch.setenv(sample_data.DATA_VARIABLE, str(tmp_path / "data"))
    register(monkeypatch, sha256=digest(b"another"))
    with pytest.raises(InputError, match="not the sample that was registered"):
        sample("it")
    register(monkeypatch, sha256=digest(archive.read_bytes()))
    with pytest.raises(InputError, match="cannot be unpacked"):
        sample("it")
    assert not list(cache.glob("*"))


def test_an_archive_cannot_write_outside_its_folder(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "evil").write_bytes(b"x")
    with tarfile.open(tmp_path / "evil.tar.xz", "w:xz") as archive:
        archive.add(tmp_path / "evil", "../../escaped")
    with pytest.raises(InputError, match="cannot be unpacked"):
        sample_data.unpack(tmp_path / "evil.tar.xz", cache / "it")
    assert not list(tmp_path.rglob("escaped"))


def test_a_download_is_checked_and_kept(cache: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, address=address)
    folder = sample("it")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == CONTENT
    register(monkeypatch, address="http://127.0.0.1:9/")
    assert sample("it") == folder


def test_a_wrong_download_is_refused(cache: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, address=address, files={"I10": digest(b"something else")})
    with pytest.raises(InputError, match="SHA-256 differs"):
        sample("it")
    assert not [path for path in cache.rglob("*") if path.is_file()]


@pytest.mark.parametrize("missing", ["", "absent/"])
def test_without_network_the_remedy_is_named(
    cache: Path, address: str, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    register(monkeypatch, address=address + missing if missing else "http://127.0.0.1:9/")
    with pytest.raises(
        InputError, match=r"cannot be reached.*Set FLUOROREG_DATA to a folder that holds a/it\.tar\.xz"
    ):
        sample("it")


def test_a_sample_without_address_and_an_unknown_name(cache: Path) -> None:
    with pytest.raises(InputError, match=r"no public address.*FLUOROREG_DATA.*visible_human_head/ct\.nrrd"):
        sample("visible-human-head")
    with pytest.raises(InputError, match="Choose one of visible-human-head, skull-phantom-ct, skull-phantom-scout"):
        sample("elbow")


def test_public_addresses_are_pinned_to_a_commit() -> None:
    for entry in samples().values():
        assert len(entry.sha256) == 64 and all(len(sum_) == 64 for sum_ in entry.files.values())
        if entry.files:
            assert "/aa3345842def37064539fb4e812233fd547f37eb/" in entry.address
    assert len(samples()["skull-phantom-ct"].files) == 140
