"""Loading and saving as slicer.util asks for it, by the real logics and storage nodes."""

# Names are Slicer's own.
# ruff: noqa: N801, N802, N815

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer
from PySide6.QtCore import QObject, Signal

KINDS = {
    "VolumeFile": (".nrrd", ".nhdr", ".nii", ".nii.gz", ".mha", ".mhd", ".png", ".tif", ".tiff", ".jpg", ".dcm"),
    "TransformFile": (".tfm", ".h5", ".mat", ".txt"),
    "MarkupsFile": (".mrk.json", ".fcsv"),
    "ModelFile": (".vtk", ".vtp", ".stl", ".ply", ".obj"),
    "SceneFile": (".mrml",),
}


def _kind_of(file: str) -> str:
    return next((kind for kind, ends in KINDS.items() if str(file).lower().endswith(ends)), "NoFile")


class qSlicerCoreIOManager(QObject):
    """Knows volumes, transforms, markups, models and .mrml scenes."""

    newFileLoaded = Signal("QVariantMap")
    fileSaved = Signal("QVariantMap")

    def __init__(self, manager: Any = None) -> None:
        super().__init__()
        self._manager = manager

    def fileType(self, file: Any) -> str:
        return _kind_of(str(file))

    def _logic(self, module: str) -> Any:
        return self._manager.module(module).logic()

    def loadNodes(self, kind: str, properties: dict[str, Any], loaded: Any = None, messages: Any = None) -> bool:
        file = properties["fileName"]
        name = properties.get("name") or Path(file).name.split(".")[0]
        scene = slicer.mrmlScene
        if not Path(file).is_file():
            return False
        if kind == "SceneFile":
            scene.SetURL(file)
            return bool(scene.Import() if not properties.get("clear", False) else scene.Connect())
        if kind == "VolumeFile":
            options = (1 if properties.get("labelmap") else 0) + (4 if properties.get("singleFile") else 0)
            node = self._logic("Volumes").AddArchetypeVolume(file, name, options)
        elif kind == "TransformFile":
            node = self._logic("Transforms").AddTransform(file, scene)
        elif kind == "MarkupsFile":
            node = scene.GetNodeByID(self._logic("Markups").LoadMarkups(file, name) or "")
        elif kind == "ModelFile":
            node = self._logic("Models").AddModel(file)
        else:
            return False
        if node is None:
            return False
        if loaded is not None:
            loaded.AddItem(node)
        return True

    def fileWriterFileType(self, node: Any) -> str:
        return node.GetClassName()

    def saveNodes(self, kind: str, properties: dict[str, Any], messages: Any = None) -> bool:
        file = properties["fileName"]
        if kind == "SceneFile":
            # The bundles and folders of Slicer need its Qt side.
            return str(file).endswith(".mrml") and bool(slicer.mrmlScene.Commit(file))
        node = slicer.mrmlScene.GetNodeByID(properties["nodeID"])
        storage = node.CreateDefaultStorageNode()
        storage.UnRegister(None)
        storage.SetFileName(file)
        return bool(storage.WriteData(node))
