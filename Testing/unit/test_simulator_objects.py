"""Solids in the beam: their chords are exact, and what is put on a head lies where it would on a patient."""

import numpy as np
import pytest
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import rigid
from DiffRegistrationLib.xray.phantom import head_phantom
from DiffRegistrationLib.xray.simulator.materials import DENSITY_G_PER_CM3, Material
from DiffRegistrationLib.xray.simulator.objects.hardware import Electrodes, Screws
from DiffRegistrationLib.xray.simulator.objects.head import BONE_PER_MM, SKIN_PER_MM, head_in
from DiffRegistrationLib.xray.simulator.objects.parts import Kind, Parts, box, cylinder, joined, round_cones, trough
from DiffRegistrationLib.xray.simulator.objects.solids import Solids, areal_densities
from DiffRegistrationLib.xray.simulator.objects.supports import HeadHolder, Table
from DiffRegistrationLib.xray.simulator.objects.wires import Wires
from scipy import ndimage

SKIN_MM, OUTER_TABLE_MM, INNER_TABLE_MM = 88.0, 80.0, 73.0
MIDDLE = np.array([12.0, -7.0, 30.0])


def ball_head() -> CT:
    """A head that is a ball of water about MIDDLE with a shell of bone in it."""
    step, reach = 1.5, 96.0
    axis = np.arange(-reach, reach + step, step)
    radius = np.linalg.norm(np.meshgrid(axis, axis, axis, indexing="ij"), axis=0)
    hounsfield = 1000 * (np.clip((SKIN_MM - radius) / step + 0.5, 0, 1) - 1)
    shell = np.minimum(OUTER_TABLE_MM - radius, radius - INNER_TABLE_MM)
    hounsfield += 1200 * np.clip(shell / step + 0.5, 0, 1)
    matrix = np.diag([step, step, step, 1.0])
    matrix[:3, 3] = MIDDLE - reach
    return CT.from_hounsfield(hounsfield.transpose(2, 1, 0), matrix)


@pytest.fixture(scope="module")
def ball() -> CT:
    return ball_head()


@pytest.fixture(scope="module")
def phantom() -> CT:
    return head_phantom(1.5).ct


def chord(parts: Parts, source: object, target: object) -> float:
    ends = [np.array([end], dtype=np.float64) for end in (source, target)]
    return float(Solids(Material.WATER, parts).chords(*ends)[0])


def origins(parts: Parts) -> np.ndarray:
    """Where the local frames have their origins: starts of round cones, centres of the others."""
    return -np.linalg.solve(parts.local_from_ct[:, :, :3], parts.local_from_ct[:, :, 3:])[:, :, 0]


def test_ball_and_capsule_along_and_across():
    ball = round_cones([1, 2, 3], [1, 2, 3], 5, 5)
    assert chord(ball, [1 + 3, 2, -700], [1 + 3, 2, 400]) == pytest.approx(8)
    assert chord(ball, [1 + 5.01, 2, -700], [1 + 5.01, 2, 400]) == 0
    capsule = round_cones([0, 0, 0], [0, 0, 20], 3, 3)
    assert chord(capsule, [0, 0, -500], [0, 0, 500]) == pytest.approx(26)
    assert chord(capsule, [2, 0, -500], [2, 0, 500]) == pytest.approx(20 + 2 * np.sqrt(5))
    assert chord(capsule, [-500, 1, 7], [500, 1, 7]) == pytest.approx(2 * np.sqrt(8))
    # 30° to the axis, through its middle: the wall is met after r/sin 30°.
    middle, slant = np.array([0, 0, 10]), 100 * np.array([0.5, 0, np.sqrt(0.75)])
    assert chord(capsule, middle - slant, middle + slant) == pytest.approx(12)


def test_tapered_cone_touches_both_its_balls():
    start, end, first, last = np.array([4.0, 1, -3]), np.array([4.0, 1, 17]), 5.0, 2.0
    taper = round_cones(start, end, first, last)
    slope = (first - last) / 20
    radius = (first - slope * 8) / np.sqrt(1 - slope**2)
    assert chord(taper, [-300, 1, 5], [300, 1, 5]) == pytest.approx(2 * radius)
    assert chord(taper, [4, 1, -100], [4, 1, 100]) == pytest.approx(first + 20 + last)
    swallowed = round_cones([0, 0, 0], [0, 0, 1], 5, 2)
    assert chord(swallowed, [0, -50, 3], [0, 50, 3]) == pytest.approx(8)


