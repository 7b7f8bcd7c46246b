"""The CT in the 3D view, by Slicer's own volume rendering."""

from __future__ import annotations

from typing import Any

import slicer

from ..xray.errors import InputError

# Presets of Slicer that suit a CT.
RENDERING_PRESETS = ("CT-Bone", "CT-Bones", "CT-Chest-Contrast-Enhanced", "CT-Muscle", "CT-Fat", "CT-X-ray")


def show_rendered(node: Any, shown: bool, preset: str) -> None:
    """Show or hide a CT's rendering in the look of a preset. InputError outside of Slicer's application."""
    modules = getattr(slicer, "modules", None)
    if modules is None or not hasattr(modules, "volumerendering"):
        raise InputError("3D view", "volume rendering is not part of this program", "Use 3D Slicer's application.")
    logic = modules.volumerendering.logic()
    display = logic.GetFirstVolumeRenderingDisplayNode(node)
    if display is None:
        if not shown:
            return
        display = logic.CreateDefaultVolumeRenderingNodes(node)
    look = logic.GetPresetByName(preset)
    if look is not None:
        display.GetVolumePropertyNode().Copy(look)
    display.SetVisibility(shown)
