"""The skull's surface: cut out of a CT, carried to a patient's landmarks, and written as Slicer reads it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import rigid
from DiffRegistrationLib.xray.phantom import STRUCTURES, head_phantom
from LandmarkDetectionLib.atlas.definitions import skull_landmarks
from LandmarkDetectionLib.atlas.head import Head, phantom_head
from LandmarkDetectionLib.atlas.landmark_set import LandmarkSet, LandmarkStatus
from LandmarkDetectionLib.population.deformation import deformed_head
from LandmarkDetectionLib.skull_shape.deformed_examples import deformed_examples
from LandmarkDetectionLib.skull_shape.extraction import skin_surface, skull_surface
from LandmarkDetectionLib.skull_shape.instantiation import skull_from_landmarks
from LandmarkDetectionLib.skull_shape.measured_landmarks import MeasuredLandmarks
from LandmarkDetectionLib.skull_shape.shape_model import ShapeModel, SkullTemplate, shape_model
from LandmarkDetectionLib.skull_shape.shape_model_file import read_shape_model, write_shape_model
from LandmarkDetectionLib.skull_shape.surface import Surface
from LandmarkDetectionLib.skull_shape.surface_distance import distances_to, surface_distance
from LandmarkDetectionLib.skull_shape.vtk_surfaces import read_surface, write_surface
from scipy import ndimage
from scipy.spatial import ConvexHull

pytest.importorskip("vtk")

AWAY = np.array([10.0, 20.0, 30.0])
MOTION = rigid.exp([0.4, -1.3, 0.7, 30.0, 640.0, -80.0])


def sphere(radius: float = 1.0, count: int = 2000) -> Surface:
    """Nearly even triangles over a sphere about the origin."""
    number = np.arange(count) + 0.5
    z = 1 - 2 * number / count
    angle = np.pi * (1 + np.sqrt(5)) * number
    points = np.stack([np.sqrt(1 - z**2) * np.cos(angle), np.sqrt(1 - z**2) * np.sin(angle), z], axis=1)
    hull = ConvexHull(points)
    a, b, c = points[hull.simplices].swapaxes(0, 1)
    inward = np.einsum("ni,ni->n", np.cross(b - a, c - a), a) < 0
    return Surface(radius * points, np.where(inward[:, None], hull.simplices[:, ::-1], hull.simplices))


def volume(surface: Surface) -> float:
    a, b, c = surface.vertices[surface.faces].swapaxes(0, 1)
    return float(np.einsum("ni,ni->n", np.cross(a, b), c).sum() / 6)


@pytest.fixture(scope="module")
def head() -> Head:
    return phantom_head(2.0)


@pytest.fixture(scope="module")
def skull(head) -> Surface:
    return skull_surface(head.ct)


@pytest.fixture(scope="module")
def template(head, skull) -> SkullTemplate:
    return SkullTemplate(head.landmarks.names, head.landmarks.points, skull)


def measured(landmarks: LandmarkSet, std_mm: float, seed: int = 0) -> MeasuredLandmarks:
    """Landmarks with noise of this size, in another frame than the CT's."""
    noise = std_mm * np.random.default_rng(seed).standard_normal(landmarks.points.shape)
    points = rigid.transform_points(MOTION, landmarks.points + noise)
    covariance = np.tile(max(std_mm, 0.1) ** 2 * np.eye(3), (len(points), 1, 1))
    return MeasuredLandmarks(landmarks.names, points, covariance)


def test_a_sphere_in_a_ct_comes_out_as_it_is_whatever_the_grid():
    axes = [s * (np.arange(n) - (n - 1) / 2) for s, n in ((1.5, 90), (1.0, 120), (1.2, 100))]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    distance = 40 - np.sqrt((x - 3) ** 2 + y**2 + (z + 5) ** 2)
    hounsfield = np.clip(400 * distance, -1000, 1000).transpose(2, 1, 0)
    matrix = np.diag([1.5, 1.0, 1.2, 1.0])
    matrix[:3, 3] = [axis[0] for axis in axes]
    turned = rigid.exp([0.2, 0.5, -0.3, 10.0, 20.0, 30.0])
    for flip in (1, -1):
        # A grid counted from the left makes a left hand.
        grid = matrix.copy()
        grid[0] *= [flip, 1, 1, flip]
        ct = CT.from_hounsfield(hounsfield, turned @ grid)
        found = skin_surface(ct)
        centre = rigid.transform_points(turned, [[3.0 * flip, 0, -5]])[0]
        radius = np.linalg.norm(found.vertices - centre, axis=1)
        np.testing.assert_allclose(radius, 41, atol=1.2)
        assert volume(found) == pytest.approx(4 / 3 * np.pi * np.mean(radius) ** 3, rel=0.01)
        assert len(found.faces) <= 30_000


