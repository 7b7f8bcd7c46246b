"""A template that deforms: what it casts, where its landmarks go, and that it finds its way to a head."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from DiffRegistrationLib.xray.geometry import PinholeCamera, rigid
from DiffRegistrationLib.xray.projector import Projector
from DiffRegistrationLib.xray.radiograph import Radiograph
from LandmarkDetectionLib.atlas.head import phantom_head
from LandmarkDetectionLib.atlas.head_frame import ct_from_head
from LandmarkDetectionLib.population.origin_field import OriginField
from LandmarkDetectionLib.population.population import population_head
from LandmarkDetectionLib.skull_shape.procrustes import best_rigid
from LandmarkDetectionLib.template_fit import template_fit
from LandmarkDetectionLib.template_fit.beginnings import distinct, most_alike, places_about
from LandmarkDetectionLib.template_fit.deformable_template import DeformableTemplate, HeadShape
from LandmarkDetectionLib.template_fit.evidence import FoundLandmarks, Pixels, known_depth
from LandmarkDetectionLib.template_fit.learnt_template import deformable_template
from LandmarkDetectionLib.template_fit.placed_template import PlacedTemplate
from LandmarkDetectionLib.template_fit.template_fit import best_fit
from LandmarkDetectionLib.template_fit.twin import twin
from scipy.ndimage import map_coordinates

_FROM_FRONT = rigid.rigid(rigid.rotation_exp([np.pi / 2, 0, 0]) @ rigid.rotation_exp([0, 0, 0.3]), [5.0, -3.0, 750.0])


@pytest.fixture(scope="module")
def head():  # type: ignore[no-untyped-def]
    return phantom_head(3.0)


@pytest.fixture(scope="module")
def template(head) -> DeformableTemplate:  # type: ignore[no-untyped-def]
    return deformable_template(head)


@pytest.fixture(scope="module")
def camera() -> PinholeCamera:
    return PinholeCamera.from_distances(1100.0, (4.0, 4.0), (96, 96), np.eye(4))


def smooth(template: DeformableTemplate) -> DeformableTemplate:
    """With a cloud instead of a head: finite differences see no voxels in it."""
    k, j, i = np.indices(template.volume.shape)
    middle = (np.array(template.volume.shape) - 1) / 2
    square = ((k - middle[0]) ** 2 + (j - middle[1]) ** 2 + (i - middle[2]) ** 2) / 7.0**2
    return replace(template, volume=(0.02 * np.exp(-0.5 * square)).astype(np.float32), bone_above=0.012)


def straight(template: DeformableTemplate) -> DeformableTemplate:
    """A template whose usual shape is that of the head it was made of."""
    nodes = np.indices(template.mean.shape[:3])[::-1].transpose(1, 2, 3, 0)
    return replace(template, mean=(template.first + template.spacing * nodes).astype(np.float32))


def test_an_undeformed_template_casts_what_the_projector_does(
    head, template: DeformableTemplate, camera: PinholeCamera
) -> None:  # type: ignore[no-untyped-def]
    rays = camera.rays()
    same = straight(template)
    values, _ = same.cast(same.usual_shape, _FROM_FRONT, rays, 0.5, with_jacobian=False)
    expected = Projector(head.ct).render(rays, (_FROM_FRONT @ rigid.inverse(ct_from_head(head.landmarks)))[None])[0]
    above = ~same.ends_on(rays, _FROM_FRONT)
    assert np.abs(values - expected)[above].mean() < 0.01 * expected[above].mean()


def test_every_derivative_of_a_cast_is_what_finite_differences_find(
    template: DeformableTemplate, camera: PinholeCamera
) -> None:
    cloud, rays = smooth(template), camera.rays()[::7]
    coefficients = 0.5 * np.random.default_rng(1).normal(size=template.mode_count)
    sizes = np.concatenate([np.full(3, 1e-3), np.full(3, 0.1), [0.2, 0.01], np.full(template.mode_count, 0.05)])
    for which in (*range(8), 8, 11, 20, len(sizes) - 1):
        # Where the jaw turns sharply, how much it turns there is left out of the derivative by all else.
        shape = HeadShape(3.0 if which == 6 else 0.0, 0.1, coefficients)
        placed = PlacedTemplate(cloud, _FROM_FRONT, shape)
        step = np.zeros(len(sizes))
        step[which] = sizes[which]
        ahead, behind = (
            cloud.cast(moved.shape, moved.world_from_head, rays, 1.0, with_jacobian=False)[0]
            for moved in (placed.moved(step), placed.moved(-step))
        )
        expected = (ahead - behind) / (2 * sizes[which])
        _, J = cloud.cast(shape, _FROM_FRONT, rays, 1.0)
        assert np.linalg.norm(J[:, which] - expected) < 0.05 * np.linalg.norm(expected), which


def test_landmarks_come_from_the_templates_and_move_as_their_derivative_says(template: DeformableTemplate) -> None:
    shape = HeadShape(4.0, 0.0, np.random.default_rng(2).normal(size=template.mode_count))
    points, J = template.landmarks_with_jacobian(shape)
    field = OriginField(
        (template.mean + template.modes @ shape.coefficients).astype(np.float64), template.first, template.spacing
    )
    shut = replace(shape, opening_deg=0.0)
    assert np.abs(field.at(template.landmarks(shut)) - template.points).max() < 0.01
    for which in (2, 5, 30):
        step = np.zeros(len(shape.numbers))
        step[which] = 0.02
        expected = (template.landmarks(shape.moved(step)) - template.landmarks(shape.moved(-step))) / 0.04
        assert np.linalg.norm(J[:, :, which] - expected) < 0.05 * np.linalg.norm(expected)
    assert np.isfinite(points).all()


def test_modes_hold_the_heads_of_the_population(head, template: DeformableTemplate) -> None:  # type: ignore[no-untyped-def]
    """Landmarks of other heads are reached to some millimetres by the template's own numbers."""
    other = population_head([head], 4, seed=7, voxel_mm=6.0)
    truth = other.landmarks.points
    start = best_rigid(template.landmarks(template.usual_shape), truth)
    placed = PlacedTemplate(template, start, template.usual_shape)
    before = np.linalg.norm(placed.landmarks() - truth, axis=1).mean()
    for _ in range(8):
        points, J = placed.landmarks_with_jacobian
        A, off = J.reshape(-1, J.shape[2]), (truth - points).reshape(-1)
        prior = np.array([0.0] * 6 + [0.04, 1.0] + [1.0] * template.mode_count)
        pull = prior * np.concatenate([np.zeros(6), placed.shape.numbers])
        placed = placed.moved(np.linalg.solve(A.T @ A + np.diag(prior), A.T @ off - pull))
    after = np.linalg.norm(placed.landmarks() - truth, axis=1).mean()
    assert after < 1.5 < before


