"""Heads that are made from others: image and landmarks move together, nothing folds, and a folder's heads are read."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.ct_writing import write_ct
from DiffRegistrationLib.xray.geometry import rigid
from LandmarkDetectionLib.atlas.head import Head, phantom_head
from LandmarkDetectionLib.atlas.landmark_files import write_landmarks
from LandmarkDetectionLib.population.anatomy import Anatomy
from LandmarkDetectionLib.population.deformation import DeformableHead, deformed_head
from LandmarkDetectionLib.population.head_folder import heads_of_folder
from LandmarkDetectionLib.population.head_variation import HeadVariation
from LandmarkDetectionLib.population.jaw import Jaw
from LandmarkDetectionLib.population.population import mirrored_head, population, population_head
from LandmarkDetectionLib.population.pull_backs import chained, neck_pull_back, shape_pull_back

# What turns with the jaw, with the neck, and with neither.
JAW = ("menton", "pogonion", "lower incisor", "gonion right", "coronoid tip left", "lower first molar left")
NECK = ("C2 spinous process",)
SKULL = ("glabella", "upper incisor", "A point", "mastoid tip right", "zygion left", "inion", "basion", "vertex")


@lru_cache
def head() -> Head:
    """A head of 3 mm voxels."""
    return phantom_head(3.0)


def blobs(names: tuple[str, ...], voxel_mm: float = 2.0) -> Head:
    """Nothing but a ball of Gaussian profile (4 mm) about each of these landmarks; tissue all around keeps the box."""
    known = phantom_head(4.0).landmarks
    matrix = np.diag([voxel_mm] * 3 + [1.0])
    matrix[:3, 3] = (-92, -120, -130)
    k, j, i = np.mgrid[0:128, 0:121, 0:93].astype(np.float32) * voxel_mm
    volume = np.zeros(k.shape, dtype=np.float32)
    for name in names:
        x, y, z = known.point(name) - matrix[:3, 3]
        volume += 0.05 * np.exp(-((i - x) ** 2 + (j - y) ** 2 + (k - z) ** 2) / (2 * 4.0**2)).astype(np.float32)
    volume[[0, -1]], volume[:, [0, -1]], volume[:, :, [0, -1]] = 0.02, 0.02, 0.02
    return Head("blobs", CT(volume, matrix), known)


def centroid(ct: CT, about: np.ndarray, radius_mm: float = 11.0) -> np.ndarray:
    """Centre of mass (mm) of what is near a point."""
    k, j, i = np.nonzero(ct.attenuation > 0)
    points = rigid.transform_points(ct.ct_from_voxel, np.column_stack([i, j, k]))
    near = np.linalg.norm(points - about, axis=1) < radius_mm
    return np.average(points[near], axis=0, weights=ct.attenuation[k[near], j[near], i[near]])


@pytest.mark.parametrize("seed", range(3))
def test_landmarks_move_with_the_image_around_them(seed: int) -> None:
    names = ("glabella", "menton", "gonion right", "inion", "euryon left", "C2 spinous process")
    moved = deformed_head(blobs(names), np.random.default_rng(seed))
    shifts = [np.linalg.norm(moved.landmarks.point(n) - head().landmarks.point(n)) for n in names]
    assert max(shifts) > 4
    for name in names:
        point = moved.landmarks.point(name)
        assert np.linalg.norm(centroid(moved.ct, point) - point) < 1.0, name


def test_same_state_of_the_generator_same_head_and_another_state_another_head() -> None:
    first, again, other = (deformed_head(head(), np.random.default_rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.ct.attenuation, again.ct.attenuation)
    np.testing.assert_array_equal(first.landmarks.points, again.landmarks.points)
    assert np.linalg.norm(first.landmarks.points - other.landmarks.points, axis=1).mean() > 2


def test_nothing_folds_at_the_ends_of_the_ranges() -> None:
    """Volumes of small cubes keep their sign, and the jaw's way back is the inverse of its way there."""
    anatomy = Anatomy.of(head().landmarks)
    still = HeadVariation.drawn(np.random.default_rng(0)).times(0.0)
    ends = {"jaw_length": -0.08, "jaw_width": 0.08, "face_height": -0.07, "face_depth": -0.07, "chin_mm": 4.0}
    shape = shape_pull_back(replace(still, size=0.07, asymmetry=0.02, **ends), anatomy)
    jaw = Jaw(12.0, anatomy)
    axes = [np.arange(low, high, 2.5) for low, high in ((-75, 75), (-110, 110), (-130, 20))]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    for flexion in (-12.0, 12.0):
        way = chained([neck_pull_back(flexion, anatomy), shape, jaw.closed])
        origin = way(points)
        slopes = np.stack([(way(points + step) - origin) / 0.01 for step in 0.01 * np.eye(3)], axis=2)
        assert np.linalg.det(slopes).min() > 0.05
    np.testing.assert_allclose(jaw.closed(jaw.opened(points)), points, atol=1e-6)


