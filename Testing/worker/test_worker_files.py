"""What lies on disk between client and worker: inputs exact to the bit, frames always whole."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from DiffRegistrationLib.worker.frames import LiveFrames, frame_path, read_frame, write_frame
from DiffRegistrationLib.worker.job_files import (
    ct_path,
    radiograph_path,
    read_ct,
    read_radiograph,
    read_radiographs,
    write_ct,
    write_radiograph,
)
from DiffRegistrationLib.worker.messages import Frame, Message
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import PinholeCamera, ScanningSlitCamera, rigid
from DiffRegistrationLib.xray.projector import Projector
from DiffRegistrationLib.xray.provenance import Provenance
from DiffRegistrationLib.xray.radiograph import Radiograph, WorldFrame
from fluororeg_runs import camera, head, truth
from worker_runs import ENGINE

LINES = (Provenance("pixel spacing", "0,5 mm, größer", "Tag (0018,1164)"), Provenance("SDD", "1000 mm", "C-arm", True))


def test_a_ct_comes_back_bit_by_bit(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    turned = rigid.exp([0.1, 0.2, 0.3, 5.0, 6.0, 7.0]) @ np.diag([0.7, 0.8, 1.3, 1.0])
    labels = random.integers(0, 9, (3, 4, 5)).astype(np.int16)
    for made in (labels, None):
        ct = CT(random.random((3, 4, 5)).astype(np.float32), turned, made, LINES)
        assert write_ct(tmp_path, ct) == ct_path(tmp_path)
        back = read_ct(tmp_path)
        assert back.attenuation.tobytes() == ct.attenuation.tobytes() and back.provenance == ct.provenance
        assert back.ct_from_voxel.tobytes() == ct.ct_from_voxel.tobytes()
        if made is None:
            assert back.labels is None
        else:
            assert back.labels is not None and back.labels.dtype == made.dtype and (back.labels == made).all()


def test_radiographs_come_back_bit_by_bit_whatever_the_camera(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    # As rigid as a product of many matrices, which a reader of camera files would make more so.
    pose = rigid.exp([0.3, 0.1, -0.2, 10.0, 20.0, 800.0])
    drifted = pose.copy()
    drifted[:3, :3] *= 1 + 1e-7
    cameras = [
        PinholeCamera(np.array([[1000 / 3, 0.1, 3.2], [0, 400.0, 2.1], [0, 0, 1]]), drifted, (6, 7)),
        PinholeCamera.from_distances(1000.1, (0.3, 0.4), (6, 7), pose),
        ScanningSlitCamera(drifted, (6, 7), (0.3, 0.4), (3.1, 2.2), 570.0, 1040.0),
    ]
    for number, view in enumerate(cameras):
        image = random.random((6, 7)).astype(np.float32)
        mask = random.random((6, 7)) > 0.5
        image[~mask] = np.nan
        radiograph = Radiograph(image, mask, view, LINES, WorldFrame.PATIENT)
        assert write_radiograph(tmp_path, number, radiograph) == radiograph_path(tmp_path, number)
        back = read_radiograph(tmp_path, number)
        assert back.attenuation.tobytes() == radiograph.attenuation.tobytes() and (back.mask == mask).all()
        assert (back.provenance, back.world, type(back.camera)) == (LINES, WorldFrame.PATIENT, type(view))
        for name, value in vars(view).items():
            assert np.array_equal(getattr(back.camera, name), value), name
    assert len(read_radiographs(tmp_path)) == 3


def test_what_is_missing_or_damaged_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ct\.npz.*does not exist"):
        read_ct(tmp_path)
    with pytest.raises(InputError, match="at least one"):
        read_radiographs(tmp_path)
    path = write_ct(tmp_path, head())
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 255
    for damaged in (whole[:-100], whole[:1000], b"", bytes(flipped), b"PK\x03\x04"):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="damaged"):
            read_ct(tmp_path)
    with pytest.raises(InputError, match="no folder"):
        write_ct(tmp_path / "absent", head())


HAMMER = """
import sys, time
import numpy as np
from DiffRegistrationLib.worker.frames import write_frame
ends = time.monotonic() + float(sys.argv[2])
value = 0
while time.monotonic() < ends:
    value += 1
    write_frame(sys.argv[1], 0, np.full((64 + value % 50, 256), value, np.float32))
"""


def test_a_reader_never_sees_a_torn_frame(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HAMMER, str(tmp_path), "1.5"]
    process = subprocess.Popen(command, env={"PYTHONPATH": str(ENGINE)})
    seen, torn, newest = 0, 0, 0.0
    while process.poll() is None:
        image = read_frame(frame_path(tmp_path, 0))
        if image is None:
            torn += seen > 0
            continue
        assert image.shape == (64 + int(image[0, 0]) % 50, 256) and (image == image[0, 0]).all()
        assert image[0, 0] >= newest
        newest, seen = image[0, 0], seen + 1
    assert process.returncode == 0 and seen > 50 and not torn
    assert [path.name for path in tmp_path.iterdir()] == ["frame-0.npy"]


def test_what_is_no_frame_is_none_and_an_unwritable_place_is_no_error(tmp_path: Path) -> None:
    path = write_frame(tmp_path, 2, np.ones((5, 4), dtype=np.float64))
    assert path is not None and np.array_equal(read_frame(path), np.ones((5, 4)))  # type: ignore[arg-type]
    whole = path.read_bytes()
    for content in (whole[:-1], whole[:20], b"", b"\x93NUMPY\x01\x00v\x00{'descr'", b"no frame"):
        path.write_bytes(content)
        assert read_frame(path) is None
    np.save(path, np.array([{}]), allow_pickle=True)
    assert read_frame(path) is None and read_frame(tmp_path / "absent.npy") is None and read_frame(tmp_path) is None
    assert write_frame(tmp_path / "absent", 0, np.ones((2, 2))) is None


def test_live_frames_are_small_seldom_and_where_their_pose_says(tmp_path: Path) -> None:
    told: list[Message] = []
    projector = Projector(head())
    wide = camera().resampled((90, 200))
    frames = LiveFrames(tmp_path, "a", projector, [wide, camera()], told.append, longest_side=64)
    frames.show(truth())
    told.clear()
    began = time.perf_counter()
    while time.perf_counter() < began + 1.0:
        frames.show(truth())
    assert 1 <= len(told) / 2 <= 1.0 / 0.08 + 1
    last = [message for message in told if isinstance(message, Frame)][-2:]
    assert [(frame.view, frame.binning) for frame in last] == [(0, 4), (1, 2)]
    for frame, view in zip(last, (wide, camera()), strict=True):
        image = read_frame(frame.path)
        whole = projector.render(view.rays(), np.array(frame.pose))[0].reshape(view.size)
        rows, columns = (side // frame.binning for side in view.size)
        means = whole[: rows * frame.binning, : columns * frame.binning]
        means = means.reshape(rows, frame.binning, columns, frame.binning).mean(axis=(1, 3))
        assert image is not None and image.shape == means.shape and max(image.shape) <= 64
        # The ray through the middle of pixels is not their mean, but an image that lies half a pixel off is far off.
        assert np.corrcoef(image.ravel(), means.ravel())[0, 1] > 0.99
        assert np.abs(image - means).mean() < 0.3 * np.abs(np.roll(image, 1, axis=1) - means).mean()
