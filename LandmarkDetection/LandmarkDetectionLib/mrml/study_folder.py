"""A study's place in the tree of data: a folder beside its first X-ray, with all of the study's nodes in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import slicer


def put_into_folder(study: Any, nodes: Sequence[Any], xray_node: Any) -> int:
    """Put a study and its `nodes` into a folder of its name, beside an X-ray's item; the folder's item.

    The application makes items of nodes by itself, and outside of it they are made here.
    """
    tree = _tree()
    beside = tree.GetItemByDataNode(xray_node)
    parent = tree.GetItemParent(beside) if beside else tree.GetSceneItemID()
    folder = folder_of(study) or tree.CreateFolderItem(parent, study.GetName())
    for node in (study, *nodes):
        put_into(folder, node)
    # With so many nodes the tree is easier to read when the folder is closed.
    tree.SetItemExpanded(folder, False)
    return int(folder)


def folder_of(study: Any) -> int:
    """The item of the folder that a study lies in; 0 where it lies in none."""
    tree = _tree()
    item = tree.GetItemByDataNode(study)
    parent = tree.GetItemParent(item) if item else 0
    is_folder = parent and parent != tree.GetSceneItemID() and tree.IsItemLevel(parent, "Folder")
    return int(parent) if is_folder else 0


def put_into(folder: int, node: Any) -> None:
    """Put a node into a folder, if that is one (not 0)."""
    tree = _tree()
    if not folder:
        return
    item = tree.GetItemByDataNode(node)
    if item:
        tree.SetItemParent(item, folder)
    else:
        tree.CreateItem(folder, node)


def take_out(node: Any) -> None:
    """Take a node's item out of the tree, before the node goes; the node stays."""
    tree = _tree()
    item = tree.GetItemByDataNode(node)
    if item:
        tree.RemoveItem(item, False, False)


def remove_folder(folder: int) -> None:
    """Take a folder (0: none) out of the tree, if nothing is left in it."""
    tree = _tree()
    if folder and not tree.GetNumberOfItemChildren(folder):
        tree.RemoveItem(folder, False, False)


def _tree() -> Any:
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
