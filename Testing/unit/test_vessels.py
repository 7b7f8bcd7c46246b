"""Contrast-filled arteries: they branch as vessels do, stay in the brain case, and hold the iodine they should."""

import numpy as np
import pytest
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.ct_files import read_ct
from DiffRegistrationLib.xray.phantom import STRUCTURES, HeadPhantom, head_phantom
from DiffRegistrationLib.xray.simulator.materials import Material
from DiffRegistrationLib.xray.simulator.objects.cavity import cranial_cavity
from DiffRegistrationLib.xray.simulator.objects.solids import areal_densities
from DiffRegistrationLib.xray.simulator.objects.vessel_tree import VesselTree, murray_radii
from DiffRegistrationLib.xray.simulator.objects.vessels import Side, Vessels
from DiffRegistrationLib.xray.simulator.objects.wires import GuideWire
from scipy import ndimage


@pytest.fixture(scope="module")
def head() -> HeadPhantom:
    return head_phantom(1.5)


@pytest.fixture(scope="module")
def tree(head: HeadPhantom) -> VesselTree:
    (grown,) = Vessels().trees(head.ct, np.random.default_rng(1))
    return grown


def label_at(head: HeadPhantom, points: np.ndarray) -> np.ndarray:
    at = np.linalg.solve(head.ct.ct_from_voxel, np.column_stack([points, np.ones(len(points))]).T)[2::-1]
    return ndimage.map_coordinates(head.ct.labels, at, order=0)


def test_cavity_is_the_brain_without_face_orbits_and_neck(head):
    cavity = cranial_cavity(head.ct)
    millilitres = cavity.inside.sum() * 8 / 1000
    assert 1100 < millilitres < 1600
    points = cavity.head.place(np.argwhere(cavity.inside))
    inside = np.isin(label_at(head, points), [STRUCTURES["brain"], STRUCTURES["vessels"], STRUCTURES["soft tissue"]])
    assert inside.mean() > 0.97
    # The foramen magnum lies at the height of the mastoids, the orbits in front of the sella.
    assert points[:, 2].min() > -45
    assert not cavity.inside[tuple(np.rint(cavity.head.voxel(head.landmarks["nasion"])).astype(int))]


def test_murray_radii_of_a_known_tree():
    parent = np.array([-1, 0, 1, 1, 3, 3])
    radii = murray_radii(parent, np.array([9.0, 9, 1, 9, 2, 5]), 2.0)
    np.testing.assert_allclose(radii**3, 8 * np.array([8, 8, 1, 7, 2, 5]) / 8)


def test_murrays_law_holds_at_every_fork(tree):
    children = np.bincount(tree.parent[1:], minlength=len(tree.parent))
    assert (children >= 2).sum() > 100
    cubes = np.bincount(tree.parent[1:], tree.radius[1:] ** 3, len(tree.parent))
    np.testing.assert_allclose(cubes[children > 0], tree.radius[children > 0] ** 3)
    assert tree.radius[0] == pytest.approx(2.2)
    assert 0.1 < tree.radius.min() < np.median(tree.radius[children == 0]) < 0.6


def test_size_and_volume_are_those_of_a_carotid_territory(tree):
    assert 500 <= len(tree.position) <= 1500
    assert (tree.parent[1:] < np.arange(1, len(tree.parent))).all()
    # A carotid of 2.2 mm over 15 cm alone holds 2.3 ml.
    assert 3000 < tree.volume_mm3 < 10000
    length = np.linalg.norm(tree.position[1:] - tree.position[tree.parent[1:]], axis=1)
    assert length.max() < 10


def test_all_vessels_above_the_carotid_stay_in_the_brain_case(head, tree):
    brain = ~tree.carotid
    depth = cranial_cavity(head.ct).depth(tree.position[brain])
    assert (depth >= tree.radius[brain]).all()
    assert not np.isin(label_at(head, tree.position[brain]), [0, STRUCTURES["skull"]]).any()
    assert tree.position[brain, 2].min() > head.landmarks["sella"][2] - 25


