"""The procedural head: landmarks lie where they are said to, sides differ, all voxel sizes show the same head."""

import numpy as np
import pytest
from DiffRegistrationLib.xray.attenuation import attenuation_from_hounsfield
from DiffRegistrationLib.xray.phantom import STRUCTURES, HeadPhantom, head_phantom
from scipy import ndimage

# Points in the middle of something, which no surface is near.
MIDDLES = {
    "sella",
    "sphenoid sinus centre",
    "carotid bifurcation right",
    "carotid bifurcation left",
    "eye lens right",
    "eye lens left",
}


@pytest.fixture(scope="module")
def head() -> HeadPhantom:
    return head_phantom(1.0)


def value_at(head: HeadPhantom, x: float, y: float, z: float) -> float:
    at = np.linalg.solve(head.ct.ct_from_voxel, [x, y, z, 1.0])[2::-1]
    return float(ndimage.map_coordinates(head.ct.attenuation, at[:, None], order=1)[0])


def mu(hounsfield: float) -> float:
    return float(attenuation_from_hounsfield(np.array(hounsfield)))


def test_landmarks_lie_on_the_surface_of_their_structure(head):
    assert len(head.landmarks) >= 60 and len(set(head.landmarks) - MIDDLES) >= 60
    ball = np.argwhere(np.ones((5, 5, 5))) - 2
    ball = ball[np.linalg.norm(ball, axis=1) <= 2]
    for name in set(head.landmarks) - MIDDLES:
        at = np.rint(np.linalg.solve(head.ct.ct_from_voxel, [*head.landmarks[name], 1.0])[2::-1]).astype(int)
        around = head.ct.labels[tuple((at + ball).T)]
        label = STRUCTURES[head.landmark_structures[name]]
        assert (around == label).any(), name
        # Teeth touch their neighbours in the other row.
        assert label == STRUCTURES["teeth"] or (around != label).any(), name


def test_sella_is_a_hollow_with_bone_around(head):
    x, y, z = head.landmarks["sella"]
    assert value_at(head, x, y, z) < mu(100)
    below = [value_at(head, x, y, z - d) for d in np.arange(4, 9, 0.5)]
    behind = [value_at(head, x, y - d, z) for d in np.arange(5, 12, 0.5)]
    assert max(below) > mu(700) and max(behind) > mu(700)


def test_frame_is_ras_about_the_porions_in_the_frankfurt_plane(head):
    points = head.landmarks
    middle = (points["porion right"] + points["porion left"]) / 2
    np.testing.assert_allclose(middle, 0, atol=1)
    assert points["porion right"][0] > 0 > points["porion left"][0]
    assert points["nasion"][1] > 80 and points["inion"][1] < -80
    assert points["bregma"][2] > 100 and points["menton"][2] < -85
    for side in ("right", "left"):
        assert points[f"orbitale {side}"][2] == points[f"porion {side}"][2] == 0


@pytest.mark.parametrize(
    ("first", "second", "shortest", "longest"),
    [
        # Adult ranges from craniometry, mm.
        ("glabella", "opisthocranion", 165, 195),
        ("euryon right", "euryon left", 130, 150),
        ("basion", "bregma", 122, 145),
        ("zygion right", "zygion left", 120, 142),
        ("sella", "nasion", 63, 75),
        ("nasion", "anterior nasal spine", 44, 56),
        ("nasion", "menton", 105, 130),
        ("gonion right", "gonion left", 88, 110),
        ("condylion right", "gonion right", 50, 68),
        ("basion", "opisthion", 30, 40),
        ("basion", "dens tip", 3, 10),
    ],
)
def test_proportions_are_an_adults(head, first, second, shortest, longest):
    assert shortest <= np.linalg.norm(head.landmarks[first] - head.landmarks[second]) <= longest