def test_a_known_depth_holds_the_landmarks_mean(template: DeformableTemplate, camera: PinholeCamera) -> None:
    placed = PlacedTemplate(template, _FROM_FRONT, template.usual_shape)
    depth = float(placed.landmarks()[:, 2].mean())
    there, beyond = (known_depth(camera, depth + off, 2.0)(placed) for off in (0.0, 10.0))
    assert there.cost == pytest.approx(0.0, abs=1e-9) and beyond.cost == pytest.approx(12.5)
    # Along the head's y axis, which the beam goes along here.
    step = np.zeros(len(beyond.gradient))
    step[3:6] = _FROM_FRONT[:3, :3].T @ [0, 0, 10.0]
    assert beyond.gradient @ step == pytest.approx(-25.0)


def test_what_a_template_explains_does_not_depend_on_what_was_compared_before(
    template: DeformableTemplate, camera: PinholeCamera
) -> None:
    right = PlacedTemplate(template, _FROM_FRONT, template.usual_shape)
    wrong = right.moved(np.concatenate([[0.0, 0.5, 0.0, 0.0, 0.0, 0.0], np.zeros(len(right.shape.numbers))]))
    image, _ = template.cast(right.shape, _FROM_FRONT, camera.rays(), 2.0, with_jacobian=False)
    # In a tone of its own.
    xray = Radiograph((image**0.6).reshape(camera.size), np.ones(camera.size, dtype=bool), camera, ())
    orders = [(right, wrong), (wrong, right)]
    found = []
    for order in orders:
        pixels = Pixels(xray, 1, order, 2.0)
        pixels.compared(order[0])
        found.append({id(one): pixels.agreement(one) for one in order})
    assert found[0] == pytest.approx(found[1], abs=1e-6)
    assert found[0][id(right)] > found[0][id(wrong)] + 0.2


