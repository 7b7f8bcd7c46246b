"""Section Patient: which CT, what it is, and how it looks in 3D."""

from __future__ import annotations

from typing import Any

import slicer
from slicer.i18n import tr as _

from ..mrml.ct_node import describe_ct, state_of
from ..mrml.volume_rendering import RENDERING_PRESETS, is_rendered, show_rendered
from ..xray.errors import InputError
from .session import Session, choose, enable, fill, remember, tick


class PatientSection:
    """Chooses the CT."""

    def __init__(self, ui: Any, session: Session) -> None:
        self.ui, self._session = ui, session
        # To describe a CT all its voxels are looked at: once, until they change.
        self._described: tuple[tuple[Any, ...], str] | None = None
        fill(ui.renderingPreset, [(name, name) for name in RENDERING_PRESETS])
        ui.ctSelector.connect("currentNodeChanged(vtkMRMLNode*)", self.on_ct)
        ui.showInThreeD.connect("toggled(bool)", self.on_show)
        ui.renderingPreset.connect("currentIndexChanged(int)", self.on_look)

    def on_ct(self, _node: Any = None) -> None:
        """Another CT: every section depends on it."""
        if self._session.parameters is None:
            return
        # The binding of the parameter node comes after this.
        self._session.parameters.ct = self.ui.ctSelector.currentNode()
        if self._session.ct is not None:
            # Without a CT, what was said may be why it is gone.
            self._session.say("")
        self._session.changed()

    def on_show(self, shown: bool) -> None:
        """Show or hide the CT in the 3D view; the view looks at what it did not show before."""
        before = self._session.ct is not None and is_rendered(self._session.ct)
        self.on_look()
        manager = slicer.app.layoutManager()
        if shown and not before and manager is not None and manager.threeDViewCount:
            manager.threeDWidget(0).threeDView().resetFocalPoint()

    def on_look(self, _value: Any = None) -> None:
        """Show the CT in the 3D view as the preset has it, or hide it."""
        node, parameters = self._session.ct, self._session.parameters
        if node is None or parameters is None:
            return
        parameters.rendering = self.ui.renderingPreset.currentData
        remember("rendering", parameters.rendering)
        with self._session.refusals_shown():
            show_rendered(node, self.ui.showInThreeD.checked, parameters.rendering)
        self.update()

    def node_goes(self, node: Any) -> None:
        """Without its CT the selector would go on to the next volume, which nobody chose."""
        if node is self.ui.ctSelector.currentNode():
            self.ui.ctSelector.setCurrentNode(None)

    def update(self) -> None:
        """Say what the chosen volume is, or what is the matter with it."""
        node, parameters = self._session.ct, self._session.parameters
        if parameters is not None:
            choose(self.ui.renderingPreset, parameters.rendering)
        tick(self.ui.showInThreeD, node is not None and is_rendered(node))
        self.ui.ctDescription.text = self._description(node)
        enable(
            self.ui.ctSelector,
            _("The patient's CT, in Hounsfield units."),
            self._session.aligning,
        )
        obstacle = (node is None, _("Choose a CT first."))
        enable(self.ui.showInThreeD, _("Render the CT's volume in the 3D view."), obstacle)
        enable(self.ui.renderingPreset, _("How bone and soft tissue look in the 3D view."), obstacle)

    def _description(self, node: Any) -> str:
        if node is None:
            return _("Load a CT by Slicer's DICOM or Add Data, then choose it here.")
        state = (*state_of(node), node.GetName(), _place_of(node))
        if self._described is None or self._described[0] != state:
            try:
                words = describe_ct(node)
            except InputError as error:
                words = f"✕ {error}"
            self._described = (state, words)
        return self._described[1]


def _place_of(node: Any) -> Any:
    """What changes when a volume node comes to lie elsewhere."""
    transform = node.GetParentTransformNode()
    return None if transform is None else (transform.GetID(), transform.GetTransformToWorldMTime())
