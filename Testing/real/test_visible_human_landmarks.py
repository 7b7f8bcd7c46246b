"""The landmarks of the Visible Human's head: proportions of a woman, two sides alike, each where it is said to be."""

from dataclasses import replace

import numpy as np
import pytest
from DiffRegistrationLib.xray.attenuation import hounsfield_from_attenuation
from DiffRegistrationLib.xray.geometry import rigid
from LandmarkDetectionLib.atlas.bone_surface import bone_surface_near
from LandmarkDetectionLib.atlas.definitions import SnapKind, skull_landmarks
from LandmarkDetectionLib.atlas.head import Head, template_head, visible_human_head
from LandmarkDetectionLib.atlas.head_frame import ct_from_head, is_mirrored
from LandmarkDetectionLib.atlas.snapping import snapped
from scipy import ndimage
from scipy.optimize import least_squares

pytestmark = pytest.mark.real

# Teeth that this woman had lost; they stand where they would be.
LOST = ("upper incisor", "lower first molar right", "lower first molar left")


@pytest.fixture(scope="module")
def head(real_data) -> Head:
    return visible_human_head()


def values_near(head: Head, name: str, radius_mm: float) -> np.ndarray:
    """Hounsfield units on a grid of 1 mm around a landmark."""
    steps = np.arange(-radius_mm, radius_mm + 1)
    offsets = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3)
    offsets = offsets[np.linalg.norm(offsets, axis=1) <= radius_mm]
    voxels = rigid.transform_points(np.linalg.inv(head.ct.ct_from_voxel), head.landmarks.point(name) + offsets)
    hounsfield = hounsfield_from_attenuation(head.ct.attenuation)
    return ndimage.map_coordinates(hounsfield, voxels.T[::-1], order=1)


@pytest.mark.parametrize(
    ("first", "second", "shortest", "longest"),
    [
        # Adult women, mm.
        ("glabella", "opisthocranion", 165, 190),
        ("euryon right", "euryon left", 130, 150),
        ("zygion right", "zygion left", 115, 135),
        ("nasion", "basion", 90, 108),
        ("basion", "bregma", 120, 145),
        ("nasion", "bregma", 98, 120),
        ("bregma", "lambda", 98, 125),
        ("lambda", "opisthion", 85, 112),
        ("asterion right", "asterion left", 98, 128),
        ("porion right", "porion left", 105, 125),
        ("basion", "opisthion", 30, 40),
        ("sella", "nasion", 60, 74),
        ("nasion", "anterior nasal spine", 43, 55),
        ("anterior nasal spine", "posterior nasal spine", 45, 58),
        ("nasion", "menton", 100, 125),
        ("gonion right", "gonion left", 85, 105),
        ("condylion right", "gonion right", 45, 66),
        ("condylion left", "gonion left", 45, 66),
        ("eye lens right", "eye lens left", 54, 70),
        ("basion", "dens tip", 2, 10),
        ("C1 transverse process right", "C1 transverse process left", 65, 85),
    ],
)
def test_proportions_are_a_woman_s(head, first, second, shortest, longest):
    assert shortest <= np.linalg.norm(head.landmarks.point(first) - head.landmarks.point(second)) <= longest


def test_the_sides_are_mirror_images_to_some_millimetres(head):
    points, partners = head.landmarks.points, skull_landmarks().partners

    def off(plane: np.ndarray) -> np.ndarray:
        normal = np.array([1.0, *plane[:2]]) / np.linalg.norm([1.0, *plane[:2]])
        mirrored = points - 2 * np.outer(points @ normal - plane[2], normal)
        return mirrored - points[partners]

    plane = least_squares(lambda plane: off(plane).ravel(), [0.0, 0.0, 5.0], loss="soft_l1", f_scale=2.0).x
    # Half: a landmark and its partner share the difference.
    distance = np.linalg.norm(off(plane), axis=1) / 2
    assert np.median(distance) < 1.2 and distance.max() < 4.0
    assert not is_mirrored(head.landmarks)
    assert is_mirrored(replace(head.landmarks, points=points * [-1, 1, 1]))


def test_the_head_is_level_and_faces_forward(head):
    frame = ct_from_head(head.landmarks)
    assert np.degrees(np.arccos(np.diag(frame)[:3])).max() < 5
    at = dict(
        zip(head.landmarks.names, rigid.transform_points(rigid.inverse(frame), head.landmarks.points), strict=True)
    )
    assert at["vertex"][2] == max(point[2] for point in at.values())
    assert at["opisthocranion"][1] == min(point[1] for point in at.values())
    assert at["menton"][2] < at["pogonion"][2] < at["B point"][2] < at["A point"][2] < at["anterior nasal spine"][2]
    assert at["glabella"][2] > at["nasion"][2] > at["rhinion"][2]


def test_bone_is_where_a_landmark_of_bone_is(head):
    for one in skull_landmarks().definitions:
        if one.snap.kind in (SnapKind.NONE, SnapKind.LENS):
            continue
        surface = bone_surface_near(head.ct, head.landmarks.point(one.name), 4.0)
        nearest = np.linalg.norm(surface.points - head.landmarks.point(one.name), axis=1).min(initial=np.inf)
        assert nearest < 1.8, one.name
    assert values_near(head, "lower incisor", 2).max() > 1500


def test_lenses_are_denser_than_the_eye_around_them(head):
    for side in ("right", "left"):
        lens = values_near(head, f"eye lens {side}", 1)
        around = values_near(head, f"eye lens {side}", 7)
        assert lens.mean() > 60
        assert np.median(around) < 45 and around.min() > -150


def test_sella_is_a_hollow_above_the_sphenoid_sinus(head):
    assert values_near(head, "sella", 2).max() < 200
    below = head.landmarks.point("sella") - [0, 0, 10]
    voxel = rigid.transform_points(np.linalg.inv(head.ct.ct_from_voxel), below[None])[0]
    hounsfield = hounsfield_from_attenuation(head.ct.attenuation)
    assert ndimage.map_coordinates(hounsfield, voxel[::-1, None], order=1)[0] < -700


def test_the_rules_of_refinement_leave_the_placed_landmarks_where_they_are(head):
    end = snapped(head.ct, head.landmarks, ct_from_head(head.landmarks))
    moved = np.linalg.norm(end.points - head.landmarks.points, axis=1)
    assert np.median(moved) < 0.5 and moved.max() < 2.0


def test_uncertainty_is_stated_and_largest_for_lost_teeth(head):
    sure = dict(zip(head.landmarks.names, head.landmarks.uncertainty_mm, strict=True))
    assert min(sure.values()) >= 0.5
    assert all(sure[name] == max(sure.values()) >= 4 for name in LOST)
    assert template_head().name == head.name
