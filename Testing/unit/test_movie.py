"""Movies of a tracking: they hold every frame in its order and time, and nothing is left of one that went wrong."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from DiffRegistrationLib.report.pictures import EDGE_COLOUR
from DiffRegistrationLib.tracking import movie
from DiffRegistrationLib.tracking.movie import overlay_frame, write_movie
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import PinholeCamera, rigid
from DiffRegistrationLib.xray.radiograph import Radiograph
from PIL import Image


def moving_bar(count: int, size: tuple[int, int] = (40, 61)) -> Iterator[np.ndarray]:
    """A white bar that moves on by two columns a frame."""
    for number in range(count):
        picture = np.full((*size, 3), 30, dtype=np.uint8)
        picture[:, 2 * number : 2 * number + 4] = 255
        yield picture


def bars(path: Path) -> list[int]:
    """Where the bar of each frame begins."""
    found = []
    with Image.open(path) as shown:
        for number in range(getattr(shown, "n_frames", 1)):
            shown.seek(number)
            found.append(int(np.argmax(np.asarray(shown.convert("L"))[20] > 128)))
    return found


def durations(path: Path) -> list[float]:
    found = []
    with Image.open(path) as shown:
        for number in range(getattr(shown, "n_frames", 1)):
            shown.seek(number)
            found.append(shown.info["duration"])
    return found


def test_a_gif_shows_every_frame_in_time_and_runs_for_ever(tmp_path: Path) -> None:
    write_movie(tmp_path / "track.gif", moving_bar(24), 30)
    assert bars(tmp_path / "track.gif") == list(range(0, 48, 2))
    assert sum(durations(tmp_path / "track.gif")) == pytest.approx(1000 * 24 / 30)
    with Image.open(tmp_path / "track.gif") as shown:
        assert shown.info["loop"] == 0
        assert shown.size == (61, 40)
    assert [item.name for item in tmp_path.iterdir()] == ["track.gif"]


def test_a_gif_of_a_fast_sequence_leaves_frames_out_and_keeps_its_time(tmp_path: Path) -> None:
    write_movie(tmp_path / "fast.gif", moving_bar(25), 125)
    assert bars(tmp_path / "fast.gif") == [0, 6, 10, 16, 20, 26, 30, 36, 40, 46]
    assert sum(durations(tmp_path / "fast.gif")) == pytest.approx(1000 * 25 / 125)


def test_colours_of_later_frames_are_in_the_palette(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    pictures = [
        np.repeat(np.clip(rng.normal(120, 40, (30, 40, 1)), 0, 255).astype(np.uint8), 3, axis=2) for _ in range(4)
    ]
    for picture in pictures:
        picture[5:9, 5:9] = EDGE_COLOUR
    write_movie(tmp_path / "a.gif", pictures, 10)
    with Image.open(tmp_path / "a.gif") as shown:
        shown.seek(3)
        back = np.asarray(shown.convert("RGB")).astype(int)
    assert np.abs(back - pictures[3]).max() < 12


def test_a_frame_that_lacks_a_view_keeps_its_shape_in_the_size_of_the_others(tmp_path: Path) -> None:
    square = np.full((60, 60, 3), 200, dtype=np.uint8)
    write_movie(tmp_path / "a.gif", [*moving_bar(1), square, *moving_bar(1)], 10)
    with Image.open(tmp_path / "a.gif") as shown:
        assert shown.n_frames == 3
        shown.seek(1)
        bright = np.asarray(shown.convert("L")) > 128
    assert bright.shape == (40, 61) and bright.any(axis=0).sum() == bright.any(axis=1).sum() == 40
    assert bars(tmp_path / "a.gif")[2] == 0


def test_what_cannot_be_written_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    for name, pictures, rate, problem in (
        ("a.avi", moving_bar(2), 10.0, r"no movie is written as “\.avi”"),
        ("a.gif", iter(()), 10.0, "there is no picture"),
        ("a.gif", moving_bar(2), 0.0, "is not above 0"),
    ):
        with pytest.raises(InputError, match=problem):
            write_movie(tmp_path / name, pictures, rate)
    assert list(tmp_path.iterdir()) == []


def test_without_an_encoder_mp4_names_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(movie, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install av.*\.gif"):
        write_movie(tmp_path / "a.mp4", moving_bar(2), 10)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("package", ["av", "imageio_ffmpeg"])
def test_an_mp4_is_made_by_whichever_encoder_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    monkeypatch.setattr(movie, "find_spec", lambda name: find_spec(name) if name == package else None)
    write_movie(tmp_path / "a.mp4", moving_bar(20, (80, 121)), 25)
    assert b"ftyp" in (tmp_path / "a.mp4").read_bytes()[:16]
    with pytest.raises(InputError, match="there is no picture"):
        write_movie(tmp_path / "b.mp4", iter(()), 25)
    assert [item.name for item in tmp_path.iterdir()] == ["a.mp4"]
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "a.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert float(container.streams.video[0].average_rate) == pytest.approx(25)
    assert len(frames) == 20 and frames[0].shape == (80, 122, 3)
    assert [int(np.argmax(frame[40, :, 0] > 128)) for frame in frames] == pytest.approx(list(range(0, 40, 2)), abs=1)


def view(size: tuple[int, int]) -> tuple[Radiograph, np.ndarray]:
    K = np.array([[2000.0, 0, size[1] / 2], [0, 2000.0, size[0] / 2], [0, 0, 1]])
    row, column = np.indices(size)
    bone = 0.5 + 2.0 * ((row - 0.6 * size[0]) ** 2 + (column - 0.4 * size[1]) ** 2 < (0.2 * min(size)) ** 2)
    image = bone.astype(np.float32)
    camera = PinholeCamera(K, rigid.rigid(np.eye(3), [0, 0, 800]), size, (0.5, 0.5))
    return Radiograph(image, np.ones(size, dtype=bool), camera), image


def test_a_frame_shows_all_views_and_its_words_within_the_size_asked_for() -> None:
    views, drrs = zip(view((300, 200)), view((200, 300)), strict=True)
    one = overlay_frame(views, drrs, "Frame 12 · accepted", 640)
    assert max(one.shape) <= 640 and max(one.shape) > 560
    assert one.dtype == np.uint8 and one.shape[2] == 3
    edges = (one == EDGE_COLOUR).all(axis=2)
    # Edges in both views, in the upper row alone.
    assert np.nonzero(edges)[0].max() < one.shape[0] / 2
    assert edges[:, : one.shape[1] // 3].any() and edges[:, one.shape[1] // 2 :].any()
    strip = one[-30:].astype(int).sum(axis=2)
    assert strip.max() > 500
    other = overlay_frame(views, drrs, "Frame 13 · failed", 640)
    assert other.shape == one.shape
    changed = np.nonzero((one != other).any(axis=(1, 2)))[0]
    assert changed.min() > one.shape[0] - 50
    with pytest.raises(ValueError, match="1 radiographs and 0 DRRs"):
        overlay_frame(views[:1], [], "", 640)