def test_an_x_ray_of_nothing_is_fitted_by_none(template: DeformableTemplate, camera: PinholeCamera) -> None:
    """Where nothing is usable there is no fit, and no error."""
    blank = Radiograph(np.zeros(camera.size, np.float32), np.zeros(camera.size, dtype=bool), camera, ())
    placed = PlacedTemplate(template, _FROM_FRONT, template.usual_shape)
    found = FoundLandmarks(
        camera, camera.project(placed.landmarks()), np.tile(np.eye(2), (len(template.points), 1, 1)), 0.1
    )
    assert best_fit([placed], blank, found) is None


_FROM_THE_SIDE = rigid.rigid(
    rigid.rotation_exp([0, -np.pi / 2, 0]) @ rigid.rotation_exp([np.pi / 2, 0, 0]) @ rigid.rotation_exp([0, 0.35, 0]),
    [3.0, 5.0, 650.0],
)


def test_the_twin_casts_nearly_the_same_and_has_a_twin_in_the_old_place(template: DeformableTemplate) -> None:
    far = PinholeCamera.from_distances(10_000.0, (4.0, 4.0), (96, 96), np.eye(4))
    placed = PlacedTemplate(template, rigid.rigid(np.eye(3), [0, 0, 9000.0]) @ _FROM_THE_SIDE, template.usual_shape)
    other = twin(placed, far)
    back = twin(other, far).world_from_head
    assert back[:3, :3] == pytest.approx(placed.world_from_head[:3, :3], abs=1e-3)
    assert back[:3, 3] == pytest.approx(placed.world_from_head[:3, 3], abs=1.0)
    turned = rigid.rotation_log(other.world_from_head[:3, :3].T @ placed.world_from_head[:3, :3])
    assert np.linalg.norm(turned) == pytest.approx(0.7, abs=0.01)
    image, twins = (
        template.cast(one.shape, one.world_from_head, far.rays(), 2.0, with_jacobian=False)[0]
        for one in (placed, other)
    )
    assert np.abs(image - twins).mean() < 0.03 * image.mean()


def test_a_head_that_is_taken_for_its_twin_is_found(head, template: DeformableTemplate) -> None:  # type: ignore[no-untyped-def]
    """Perspective tells them apart, when what was found there allows both."""
    near = PinholeCamera.from_distances(900.0, (3.0, 3.0), (96, 96), np.eye(4))
    truth = straight(template)
    there = PlacedTemplate(truth, _FROM_THE_SIDE, truth.usual_shape)
    image = Projector(head.ct).render(
        near.rays(), (_FROM_THE_SIDE @ rigid.inverse(ct_from_head(head.landmarks)))[None]
    )[0]
    xray = Radiograph(image.reshape(near.size).astype(np.float32), np.ones(near.size, dtype=bool), near, ())
    wrong = twin(PlacedTemplate(template, _FROM_THE_SIDE, template.usual_shape), near)
    unsure = np.tile(15.0**2 * np.eye(2), (len(template.points), 1, 1))
    found = FoundLandmarks(near, near.project(wrong.landmarks()), unsure, 0.1)
    fit = best_fit([wrong], xray, found)
    assert fit is not None
    off = np.linalg.norm(fit.placed.landmarks() - there.landmarks(), axis=1)
    assert np.nanmean(off) < 6.0 < np.nanmean(np.linalg.norm(wrong.landmarks() - there.landmarks(), axis=1))


