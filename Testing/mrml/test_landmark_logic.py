"""Landmarks on nodes, with the real worker: the CT is placed by them and its X-rays; skin and skull come of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from DiffRegistrationLib.mrml.ct_node import world_from_ct
from DiffRegistrationLib.mrml.scene import matrix_of
from DiffRegistrationLib.mrml.xray_node import add_radiograph
from DiffRegistrationLib.worker.client import WorkerClient
from DiffRegistrationLib.xray.attenuation import hounsfield_from_attenuation
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import PinholeCamera, rigid
from DiffRegistrationLib.xray.projector import Projector
from DiffRegistrationLib.xray.radiograph import Radiograph
from LandmarkDetectionLib.atlas.definitions import skull_landmarks
from LandmarkDetectionLib.atlas.head import phantom_head
from LandmarkDetectionLib.detection.landmark_run import LandmarkRun
from LandmarkDetectionLib.mrml.ct_landmarks import landmark_node, landmarks_of, put_landmarks
from LandmarkDetectionLib.mrml.landmark_logic import LandmarkLogic
from LandmarkDetectionLib.mrml.landmark_study import make_study, switch
from made_up_landmarks import detections
from made_up_xrays import volume

sys.path.append(str(Path(__file__).parents[1] / "unit"))

from fluororeg_runs import camera, head, truth

pytestmark = pytest.mark.mrml

CAMERAS = [camera(180.0), camera(90.0)]
LANDMARKS = phantom_head(4.0).landmarks


@pytest.fixture(scope="module")
def shared() -> Iterator[LandmarkLogic]:
    with LandmarkLogic(WorkerClient(sys.executable)) as made:
        yield made


@pytest.fixture
def logic(scene: Any, shared: LandmarkLogic) -> Iterator[LandmarkLogic]:
    """One logic for all tests; idle again after each."""
    yield shared
    shared.cancel()


def ct_with_landmarks() -> Any:
    node = volume(hounsfield_from_attenuation(head().attenuation).astype(np.float32), head().ct_from_voxel)
    put_landmarks(node, LANDMARKS)
    return node


def xray_of(view: PinholeCamera) -> Any:
    image = Projector(head()).render(view.rays(), truth())[0].reshape(view.size)
    image = image + np.random.default_rng(2).normal(scale=0.02, size=image.shape)
    return add_radiograph(Radiograph(image.astype(np.float32), np.ones(view.size, dtype=bool), view))


def study_of(*nodes: Any, wrong_px: float = 0.0, planar: Sequence[bool] = (False, False)) -> Any:
    """The landmarks as they lie, to a fifth of a pixel; those of the second view moved by `wrong_px`."""
    points = rigid.transform_points(truth(), LANDMARKS.points)
    found = []
    for number, view in enumerate(CAMERAS[: len(nodes)]):
        one = detections(view, points, number, 0.2)
        moved = one.network_pixels + np.array([0.0, number * wrong_px])
        found.append(detections(view, points, number, 0.2, network_pixels=moved))
    run = LandmarkRun(
        len(nodes), (0,), (tuple(found),), tuple(planar[: len(nodes)]), skull_landmarks().fingerprint, "made up"
    )
    return make_study(run, nodes)


def off(pose: np.ndarray) -> float:
    """How far the landmarks are from where they truly lie (mm), on the average."""
    points = LANDMARKS.points
    apart = rigid.transform_points(pose, points) - rigid.transform_points(truth(), points)
    return float(np.linalg.norm(apart, axis=1).mean())


def test_landmarks_place_the_ct_and_its_x_rays_refine_that(logic: LandmarkLogic) -> None:
    ct, xrays = ct_with_landmarks(), [xray_of(view) for view in CAMERAS]
    study = study_of(*xrays)
    placed = logic.pose_from_landmarks(study, ct)
    assert placed.trusted and off(placed.pose) < 1.0 and "in 2 X-rays agreeing" in placed.words
    np.testing.assert_array_equal(world_from_ct(ct), np.eye(4))
    registered = logic.register(study, ct)
    assert registered is not None and registered.summary.verdict == "accepted"
    assert off(world_from_ct(ct)) < 0.3
    # The list goes where the CT goes.
    node = landmark_node(ct)
    assert node.GetParentTransformNode() is ct.GetParentTransformNode()
    np.testing.assert_allclose(matrix_of(node.GetParentTransformNode()), world_from_ct(ct))


def test_points_that_are_switched_off_take_no_part(logic: LandmarkLogic) -> None:
    ct, xrays = ct_with_landmarks(), [xray_of(view) for view in CAMERAS]
    study = study_of(*xrays)
    kept = set(skull_landmarks().names[::9])
    for view in range(2):
        switch(study, 0, view, set(skull_landmarks().names) - kept, True)
    words = logic.pose_from_landmarks(study, ct).words
    assert 4 <= int(words.split(" of ")[1].split()[0]) <= len(kept)


def test_views_that_contradict_each_other_are_said_to(logic: LandmarkLogic) -> None:
    xrays = [xray_of(view) for view in CAMERAS]
    placed = logic.pose_from_landmarks(study_of(*xrays, wrong_px=12.0), ct_with_landmarks())
    assert not placed.trusted and "contradict each other" in placed.words


def test_without_landmarks_or_geometry_no_ct_is_placed(logic: LandmarkLogic) -> None:
    bare = volume(hounsfield_from_attenuation(head().attenuation).astype(np.float32), head().ct_from_voxel)
    study = study_of(xray_of(CAMERAS[0]))
    with pytest.raises(InputError, match="has no landmarks"):
        logic.pose_from_landmarks(study, bare)
    with pytest.raises(InputError, match="has no landmarks"):
        logic.exposure(bare, [xray_of(CAMERAS[0])])
    flat = study_of(xray_of(CAMERAS[0]), planar=(True,))
    with pytest.raises(InputError, match="whose geometry is known"):
        logic.pose_from_landmarks(flat, ct_with_landmarks())


def test_a_beam_shines_on_the_skin_of_the_ct_where_it_lies(logic: LandmarkLogic, tmp_path: Path) -> None:
    ct, xray = ct_with_landmarks(), xray_of(CAMERAS[0])
    slicer.util.updateTransformMatrixFromArray(
        transform := slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode"), truth()
    )
    ct.SetAndObserveTransformNodeID(transform.GetID())
    exposed = logic.exposure(ct, [xray], output=tmp_path / "out")
    assert exposed is not None and "not a dose" in exposed.words
    (frame,) = exposed.frames
    # All of the head is in so wide a beam.
    assert {lens["name"] for lens in frame["lenses"]} == {"eye lens right", "eye lens left"}
    assert all(lens["inside"] for lens in frame["lenses"])
    assert exposed.model.GetParentTransformNode() is transform and exposed.table.GetNumberOfRows() == 1
    assert (tmp_path / "out" / "exposure.csv").exists()


@pytest.mark.slow
def test_landmarks_are_carried_over_and_what_a_person_corrected_stays(logic: LandmarkLogic) -> None:
    ct = volume(hounsfield_from_attenuation(head().attenuation).astype(np.float32), head().ct_from_voxel)
    carried = logic.transfer(ct)
    assert carried is not None and carried.node is landmark_node(ct)
    first = landmarks_of(ct)
    number = skull_landmarks().names.index("nasion")
    carried.node.SetNthControlPointPosition(number, *(first.points[number] + [0, 6.0, 0]))
    again = logic.transfer(ct)
    assert again is not None and again.node is carried.node
    second = landmarks_of(ct)
    np.testing.assert_allclose(second.points[number], first.points[number] + [0, 6.0, 0], atol=1e-3)
    assert second.status[number] == "corrected"