def test_the_skull_s_outside_is_found_and_its_inside_is_not(skull):
    phantom = head_phantom(2.0)
    assert 10_000 < len(skull.faces) <= 30_000
    on_it = ("bregma", "euryon left", "opisthocranion", "zygion right", "pogonion", "gonion left", "mastoid tip right")
    assert distances_to(skull, np.stack([phantom.landmarks[name] for name in on_it])).max() < 1.5
    # Nothing deep in the head: the inner table lies 4 mm and more below the outside of the vault.
    brain = ndimage.binary_dilation(phantom.ct.labels == STRUCTURES["brain"], iterations=1)
    at = np.rint(
        np.linalg.solve(phantom.ct.ct_from_voxel[:3, :3], (skull.vertices - phantom.ct.ct_from_voxel[:3, 3]).T)
    )
    inside = brain[tuple(at[::-1].astype(int))]
    area = skull.vertex_areas
    assert area[inside].sum() < 0.02 * area.sum()
    middle = np.array([0.0, 0, 40])
    vault = skull.vertices[:, 2] > 60
    outward = np.einsum("ni,ni->n", skull.vertex_normals, skull.vertices - middle)
    assert (outward[vault] > 0).mean() > 0.98


def test_a_ct_of_air_has_no_skull():
    with pytest.raises(InputError, match="shows no bone"):
        skull_surface(CT(np.zeros((20, 20, 20), dtype=np.float32), np.eye(4)))


def test_distances_between_spheres_are_their_radii_s():
    inner, outer = sphere(50), sphere(53)
    found = surface_distance(inner, outer)
    assert (found.mean_mm, found.p95_mm, found.largest_mm) == pytest.approx((3, 3, 3), abs=0.15)
    corners = np.array([[0.0, 0, 0], [4, 0, 0], [0, 4, 0]])
    one = Surface(corners, np.array([[0, 1, 2]]))
    points = np.array([[1.0, 1, 2], [3, 3, 0], [-3, -4, 0], [2, -1, 0], [8, -3, 0]])
    np.testing.assert_allclose(distances_to(one, points), [2, np.sqrt(2), 5, 1, 5], atol=1e-9)


@pytest.mark.parametrize(("std_mm", "mean_mm"), [(0.0, 0.4), (2.0, 1.3)])
def test_another_head_s_skull_is_found_from_its_landmarks(template, std_mm, mean_mm):
    other = phantom_head(2.0, variant=3)
    truth = skull_surface(other.ct).carried(lambda points: rigid.transform_points(MOTION, points))
    found = skull_from_landmarks(template, measured(other.landmarks, std_mm))
    there, back = surface_distance(found.surface, truth), surface_distance(truth, found.surface)
    assert max(there.mean_mm, back.mean_mm) < mean_mm
    off = distances_to(truth, found.surface.vertices)
    assert (off < 2 * found.vertex_std_mm).mean() > 0.9
    # The template as it is, laid over, is worse.
    unwarped = template.surface.carried(lambda points: rigid.transform_points(found.patient_from_template, points))
    assert surface_distance(unwarped, truth).mean_mm > there.mean_mm


def test_a_moved_head_is_the_same_head(template, head):
    found = skull_from_landmarks(template, measured(head.landmarks, 0.0))
    expected = rigid.transform_points(MOTION, template.surface.vertices)
    np.testing.assert_allclose(found.surface.vertices, expected, atol=1e-5)
    np.testing.assert_allclose(found.patient_from_template, MOTION, atol=1e-5)


def test_landmarks_that_were_not_measured_are_found_and_said_to_be_less_sure(template, head):
    other = phantom_head(4.0, variant=5).landmarks
    unseen = ("pogonion", "menton", "B point")
    some = measured(other, 0.0)
    hidden = np.isin(some.names, unseen)
    points = np.where(hidden[:, None], np.nan, some.points)
    found = skull_from_landmarks(template, MeasuredLandmarks(some.names, points, some.covariance))
    error = np.linalg.norm(found.landmarks.points - rigid.transform_points(MOTION, other.points), axis=1)
    assert error[hidden].max() < 5 and error[~hidden].max() < 0.2
    assert found.landmarks.uncertainty_mm[hidden].min() > 3 * found.landmarks.uncertainty_mm[~hidden].max()
    assert set(found.landmarks.status) == {LandmarkStatus.TRANSFERRED}
    whole = skull_from_landmarks(template, some)
    chin = distances_to(template.surface, head.landmarks.point("pogonion")[None]) < 3
    assert chin.all()
    at_chin = np.argmin(np.linalg.norm(template.surface.vertices - head.landmarks.point("pogonion"), axis=1))
    assert found.vertex_std_mm[at_chin] > 1.5 * whole.vertex_std_mm[at_chin]