def test_box_obliquely_and_cylinder_with_a_bore():
    cube = box([0, 0, 0], 5 * np.eye(3))
    assert chord(cube, [-50, -50, -50], [50, 50, 50]) == pytest.approx(10 * np.sqrt(3))
    plate = box([0, 0, 0], np.diag([400.0, 1.0, 400.0]))
    assert chord(plate, [-100, -100, 3], [100, 100, 3]) == pytest.approx(2 * np.sqrt(2))
    tube = cylinder([0, 0, -10], [0, 0, 10], 6, 4)
    assert chord(tube, [-100, 0, 0], [100, 0, 0]) == pytest.approx(4)
    assert chord(tube, [-100, 5, 0], [100, 5, 0]) == pytest.approx(2 * np.sqrt(11))
    assert chord(tube, [5, 0, -90], [5, 0, 90]) == pytest.approx(20)
    assert chord(tube, [3, 0, -90], [3, 0, 90]) == 0
    assert chord(cylinder([0, 0, -10], [0, 0, 10], 6), [-60, 0, -60], [60, 0, 60]) == pytest.approx(12 * np.sqrt(2))


def test_trough_is_half_an_elliptic_shell_open_opposite_its_depth():
    shell = trough([0, 0, 0], [100, 0, 0], [0, -60, 0], [0, 0, 50], 4)
    assert chord(shell, [0, -300, 0], [0, 300, 0]) == pytest.approx(4)
    assert chord(shell, [0, 1, 0], [0, 300, 0]) == 0
    assert chord(shell, [-300, -1e-6, 0], [300, -1e-6, 0]) == pytest.approx(8)
    assert chord(shell, [-300, 1e-6, 0], [300, 1e-6, 0]) == 0
    assert chord(shell, [0, -58, -300], [0, -58, 300]) == pytest.approx(100)


def disjoint_parts(random: np.random.Generator) -> list[Parts]:
    """Parts of all kinds, each in a cell of its own."""
    parts = []
    for cell in 20.0 * np.argwhere(np.ones((5, 5, 5))):
        a, b = random.uniform(-3, 3, size=(2, 3))
        kind = random.integers(3)
        if kind == 0:
            parts.append(round_cones(cell + a, cell + b, *random.uniform(0.3, 3, size=2)))
        elif kind == 1:
            parts.append(cylinder(cell + a, cell + b, 3.0, random.uniform(0, 2.5)))
        else:
            parts.append(box(cell, random.normal(size=(3, 3))))
    return parts


def test_walk_through_the_boxes_finds_what_asking_every_part_finds():
    random = np.random.default_rng(0)
    parts = disjoint_parts(random)
    source = random.normal(size=(4000, 3)) * 20 + [40, -700, 40]
    target = random.uniform([-10, 390, -10], [90, 490, 90], size=(4000, 3))
    one_by_one = sum(Solids(Material.IRON, part).chords(source, target) for part in parts)
    assert (one_by_one > 0).sum() > 400
    np.testing.assert_allclose(Solids(Material.IRON, joined(*parts)).chords(source, target), one_by_one, atol=1e-6)


def test_a_ray_in_two_pieces_meets_as_much_as_in_one():
    random = np.random.default_rng(1)
    start, end = random.normal(size=(2, 300, 3)) * 15
    body = Solids(Material.IODINE, joined(round_cones(start, end, 2, 0.5), *disjoint_parts(random)))
    source, target = random.normal(size=(2, 2000, 3)) * 60
    cut = source + random.uniform(size=(2000, 1)) * (target - source)
    whole = body.chords(source, target)
    np.testing.assert_allclose(body.chords(source, cut) + body.chords(cut, target), whole, atol=1e-6)
    np.testing.assert_allclose(body.chords(target, source), whole, atol=1e-6)


def test_overlaps_count_once_within_a_body_and_add_up_between_bodies():
    first, second = round_cones([0, 0, 0], [0, 0, 9], 3, 3), round_cones([0, 0, 9], [0, 9, 9], 3, 3)
    ray = np.array([[0.0, 0, -100]]), np.array([[0.0, 0, 100]])
    joint = Solids(Material.TITANIUM, joined(first, second))
    assert joint.chords(*ray)[0] == pytest.approx(15)
    both = areal_densities([Solids(Material.TITANIUM, first), Solids(Material.TITANIUM, second, 0.5)], *ray)
    expected = DENSITY_G_PER_CM3[Material.TITANIUM] * (1.5 + 0.5 * 0.6)
    assert both.keys() == {Material.TITANIUM} and both[Material.TITANIUM].dtype == np.float32
    assert both[Material.TITANIUM][0] == pytest.approx(expected)
    assert areal_densities([], *ray) == {}