def test_the_jaw_opens_and_the_neck_bends_while_the_skull_stays() -> None:
    ready = DeformableHead(head())
    still = HeadVariation.drawn(np.random.default_rng(0)).times(0.0)
    before = head().landmarks

    def shift(made: Head, name: str) -> np.ndarray:
        return made.landmarks.point(name) - before.point(name)

    opened = ready.varied(replace(still, jaw_opening_deg=10.0))
    bent = ready.varied(replace(still, flexion_deg=10.0))
    joint = before.point("condylion right")[1:] - [0, 5]
    for name in JAW:
        radius = np.linalg.norm(before.point(name)[1:] - joint)
        assert np.linalg.norm(shift(opened, name)) == pytest.approx(radius * np.radians(10), rel=0.1), name
    assert shift(opened, "menton")[2] < -9
    for name in (*SKULL, *NECK, "C1 transverse process right", "dens tip"):
        assert np.linalg.norm(shift(opened, name)) < 1.2, name
    for name in (*SKULL, *JAW):
        assert np.linalg.norm(shift(bent, name)) < 1.2, name
    # Chin to chest: what is below the skull comes forward.
    assert shift(bent, "C2 spinous process")[1] > 4 and shift(bent, "C1 anterior tubercle")[2] > 0.5


def test_a_deformed_head_keeps_its_tissue_and_strength_0_only_resamples() -> None:
    same = deformed_head(head(), np.random.default_rng(0), strength=0.0, voxel_mm=3.0)
    np.testing.assert_allclose(same.landmarks.points, head().landmarks.points, atol=1e-6)
    assert tissue_cm3(same.ct) == pytest.approx(tissue_cm3(head().ct), rel=0.02)
    other = deformed_head(head(), np.random.default_rng(3), voxel_mm=3.0)
    assert tissue_cm3(other.ct) == pytest.approx(tissue_cm3(head().ct), rel=0.4)
    assert other.landmarks.status == head().landmarks.status


def tissue_cm3(ct: CT) -> float:
    """How much of it is not air."""
    return float((ct.attenuation > 0.009).sum() * np.prod(ct.voxel_size) / 1000)


def test_a_ct_that_lies_askew_in_its_frame_gives_the_same_head_askew() -> None:
    turn = rigid.rigid(rigid.rotation_exp([0.2, -0.1, 0.4]), [30.0, -20.0, 500.0])
    straight = head()
    points = rigid.transform_points(turn, straight.landmarks.points)
    ct = CT(straight.ct.attenuation, turn @ straight.ct.ct_from_voxel)
    askew = Head("askew", ct, replace(straight.landmarks, points=points))
    made = [deformed_head(one, np.random.default_rng(1)) for one in (straight, askew)]
    expected = rigid.transform_points(turn, made[0].landmarks.points)
    np.testing.assert_allclose(made[1].landmarks.points, expected, atol=0.05)


