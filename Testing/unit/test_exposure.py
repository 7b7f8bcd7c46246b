"""What a beam shines on: areas, margins and sums against what geometry says, and that no table calls it a dose."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import PinholeCamera, ScanningSlitCamera, rigid
from DiffRegistrationLib.xray.radiograph import Radiograph
from LandmarkDetectionLib.atlas.head import Head, phantom_head
from LandmarkDetectionLib.detection.landmark_detections import LandmarkDetections
from LandmarkDetectionLib.exposure.beam import Beam, amounts, beam_of
from LandmarkDetectionLib.exposure.detected_heads import SeenHead, exposure_of_detections
from LandmarkDetectionLib.exposure.exposure_files import description, heading, rows, write_exposure
from LandmarkDetectionLib.exposure.field import Field, distance_inside
from LandmarkDetectionLib.exposure.head_exposure import NOT_A_DOSE, HeadExposure, head_exposure
from LandmarkDetectionLib.exposure.head_regions import HeadRegions, head_regions
from LandmarkDetectionLib.exposure.point_organs import Place, PointOrgan, organ_in_field, point_organs
from LandmarkDetectionLib.skull_shape.extraction import skin_surface
from LandmarkDetectionLib.skull_shape.surface import Surface
from scipy.integrate import dblquad
from scipy.spatial import ConvexHull

RADIUS, SDD = 80.0, 1000.0
SIZE = (400, 500)


def sphere(count: int = 15_000, radius: float = RADIUS) -> Surface:
    """Nearly even triangles over a sphere about the origin."""
    number = np.arange(count) + 0.5
    z = 1 - 2 * number / count
    angle = np.pi * (1 + np.sqrt(5)) * number
    points = np.stack([np.sqrt(1 - z**2) * np.cos(angle), np.sqrt(1 - z**2) * np.sin(angle), z], axis=1)
    hull = ConvexHull(points)
    a, b, c = points[hull.simplices].swapaxes(0, 1)
    inward = np.einsum("ni,ni->n", np.cross(b - a, c - a), a) < 0
    return Surface(radius * points, np.where(inward[:, None], hull.simplices[:, ::-1], hull.simplices))


def camera(source_distance: float = 700.0) -> PinholeCamera:
    """The source `source_distance` mm behind the world's origin, looking to the front along +y; v down is −z."""
    rotation = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    pose = rigid.rigid(rotation, [0, 0, source_distance])
    return PinholeCamera.from_distances(SDD, (1.0, 1.0), SIZE, pose)


def square(half_px: float) -> Field:
    middle = np.array([(SIZE[1] - 1) / 2, (SIZE[0] - 1) / 2])
    return Field(middle + half_px * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]))


def exposed(*beams: Beam, surface: Surface | None = None, organs: tuple[PointOrgan, ...] = ()) -> HeadExposure:
    surface = surface or sphere()
    whole = HeadRegions(("ball",), np.zeros(len(surface.vertices), dtype=np.int64))
    return head_exposure(surface, whole, organs, beams)


def test_a_wide_beam_enters_the_cap_that_the_source_sees():
    found = exposed(Beam("1", camera(300.0), square(2000), np.eye(4)))
    cap = 2 * np.pi * RADIUS**2 * (1 - RADIUS / 300)
    whole = found.region_areas[0]
    assert whole == pytest.approx(4 * np.pi * RADIUS**2, rel=2e-3)
    (region,) = found.beams[0].regions
    assert region.entered * whole == pytest.approx(cap, rel=0.02)
    assert region.entered + region.behind == pytest.approx(1, abs=1e-9)


def test_a_square_beam_enters_what_solid_angle_says():
    distance, half_px = 700.0, 60.0
    found = exposed(Beam("1", camera(distance), square(half_px), np.eye(4)))

    def area_per_tangent(y: float, x: float) -> float:
        # A ray (x, y, 1) reaches the sphere at length r and slants by ψ: r² / cos ψ for each steradian.
        length = np.sqrt(1 + x * x + y * y)
        along = distance / length
        r = along - np.sqrt(along**2 - distance**2 + RADIUS**2)
        cosine = (along - r) / RADIUS
        return r * r / cosine / length**3

    edge = half_px / SDD
    area, _ = dblquad(area_per_tangent, -edge, edge, -edge, edge)
    (region,) = found.beams[0].regions
    assert region.entered * found.region_areas[0] == pytest.approx(area, rel=0.02)