def test_a_head_of_which_little_is_seen_is_found_far_from_where_landmarks_put_it(  # type: ignore[no-untyped-def]
    head, template: DeformableTemplate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The X-ray is looked through for a place that explains it, which the fit alone does not reach."""
    camera = PinholeCamera.from_distances(900.0, (3.0, 3.0), (96, 96), np.eye(4))
    there = PlacedTemplate(straight(template), _FROM_FRONT, template.usual_shape).landmarks()
    image = Projector(head.ct).render(
        camera.rays(), (_FROM_FRONT @ rigid.inverse(ct_from_head(head.landmarks)))[None]
    )[0]
    mask = np.zeros(camera.size, dtype=bool)
    mask[30:66, 40:76] = True
    xray = Radiograph(image.reshape(camera.size).astype(np.float32), mask, camera, ())
    step = np.zeros(len(template.usual_shape.numbers) + 6)
    step[:6] = -0.22, -0.17, -0.25, 10.0, -1.0, -11.0
    wrong = PlacedTemplate(template, _FROM_FRONT, template.usual_shape).moved(step)
    unsure = np.tile(15.0**2 * np.eye(2), (len(template.points), 1, 1))
    found = FoundLandmarks(camera, camera.project(wrong.landmarks()), unsure, 0.1)
    depth = known_depth(camera, float(np.nanmean(there[:, 2])), 2.0)

    def off_mm() -> float:
        fit = best_fit([wrong], xray, found, depth)
        assert fit is not None
        return float(np.nanmean(np.linalg.norm(fit.placed.landmarks() - there, axis=1)))

    assert off_mm() < 3.0
    monkeypatch.setattr(template_fit, "_beginnings", lambda *_, **_options: [])
    assert off_mm() > 20.0


def test_places_that_are_the_same_are_gone_on_with_once(template: DeformableTemplate) -> None:
    here = PlacedTemplate(template, _FROM_FRONT, template.usual_shape)
    step = np.zeros(len(here.shape.numbers) + 6)
    step[3] = 1.0
    beside = here.moved(step)
    step[3] = 9.0
    elsewhere, further = here.moved(step), here.moved(-step)
    another = replace(here, template=replace(template))
    kept = distinct([here, beside, another, elsewhere, further], 4.0, 3)
    assert [id(one) for one in kept] == [id(one) for one in (here, another, elsewhere)]


def test_of_many_places_those_most_like_the_x_ray_are_begun_with(
    template: DeformableTemplate, camera: PinholeCamera
) -> None:
    there = PlacedTemplate(template, _FROM_FRONT, template.usual_shape)
    image, _ = template.cast(there.shape, _FROM_FRONT, camera.rays(), 2.0, with_jacobian=False)
    xray = Radiograph(image.astype(np.float32).reshape(camera.size), np.ones(camera.size, dtype=bool), camera, ())
    places = places_about([there], camera, at_any_depth=False)
    best = most_alike(places[1:] + places[:1], Pixels(xray, 2, places[:10], 4.0), 3)
    assert best[0] is there


def test_where_the_depth_is_not_known_nearer_and_farther_places_are_looked_at(
    template: DeformableTemplate, camera: PinholeCamera
) -> None:
    there = PlacedTemplate(template, _FROM_FRONT, template.usual_shape)

    def farthest_apart_mm(at_any_depth: bool) -> float:
        depths = [one.world_from_head[2, 3] for one in places_about([there], camera, at_any_depth=at_any_depth)]
        return float(np.ptp(depths))

    assert farthest_apart_mm(False) < 150.0 < 300.0 < farthest_apart_mm(True)


def test_origins_are_linear_between_nodes_and_beyond_them_those_of_the_end() -> None:
    random = np.random.default_rng(3)
    field = OriginField(random.normal(size=(4, 5, 6, 3)), np.array([-10.0, 5.0, 2.0]), 7.0)
    points = field.first + field.step * random.uniform(-1, 6, size=(200, 3))
    places = ((points - field.first) / field.step).T[::-1]
    expected = [map_coordinates(field.origin[..., axis], places, order=1, mode="nearest") for axis in range(3)]
    assert np.abs(field.at(points) - np.column_stack(expected)).max() < 1e-12
    assert np.isfinite(field.at(np.full((1, 3), np.nan))).all()


def test_from_beyond_the_grid_there_is_a_way_back() -> None:
    nodes = 7.0 * np.indices((4, 5, 6))[::-1].transpose(1, 2, 3, 0)
    field = OriginField(1.1 * nodes, np.zeros(3), 7.0)
    inside, beyond = np.array([[12.0, 9.0, 8.0]]), np.array([[60.0, -30.0, 9.0]])
    assert field.slope_at(beyond)[0] == pytest.approx(1.1 * np.eye(3))
    found, off = field.inverse_at(1.1 * inside, beyond)
    assert found == pytest.approx(inside) and off < 1e-6
