"""Which X-rays of the scene are views of the registration, in their order."""

from __future__ import annotations

from typing import Any

import slicer

from ..xray.errors import InputError
from .attributes import SELF, VIEW
from .sequence_items import set_attribute
from .xray_pixels import check_xray, is_ours


def views_in_scene() -> list[Any]:
    """X-ray nodes that are views, the first one first; a clone of a view is none before it is made one."""
    nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode", slicer.mrmlScene)
    views = [node for node in nodes if _is_view(node)]
    return sorted(views, key=lambda node: int(node.GetAttribute(VIEW)))


def add_view(node: Any, *, other_than: Any = None) -> None:
    """Make an X-ray node the last view. InputError if it is none, as a DRR is, or is `other_than`, which is the CT."""
    if other_than is not None and node.GetID() == other_than.GetID():
        raise InputError(
            node.GetName(), "is the CT: one volume cannot be both", "Choose the X-ray, a volume of one slice."
        )
    if is_ours(node):
        raise InputError(
            node.GetName(), "was computed from a CT, or is the mask of an X-ray", "Choose the X-ray itself."
        )
    check_xray(node)
    if not _is_view(node):
        views = views_in_scene()
        # Of a sequence every frame is told, as showing another one replaces the node's attributes.
        set_attribute(node, VIEW, str(int(views[-1].GetAttribute(VIEW)) + 1 if views else 1))
        node.SetNodeReferenceID(SELF, node.GetID())


def remove_view(node: Any) -> None:
    """Take an X-ray node out of the views; it stays in the scene."""
    set_attribute(node, VIEW, None)
    node.SetNodeReferenceID(SELF, None)


def _is_view(node: Any) -> bool:
    return node.GetAttribute(VIEW) is not None and node.GetNodeReferenceID(SELF) == node.GetID()