def test_what_lies_behind_the_near_side_is_kept_apart():
    found = exposed(Beam("1", camera(), square(60), np.eye(4)))
    y = found.surface.vertices[:, 1]
    assert (y[found.entrance > 0] < 0).all()
    assert (y[found.behind > 0] > 0).all()
    # A ball in front of another one shades it.
    small = sphere(3000, 20.0).carried(lambda points: points - [0, 150, 0])
    big = sphere()
    both = Surface(
        np.concatenate([big.vertices, small.vertices]), np.concatenate([big.faces, small.faces + len(big.vertices)])
    )
    shaded = exposed(Beam("1", camera(), square(2000), np.eye(4)), surface=both)
    behind_ball = np.zeros(len(both.vertices), dtype=bool)
    behind_ball[: len(big.vertices)] = (np.linalg.norm(big.vertices[:, [0, 2]], axis=1) < 20) & (
        big.vertices[:, 1] < 0
    )
    assert behind_ball.any() and not shaded.entrance[behind_ball].any() and shaded.behind[behind_ball].all()
    seen_past_it = np.linalg.norm(both.vertices - [0, -RADIUS, 0], axis=1)
    seen_past_it = (seen_past_it > 45) & (seen_past_it < 70) & (np.arange(len(both.vertices)) < len(big.vertices))
    assert (shaded.entrance[seen_past_it] > 0).all()


def test_exposure_falls_with_the_square_of_the_distance_and_is_one_for_a_second_at_the_reference():
    near, far = (exposed(Beam("1", camera(d), square(2000), np.eye(4))) for d in (400.0 + RADIUS, 700.0 + RADIUS))
    pole = np.argmin(near.surface.vertices[:, 1])
    assert far.entrance[pole] == pytest.approx(1, rel=1e-3)
    assert near.entrance[pole] / far.entrance[pole] == pytest.approx((700 / 400) ** 2, rel=1e-3)
    assert near.relative.max() == 1


def test_two_like_frames_give_twice_as_much_and_one_beside_the_head_nothing():
    beam = Beam("1", camera(), square(60), np.eye(4), seconds=0.25)
    beside = replace(beam, world_from_ct=rigid.rigid(np.eye(3), [300.0, 0, 0]))
    one, two, three = exposed(beam), exposed(beam, beam), exposed(beam, beam, beside)
    np.testing.assert_allclose(two.entrance, 2 * one.entrance, rtol=1e-12)
    np.testing.assert_array_equal(three.entrance, two.entrance)
    np.testing.assert_array_equal(three.behind, two.behind)
    assert three.beams[2].regions[0].entered == three.beams[2].regions[0].behind == 0
    assert exposed(beside).relative.max() == 0


def test_the_head_s_pose_counts_and_not_the_world():
    motion = rigid.exp([0.3, -0.8, 0.4, 20.0, -35.0, 60.0])
    beam = Beam("1", camera(), square(60), np.eye(4))
    moved = replace(beam, camera=beam.camera.moved(motion), world_from_ct=motion)
    np.testing.assert_allclose(exposed(moved).entrance, exposed(beam).entrance, rtol=1e-9)


def test_mas_weigh_frames_where_all_tell_theirs():
    beam = Beam("1", camera(), square(60), np.eye(4), seconds=0.5)
    unit, weights = amounts([replace(beam, mas=3.0), replace(beam, mas=5.0)])
    assert unit == "mAs" and weights.tolist() == [3, 5]
    unit, weights = amounts([replace(beam, mas=3.0), beam])
    assert unit == "s" and weights.tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("x", "z", "margin"),
    # Half of the field is 60 px of 1 mm at 1000 mm, so 30 mm at the lens's 500 mm.
    [(0, 0, 30), (22, 0, 8), (-28, 5, 2), (33, 1, -3), (34, -34, -4 * np.sqrt(2)), (0, 90, -60)],
)
def test_a_lens_s_margin_is_measured_at_its_depth(x, z, margin):
    motion = rigid.exp([0.3, -0.8, 0.4, 20.0, -35.0, 60.0])
    lens = PointOrgan("eye lens right", rigid.transform_points(rigid.inverse(motion), [[x, -200.0, z]])[0], 4.5, 1.0)
    beam = Beam("1", camera(), square(60), motion)
    found = organ_in_field(lens, beam.in_ct, beam.field)
    assert found.margin_mm == pytest.approx(margin, abs=1e-6)
    assert found.distance_mm == pytest.approx(np.hypot(500, np.hypot(x, z)), abs=1e-6)
    expected = Place.INSIDE if margin >= 4.5 else Place.OUTSIDE if margin <= -4.5 else Place.EDGE
    assert found.place == expected