def test_tissues_have_their_attenuation(head):
    air = [(0, 0, 125), (26, 57, -13), (-26, 57, -13), (0, 20, -65)]
    for x, y, z in air:
        assert value_at(head, x, y, z) == 0, (x, y, z)
    assert value_at(head, 30, 0, 75) == pytest.approx(mu(35), rel=0.01)
    assert mu(-120) < value_at(head, 25, 58, 6) < mu(60)
    assert head.ct.attenuation.max() == pytest.approx(mu(3071), rel=0.02)
    skull = head.ct.attenuation[head.ct.labels == STRUCTURES["skull"]]
    assert mu(400) < np.median(skull) < mu(1400)
    assert np.median(head.ct.attenuation[head.ct.labels == STRUCTURES["teeth"]]) > np.median(skull)
    assert set(np.unique(head.ct.labels)) == {0, *STRUCTURES.values()}


def test_right_and_left_differ(head):
    mirrored = head.ct.attenuation[:, :, ::-1]
    low, high = head.ct.ct_from_voxel[0, 3], head.ct.ct_from_voxel[0, 3] + head.ct.size[0] - 1
    assert low == -high
    for axis in (0, 1):
        image, twin = (a.sum(axis=axis) for a in (head.ct.attenuation, mirrored))
        # In AP and in axial projection a mirror error must cost correlation that noise does not.
        assert np.corrcoef(image.ravel(), twin.ravel())[0, 1] < 0.999
        assert np.abs(image - twin).max() > 0.1 * image.max()
    # The filling is on the left alone.
    metal = np.argwhere(head.ct.attenuation > mu(2900))
    assert len(metal) > 20
    assert (head.ct.ct_from_voxel[0, 3] + metal[:, 2] < 0).all()


def test_same_arguments_give_the_same_head():
    first, again, other = (head_phantom(4.0, variant=v) for v in (3, 3, 4))
    np.testing.assert_array_equal(first.ct.attenuation, again.ct.attenuation)
    np.testing.assert_array_equal(first.ct.labels, again.ct.labels)
    assert all((first.landmarks[name] == again.landmarks[name]).all() for name in first.landmarks)
    assert np.linalg.norm(first.landmarks["bregma"] - other.landmarks["bregma"]) > 0.5


@pytest.mark.parametrize("variant", range(1, 5))
def test_every_variant_fits_the_field_of_view(variant):
    ct = head_phantom(3.0, variant=variant).ct
    # The neck alone is cut, at the bottom.
    for face in (
        ct.attenuation[-1],
        ct.attenuation[:, 0],
        ct.attenuation[:, -1],
        ct.attenuation[:, :, 0],
        ct.attenuation[:, :, -1],
    ):
        assert not face.any()


@pytest.mark.parametrize("voxel_size", [2.0, 3.0])
def test_coarser_voxels_hold_the_same_head(head, voxel_size):
    coarse = head_phantom(voxel_size)
    assert set(coarse.landmarks) == set(head.landmarks)
    for name, point in head.landmarks.items():
        np.testing.assert_array_equal(coarse.landmarks[name], point)
    mass = head.ct.attenuation.sum(dtype=np.float64)
    assert coarse.ct.attenuation.sum(dtype=np.float64) * voxel_size**3 == pytest.approx(mass, rel=0.01)
    # Every structure keeps its place: centroids of attenuation of the whole agree.
    assert np.linalg.norm(centroid(coarse) - centroid(head)) < 0.1


def centroid(head: HeadPhantom) -> np.ndarray:
    at = np.array(ndimage.center_of_mass(head.ct.attenuation.astype(np.float64)))[::-1]
    return (head.ct.ct_from_voxel @ [*at, 1.0])[:3]


def test_contrast_fills_the_right_carotid_alone():
    plain, filled = (head_phantom(2.0, contrast=c).ct for c in (False, True))
    changed = filled.attenuation != plain.attenuation
    assert changed.any()
    x = plain.ct_from_voxel[0, 3] + 2.0 * np.argwhere(changed)[:, 2]
    assert x.min() > -2
    np.testing.assert_array_equal(filled.labels, plain.labels)


@pytest.mark.parametrize("voxel_size", [0.0, 20.0, float("nan")])
def test_voxel_size_that_makes_no_head_is_refused(voxel_size):
    with pytest.raises(ValueError, match="voxel size"):
        head_phantom(voxel_size)
