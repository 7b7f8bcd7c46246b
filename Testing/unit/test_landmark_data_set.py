"""Data sets of X-rays with landmarks: labels fit images, runs give the same files, and others are refused."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import PinholeCamera, rigid
from LandmarkDetectionLib.atlas.head import Head, phantom_head
from LandmarkDetectionLib.atlas.head_frame import ct_from_head
from LandmarkDetectionLib.population.anatomy import Anatomy
from LandmarkDetectionLib.population.data_set import Shard, read_data_set_description, read_shard
from LandmarkDetectionLib.population.data_set_writing import DataSetProgress, DataSetSummary, write_data_set
from LandmarkDetectionLib.population.head_images import HeadImageMaker, Visibility
from LandmarkDetectionLib.population.population import population_head
from LandmarkDetectionLib.population.vessels import ContrastVessels, random_arteries
from LandmarkDetectionLib.population.view_ranges import RANGES_NAMES, ViewRanges, view_ranges

SIZE = 48


@lru_cache
def head() -> Head:
    """A head of 4 mm voxels."""
    return phantom_head(4.0)


def written(folder: Path, **changes: object) -> DataSetSummary:
    """A small data set: two heads of 16 images and a part of a third, in shards of one head."""
    settings = {"count": 40, "shard_size": 16, "image_size": SIZE, "seed": 7, "ranges": view_ranges("any-view")}
    return write_data_set([head()], folder, **(settings | changes))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def data_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that was written without interruption in this process."""
    folder = tmp_path_factory.mktemp("data") / "set"
    summary = written(folder)
    assert (summary.written, summary.kept) == (3, 0)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Every file's bytes."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def shards(data_set: Path) -> list[Shard]:
    """Its shards, as a user reads them."""
    return [read_shard(path) for path in read_data_set_description(data_set).shards]


def test_labels_are_where_the_stored_camera_projects_the_heads_landmarks(shards: list[Shard]) -> None:
    for number, shard in enumerate(shards):
        made = population_head([head()], number, seed=7)
        for n in range(len(shard.attenuation)):
            camera = PinholeCamera(shard.intrinsic[n], shard.camera_from_ct[n], (SIZE, SIZE))
            np.testing.assert_allclose(shard.pixels[n], camera.project(made.landmarks.points), atol=2e-3)
            there = rigid.transform_points(shard.camera_from_ct[n], made.landmarks.points)
            np.testing.assert_allclose(shard.camera_points[n], there, atol=1e-3)


def test_flags_say_where_each_landmark_is(shards: list[Shard]) -> None:
    for shard in shards:
        inside = ((shard.pixels > -0.5) & (shard.pixels < SIZE - 0.5)).all(axis=2)
        np.testing.assert_array_equal(shard.visibility == Visibility.OUTSIDE, ~inside)
        # What is shown lies on usable pixels, but for the very edge.
        shown = np.argwhere(shard.visibility == Visibility.SHOWN)
        at = np.rint(shard.pixels[shard.visibility == Visibility.SHOWN]).astype(int)
        assert shard.mask[shown[:, 0], at[:, 1], at[:, 0]].mean() > 0.97
    every = np.concatenate([shard.visibility.ravel() for shard in shards])
    assert {Visibility.SHOWN, Visibility.SHUT_OUT, Visibility.OUTSIDE} == set(every.tolist())


def test_shards_hold_whole_heads_and_numbers_of_heads_and_images(data_set: Path, shards: list[Shard]) -> None:
    description = read_data_set_description(data_set)
    assert description.is_whole and len(description.settings.landmark_names) == 55
    assert [len(shard.sample) for shard in shards] == [16, 16, 8]
    assert np.concatenate([shard.sample for shard in shards]).tolist() == list(range(40))
    assert [set(shard.head.tolist()) for shard in shards] == [{0}, {1}, {2}]
    attenuation = np.concatenate([shard.attenuation for shard in shards])
    assert attenuation.shape == (40, SIZE, SIZE) and attenuation.min() >= 0 and 5 < attenuation.max() < 13.2
    content = json.loads((data_set / "data-set.json").read_text(encoding="utf-8"))
    assert set(content["arrays"]) >= {"image", "mask", "pixels", "camera_points", "visibility"}