def test_a_lens_behind_the_source_is_outside():
    lens = PointOrgan("eye lens right", np.array([0.0, -900.0, 0.0]), 4.5, 1.0)
    found = organ_in_field(lens, camera(), square(60))
    assert found.place == Place.OUTSIDE and np.isnan(found.margin_mm)


def test_the_field_of_a_mask_is_convex_around_it_whatever_was_burnt_out():
    mask = np.zeros(SIZE, dtype=bool)
    mask[50:151, 100:301] = True
    mask[50:80, 100:140] = False
    mask[90:100, 200:220] = False
    mask[50, 100] = True
    field = Field.of_mask(mask)
    np.testing.assert_allclose(field.corners.min(axis=0), [99.5, 49.5])
    np.testing.assert_allclose(field.corners.max(axis=0), [300.5, 150.5])
    assert len(field.corners) == 4
    v, u = np.mgrid[: SIZE[0], : SIZE[1]]
    round_field = Field.of_mask((u - 250.3) ** 2 + (v - 199.6) ** 2 < 180**2)
    assert len(round_field.corners) < 80
    for angle in np.linspace(0, 2 * np.pi, 37):
        point = np.array([250.3, 199.6]) + 170 * np.array([np.cos(angle), np.sin(angle)])
        assert distance_inside(round_field.corners, point) == pytest.approx(10, abs=0.9)
    with pytest.raises(InputError, match="no pixel"):
        Field.of_mask(np.zeros(SIZE, dtype=bool))


def test_a_field_with_a_bay_is_not_filled():
    bay = Field(np.array([[0.0, 0], [10, 0], [10, 10], [5, 4], [0, 10]]))
    inside = bay.contains(np.array([[5.0, 2], [5, 7], [1, 7], [9, 7], [11, 5], [np.nan, 1]]))
    assert inside.tolist() == [True, False, True, True, False, False]


def test_a_scanning_slit_and_a_head_without_pose_are_refused():
    slit = ScanningSlitCamera(np.eye(4), SIZE, (1.0, 1.0), (250.0, 200.0), 500.0, 1000.0)
    with pytest.raises(InputError, match="scanning slit"):
        beam_of("scout", Radiograph(np.zeros(SIZE), np.ones(SIZE, dtype=bool), slit), np.eye(4))
    with pytest.raises(InputError, match="frame 7: the head has no pose"):
        Beam("7", camera(), square(60), np.full((4, 4), np.nan))
    with pytest.raises(InputError, match="no frame"):
        exposed()


@pytest.fixture(scope="module")
def head():
    return phantom_head(3.0)


@pytest.fixture(scope="module")
def skin(head) -> Surface:
    return skin_surface(head.ct)


def test_regions_of_a_head_hold_their_landmarks(head):
    expected = {
        "brain case": ("bregma", "vertex", "lambda", "opisthocranion", "euryon right", "pterion left"),
        "face": ("orbitale right", "zygion left", "eye lens left", "nasion"),
        "jaw and teeth": ("pogonion", "B point", "upper incisor", "lower first molar right"),
        "neck": ("C2 spinous process", "C1 posterior tubercle"),
    }
    names = [name for of_region in expected.values() for name in of_region]
    found = head_regions(np.stack([head.landmarks.point(name) for name in names]), head.landmarks)
    for name, number in zip(names, found.of_vertex, strict=True):
        assert name in expected[found.names[number]], (name, found.names[number])


def test_lenses_are_on_the_near_side_from_in_front_and_not_from_behind(head, skin):
    organs = point_organs(head.landmarks)
    assert [organ.name for organ in organs] == ["eye lens right", "eye lens left", "thyroid"]
    assert [organ.approximate for organ in organs] == [False, False, True]
    regions = head_regions(skin.vertices, head.landmarks)
    from_behind = camera()
    from_in_front = from_behind.moved(rigid.exp([0, 0, np.pi, 0, 0, 0]))
    beams = [Beam("PA", from_behind, square(150), np.eye(4)), Beam("AP", from_in_front, square(150), np.eye(4))]
    found = head_exposure(skin, regions, organs, beams)
    back, front = found.beams
    for lens in range(2):
        assert back.organs[lens].where.place == front.organs[lens].where.place == Place.INSIDE
        assert front.organs[lens].is_near_side and not back.organs[lens].is_near_side
        assert front.organs[lens].exposure > back.organs[lens].exposure
    face, neck = (found.regions.names.index(name) for name in ("face", "neck"))
    assert front.regions[face].entered > 0.5 > 0.1 > back.regions[face].entered
    assert back.regions[neck].entered > 0.2