def test_a_mirrored_head_shows_its_right_on_the_left_and_twice_mirrored_it_is_itself() -> None:
    mirrored = mirrored_head(head())
    right = head().landmarks.point("gonion right") * [-1, 1, 1]
    np.testing.assert_allclose(mirrored.landmarks.point("gonion left"), right)
    assert np.linalg.det(mirrored.ct.ct_from_voxel[:3, :3]) > 0
    # The same tissue is at the mirrored place.
    matrix = np.linalg.inv(mirrored.ct.ct_from_voxel)
    voxel = np.array([20, 50, 40])
    place = rigid.transform_points(head().ct.ct_from_voxel, [voxel])[0] * [-1, 1, 1]
    i, j, k = np.rint(rigid.transform_points(matrix, [place])[0]).astype(int)
    assert mirrored.ct.attenuation[k, j, i] == head().ct.attenuation[40, 50, 20] > 0
    again = mirrored_head(mirrored)
    np.testing.assert_array_equal(again.ct.attenuation, head().ct.attenuation)
    np.testing.assert_allclose(again.landmarks.points, head().landmarks.points)


def test_a_populations_heads_do_not_depend_on_which_were_made_before() -> None:
    in_turn = list(population([head()], 3, seed=4))
    alone = population_head([head()], 2, seed=4)
    np.testing.assert_array_equal(in_turn[2].ct.attenuation, alone.ct.attenuation)
    assert [one.name for one in in_turn] == ["head 1", "head 2", "head 3"]


def test_landmarks_that_are_not_known_stay_unknown() -> None:
    some = head().landmarks
    points = some.points.copy()
    points[some.names.index("menton")] = np.nan
    made = deformed_head(Head("part", head().ct, replace(some, points=points)), np.random.default_rng(0))
    assert np.isnan(made.landmarks.point("menton")).all() and made.landmarks.is_known.sum() == len(some.names) - 1


def saved(folder: Path, name: str, one: Head, with_landmarks: bool = True) -> None:
    write_ct(folder / name, one.ct)
    if with_landmarks:
        write_landmarks(folder / f"{name.partition('.')[0]}.mrk.json", one.landmarks)


def test_heads_of_a_folder_are_those_with_landmarks_and_the_others_are_told(tmp_path: Path) -> None:
    coarse = phantom_head(6.0)
    saved(tmp_path, "jane-doe.nii.gz", coarse)
    saved(tmp_path, "b.nrrd", coarse)
    saved(tmp_path, "c.nrrd", coarse, with_landmarks=False)
    told: list[str] = []
    found = heads_of_folder(tmp_path, tell=told.append)
    assert [one.name for one in found] == ["head 1", "head 2"]
    np.testing.assert_allclose(found[0].landmarks.points, coarse.landmarks.points, atol=1e-3)
    assert len(told) == 1 and "c.nrrd" in told[0] and "fluororeg landmarks transfer" in told[0]


def test_a_folder_whose_heads_cannot_be_used_says_why(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no CT"):
        heads_of_folder(tmp_path)
    coarse = phantom_head(6.0)
    saved(tmp_path, "a.nrrd", coarse, with_landmarks=False)
    with pytest.raises(InputError, match=r"a\.nrrd.*fluororeg landmarks transfer"):
        heads_of_folder(tmp_path)
    write_landmarks(tmp_path / "a.mrk.json", replace(coarse.landmarks, points=coarse.landmarks.points + 900))
    with pytest.raises(InputError, match="fewer than 4 landmarks within"):
        heads_of_folder(tmp_path)
    write_landmarks(tmp_path / "a.mrk.json", replace(coarse.landmarks, points=coarse.landmarks.points * [-1, 1, 1]))
    with pytest.raises(InputError, match="right and left exchanged"):
        heads_of_folder(tmp_path)
