"""Bodies cut out of a CT: what they hold, and that all of it stays where it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from DiffRegistrationLib.tracking.bodies import WHOLE_CT, BodyFile, bodies_of, cropped
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.ct_writing import write_ct
from DiffRegistrationLib.xray.files.lps import ras_from_index
from DiffRegistrationLib.xray.geometry import rigid
from moving_bones import LOWER, UPPER, bones


def tilted() -> CT:
    """The bones on a grid that is turned and has edges of three lengths."""
    matrix = np.eye(4)
    matrix[:3, :3] = rigid.rotation_exp([0.2, -0.3, 0.4]) @ np.diag([1.5, 2.0, 2.5])
    matrix[:3, 3] = (-30.0, 20.0, 50.0)
    return CT(bones().attenuation, matrix, bones().labels)


def write_labels(path: Path, values: np.ndarray, ct: CT) -> Path:
    import SimpleITK

    image = SimpleITK.GetImageFromArray(values.astype(np.uint8))
    lps = ras_from_index(ct.ct_from_voxel)
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    SimpleITK.WriteImage(image, str(path))
    return path


def value_at(ct: CT, point: np.ndarray) -> float:
    """The attenuation of the voxel at a point (RAS mm)."""
    i, j, k = np.rint(rigid.transform_points(np.linalg.inv(ct.ct_from_voxel), [point])[0]).astype(int)
    return float(ct.attenuation[k, j, i])


@pytest.mark.parametrize("label", [UPPER, LOWER])
def test_a_cropped_ct_keeps_the_place_of_every_voxel(label: int) -> None:
    alone = tilted().masked(label)
    small = cropped(alone)
    assert small.attenuation.size < 0.6 * alone.attenuation.size
    assert float(small.attenuation.sum()) == pytest.approx(float(alone.attenuation.sum()), rel=1e-6)
    for k, j, i in np.argwhere(alone.attenuation > 0)[::500]:
        point = rigid.transform_points(alone.ct_from_voxel, [[i, j, k]])[0]
        assert value_at(small, point) == alone.attenuation[k, j, i]
    edges = [np.take(small.attenuation, side, axis).any() for axis in range(3) for side in (0, 1, -1, -2)]
    assert not any(edges)


def test_bodies_by_label_mask_and_ct_are_the_same_bone(tmp_path: Path) -> None:
    ct = tilted()
    labels = write_labels(tmp_path / "labels.nrrd", ct.labels, ct)
    mask = write_labels(tmp_path / "mask.nrrd", ct.labels == LOWER, ct)
    write_ct(tmp_path / "lower.nrrd", CT(ct.masked(LOWER).attenuation, ct.ct_from_voxel))
    given = [
        BodyFile("by label", label=LOWER),
        BodyFile("by mask", mask=mask),
        BodyFile("by ct", ct=tmp_path / "lower.nrrd"),
    ]
    bodies = bodies_of(CT(ct.attenuation, ct.ct_from_voxel), given, labels)
    assert [body.name for body in bodies] == ["by label", "by mask", "by ct"]
    expected = cropped(ct.masked(LOWER))
    for body in bodies:
        np.testing.assert_allclose(body.projector.ct.ct_from_voxel, expected.ct_from_voxel, atol=1e-4)
        # Files hold whole Hounsfield units.
        np.testing.assert_allclose(body.projector.ct.attenuation, expected.attenuation, atol=2e-5)
    (whole,) = bodies_of(ct, [])
    assert whole.name == WHOLE_CT and whole.projector.ct is ct


def test_what_is_no_body_is_refused(tmp_path: Path) -> None:
    ct = tilted()
    plain = CT(ct.attenuation, ct.ct_from_voxel)
    labels = write_labels(tmp_path / "labels.nrrd", ct.labels, ct)
    empty = write_labels(tmp_path / "empty.nrrd", np.zeros(ct.labels.shape), ct)
    speck = np.zeros(ct.labels.shape)
    speck[45, 20, 20:24] = 1
    few = write_labels(tmp_path / "few.nrrd", speck, ct)
    for files, with_labels, words in (
        ([BodyFile("a", label=3)], labels, r"labels\.nrrd: holds no label 3 for a, only 1, 2"),
        ([BodyFile("a", label=1)], None, "no label map was given"),
        ([BodyFile("a", label=1)], empty, r"empty\.nrrd: no voxel carries a label"),
        ([BodyFile("a", mask=few)], None, "body a: 4 of its voxels"),
        ([BodyFile("a", label=1), BodyFile("a", label=2)], labels, "a name of its own"),
        ([BodyFile("a")], labels, "needs one of a label, a mask or a CT"),
        ([BodyFile("a", label=1, mask=few)], labels, "needs one of a label, a mask or a CT"),
        ([BodyFile("a", ct=tmp_path / "no.nrrd")], labels, r"no\.nrrd"),
    ):
        with pytest.raises(InputError, match=words):
            bodies_of(plain, files, with_labels)
    with pytest.raises(InputError, match="Give the CT"):
        bodies_of(None, [BodyFile("a", mask=few)])
