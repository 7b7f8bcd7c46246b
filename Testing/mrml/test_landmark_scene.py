"""A scene with a study and a CT's landmarks is saved, and another process finds all of it again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from DiffRegistrationLib.mrml.pose_node import put_under_pose
from DiffRegistrationLib.xray.geometry import rigid
from landmark_scene_state import register_classes, state
from LandmarkDetectionLib.atlas.landmark_set import LandmarkSet, LandmarkStatus
from LandmarkDetectionLib.mrml.ct_landmarks import put_landmarks, stay_with_ct
from LandmarkDetectionLib.mrml.exposure_nodes import exposure_model, exposure_table
from LandmarkDetectionLib.mrml.landmark_study import make_study, show_frame, show_view_in, switch
from LandmarkDetectionLib.mrml.skull_nodes import skull_model
from LandmarkDetectionLib.skull_shape.surface import Surface
from LandmarkDetectionLib.skull_shape.vtk_surfaces import write_surface
from made_up_landmarks import NAMES, c_arm, head, made_run, sequences
from made_up_xrays import volume

pytestmark = pytest.mark.mrml

CAMERAS = [c_arm(0.0), c_arm(90.0)]
NUMBERS = [3, 4, 9]


def surface_file(path: Path, name: str) -> Path:
    corners = np.array([[0.1, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 3.0]])
    faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    write_surface(path, Surface(corners, faces), {name: np.array([0.5, 1.5, 2.5, 4.0])})
    return path


def fill_scene(folder: Path) -> None:
    """A study at its last frame with a point switched off, a skull, a moved CT with a corrected point, an exposure."""
    ct = volume(np.zeros((4, 5, 6), np.int16))
    ct.SetName("Head")
    study = make_study(made_run(CAMERAS, NUMBERS), sequences(CAMERAS, NUMBERS), ct, "What was found")
    switch(study, 9, 1, ["nasion", "porion left"], True)
    show_frame(study, 9)
    show_view_in(study, 1, ["vtkMRMLSliceNodeXRay2", "vtkMRMLViewNode1"])
    skull_model(study, surface_file(folder / "skull.vtp", "StandardDeviationMm"))
    status = (*[LandmarkStatus.TRANSFERRED] * (len(NAMES) - 1), LandmarkStatus.UNKNOWN)
    points = head().points.copy()
    points[-1] = np.nan
    node = put_landmarks(ct, LandmarkSet(NAMES, points, np.full(len(NAMES), 2.0), status))
    node.SetNthControlPointPosition(7, *(points[7] + [3.0, 0.0, 0.0]))
    put_under_pose(ct, rigid.exp([0.2, -0.1, 0.3, 12.0, -30.0, 44.0]))
    exposure_model(ct, surface_file(folder / "exposure.vtp", "RelativeExposure"))
    lens = {"name": "eye lens right", "place": "inside", "margin_mm": 21.3}
    exposure_table(ct, [{"frame": 3, "view": 0, "lenses": [lens]}])
    stay_with_ct(ct)


def save(scene: Any, folder: Path) -> Path:
    """As the application saves a scene: every node that has data into a file of its own."""
    folder.mkdir()
    scene.SetRootDirectory(str(folder))
    for node in slicer.util.getNodesByClass("vtkMRMLStorableNode", scene):
        if node.GetSaveWithScene() and not (
            node.IsA("vtkMRMLColorNode") and not node.GetAttribute("FluoroRegistration.Role")
        ):
            node.AddDefaultStorageNode()
            storage = node.GetStorageNode()
            if storage is not None:
                storage.SetFileName(str(folder / f"{node.GetID()}.{storage.GetDefaultWriteFileExtension()}"))
                assert storage.WriteData(node), node.GetName()
    scene.SetURL(str(folder / "scene.mrml"))
    assert scene.Commit()
    return folder / "scene.mrml"


def test_another_process_finds_all_of_it_again(scene: Any, tmp_path: Path) -> None:
    register_classes(scene)
    fill_scene(tmp_path)
    before = state()
    saved = save(scene, tmp_path / "saved")
    assert state() == before, "saving changes nothing"
    script = Path(__file__).with_name("landmark_scene_state.py")
    ended = subprocess.run(
        [sys.executable, script, saved, tmp_path / "state.json"], capture_output=True, text=True, cwd=script.parent
    )
    assert ended.returncode == 0, ended.stderr
    after = json.loads((tmp_path / "state.json").read_text(encoding="utf-8"))
    (name,) = before
    for part in before[name]:
        assert after[name][part] == before[name][part], part
    assert after == before