def test_screws_reach_from_the_plate_into_bone(ball, phantom):
    (body,) = Screws(count=6, length_mm=6).solids(ball, np.random.default_rng(2))
    screws = body.parts.kind == Kind.ROUND_CONE
    assert screws.sum() == 6 and body.material is Material.TITANIUM
    heads = np.linalg.norm(origins(body.parts)[screws] - MIDDLE, axis=1)
    np.testing.assert_allclose(heads, OUTER_TABLE_MM + 0.6, atol=1)
    (body,) = Screws().solids(phantom, np.random.default_rng(2))
    threads = body.parts.local_from_ct[body.parts.kind == Kind.ROUND_CONE]
    middles = np.linalg.solve(threads[:, :, :3], [[0], [0], [2.0]] - threads[:, :, 3:])[:, :, 0]
    at = np.linalg.solve(phantom.ct_from_voxel, np.column_stack([middles, np.ones(len(middles))]).T)[2::-1]
    assert (ndimage.map_coordinates(phantom.attenuation, at, order=1) > BONE_PER_MM).all()


def test_electrodes_sit_on_the_skin_well_apart(ball):
    (body,) = Electrodes(count=10, diameter_mm=10).solids(ball, np.random.default_rng(3))
    walls = origins(body.parts)[::2] - MIDDLE
    np.testing.assert_allclose(np.linalg.norm(walls, axis=1), SKIN_MM + 0.75, atol=0.5)
    gaps = np.linalg.norm(walls[:, None] - walls, axis=2)[~np.eye(10, dtype=bool)]
    assert gaps.min() > 20 and (walls[:, 2] > -15).all()


def test_wires_follow_the_skin_and_leave_the_field(ball):
    (body,) = Wires(count=5).solids(ball, np.random.default_rng(4))
    height = np.linalg.norm(origins(body.parts) - MIDDLE, axis=1) - SKIN_MM
    assert height.min() > -0.5
    assert (height < 2.5).sum() > 50 and (height > 200).sum() > 50


@pytest.mark.parametrize("support", [Table(), Table(gap_mm=0), HeadHolder(), HeadHolder(pad_mm=2, rim_diameter_mm=5)])
def test_supports_lie_behind_and_beside_the_head_and_do_not_cut_it(ball, phantom, support):
    for ct in (ball, phantom):
        # Every so many of the patient's voxels, from the middle of the head.
        voxels = np.argwhere(ct.attenuation > SKIN_PER_MM)[::7, ::-1]
        skin = rigid.transform_points(ct.ct_from_voxel, voxels)
        middle = np.broadcast_to(head_in(ct).centre, skin.shape)
        solids = support.solids(ct, np.random.default_rng(0))
        for body in solids:
            assert body.chords(middle, skin).max() < 1e-9
        ahead = np.array([[0.0, 600, 0]])
        assert areal_densities(solids, middle[:1], middle[:1] - ahead)[Material.CARBON][0] > 0.3
        assert not any(density[0] for density in areal_densities(solids, middle[:1], middle[:1] + ahead).values())


def test_table_starts_a_gap_behind_the_back_of_the_head(ball):
    laminate, foam = Table(thickness_mm=40, skin_mm=2, gap_mm=25).solids(ball, np.random.default_rng(0))
    back = MIDDLE[1] - SKIN_MM
    assert max(laminate.parts.upper[:, 1]) == pytest.approx(back - 25, abs=2)
    ray = MIDDLE[None] + [[3.0, 0, 0]], MIDDLE[None] + [[3.0, -500, 0]]
    assert laminate.chords(*ray)[0] == pytest.approx(4) and foam.chords(*ray)[0] == pytest.approx(36)


@pytest.mark.parametrize("thing", [Wires(), Screws(), Electrodes()])
def test_same_seed_same_places_other_seed_other_places(ball, thing):
    first, again, other = (thing.solids(ball, np.random.default_rng(seed))[0].parts for seed in (7, 7, 8))
    np.testing.assert_array_equal(first.local_from_ct, again.local_from_ct)
    assert not np.allclose(origins(first)[0], origins(other)[0], atol=1)


def test_nothing_is_put_on_a_ct_without_a_head(ball):
    small = CT(ball.attenuation[:20, :20, :20], ball.ct_from_voxel)
    for thing in (Wires(), Screws(), Electrodes(), Table(), HeadHolder()):
        with pytest.raises(InputError, match="no head"):
            thing.solids(small, np.random.default_rng(0))


def test_parameters_that_no_object_has_are_refused_by_name():
    for make, name in (
        (lambda: Wires(diameter_mm=0), "diameter_mm"),
        (lambda: Screws(length_mm=0.1), "length_mm"),
        (lambda: Electrodes(thickness_mm=-1), "thickness_mm"),
        (lambda: Table(skin_mm=30), "skin_mm"),
        (lambda: HeadHolder(wall_mm=0), "wall_mm"),
    ):
        with pytest.raises(ValueError, match=name):
            make()