def test_an_uncertain_landmark_pulls_less_and_only_where_it_is_sure(template, head):
    at = head.landmarks.names.index("bregma")
    exact = measured(head.landmarks, 0.0)
    rotation = MOTION[:3, :3]
    points = exact.points.copy()
    points[at] += rotation @ [0.0, 0, 8.0]
    moves = []
    for std in ([0.1, 0.1, 0.1], [0.1, 0.1, 20.0]):
        covariance = np.array(exact.covariance)
        covariance[at] = rotation @ np.diag(np.square(std)) @ rotation.T
        found = skull_from_landmarks(template, MeasuredLandmarks(exact.names, points, covariance))
        moves.append(np.linalg.norm(found.landmarks.points[at] - exact.points[at]))
    assert moves[0] > 7 and moves[1] < 1


def test_too_few_landmarks_and_those_on_a_line_are_refused(template, head):
    whole = measured(head.landmarks, 0.0)
    few = np.where(np.arange(len(whole.names))[:, None] < 3, whole.points, np.nan)
    with pytest.raises(InputError, match="3 of them are known"):
        skull_from_landmarks(template, MeasuredLandmarks(whole.names, few, whole.covariance))
    line = np.arange(len(whole.names))[:, None] * np.array([1.0, 2.0, 3.0])
    with pytest.raises(InputError, match="on one line"):
        skull_from_landmarks(template, MeasuredLandmarks(whole.names, line, whole.covariance))
    with pytest.raises(InputError, match="no covariance"):
        skull_from_landmarks(template, MeasuredLandmarks(whole.names, whole.points, -whole.covariance))


def ellipsoids(count: int) -> list[SkullTemplate]:
    """Spheres, each stretched by its own amount along x and along z, somewhere in space."""
    random = np.random.default_rng(5)
    ball, names = sphere(60, 500), tuple(f"L{n}" for n in range(12))
    made = []
    for _ in range(count):
        scale = np.array([1 + 0.05 * random.standard_normal(), 1, 1 + 0.03 * random.standard_normal()])
        motion = rigid.exp(np.concatenate([0.3 * random.standard_normal(3), 40 * random.standard_normal(3)]))
        surface = ball.carried(lambda points, s=scale, m=motion: rigid.transform_points(m, points * s))
        made.append(SkullTemplate(names, surface.vertices[:480:40], surface))
    return made


def test_a_model_learns_what_a_population_varies_in_and_fits_what_it_has_not_seen(tmp_path):
    *examples, unseen = ellipsoids(30)
    model = shape_model(examples)
    assert len(model.modes) == 2 and model.residual_mm < 0.1 and model.example_count == 29
    longest = np.abs(model.modes[0]).max()
    assert longest == pytest.approx(60 * 0.05, rel=0.35)

    covariance = np.tile(1e-4 * np.eye(3), (12, 1, 1))
    few = np.where(np.arange(12)[:, None] % 2, unseen.landmarks, np.nan)
    found = skull_from_landmarks(model, MeasuredLandmarks(unseen.names, few, covariance))
    error = np.linalg.norm(found.surface.vertices - unseen.surface.vertices, axis=1)
    of_template = skull_from_landmarks(examples[0], MeasuredLandmarks(unseen.names, few, covariance))
    worse = np.linalg.norm(of_template.surface.vertices - unseen.surface.vertices, axis=1)
    assert error.mean() < 0.3 and error.mean() < 0.5 * worse.mean()
    np.testing.assert_allclose(model.shape(np.zeros(2)).surface.vertices, model.mean.surface.vertices)

    write_shape_model(tmp_path / "model.npz", model)
    read = read_shape_model(tmp_path / "model.npz")
    again = skull_from_landmarks(read, MeasuredLandmarks(unseen.names, few, covariance))
    np.testing.assert_allclose(again.surface.vertices, found.surface.vertices, atol=1e-3)
    (tmp_path / "model.npz").write_bytes((tmp_path / "model.npz").read_bytes()[:3000])
    with pytest.raises(InputError, match="is no shape model"):
        read_shape_model(tmp_path / "model.npz")


