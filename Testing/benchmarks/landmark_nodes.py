"""How long Slicer's window waits for nodes of landmarks, in ms: python Testing/benchmarks/landmark_nodes.py

A study of 55 landmarks in two views over 100 frames, on 3D Slicer's MRML from slicer-core; without drawing.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "mrml"))

import slicer
import slicer.util
from conftest import Scenes
from DiffRegistrationLib.mrml.sequence_items import browser_of
from landmark_scene_state import register_classes
from LandmarkDetectionLib.mrml.ct_landmarks import landmark_node, put_landmarks
from LandmarkDetectionLib.mrml.ct_projection import CTProjection
from LandmarkDetectionLib.mrml.frame_follower import FrameFollower
from LandmarkDetectionLib.mrml.landmark_study import make_study, refresh, studies_in_scene, switch, xrays_of
from LandmarkDetectionLib.mrml.landmark_table import write_csv
from made_up_landmarks import c_arm, head, made_run, sequences
from made_up_xrays import volume

FRAMES = 100
CAMERAS = [c_arm(0.0), c_arm(90.0)]
# The X-rays' own pixels are not measured: theirs are small.
LANDMARK_CLASSES = ("vtkMRMLTextNode", "vtkMRMLMarkupsNode", "vtkMRMLModelNode", "vtkMRMLTableNode")


def main() -> None:
    """Print a line for each thing that a person waits for."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scenes = Scenes(folder / "cache")
        scene = scenes.new()
        register_classes(scene)
        numbers = list(range(FRAMES))
        run, nodes = made_run(CAMERAS, numbers), sequences(CAMERAS, numbers)
        ct = volume(np.zeros((4, 5, 6), np.int16))
        show("make the study", [timed(lambda: make_study(run, nodes, ct))])
        (study,) = studies_in_scene()
        follower = FrameFollower(study)
        browser = browser_of(nodes[0])
        show("step a frame, both views", steps(browser, [*range(1, FRAMES), *range(FRAMES - 1)]))
        show(
            "switch a point off or on",
            (timed(lambda n=n: switch(study, 98, 0, ["nasion"], n % 2 == 0)) for n in range(20)),
        )
        put_landmarks(ct, head())
        projection, points = CTProjection(ct, nodes), landmark_node(ct)
        show(
            "drag a CT's landmark, crosses in both views",
            (timed(lambda n=n: drag(points, n % 55)) for n in range(110)),
        )
        projection.stop()
        show("table of all frames as CSV", [timed(lambda: write_csv(folder / "all.csv", study))])
        follower.stop()
        show("save the study's nodes", saving(scene, folder))
        scene.SetURL(str(folder / "scene.mrml"))
        save_the_rest(scene, folder)
        show("write scene.mrml", [timed(scene.Commit)])
        size = sum(path.stat().st_size for path in folder.glob("landmark-*"))
        print(f"{'files of the study':<46}{size / 1e6:9.1f} MB")
        opened = scenes.new()
        register_classes(opened)
        opened.SetURL(str(folder / "scene.mrml"))
        show("load the scene, X-rays and all", [timed(opened.Connect)])
        (study,) = studies_in_scene()
        show("show the study after loading", [timed(lambda: refresh(study))])
        show("follow it", [timed(lambda: FrameFollower(study).stop())])
        follower = FrameFollower(study)
        show("step a frame after loading", steps(browser_of(xrays_of(study)[0]), range(1, 20)))
        follower.stop()
        scenes.close()


def timed(do: Callable[[], Any]) -> tuple[float, float]:
    """Milliseconds by the clock, and of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    do()
    return 1e3 * (time.perf_counter() - clock), 1e3 * (time.process_time() - processor)


def steps(browser: Any, places: Iterable[int]) -> list[tuple[float, float]]:
    """Turning a browser to each of these places, X-rays and landmarks."""
    return [timed(lambda place=place: browser.SetSelectedItemNumber(place)) for place in places]


def drag(points: Any, number: int) -> None:
    """Move a point by a tenth of a millimetre."""
    x, y, z = points.GetNthControlPointPositionWorld(number)
    points.SetNthControlPointPositionWorld(number, x + 0.1, y, z)


def saving(scene: Any, folder: Path) -> list[tuple[float, float]]:
    """All of the study's nodes together, as one pause."""
    nodes = [node for kind in LANDMARK_CLASSES for node in slicer.util.getNodesByClass(kind, scene)]
    return [timed(lambda: [write(node, folder, "landmark-") for node in nodes])]


def save_the_rest(scene: Any, folder: Path) -> None:
    """X-rays, transforms and colours."""
    for node in slicer.util.getNodesByClass("vtkMRMLStorableNode", scene):
        if node.GetSaveWithScene() and node.GetStorageNode() is None:
            write(node, folder, "other-")


def write(node: Any, folder: Path, prefix: str) -> None:
    """A node into a file of its own."""
    node.AddDefaultStorageNode()
    storage = node.GetStorageNode()
    if storage is not None:
        storage.SetFileName(str(folder / f"{prefix}{node.GetID()}.{storage.GetDefaultWriteFileExtension()}"))
        storage.WriteData(node)


def show(what: str, times: Iterable[tuple[float, float]]) -> None:
    """The middle and the longest, by the clock; the middle of the processor's, which other work does not lengthen."""
    clock, processor = np.array(list(times)).T
    middle, longest = np.median(clock), clock.max()
    print(f"{what:<46}{middle:9.1f} ms, longest {longest:8.1f} ms, processor {np.median(processor):8.1f} ms")


if __name__ == "__main__":
    main()