def test_a_metal_ball_at_a_landmark_appears_at_its_label() -> None:
    """A ball of 3 mm in nothing: the brightest place of each image that shows it is its label's."""
    template = phantom_head(2.0)
    ball = template.landmarks.names.index("orbitale left")
    k, j, i = np.mgrid[: template.ct.size[2], : template.ct.size[1], : template.ct.size[0]]
    places = rigid.transform_points(template.ct.ct_from_voxel, np.stack([i, j, k], axis=-1).reshape(-1, 3))
    distance = np.linalg.norm(places - template.landmarks.points[ball], axis=1).reshape(k.shape)
    ct = CT(1.5 * np.clip((4 - distance) / 2, 0, 1).astype(np.float32), template.ct.ct_from_voxel)
    ranges = view_ranges("frontal")
    maker = HeadImageMaker(ranges, 96)
    seen = 0
    # The line integrals before any look, by the maker's own way from a head to an image.
    made = maker.images_of(Head("ball", ct, template.landmarks), 24, np.random.default_rng(0))
    cameras = [PinholeCamera(K, T, (96, 96)) for K, T in zip(made.intrinsic, made.camera_from_ct, strict=True)]
    integrals = maker.line_integrals(Head("ball", ct, template.landmarks), cameras, np.zeros(24, dtype=int))
    for image, label in zip(integrals, made.pixels[:, ball], strict=True):
        if not (3 < label[0] < 92 and 3 < label[1] < 92):
            continue
        rows, columns = np.nonzero(image > 0.05 * image.max())
        weights = image[rows, columns]
        centre = np.array([np.average(columns, weights=weights), np.average(rows, weights=weights)])
        assert np.linalg.norm(centre - label) < 0.5
        seen += 1
    assert seen > 8


@pytest.mark.slow
def test_two_processes_write_the_same_files_as_one(data_set: Path, tmp_path: Path) -> None:
    told: list[DataSetProgress] = []
    written(tmp_path / "set", processes=2, tell=told.append)
    assert contents(tmp_path / "set") == contents(data_set)
    assert [(one.shards, one.all_shards) for one in told] == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert told[-1].images == 40


def test_a_run_goes_on_where_another_was_interrupted(data_set: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set"

    def interrupt(progress: DataSetProgress) -> None:
        if progress.shards == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        written(folder, tell=interrupt)
    assert set(contents(folder)) == {"data-set.json", "shard-00000.npz"}
    assert not read_data_set_description(folder).is_whole
    # A damaged shard is written again, a whole one is left alone.
    (folder / "shard-00001.npz").write_bytes(contents(data_set)["shard-00001.npz"][:5000])
    summary = written(folder)
    assert (summary.written, summary.kept) == (2, 1)
    assert contents(folder) == contents(data_set)


def test_processes_of_torchrun_each_write_their_share(
    data_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank, share in (("1", ["shard-00001.npz"]), ("0", ["shard-00000.npz", "shard-00001.npz", "shard-00002.npz"])):
        monkeypatch.setenv("RANK", rank)
        written(tmp_path / "set")
        assert [name for name in contents(tmp_path / "set") if name.startswith("shard")] == share
    assert contents(tmp_path / "set") == contents(data_set)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seed": 8}, "seed: 7 there, 8 asked for"),
        ({"image_size": 64}, "image size: 48 there, 64 asked for"),
        ({"strength": 0.5}, "strength: 1.0 there"),
        ({"ranges": view_ranges("lateral")}, "views"),
    ],
)
def test_a_folder_with_a_data_set_of_other_settings_is_refused(
    data_set: Path, changes: dict[str, object], said: str
) -> None:
    before = contents(data_set)
    with pytest.raises(InputError, match=said):
        written(data_set, **changes)
    assert contents(data_set) == before


@pytest.mark.parametrize(
    ("changes", "said"), [({"count": 0}, "count"), ({"shard_size": 20}, "multiple of 16"), ({"processes": 0}, "0")]
)
def test_numbers_that_make_no_data_set_are_refused(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        written(tmp_path / "set", **changes)
    assert not (tmp_path / "set").exists()


def test_a_head_without_enough_landmarks_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    bare = replace(head().landmarks, points=np.full((55, 3), np.nan))
    with pytest.raises(InputError, match="landmarks"):
        write_data_set([Head("bare", head().ct, bare)], tmp_path / "set", count=16, ranges=view_ranges("any-view"))
    assert not (tmp_path / "set").exists()


def test_a_folder_or_file_that_is_no_data_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"data-set\.json"):
        read_data_set_description(tmp_path)
    (tmp_path / "data-set.json").write_text("{}")
    with pytest.raises(InputError, match="no description"):
        read_data_set_description(tmp_path)
    (tmp_path / "shard-00000.npz").write_text("nothing")
    with pytest.raises(InputError, match="no shard"):
        read_shard(tmp_path / "shard-00000.npz")


