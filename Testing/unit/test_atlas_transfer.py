"""Landmarks carried to other heads by their bone: the truth is known on computed and on deformed heads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from DiffRegistrationLib.xray.attenuation import hounsfield_from_attenuation
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import rigid
from DiffRegistrationLib.xray.phantom import head_phantom
from DiffRegistrationLib.xray.phantom.anatomy import STRUCTURES
from LandmarkDetectionLib.atlas.definitions import skull_landmarks
from LandmarkDetectionLib.atlas.deformable_fit import Lattice
from LandmarkDetectionLib.atlas.head import Head, phantom_head
from LandmarkDetectionLib.atlas.landmark_set import LandmarkSet, LandmarkStatus
from LandmarkDetectionLib.atlas.transfer import transferred
from LandmarkDetectionLib.evaluation.transfer_evaluation import smoothly_deformed

TURNED = rigid.rigid(rigid.rotation_exp(np.radians([20.0, 5.0, 170.0])), [80.0, -250.0, 700.0])


@pytest.fixture(scope="module")
def template() -> Head:
    return phantom_head(2.0)


@pytest.fixture(scope="module")
def other() -> Head:
    """Another person, whom the scanner saw prone and tilted, far from the origin."""
    return moved(phantom_head(2.0, variant=3), TURNED)


def moved(head: Head, motion: np.ndarray) -> Head:
    ct = CT(head.ct.attenuation, motion @ head.ct.ct_from_voxel)
    return replace(
        head, ct=ct, landmarks=replace(head.landmarks, points=rigid.transform_points(motion, head.landmarks.points))
    )


def distances(found: LandmarkSet, truth: LandmarkSet) -> np.ndarray:
    return np.linalg.norm(found.points - truth.points, axis=1)


def test_a_lattice_moves_points_by_its_weights() -> None:
    random = np.random.default_rng(2)
    points = random.uniform([-60, -20, -35], [60, 20, 35], (300, 3))
    lattice = Lattice.around(points, 22.0)
    assert len(set(lattice.count.tolist())) == 3
    beyond = np.vstack([1.5 * points, lattice.first + 22.0 * np.array([[1, 1, 1], [2, 1, 2], [2, 2, 2]])])
    coefficients = random.normal(size=(lattice.nodes, 3))
    moved = lattice.weights(beyond) @ coefficients
    np.testing.assert_allclose(lattice.displacements(beyond, coefficients), moved, rtol=0, atol=1e-12)


def test_another_person_lying_otherwise(template: Head, other: Head) -> None:
    stages = []
    transfer = transferred(template, other.ct, tell=lambda stage, part: stages.append((stage, part)))
    error = distances(transfer.landmarks, other.landmarks)
    assert error.mean() < 1
    assert error.max() < 5
    assert transfer.landmarks.status == (LandmarkStatus.TRANSFERRED,) * 55
    assert transfer.bone_overlap > 0.8 and transfer.surface_mm < 0.8 and transfer.agreement > 0.85
    assert not transfer.is_doubtful
    carried = replace(transfer.landmarks, points=transfer.ct_from_template(template.landmarks.points))
    assert distances(carried, other.landmarks).mean() < 0.5
    assert list(dict.fromkeys(stage for stage, _ in stages)) == [
        "reading the bone",
        "finding the head",
        "fitting the bone",
        "judging the fit",
    ]
    assert all(0 <= part <= 1 for _, part in stages)


def test_a_bent_stretched_and_noisy_head(template: Head) -> None:
    bent = smoothly_deformed(template, np.random.default_rng(3))
    # The field bends by far more than what is asked of the transfer.
    spread = np.ptp(bent.landmarks.points - template.landmarks.points, axis=0)
    assert spread.max() > 10
    error = distances(transferred(template, bent.ct).landmarks, bent.landmarks)
    assert error[bent.landmarks.is_in_ct].mean() < 2


def test_landmarks_of_a_mirror_image_swap_sides_on_a_left_handed_grid_as_well(template: Head, other: Head) -> None:
    swap = np.diag([-1.0, 1.0, 1.0, 1.0])
    mirrored = moved(other, swap)
    assert np.linalg.det(mirrored.ct.ct_from_voxel) < 0
    found = transferred(template, mirrored.ct).landmarks
    expected = mirrored.landmarks.points[skull_landmarks().partners]
    error = np.linalg.norm(found.points - expected, axis=1)
    # The computed head's own sides differ by up to 3 mm.
    assert error.mean() < 2
    assert error.max() < 8
    # The same object on a grid that runs the other way along i is the same to the transfer.
    flip = np.diag([-1.0, 1.0, 1.0, 1.0])
    flip[0, 3] = other.ct.size[0] - 1
    same = CT(other.ct.attenuation[:, :, ::-1], other.ct.ct_from_voxel @ flip)
    assert distances(transferred(template, same).landmarks, other.landmarks).mean() < 1


def test_a_head_cut_above_its_jaw_says_what_it_does_not_show(template: Head) -> None:
    whole = phantom_head(2.0, variant=1)
    first = int(np.ceil((whole.landmarks.point("orbitale right")[2] - 25 - whole.ct.ct_from_voxel[2, 3]) / 2))
    shift = np.eye(4)
    shift[2, 3] = first
    cut = CT(whole.ct.attenuation[first:], whole.ct.ct_from_voxel @ shift)
    transfer = transferred(template, cut)
    found = transfer.landmarks
    below = whole.landmarks.points[:, 2] < cut.ct_from_voxel[2, 3] - 3
    assert below.sum() > 10
    assert not found.is_in_ct[below].any()
    # The condyles are still in it.
    for name in ("menton", "gonion left", "pogonion"):
        assert found.status[found.names.index(name)] is LandmarkStatus.OUTSIDE
    assert any("gonion left" in words for words in transfer.words)
    shown = found.is_in_ct
    assert shown.sum() > 25
    error = distances(found, whole.landmarks)
    assert error[shown].mean() < 1
    # Where they should be, and less sure of it.
    assert error[~shown].mean() < 6
    assert found.uncertainty_mm[~shown].mean() > 3 * found.uncertainty_mm[shown].mean()


def test_a_jaw_that_is_not_there_is_not_taken_for_the_bone_above_it(template: Head) -> None:
    whole = head_phantom(2.0, variant=1)
    assert whole.ct.labels is not None
    hounsfield = hounsfield_from_attenuation(whole.ct.attenuation)
    gone = np.isin(whole.ct.labels, [STRUCTURES["mandible"], STRUCTURES["teeth"]])
    jawless = CT.from_hounsfield(np.where(gone, 40.0, hounsfield).astype(np.float32), whole.ct.ct_from_voxel)
    found = transferred(template, jawless).landmarks
    status = dict(zip(found.names, found.status, strict=True))
    for name in ("menton", "pogonion", "gonion left", "gonion right", "condylion right", "coronoid tip left"):
        assert status[name] is LandmarkStatus.OUTSIDE, name
    for name in ("nasion", "mastoid tip left", "zygion right", "basion"):
        assert status[name] is LandmarkStatus.TRANSFERRED, name


def test_corrections_stay_and_lead_the_fit(template: Head, other: Head) -> None:
    # A person finds the eyes farther forward than their bone would have them.
    wanted = {name: other.landmarks.point(name) + TURNED[:3, 1] * 6 for name in ("eye lens right",)}
    points = np.full((55, 3), np.nan)
    status = [LandmarkStatus.UNKNOWN] * 55
    for name, point in wanted.items():
        points[other.landmarks.names.index(name)] = point
        status[other.landmarks.names.index(name)] = LandmarkStatus.CORRECTED
    kept = LandmarkSet(other.landmarks.names, points, np.full(55, 0.4), tuple(status))
    transfer = transferred(template, other.ct, kept=kept)
    for name, point in wanted.items():
        np.testing.assert_array_equal(transfer.landmarks.point(name), point)
        at = transfer.landmarks.names.index(name)
        assert transfer.landmarks.status[at] is LandmarkStatus.CORRECTED
        assert transfer.landmarks.uncertainty_mm[at] == 0.4
        # The deformation goes there too, so that what lies beside it follows.
        assert np.linalg.norm(transfer.ct_from_template(template.landmarks.point(name)[None])[0] - point) < 1
    others = distances(transfer.landmarks, other.landmarks)
    others = others[[name not in wanted for name in transfer.landmarks.names]]
    # What lies beside the moved one follows it.
    assert others.mean() < 1.2


def test_what_is_no_head_is_refused(template: Head) -> None:
    z, y, x = np.indices((60, 60, 60)) - 30.0
    grid = np.diag([2.5, 2.5, 2.5, 1])
    long_bones = np.minimum(np.hypot(x - 8, y), np.hypot(x + 8, y)) < 5
    radius = np.sqrt(x**2 + y**2 + 1.4 * z**2)
    hollow_ball = (radius < 28) & (radius > 25)
    for bone in (long_bones, hollow_ball):
        with pytest.raises(InputError, match="does not look like a head"):
            transferred(template, CT.from_hounsfield(np.where(bone, 900.0, -1000.0), grid))
    water = CT.from_hounsfield(np.where(radius < 25, 0.0, -1000.0), grid)
    with pytest.raises(InputError, match="hardly any bone"):
        transferred(template, water)
