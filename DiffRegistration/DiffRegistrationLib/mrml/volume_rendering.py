"""The CT in the 3D view, by Slicer's own volume rendering."""

from __future__ import annotations

from typing import Any

import slicer

from ..xray.errors import InputError

# Presets of Slicer that suit a CT.
RENDERING_PRESETS = ("CT-Bone", "CT-Bones", "CT-Chest-Contrast-Enhanced", "CT-Muscle", "CT-Fat", "CT-X-ray")


def is_rendered(node: Any) -> bool:
    """Whether a volume is shown in 3D views."""
    logic = _logic()
    display = None if logic is None else logic.GetFirstVolumeRenderingDisplayNode(node)
    return display is not None and bool(display.GetVisibility())


def show_rendered(node: Any, shown: bool, preset: str) -> None:
    """Show or hide a CT's rendering in the look of a preset. InputError outside of Slicer's application."""
    logic = _logic()
    if logic is None:
        raise InputError("3D view", "volume rendering is not part of this program", "Use 3D Slicer's application.")
    display = logic.GetFirstVolumeRenderingDisplayNode(node)
    if display is None:
        if not shown:
            return
        display = logic.CreateDefaultVolumeRenderingNodes(node)
    look = logic.GetPresetByName(preset)
    if look is not None:
        display.GetVolumePropertyNode().Copy(look)
    display.SetVisibility(shown)


def _logic() -> Any:
    """The logic of Slicer's module Volume Rendering; None where there is no such module."""
    module = getattr(getattr(slicer, "modules", None), "volumerendering", None)
    return None if module is None else module.logic()
