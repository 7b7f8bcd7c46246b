"""A scene of 3D Slicer's for each test, and the way out of it to files and back."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

if importlib.util.find_spec("slicer") is None:
    collect_ignore_glob = ["test_*.py"]
else:
    import slicer
    import slicer.util  # in the application it is there from the beginning


def pytest_report_header() -> str | None:
    return None if "slicer" in globals() else "NO SLICER: what needs its MRML is not tested; install slicer-core"


class Scenes:
    """Scenes with what the application gives to its own: colours, sequences, and a folder for what is unpacked."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._kept: list[Any] = []

    def new(self) -> Any:
        """An empty scene, which is slicer.mrmlScene from now on."""
        scene = slicer.vtkMRMLScene()
        slicer.mrmlScene = scene
        colours = slicer.vtkMRMLColorLogic()
        colours.SetMRMLScene(scene)
        sequences = slicer.vtkSlicerSequencesLogic()
        sequences.SetMRMLScene(scene)
        cache, files = slicer.vtkCacheManager(), slicer.vtkDataIOManager()
        self._cache.mkdir(exist_ok=True)
        cache.SetRemoteCacheDirectory(str(self._cache))
        cache.SetMRMLScene(scene)
        files.SetCacheManager(cache)
        scene.SetCacheManager(cache)
        scene.SetDataIOManager(files)
        self._kept.append(SimpleNamespace(scene=scene, logics=[colours, sequences], managers=[cache, files]))
        return scene

    def close(self) -> None:
        """End them in the order that VTK survives."""
        for kept in self._kept:
            for logic in kept.logics:
                logic.SetMRMLScene(None)
            kept.scene.SetDataIOManager(None)
            kept.scene.SetCacheManager(None)
        self._kept.clear()


@pytest.fixture
def scenes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scenes]:
    monkeypatch.setattr(slicer, "mrmlScene", None, raising=False)
    made = Scenes(tmp_path / "cache")
    yield made
    made.close()


@pytest.fixture
def scene(scenes: Scenes) -> Any:
    """An empty scene."""
    return scenes.new()


@pytest.fixture
def reopened(scene: Any, scenes: Scenes, tmp_path: Path) -> Callable[[], Callable[[Any], Any]]:
    """Saves the scene as .mrml with its data, opens it as a new one, and gives what finds a node's successor there."""

    def save_and_open() -> Callable[[Any], Any]:
        folder = tmp_path / "saved"
        folder.mkdir()
        scene.SetRootDirectory(str(folder))
        for node in slicer.util.getNodesByClass("vtkMRMLStorableNode", scene):
            if node.GetSaveWithScene() and not node.IsA("vtkMRMLColorNode"):
                if node.GetStorageNode() is None:
                    node.AddDefaultStorageNode()
                storage = node.GetStorageNode()
                # What was loaded from a file is not written again.
                if storage is None or storage.GetFileName():
                    continue
                storage.SetFileName(str(folder / f"{node.GetID()}.{storage.GetDefaultWriteFileExtension()}"))
                assert storage.WriteData(node), node.GetName()
        scene.SetURL(str(folder / "scene.mrml"))
        assert scene.Commit()
        opened = scenes.new()
        opened.SetURL(str(folder / "scene.mrml"))
        assert opened.Connect()
        return lambda node: opened.GetNodeByID(node.GetID())

    return save_and_open


@pytest.fixture
def unchanged(scene: Any) -> Callable[[], bool]:
    """Tells whether the scene holds the nodes of the time of the call before, or of the test's beginning."""
    nodes: set[str] = set()

    def same() -> bool:
        nonlocal nodes
        before, nodes = nodes, {node.GetID() for node in slicer.util.getNodesByClass("vtkMRMLNode", scene)}
        return before == nodes

    same()
    return same
