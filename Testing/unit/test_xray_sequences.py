"""Which file is which frame of a view, and how views come together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from DiffRegistrationLib.tracking.sequence_files import SequenceFiles
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.camera_files import write_camera
from DiffRegistrationLib.xray.files.xray_sequences import XraySequence
from moving_bones import camera
from PIL import Image

SIZE = camera(180.0).size


def picture(path: Path, number: int) -> Path:
    """A picture that gets darker to the right, and darker the higher its number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels(number)).save(path)
    return path


def pixels(number: int) -> np.ndarray:
    shade = np.linspace(60000, 30000, SIZE[1]) - 1000 * number
    return np.tile(shade, (SIZE[0], 1)).astype(np.uint16)


def names(view: XraySequence) -> dict[int, str]:
    return {number: file.path.name for number, file in view.frames.items()}


def test_the_last_number_of_a_name_is_the_frame(tmp_path: Path) -> None:
    for name in ("cam1_shot_10.png", "cam1_shot_9.png", "cam1_shot_0007.png"):
        picture(tmp_path / name, 1)
    assert names(XraySequence(tmp_path)) == {7: "cam1_shot_0007.png", 9: "cam1_shot_9.png", 10: "cam1_shot_10.png"}
    assert XraySequence(tmp_path / "*_?.png").numbers == (9,)


def test_names_without_numbers_count_in_their_order(tmp_path: Path) -> None:
    for name in ("c.png", "a.png", "b.png"):
        picture(tmp_path / name, 1)
    assert names(XraySequence(tmp_path)) == {0: "a.png", 1: "b.png", 2: "c.png"}


def test_what_lies_beside_the_frames_does_not_count(tmp_path: Path) -> None:
    picture(tmp_path / "1.png", 1)
    (tmp_path / "._1.png").write_bytes(b"left by a system")
    (tmp_path / "old 2.png").mkdir()
    assert XraySequence(tmp_path).numbers == XraySequence(tmp_path / "*.png").numbers == (1,)
    brackets = picture(tmp_path / "more" / "scan[1].png", 1)
    assert names(XraySequence(brackets)) == {0: "scan[1].png"}


def test_a_name_that_only_seems_to_have_a_suffix_keeps_its_number(tmp_path: Path) -> None:
    for name in ("IM.0003", "IM.0004"):
        (tmp_path / name).write_bytes(b"")
    assert names(XraySequence(tmp_path)) == {3: "IM.0003", 4: "IM.0004"}


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (("run2_01.png", "run3_1.png"), ("both are frame 1", "run2_01.png", "run3_1.png")),
        (("01.png", "notes.png"), ("notes.png", "no number")),
        ((), ("names no file",)),
    ],
)
def test_a_folder_whose_numbers_are_unclear_is_refused(
    tmp_path: Path, files: tuple[str, ...], words: tuple[str, ...]
) -> None:
    for name in files:
        picture(tmp_path / name, 1)
    with pytest.raises(InputError) as error:
        _ = XraySequence(tmp_path).frames
    assert all(word in str(error.value) for word in words), error.value


def test_pages_of_a_file_are_frames_from_0(tmp_path: Path) -> None:
    first, *others = (Image.fromarray(pixels(number)) for number in range(3))
    (tmp_path / "cam").mkdir()
    path = tmp_path / "cam" / "cine7.tif"
    first.save(path, save_all=True, append_images=others)
    write_camera(tmp_path / "camera.json", camera(180.0))
    for given in (path, path.parent, path.parent / "*.tif"):
        view = XraySequence(given, tmp_path / "camera.json")
        assert view.numbers == (0, 1, 2)
        darker = [float(view.read(number).attenuation.mean()) for number in view.numbers]
        assert darker == sorted(darker) and darker[2] > darker[0] + 0.01
        with pytest.raises(InputError, match="no frame 3"):
            view.read(3)
    (path.parent / "cine8.tif").write_bytes(path.read_bytes())
    with pytest.raises(InputError, match=r"cine7.*holds 3 frames"):
        _ = XraySequence(path.parent).frames


def views(folder: Path, first: range, second: range) -> list[XraySequence]:
    write_camera(folder / "camera.json", camera(180.0))
    for name, numbers in (("a", first), ("b", second)):
        for number in numbers:
            picture(folder / name / f"{number}.png", number)
    return [XraySequence(folder / name, folder / "camera.json") for name in ("a", "b")]


def test_views_come_together_by_their_numbers(tmp_path: Path) -> None:
    both = views(tmp_path, range(10, 16), range(11, 17))
    source = SequenceFiles(both)
    assert (list(source.times), source.views) == (list(range(10, 17)), 2)
    assert source.missing() == {0: (16,), 1: (10,)}
    one, other = source.frame(10)
    assert one is not None and other is None
    one, other = source.frame(12)
    assert one is not None and other is not None
    np.testing.assert_array_equal(one.attenuation, other.attenuation)
    assert SequenceFiles(both, 12, 14).times == (12, 13, 14)
    with pytest.raises(InputError, match="10 to 16 lies between 20 and 16"):
        SequenceFiles(both, first=20)


def test_views_out_of_step_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"out of step.*10 to 15.*20 to 25.*share 0"):
        SequenceFiles(views(tmp_path, range(10, 16), range(20, 26)))