def test_a_model_of_too_few_or_of_unlike_heads_is_refused():
    heads = ellipsoids(6)
    with pytest.raises(InputError, match="4 heads"):
        shape_model(heads[:4])
    heads[2] = replace(heads[2], names=tuple(reversed(heads[2].names)))
    with pytest.raises(InputError, match="head 3 of the shape model"):
        shape_model(heads)
    with pytest.raises(ValueError, match="modes"):
        ShapeModel(heads[0], np.zeros((1, 3, 3)), 1.0, 5)


def test_examples_are_the_deformed_heads_surfaces(head, skull):
    (example,) = deformed_examples(head, skull, 1, seed=4)
    same = deformed_head(head, np.random.default_rng([4, 0, *b"skull"]), 1.0, 2.0)
    assert example.names == skull_landmarks().names
    np.testing.assert_allclose(example.landmarks, same.landmarks.points, atol=0.3)
    truth = skull_surface(same.ct)
    assert surface_distance(example.surface, truth).mean_mm < 0.6
    assert surface_distance(skull, truth).mean_mm > 1.5


@pytest.mark.parametrize("suffix", [".vtp", ".stl", ".ply"])
def test_a_surface_survives_its_file(tmp_path, suffix):
    surface = sphere(30).carried(lambda points: points + AWAY)
    write_surface(tmp_path / f"ball{suffix}", surface)
    read = read_surface(tmp_path / f"ball{suffix}")
    assert len(read.faces) == len(surface.faces)
    assert surface_distance(read, surface).largest_mm < 1e-4
    assert volume(read) == pytest.approx(volume(surface), rel=1e-5)
    # Slicer's word for the other frame.
    content = (tmp_path / f"ball{suffix}").read_bytes()
    if suffix != ".vtp":
        assert content.count(b"SPACE=LPS") == 1
        (tmp_path / f"ball{suffix}").write_bytes(content.replace(b"SPACE=LPS", b"SPACE=RAS"))
        as_ras = read_surface(tmp_path / f"ball{suffix}")
        np.testing.assert_allclose(as_ras.vertices.mean(axis=0), read.vertices.mean(axis=0) * [-1, -1, 1], atol=1e-4)


def test_files_that_hold_no_surface_are_refused(tmp_path):
    with pytest.raises(InputError, match="no surface file"):
        write_surface(tmp_path / "skull.obj", sphere())
    with pytest.raises(InputError, match="cannot hold values"):
        write_surface(tmp_path / "skull.stl", sphere(), {"std": np.zeros(2000)})
    with pytest.raises(InputError, match="cannot be read"):
        read_surface(tmp_path / "absent.stl")
    for suffix in (".vtp", ".stl", ".ply"):
        (tmp_path / f"damaged{suffix}").write_bytes(b"nothing of the kind")
        with pytest.raises(InputError, match="no triangles"):
            read_surface(tmp_path / f"damaged{suffix}")
    assert not list(tmp_path.glob("skull*"))


@pytest.mark.mrml
@pytest.mark.parametrize("suffix", [".vtp", ".stl", ".ply"])
def test_slicer_puts_a_surface_where_it_is(tmp_path, suffix):
    slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
    from vtkmodules.util.numpy_support import vtk_to_numpy

    surface = sphere(30).carried(lambda points: points + AWAY)
    path = tmp_path / f"skull{suffix}"
    write_surface(path, surface, {"RelativeExposure": np.linspace(0, 1, 2000)} if suffix == ".vtp" else None)
    node, storage = slicer.vtkMRMLModelNode(), slicer.vtkMRMLModelStorageNode()
    storage.SetFileName(str(path))
    assert storage.ReadData(node)
    points = vtk_to_numpy(node.GetPolyData().GetPoints().GetData())
    np.testing.assert_allclose((points.min(axis=0) + points.max(axis=0)) / 2, [10, 20, 30], atol=0.1)
    storage.SetFileName(str(tmp_path / f"back{suffix}"))
    assert storage.WriteData(node)
    assert surface_distance(read_surface(tmp_path / f"back{suffix}"), surface).largest_mm < 1e-3


def test_without_vtk_a_person_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "vtk", None)
    with pytest.raises(InputError, match="pip install vtk"):
        write_surface("skull.vtp", sphere())


def test_vtk_is_imported_only_when_a_surface_is_made():
    modules = "skull_shape.instantiation, LandmarkDetectionLib.skull_shape.extraction"
    code = (
        f"import sys, LandmarkDetectionLib.{modules}, LandmarkDetectionLib.exposure.exposure_files;"
        "print([name for name in ('vtk', 'slicer', 'qt') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