def test_every_file_says_that_it_is_no_dose(head, skin, tmp_path):
    vtk = pytest.importorskip("vtk")
    from vtkmodules.util.numpy_support import vtk_to_numpy

    regions = head_regions(skin.vertices, head.landmarks)
    collimated = np.zeros(SIZE, dtype=bool)
    collimated[120:280, 150:350] = True
    image = Radiograph(np.zeros(SIZE, dtype=np.float32), collimated, camera())
    beams = [beam_of(name, image, np.eye(4), seconds=0.2) for name in ("0", "1")]
    found = head_exposure(skin, regions, point_organs(head.landmarks), beams)
    table, text, surface = write_exposure(tmp_path, found)

    with table.open(encoding="utf-8", newline="") as file:
        read = list(csv.DictReader(file))
    assert len(read) == 2 * (4 + 3) == len(list(rows(found))) and tuple(read[0]) == heading(found)
    assert all(row["meaning"] == NOT_A_DOSE and "not a dose" in row["meaning"] for row in read)
    by_name = {row["name"]: row for row in read if row["frame"] == "1"}
    assert by_name["thyroid"]["kind"] == "organ, approximate"
    assert float(by_name["brain case"]["entered_percent"]) > 0 and by_name["brain case"]["margin_mm"] == ""
    said = json.loads(text.read_text(encoding="utf-8"))
    assert said == json.loads(json.dumps(description(found)))
    assert said["meaning"] == NOT_A_DOSE and said["amount"] == {"unit": "s", "sum": 0.4}
    assert said["organs"][0]["exposure_toward_source"] == 0

    reader = vtk.vtkXMLPolyDataReader()
    reader.SetFileName(str(surface))
    reader.Update()
    shown = reader.GetOutput().GetPointData().GetScalars()
    assert shown.GetName() == "RelativeExposure"
    np.testing.assert_allclose(vtk_to_numpy(shown), found.relative)
    assert found.relative.max() == 1 and found.relative.min() == 0


def detections(of: Head, pose: np.ndarray, is_sure: bool = True) -> LandmarkDetections:
    """The true landmarks of a head, as a network would give them in the view of `camera`."""
    placed = rigid.transform_points(camera().camera_from_world @ pose, of.landmarks.points)
    count = len(placed)
    nothing = np.zeros((count, 2)), np.tile(np.eye(2), (count, 1, 1))
    return LandmarkDetections(
        *(of.landmarks.names, *nothing, placed, np.tile(np.eye(3), (count, 1, 1)), np.ones(count)),
        *(np.ones(count, dtype=bool), *nothing, 1.0, 0.7, is_sure, "" if is_sure else "no head"),
    )


def test_without_a_ct_the_template_s_skin_gets_what_the_head_s_own_would() -> None:
    head = phantom_head(4.0)
    turned = rigid.rigid(rigid.rotation_exp([0, 0, np.pi / 2]), np.zeros(3))
    mask = np.zeros(SIZE, dtype=bool)
    mask[100:300, 150:350] = True
    view = Radiograph(np.zeros(SIZE, np.float32), mask, camera())
    frames = [SeenHead(f"{n}", view, detections(head, pose), 2.0) for n, pose in enumerate((np.eye(4), turned))]
    found = exposure_of_detections([*frames, SeenHead("lost", view, detections(head, turned, False), 2.0)], head)
    own = skin_surface(head.ct)
    beams = [beam_of(f"{n}", view, pose, seconds=2.0) for n, pose in enumerate((np.eye(4), turned))]
    true = head_exposure(own, head_regions(own.vertices, head.landmarks), point_organs(head.landmarks), beams)
    assert [beam.name for beam in found.beams] == ["0", "1"] and found.unit == "s"
    assert np.corrcoef(found.entrance, true.entrance)[0, 1] > 0.98
    for one, other in zip(found.beams, true.beams, strict=True):
        for ours, theirs in zip(one.organs, other.organs, strict=True):
            assert ours.where.place == theirs.where.place and abs(ours.where.margin_mm - theirs.where.margin_mm) < 3
    # Seconds and mAs are not added: one frame does not tell its mAs.
    mixed = exposure_of_detections([replace(frames[0], mas=5.0), frames[1]], head)
    assert mixed.unit == "s" and [beam.amount for beam in mixed.beams] == [2.0, 2.0]
    with pytest.raises(InputError, match="none shows a head"):
        exposure_of_detections([SeenHead("lost", view, detections(head, turned, False))], head)
