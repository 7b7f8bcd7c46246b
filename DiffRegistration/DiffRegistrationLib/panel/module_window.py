"""What a module's widget does, whichever module: the packages that lack, then the panel, told of what the scene does.

Imports nothing of the engine: it is there before the engine's packages are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
import vtk
from slicer.util import VTKObservationMixin


class ModuleWindow(VTKObservationMixin):
    """The content of a module's `layout`.

    `load` gives the widget of a section's Designer file. `logic` is the module's own, with `packagesMissing`,
    `installRequirements` and `getParameterNode`; `make_panel` makes its `ModulePanel`, once packages are there.
    """

    def __init__(
        self, module: str, layout: Any, load: Callable[[str], Any], logic: Any, make_panel: Callable[[], Any]
    ) -> None:
        super().__init__()
        self._module, self._layout, self._load = module, layout, load
        self._logic, self._make_panel = logic, make_panel
        self.panel: Any = None
        self.packages: Any = None
        # Whether a scene came or went that the panel does not show yet.
        self._scene_is_new = False
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self._on_close)
        for event in (scene.EndCloseEvent, scene.EndImportEvent):
            self.addObserver(scene, event, self._on_scene)
        self.addObserver(scene, scene.NodeAboutToBeRemovedEvent, self._on_node_goes)
        for event in (scene.EndBatchProcessEvent, scene.NodeRemovedEvent, scene.NodeAddedEvent):
            self.addObserver(scene, event, self._on_nodes)
        if logic.packagesMissing():
            self._show_packages()
        else:
            self._show_panel()

    def enter(self) -> None:
        """The user comes."""
        if self.panel is not None:
            self.panel.enter()

    def exit(self) -> None:
        """The user goes to another module."""
        if self.panel is not None:
            self.panel.exit()

    def close(self) -> None:
        """The widget goes."""
        self.removeObservers()
        if self.panel is not None:
            self.panel.close()

    def _show_packages(self) -> None:
        widget = self._load("Packages")
        self._layout.addWidget(widget)
        self.packages = slicer.util.childWidgetVariables(widget)
        self.packages.installButton.connect("clicked(bool)", self._on_install)
        self._layout.addStretch(1)

    def _on_install(self, _checked: bool = False) -> None:
        try:
            self._logic.installRequirements()
        except ValueError as error:
            self.packages.problemLabel.text = str(error)
            return
        self.packages.PackagesSection.hide()
        self._show_panel()

    def _show_panel(self) -> None:
        self.panel = self._make_panel()
        self.panel.use(self._logic.getParameterNode())
        # Made anew, or after an installation, it is looked at already.
        if slicer.util.mainWindow() is not None and slicer.util.selectedModule() == self._module:
            self.panel.enter()

    def _on_close(self, _caller: Any = None, _event: Any = None) -> None:
        if self.panel is not None:
            self.panel.scene_closes()

    def _on_scene(self, _caller: Any = None, _event: Any = None) -> None:
        self._scene_is_new = True
        self._on_nodes()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _on_node_goes(self, _caller: Any, _event: Any, node: Any) -> None:
        if self.panel is not None and not slicer.mrmlScene.IsClosing():
            self.panel.node_goes(node)

    def _on_nodes(self, _caller: Any = None, _event: Any = None) -> None:
        # A scene that replaces another one closes and comes within one batch.
        if self.panel is None or slicer.mrmlScene.IsBatchProcessing():
            return
        if self._scene_is_new:
            self._scene_is_new = False
            self.panel.use(self._logic.getParameterNode())
        else:
            self.panel.node_came_or_went()