@pytest.mark.parametrize(("side", "sign"), [(Side.RIGHT, 1), (Side.LEFT, -1)])
def test_vessels_of_one_side_stay_there(head, side, sign):
    (grown,) = Vessels(side=side).trees(head.ct, np.random.default_rng(2))
    x = sign * grown.position[:, 0]
    assert x.min() > 0 and x.max() > 40


def test_same_seed_same_tree_other_seed_another(head, tree):
    (again,) = Vessels().trees(head.ct, np.random.default_rng(1))
    (other,) = Vessels().trees(head.ct, np.random.default_rng(2))
    np.testing.assert_array_equal(again.position, tree.position)
    np.testing.assert_array_equal(again.radius, tree.radius)
    assert len(other.position) != len(tree.position) or not np.allclose(other.position, tree.position)


def test_iodine_in_the_beam_is_concentration_times_volume(head, tree):
    vessels = Vessels(iodine_mg_per_ml=100)
    solids = vessels.solids(head.ct, np.random.default_rng(1))
    step = 0.2
    u, w = np.meshgrid(np.arange(-10, 80, step), np.arange(-140, 120, step))
    source = np.stack([u.ravel(), np.full(u.size, -300.0), w.ravel()], axis=1)
    target = source * [1, -1, 1]
    density = areal_densities(solids, source, target)[Material.IODINE]
    milligrams = density.sum(dtype=np.float64) * 1000 * (step / 10) ** 2
    # Joints overlap, ends are round: the sum of plain cylinders is a little off.
    assert milligrams == pytest.approx(100 * tree.volume_mm3 / 1000, rel=0.05)
    assert density.max() > 100e-3 * 0.44 * 0.9


@pytest.mark.real
def test_vessels_grow_in_a_real_head(real_data):
    ct = read_ct(real_data / "visible_human_head" / "ct.nrrd")
    cavity = cranial_cavity(ct)
    assert 1200 < cavity.inside.sum() * 8 / 1000 < 1450
    for grown in Vessels(side=Side.BOTH).trees(ct, np.random.default_rng(3)):
        brain = ~grown.carotid
        assert (cavity.depth(grown.position[brain]) >= grown.radius[brain]).all()
        assert 3000 < grown.volume_mm3 < 10000


def test_guide_wire_runs_inside_the_vessels(head, tree):
    shaft, tip = GuideWire(side=Side.RIGHT).solids(head.ct, np.random.default_rng(5))
    assert (shaft.material, tip.material) == (Material.IRON, Material.PLATINUM)
    for body in (shaft, tip):
        frames = body.parts.local_from_ct
        points = -np.linalg.solve(frames[:, :, :3], frames[:, :, 3:])[:, :, 0]
        middle = 0.5 * (tree.position[1:] + tree.position[tree.parent[1:]])
        gap = np.linalg.norm(points[:, None] - np.concatenate([middle, tree.position[1:]]), axis=2)
        assert (gap - np.tile(tree.radius[1:], 2)).min(axis=1).max() < 0


def test_no_cranial_cavity_is_said_so(head):
    soft = CT(np.minimum(head.ct.attenuation, np.float32(0.0195)), head.ct.ct_from_voxel)
    with pytest.raises(InputError, match="cranial cavity"):
        Vessels().solids(soft, np.random.default_rng(0))
    lower_half = CT(head.ct.attenuation[: len(head.ct.attenuation) // 2], head.ct.ct_from_voxel)
    with pytest.raises(InputError, match="cranial cavity"):
        Vessels().solids(lower_half, np.random.default_rng(0))


def test_parameters_that_no_vessel_has_are_refused_by_name():
    for settings in ({"iodine_mg_per_ml": 0}, {"inlet_radius_mm": 9}, {"branching": 0}):
        with pytest.raises(ValueError, match=next(iter(settings))):
            Vessels(**settings)
