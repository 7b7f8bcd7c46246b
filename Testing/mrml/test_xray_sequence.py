"""X-rays of several frames play in one node, and every frame comes back whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
import slicer
from DiffRegistrationLib.mrml import xray_sequence
from DiffRegistrationLib.mrml.attributes import DETECTOR, MASK
from DiffRegistrationLib.mrml.xray_node import (
    add_radiograph,
    add_xray,
    camera_of,
    radiograph_from_node,
    set_camera,
    set_mask,
    set_pixels,
)
from DiffRegistrationLib.mrml.xray_sequence import (
    add_radiograph_sequence,
    add_xray_file,
    add_xray_sequence,
    browser_of,
    frames_of,
    index_values_of,
    radiographs_of,
)
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.camera_files import write_camera
from DiffRegistrationLib.xray.files.xray_files import read_xray_frames
from DiffRegistrationLib.xray.files.xray_with_geometry import XrayFile
from DiffRegistrationLib.xray.geometry import rigid
from DiffRegistrationLib.xray.radiograph import Radiograph
from made_up_xrays import assert_same, picture, pinhole, radiograph, volume, world_of_pixel

pytestmark = pytest.mark.mrml


def moving(count: int = 4) -> list[Radiograph]:
    """Frames of a C-arm that turns, each masked in another place."""
    frames = []
    for n in range(count):
        camera = pinhole().moved(rigid.exp([0.0, 0.1 * n, 0.0, 100 / 3 * n, 0.0, 0.0]))
        seen = radiograph(camera, seed=n)
        mask = seen.mask.copy()
        mask[10 + n, 7:12] = False
        frames.append(Radiograph(seen.attenuation, mask, camera, seen.provenance, seen.world))
    return frames


@pytest.mark.parametrize("turns", [False, True], ids=["the C-arm stands", "the C-arm turns"])
def test_every_frame_comes_back_to_the_bit_and_lies_in_place_also_after_saving(
    scene: Any, reopened: Callable, turns: bool
) -> None:
    frames = moving() if turns else [radiograph(seed=n) for n in range(4)]
    proxy, browser = add_radiograph_sequence(frames, range(4), "Cine")
    successor = reopened()
    for find in (lambda node: node, successor):
        there, slider = find(proxy), find(browser)
        # `find` looks into the scene that is open: the first one is looked at as the sequence alone.
        slicer.mrmlScene = there.GetScene()
        assert frames_of(there) == 4 and browser_of(there) is slider and there.GetName() == "Cine"
        for left, right in zip(radiographs_of(there), frames, strict=True):
            assert_same(left, right)
        (third,) = radiographs_of(there, [2])
        assert_same(third, frames[2])
        for item in (3, 1):
            slider.SetSelectedItemNumber(item)
            assert_same(radiograph_from_node(there), frames[item])
            camera = frames[item].camera
            source, pixel = camera.rays(np.array([[31.0, 8.0]])).source[0], world_of_pixel(there, 31.0, 8.0)
            seen = camera.project([(source + pixel) / 2])[0]
            np.testing.assert_allclose(seen, (31, 8), atol=1e-6)
            assert there.GetNodeReference(MASK).GetTransformNodeID() == there.GetNodeReference(DETECTOR).GetID()


def test_one_browser_plays_all_and_no_node_is_made_beside_ours(scene: Any, unchanged: Callable) -> None:
    unchanged()
    add_radiograph_sequence(moving(), range(4))
    classes = sorted(
        node.GetClassName().removeprefix("vtkMRML")
        for node in slicer.util.getNodesByClass("vtkMRMLNode", scene)
        if not node.IsA("vtkMRMLColorNode") and not node.IsA("vtkMRMLColorTableStorageNode")
    )
    wanted = ["LabelMapVolumeDisplayNode", "LabelMapVolumeNode", "LinearTransformNode", "ScalarVolumeDisplayNode",
              "ScalarVolumeNode", "SequenceBrowserNode", *["SequenceNode"] * 3, "SequenceStorageNode"]  # fmt: skip
    assert [name for name in classes if name in set(wanted) or "Volume" in name or "Sequence" in name] == wanted


def test_frames_of_a_file_are_those_that_the_reader_gives(scene: Any, tmp_path: Path) -> None:
    stack = np.stack([(3000 * np.exp(-0.3 * picture((90, 70), n))).astype(np.uint16) for n in range(5)])
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(stack), str(tmp_path / "cine.tif"))
    write_camera(tmp_path / "camera.json", pinhole((90, 70)))
    source = XrayFile(tmp_path / "cine.tif", camera=tmp_path / "camera.json")
    proxy, _browser = add_xray_sequence(source, [1, 4])
    assert frames_of(proxy) == 2 and proxy.GetName() == "X-ray"
    of_file = read_xray_frames(source.path, frames=[1, 4], camera=pinhole((90, 70)))
    for left, right in zip(radiographs_of(proxy), of_file, strict=True):
        np.testing.assert_array_equal(left.attenuation, right.attenuation)
        np.testing.assert_array_equal(left.mask, right.mask)
    assert index_values_of(proxy) == ["1", "4"] and index_values_of(proxy, [1]) == ["4"]
    # A file that tells nothing of its geometry waits for it with all frames.
    waiting = add_xray_file(source.path)
    set_camera(waiting, pinhole((90, 70)))
    browser_of(waiting).SetSelectedItemNumber(3)
    assert camera_of(waiting).size == (90, 70)
    for left, right in zip(
        radiographs_of(waiting), read_xray_frames(source.path, camera=pinhole((90, 70))), strict=True
    ):
        np.testing.assert_array_equal(left.attenuation, right.attenuation)


def test_a_sequence_that_slicer_loaded_gets_camera_pixels_and_mask_for_all_frames(scene: Any, tmp_path: Path) -> None:
    frames = [(3000 * np.exp(-0.3 * picture((90, 70), n))).astype(np.uint16) for n in range(3)]
    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "XA")
    for n, frame in enumerate(frames):
        item = slicer.vtkMRMLScalarVolumeNode()
        slicer.util.updateVolumeFromArray(item, frame[None])
        sequence.SetDataNodeAtValue(item, str(n))
    proxy, browser = add_xray_sequence(sequence)
    assert add_xray_sequence(sequence) == (proxy, browser)
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(proxy)[0], frames[0])
    with pytest.raises(InputError, match="geometry is not known"):
        radiographs_of(proxy)
    set_camera(proxy, pinhole((90, 70)))
    set_pixels(proxy, "bone-dark")
    browser.SetSelectedItemNumber(2)
    assert camera_of(proxy).size == (90, 70), "showing another frame does not lose the camera"
    np.testing.assert_allclose(proxy.GetSpacing()[:2], (0.4, 0.7))
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(np.stack(frames)), str(tmp_path / "cine.tif"))
    of_file = read_xray_frames(tmp_path / "cine.tif", camera=pinhole((90, 70)), bone_is_bright=False)
    for left, right in zip(radiographs_of(proxy), of_file, strict=True):
        np.testing.assert_array_equal(left.attenuation, right.attenuation)
        assert set(left.provenance) <= set(right.provenance)
    mask = np.zeros((90, 70), dtype=bool)
    mask[9:50, 3:40] = True
    set_mask(proxy, mask)
    browser.SetSelectedItemNumber(1)
    for seen in (*radiographs_of(proxy), radiograph_from_node(proxy)):
        # A pixel or two on the lowest level of all counts as starved.
        assert not (seen.mask & ~mask).any() and seen.mask.sum() > 0.99 * mask.sum()


def test_frames_that_are_not_there_and_images_that_do_not_fit_are_refused(scene: Any, unchanged: Callable) -> None:
    proxy, _browser = add_radiograph_sequence(moving(2), range(2))
    single = add_radiograph(radiograph())
    mixed = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "Mixed")
    mixed.SetDataNodeAtValue(volume(np.zeros((3, 4, 5), np.int16)), "0")
    unchanged()
    with pytest.raises(InputError, match=r"frame 2 was asked for, it has 2 \(0 to 1\)"):
        radiographs_of(proxy, [0, 2])
    with pytest.raises(InputError, match="frame 1 was asked for, it has 1"):
        radiographs_of(single, [1])
    with pytest.raises(InputError, match="differ in size"):
        add_radiograph_sequence([radiograph(), radiograph(pinhole((44, 30)))], range(2))
    with pytest.raises(InputError, match="Number each once"):
        add_radiograph_sequence(moving(2), [1, 1])
    with pytest.raises(InputError, match="5 × 4 × 3 voxels"):
        add_xray_sequence(mixed)
    assert unchanged()
    assert frames_of(single) == 1 and browser_of(single) is None
    assert_same(radiographs_of(single)[0], radiograph())


def test_a_failure_half_way_leaves_nothing(scene: Any, unchanged: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def fail_later(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == 3:
            raise MemoryError

    unchanged()
    monkeypatch.setattr(xray_sequence, "fill_mask", fail_later)
    with pytest.raises(MemoryError):
        add_radiograph_sequence(moving(), range(4))
    assert unchanged()


@pytest.mark.real
def test_a_real_localizer_comes_back_as_it_is_read(scene: Any, real_data: Path) -> None:
    scout = real_data / "skull_phantom" / "lateral_scout.dcm"
    node = add_xray_file(scout)
    assert_same(radiograph_from_node(node), XrayFile(scout).read())
    assert frames_of(node) == 1
    assert_same(radiograph_from_node(add_xray(XrayFile(scout), "Scout")), XrayFile(scout).read())