def test_arteries_keep_within_the_skull_and_darken_an_image_only_where_they_run() -> None:
    landmarks = head().landmarks
    anatomy, frame = Anatomy.of(landmarks), ct_from_head(landmarks)
    pieces = random_arteries(anatomy, np.random.default_rng(0))
    above = pieces.end[pieces.end[:, 2] > 35]
    assert len(above) > 50 and np.abs(above[:, 0]).max() < anatomy.euryon[0] and above[:, 2].max() < anatomy.vertex[2]
    vessels = ContrastVessels(frame, anatomy, np.random.default_rng(0))
    camera = PinholeCamera(np.array([[300.0, 0, 47.5], [0, 300, 47.5], [0, 0, 1]]), np.eye(4), (96, 96))
    pose = rigid.rigid([[1, 0, 0], [0, 0, -1], [0, 1, 0]], [0, 20, 700])
    image = vessels.line_integrals(camera.rays(), pose[None], np.array([58.0]), np.array([200.0])).reshape(96, 96)
    at = np.rint(camera.project(rigid.transform_points(pose @ frame, pieces.end))).astype(int)
    at = at[((at >= 0) & (at < 96)).all(axis=1)]
    assert (image[at[:, 1], at[:, 0]] > 0).mean() > 0.95 and (image > 0).mean() < 0.3
    # 200 mg/ml of iodine at 58 keV, twice as much at twice the concentration.
    assert 0.5 < image.max() < 4


@pytest.mark.parametrize("name", RANGES_NAMES)
def test_named_views_can_be_read_and_fill_their_ranges(name: str) -> None:
    ranges = view_ranges(name)
    random = np.random.default_rng(0)
    drawn = [ranges.drawn_of_family(random) for _ in range(400)]
    assert {number for number, _, _ in drawn} == set(range(len(ranges.families)))
    fields = np.array([field for _, _, field in drawn])
    assert ranges.field[0] <= fields.min() and fields.max() <= ranges.field[1] and np.ptp(fields) > 0.2
    assert all(rigid.is_rigid(pose, 1e-9) and pose[2, 3] >= 550 for _, pose, _ in drawn)


def test_any_view_sees_heads_from_all_around() -> None:
    random = np.random.default_rng(0)
    beams = np.array([view_ranges("any-view").drawn(random)[0][2, :3] for _ in range(2000)])
    around = np.degrees(np.arctan2(beams[:, 0], -beams[:, 1]))
    assert (np.histogram(around, bins=12, range=(-180, 180))[0] > 40).all()
    assert np.degrees(np.arcsin(np.abs(beams[:, 2]))).max() > 50


GOOD = (
    Path(__file__).parents[2] / "LandmarkDetection/LandmarkDetectionLib/population/presets/lateral.toml"
).read_text()


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ('"left-lateral"', '"sideways"', "sideways"),
        ("[-70, 70]", "[70, -70]", "across_mm"),
        ("share = 1", "share = 0", "share"),
        ("contrast_share = 0.25", "contrast_share = 3", "contrast_share"),
        ("collimated_share = 0.5", "collimated_share = -1", "collimated_share"),
        ("field = [0.18, 0.45]", "field = [0.18, 45]", "field"),
        ("[families.lateral]", "[lateral]", "families"),
        ("share = 1", "share = 1\nzoom = 2", "zoom"),
    ],
)
def test_a_views_file_with_a_mistake_is_refused_by_its_name(tmp_path: Path, old: str, new: str, word: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        view_ranges(str(path))
    assert word in str(caught.value) and "mine.toml" in str(caught.value)


def test_ranges_of_ones_own_are_what_a_data_set_is_made_of(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace("contrast_share = 0.25", "contrast_share = 1"))
    mine: ViewRanges = view_ranges(str(path))
    written(tmp_path / "set", ranges=mine, count=4)
    description = read_data_set_description(tmp_path / "set")
    shard = read_shard(description.shards[0])
    assert shard.has_contrast.all() and len(shard.sample) == 4
    assert description.settings.views["contrast_share"] == 1
