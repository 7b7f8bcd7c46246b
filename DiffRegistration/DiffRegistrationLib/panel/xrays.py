"""Section X-rays: the views, one row each, and what is known of the geometry of the chosen one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from ..mrml.beam_model import beam_is_shown, hide_beam, show_beam
from ..mrml.camera_attributes import of_pixels, read_provenance
from ..mrml.given_geometry import use_camera_file
from ..mrml.polarity import bone_is_bright, read_again
from ..mrml.views import add_view, remove_view, views_in_scene
from ..mrml.xray_geometry import geometry_or_fault
from ..mrml.xray_node import mask_node_of, set_mask, set_pixels
from ..mrml.xray_pixels import ATTENUATION, BONE_BRIGHT, BONE_DARK, pixels_of
from ..mrml.xray_sequence import add_xray_file, frames_of
from .geometry_form import GeometryForm
from .overlays import Overlays
from .session import Session, choose, enable, fill, remember, remembered, spread, tick
from .words import as_table

_STATES = {"calibrated": "✓ ", "assumed": "! ", "missing": "✕ "}


class XRaysSection:
    """Adds and removes views, and mends the geometry of the chosen one."""

    def __init__(self, ui: Any, session: Session, overlays: Overlays) -> None:
        self.ui, self._session, self._overlays = ui, session, overlays
        self._form = GeometryForm(ui)
        # What the form shows; it is filled anew only when another view is chosen or its geometry changed.
        self._shown: tuple[str, str] | None = None
        # Where X-rays were read from in this session, by the id of their node; the scene must not tell, as names of
        # files may name the patient.
        self._files: dict[str, Path] = {}
        fill(
            ui.pixelsBox,
            [
                (_("Line integrals, ready for use"), ATTENUATION),
                (_("Bone is dark (as the detector counts)"), BONE_DARK),
                (_("Bone is bright (as on a light box)"), BONE_BRIGHT),
            ],
        )
        spread(ui.xrayTable, wide=(2,))
        ui.xrayTable.connect("itemSelectionChanged()", self.update)
        ui.addFileButton.connect("clicked(bool)", self.on_add_file)
        ui.addNodeButton.connect("clicked(bool)", self.on_add_node)
        ui.removeButton.connect("clicked(bool)", self.on_remove)
        ui.xraySelector.connect("currentNodeChanged(vtkMRMLNode*)", self.update)
        ui.cameraFileButton.connect("clicked(bool)", self.on_camera_file)
        ui.applyGeometryButton.connect("clicked(bool)", self.on_apply_geometry)
        ui.beamButton.connect("toggled(bool)", self.on_beam)
        ui.pixelsBox.connect("currentIndexChanged(int)", self.on_pixels)
        # Of the user's choices alone: where a mask is deleted, the selector goes on to another one by itself.
        ui.maskSelector.connect("nodeActivated(vtkMRMLNode*)", self.on_mask)

    @property
    def chosen(self) -> Any:
        """The X-ray node of the chosen row; the first one if none is chosen, None if there is none."""
        views = views_in_scene()
        row = self.ui.xrayTable.currentRow()
        return None if not views else views[row if 0 <= row < len(views) else 0]

    def on_add_file(self, _checked: bool = False) -> None:
        """Add X-rays from files; several frames become a sequence."""
        paths = qt.QFileDialog.getOpenFileNames(
            slicer.util.mainWindow(), _("X-ray images"), remembered("xrayFolder", "")
        )
        for path in [paths] if isinstance(paths, str) else paths:
            remember("xrayFolder", str(Path(path).parent))
            if not self.add_file(Path(path)):
                # What is the matter with this one should not be wiped away by the next.
                break

    def add_file(self, path: Path) -> bool:
        """Add the X-ray of a file as the last view; whether that was possible."""
        if not self._session.ready():
            return False
        added = None
        with self._session.refusals_shown():
            node = add_xray_file(path)
            add_view(node)
            self._files[node.GetID()] = path
            added = node
        self._came(added)
        return added is not None

    def on_add_node(self, _checked: bool = False) -> None:
        """Take a volume of the scene as a view."""
        node = self.ui.xraySelector.currentNode()
        if node is None or not self._session.ready():
            return
        if node in views_in_scene():
            self._session.say(_("{name} is a view already.").format(name=node.GetName()))
            return
        added = None
        with self._session.refusals_shown():
            add_view(node, other_than=self._session.ct)
            added = node
            self.ui.xraySelector.setCurrentNode(None)
        self._came(added)

    def _came(self, added: Any) -> None:
        """Another view, or None where it was refused: choose and show it."""
        if added is not None and self.ui.beamButton.checked and geometry_or_fault(added).state != "missing":
            # It may have been a view before, whose beam was hidden when it was removed.
            show_beam(added)
        self._session.changed()
        self.ui.xrayTable.selectRow(len(views_in_scene()) - 1)
        self.show_new_beams()
        self._overlays.show_new_views()

    def on_remove(self, _checked: bool = False) -> None:
        """Take the chosen view out of the registration; its nodes stay in the scene."""
        view = self.chosen
        if view is not None:
            self._session.say("")
            remove_view(view)
            hide_beam(view)
        self._session.changed()
        self._overlays.show_new_views()

    def on_camera_file(self, _checked: bool = False) -> None:
        """Take the geometry of the chosen view from a file."""
        path = qt.QFileDialog.getOpenFileName(
            slicer.util.mainWindow(), _("Camera file of this X-ray"), remembered("cameraFolder", "")
        )
        if path and self.chosen is not None:
            remember("cameraFolder", str(Path(path).parent))
            self.use_camera_file(Path(path))

    def use_camera_file(self, path: Path) -> None:
        """Give the chosen view the camera of a file."""
        with self._session.refusals_shown():
            use_camera_file(self.chosen, path)
            self._geometry_changed()

    def on_apply_geometry(self, _checked: bool = False) -> None:
        """Give the chosen view the camera that the numbers describe."""
        with self._session.refusals_shown():
            self._form.apply(self.chosen)
            self._geometry_changed()

    def _geometry_changed(self) -> None:
        self._shown = None
        self._session.changed()
        self.show_new_beams()
        self._overlays.show_views(fit=False)
        self._overlays.draw_anew()

    def on_beam(self, _checked: bool = False) -> None:
        """Show or hide source and beam of all views."""
        with self._session.refusals_shown():
            for view in views_in_scene():
                if not self.ui.beamButton.checked:
                    hide_beam(view)
                elif geometry_or_fault(view).state != "missing":
                    show_beam(view)

    def show_new_beams(self) -> None:
        """Show source and beam of each view that got its geometry, unless the user does not want that."""
        if self.ui.beamButton.checked:
            for view in views_in_scene():
                # One that is hidden was hidden by somebody.
                if beam_is_shown(view) is None and geometry_or_fault(view).state != "missing":
                    show_beam(view)

    def take_over(self) -> None:
        """A scene came: its beams are hidden or not."""
        tick(self.ui.beamButton, all(beam_is_shown(view) is not False for view in views_in_scene()))
        self._shown = None

    def forget(self) -> None:
        """The scene goes, and another one may use the same ids."""
        self._files.clear()

    def on_pixels(self, _index: int = 0) -> None:
        """Say what is bright in the chosen view, or in its file."""
        view, said = self.chosen, str(self.ui.pixelsBox.currentData)
        if view is None:
            return
        with self._session.refusals_shown():
            if pixels_of(view) != ATTENUATION:
                set_pixels(view, said)
            elif said != ATTENUATION:
                read_again(view, self._files[view.GetID()], bright=said == BONE_BRIGHT)
        self._session.changed()
        self._overlays.refresh()

    def on_mask(self, _node: Any = None) -> None:
        """Say which part of the chosen view may be used."""
        # Slicer's selectors report what the program chose, too.
        if self.chosen is not None and self.ui.maskSelector.currentNode() is not mask_node_of(self.chosen):
            with self._session.refusals_shown():
                set_mask(self.chosen, self.ui.maskSelector.currentNode())
            self._session.changed()
            self._overlays.refresh()

    def update(self, _node: Any = None) -> None:
        """Show the views, and the geometry of the chosen one."""
        views = views_in_scene()
        self._show_rows(views)
        # Views may come while a network is trained: that is what it is trained for.
        busy = self._session.aligning
        enable(
            self.ui.addFileButton, _("Add X-rays from files: DICOM, PNG or TIFF; several frames are a sequence."), busy
        )
        enable(
            self.ui.addNodeButton,
            _("Take the chosen volume of the scene as a view."),
            busy,
            (
                self.ui.xraySelector.currentNode() is None,
                _("Choose a volume of one slice beside this button first."),
            ),
        )
        none = (not views, _("Add an X-ray first."))
        enable(
            self.ui.removeButton,
            _("Take the chosen X-ray out of the registration; it stays in the scene."),
            busy,
            none,
        )
        enable(
            self.ui.cameraFileButton,
            _("Camera of this X-ray: our JSON, a projection matrix, MayaCam or XMALab."),
            busy,
            none,
        )
        enable(self.ui.applyGeometryButton, _("Use these numbers; they override the file's."), busy, none)
        enable(self.ui.beamButton, _("Show each X-ray's source and beam in the 3D view."), none)
        self._show_geometry(self.chosen, busy)

    def _show_rows(self, views: list[Any]) -> None:
        table = self.ui.xrayTable
        row = table.currentRow()
        table.blockSignals(True)
        table.setRowCount(len(views))
        for number, view in enumerate(views):
            geometry = geometry_or_fault(view)
            frames = frames_of(view)
            size = view.GetImageData().GetDimensions() if view.GetImageData() is not None else (0, 0, 0)
            words = f"{size[1]} × {size[0]}" + (f", {frames} {_('frames')}" if frames > 1 else "")
            for column, text in enumerate(
                (str(number + 1), view.GetName(), _STATES[geometry.state] + geometry.summary, words)
            ):
                item = qt.QTableWidgetItem(text)
                item.setToolTip("\n".join(str(line) for line in geometry.lines))
                table.setItem(number, column, item)
        if views:
            table.selectRow(row if 0 <= row < len(views) else 0)
        table.blockSignals(False)

    def _show_geometry(self, view: Any, busy: tuple[bool, str]) -> None:
        self.ui.geometryGroup.enabled = view is not None
        if view is None:
            self._shown = None
            self.ui.geometryState.text = _("Add an X-ray to see and mend its geometry.")
            self.ui.geometryDetails.text = ""
            self.ui.maskSelector.setCurrentNode(None)
            return
        geometry = geometry_or_fault(view)
        self.ui.geometryState.text = _STATES[geometry.state] + geometry.summary
        lines = (*geometry.lines, *of_pixels(read_provenance(view)))
        self.ui.geometryDetails.text = as_table(lines)
        self._show_pixels(view, busy)
        enable(
            self.ui.maskSelector,
            _("Label map of one slice on the X-ray; above zero where it may be used."),
            busy,
        )
        self.ui.maskSelector.setCurrentNode(mask_node_of(view))
        shown = (view.GetID(), self.ui.geometryDetails.text)
        if shown != self._shown:
            self._shown = shown
            if geometry.state == "missing":
                # What has to be given should not have to be looked for.
                self.ui.geometryGroup.collapsed = False
            self._form.show(view)

    def _show_pixels(self, view: Any, busy: tuple[bool, str]) -> None:
        pixels, bright = pixels_of(view), bone_is_bright(view)
        if pixels == ATTENUATION and bright is not None:
            pixels = BONE_BRIGHT if bright else BONE_DARK
        choose(self.ui.pixelsBox, pixels)
        fixed = pixels_of(view) == ATTENUATION and (bright is None or view.GetID() not in self._files)
        enable(
            self.ui.pixelsBox,
            _("What is bright in the stored image. Ask yourself: is bone white or black?"),
            busy,
            (fixed, _("These are line integrals already. To say what is bright in a file, add it again.")),
        )
