"""Section Landmarks on the CT: carried over from a template, corrected by hand, and where they fall in the X-rays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import qt
import slicer
from DiffRegistrationLib.mrml.job_results import Listener
from DiffRegistrationLib.mrml.scene import world_from_local
from DiffRegistrationLib.mrml.xray_geometry import geometry_or_fault
from DiffRegistrationLib.panel.session import enable, remember, remembered, show_text
from DiffRegistrationLib.worker.messages import Progress
from DiffRegistrationLib.xray.errors import InputError
from slicer.i18n import tr as _

from ..atlas.landmark_files import read_landmarks, write_landmarks
from ..atlas.landmark_set import LandmarkStatus
from ..mrml.ct_landmarks import adopt, put_landmarks, reset_landmark, stay_with_ct
from ..mrml.ct_projection import CTProjection
from .ct_landmark_table import CTLandmarkTable
from .landmark_jump import jump_to
from .landmark_session import LandmarkSession
from .landmark_views import views_beside

_NAME = "transfer"
_SUFFIX = ".mrk.json"
_FILTER = _("Landmarks (*.mrk.json)")
_MODULE = "DiffRegistration"
_DOUBTFUL = "color: #c77700"
# A sentence that names dozens of landmarks would push the table out of sight.
_LONGEST = 240


class CTLandmarksSection:
    """Chooses the CT; starts, shows and ends the carrying over; gives the landmarks to files and takes them."""

    def __init__(self, ui: Any, session: LandmarkSession) -> None:
        self.ui, self._session = ui, session
        self.table = CTLandmarkTable(ui.ctLandmarkTable, self.update)
        # The CT that the words below the button are about.
        self._said_of: Any = None
        # What is projected where, and what does it.
        self._projected: tuple[Any, ...] = ()
        self._projection: Any = None
        ui.transferProgress.visible = False
        show_text(ui.transferState, "")
        ui.ctSelector.connect("currentNodeChanged(vtkMRMLNode*)", self.on_ct)
        ui.openButton.connect("clicked(bool)", self.on_open)
        ui.transferButton.connect("clicked(bool)", self.on_transfer)
        ui.ctLandmarkTable.connect("itemSelectionChanged()", self.on_row)
        ui.resetButton.connect("clicked(bool)", self.on_reset)
        ui.loadButton.connect("clicked(bool)", self.on_load)
        ui.saveButton.connect("clicked(bool)", self.on_save)
        ui.pointsSelector.connect("currentNodeChanged(vtkMRMLNode*)", self.update)
        ui.adoptButton.connect("clicked(bool)", self.on_adopt)
        ui.crossesBox.connect("toggled(bool)", self.update)
        ui.sectionButton.connect("contentsCollapsed(bool)", self.update)

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

    def on_open(self, _checked: bool = False) -> None:
        """Go to the module in which X-rays are added."""
        slicer.util.selectModule(_MODULE)

    def on_transfer(self, _checked: bool = False) -> None:
        """Begin, or cancel what runs."""
        if self._session.working == _NAME:
            self._session.logic.cancel()
            self._session.end()
            self._say(_("Cancelled; the landmarks are as they were."))
            return
        ct = self._session.ct
        if ct is None or not self._session.ready():
            return
        self.ui.transferProgress.value = 0
        self._say(_("Preparing the CT…"))
        self._said_of = ct
        with self._session.job(_NAME):
            self._session.logic.transfer(
                ct,
                wait=False,
                listener=Listener(progressed=self._progressed, finished=self._carried, refused=self._refused),
            )
        if self._session.working != _NAME:
            self._say("")

    def on_row(self) -> None:
        """Show the landmark of the chosen row in all views."""
        name, found, ct = self.table.chosen, self.table.landmarks, self._session.ct
        if name is not None and found is not None and ct is not None:
            placed, local = world_from_local(ct), found.point(name)
            if placed is not None and found.is_known[found.names.index(name)]:
                jump_to(placed[:3, :3] @ local + placed[:3, 3], self._session.views())
        self.update()

    def on_reset(self, _checked: bool = False) -> None:
        """Put the chosen landmark back to where it was carried over to."""
        if self.table.chosen is not None and self.table.list_node is not None:
            with self._session.refusals_shown():
                reset_landmark(self.table.list_node, self.table.chosen)
            self._session.changed()

    def on_load(self, _checked: bool = False) -> None:
        """Take landmarks from a file."""
        path = qt.QFileDialog.getOpenFileName(
            slicer.util.mainWindow(), _("Landmarks of this CT"), remembered("landmarkFolder", ""), _FILTER
        )
        if path:
            remember("landmarkFolder", str(Path(path).parent))
            self.load(Path(path))

    def load(self, path: Path) -> None:
        """Have the CT's landmarks be those of a file."""
        if self._session.ct is None or not self._session.ready():
            return
        with self._session.refusals_shown():
            found = read_landmarks(path)
            put_landmarks(self._session.ct, found)
            self._say(
                _("{count} of {all} landmarks have a place.").format(
                    count=int(found.is_known.sum()), all=len(found.names)
                )
            )
        self._session.changed()

    def on_save(self, _checked: bool = False) -> None:
        """Write the landmarks into a file that Slicer and the command line read."""
        beside = Path(remembered("landmarkFolder", "")) / f"landmarks{_SUFFIX}"
        path = qt.QFileDialog.getSaveFileName(
            slicer.util.mainWindow(), _("Landmarks of this CT"), str(beside), _FILTER
        )
        if path:
            remember("landmarkFolder", str(Path(path).parent))
            self.save(Path(path))

    def save(self, path: Path) -> None:
        """Write the landmarks as markups."""
        if self.table.landmarks is None:
            return
        if not path.name.endswith(_SUFFIX):
            path = path.with_name(path.name + _SUFFIX)
        with self._session.refusals_shown():
            write_landmarks(path, self.table.landmarks)
            self._session.say(_("Saved as {path}.").format(path=path))

    def on_adopt(self, _checked: bool = False) -> None:
        """Have the CT's landmarks be those of a point list that somebody placed."""
        node = self.ui.pointsSelector.currentNode()
        if node is not None and self._session.ct is not None:
            with self._session.refusals_shown():
                adopt(self._session.ct, node)
                self.ui.pointsSelector.setCurrentNode(None)
                self._say(_("The landmarks are those of {name} now.").format(name=node.GetName()))
            self._session.changed()

    def node_goes(self, node: Any) -> None:
        """Let go of a node before it is deleted."""
        self.table.node_goes(node)
        ct = self._session.ct
        if node is ct or node in self._session.views() or node is self.table.list_node:
            self._end_projection()
        if node is not self.ui.ctSelector.currentNode():
            return
        running = self._session.working == _NAME
        if running:
            self._session.logic.cancel()
        # Without its CT the selector would go on to the next volume, which nobody chose.
        self.ui.ctSelector.setCurrentNode(None)
        if running:
            self._session.end()
            self._session.refuse(
                InputError(
                    node.GetName(),
                    _("was deleted while landmarks were carried over to it, which ended that"),
                    _("Load it again."),
                )
            )

    def stop(self) -> None:
        """Before the scene or the window goes."""
        self.table.stop()
        self._end_projection()
        self._said_of = None
        self._say("")

    def update(self, _value: Any = None) -> None:
        """Show the landmarks, and what can be done with them."""
        ct, working = self._session.ct, self._session.working
        carrying = working == _NAME
        if ct is not None:
            # Others may have moved it.
            stay_with_ct(ct)
        if ct is not self._said_of and not carrying:
            self._said_of = ct
            self._say("")
        try:
            self.table.show(ct)
        except InputError as error:
            self._session.refuse(error)
        self._show_xrays()
        self._show_buttons(ct, carrying)
        self._project()

    def _show_buttons(self, ct: Any, carrying: bool) -> None:
        found, name = self.table.landmarks, self.table.chosen
        no_ct = (ct is None, _("Choose the CT first."))
        busy = (self._session.working is not None, _("Wait for the end of what is running, or cancel it."))
        none = (found is None, _("Carry landmarks over, or load them, first."))
        enable(self.ui.ctSelector, _("The head's CT, in Hounsfield units."), busy)
        self.ui.transferButton.text = _("Cancel") if carrying else _("Carry over landmarks")
        if carrying:
            enable(self.ui.transferButton, _("End it now; the landmarks stay as they are."))
        else:
            enable(
                self.ui.transferButton,
                _("Carry a template's 55 landmarks to this CT; those that you corrected or placed stay and lead."),
                no_ct,
                busy,
            )
        self.ui.transferProgress.visible = carrying
        moved = None if name is None or found is None else found.status[found.names.index(name)]
        enable(
            self.ui.resetButton,
            _("Put this landmark back to where it was carried over to."),
            none,
            (name is None, _("Choose a landmark in the table first.")),
            (moved != LandmarkStatus.CORRECTED, _("This landmark has not been moved.")),
            busy,
        )
        enable(self.ui.loadButton, _("Take the CT's landmarks from a file (.mrk.json)."), no_ct, busy)
        enable(
            self.ui.saveButton,
            _("Write the landmarks as markups (.mrk.json), also for the command line."),
            no_ct,
            none,
        )
        enable(
            self.ui.adoptButton,
            _("Take the points of this list, which must have names of landmarks, for the CT's."),
            no_ct,
            (self.ui.pointsSelector.currentNode() is None, _("Choose a point list beside this button first.")),
            busy,
        )

    def _show_xrays(self) -> None:
        views = self._session.views()
        flat = [view.GetName() for view in views if geometry_or_fault(view).state == "missing"]
        words = ", ".join(view.GetName() for view in views)
        if not views:
            words = _("None yet.")
        elif flat:
            words += " " + _("(without geometry: {names})").format(names=", ".join(flat))
        self.ui.xraysState.text = words
        self.ui.openButton.visible = not views or bool(flat)
        enable(
            self.ui.crossesBox,
            _("Mark where the landmarks fall in the X-rays, where the CT lies now; the marks follow CT and points."),
            (self.table.landmarks is None, _("Carry landmarks over, or load them, first.")),
            (len(flat) == len(views), _("No X-ray has a geometry.")),
        )

    def _project(self) -> None:
        """Marks in the X-rays, as long as they are wanted and this section is open."""
        views = [view for view in self._session.views() if geometry_or_fault(view).state != "missing"]
        wanted = self.ui.crossesBox.checked and not self.ui.sectionButton.collapsed
        node, ct = self.table.list_node, self._session.ct
        projected = (ct, node, *views) if wanted and node is not None and views else ()
        if projected != self._projected:
            self._end_projection()
            self._projected = projected
            try:
                self._projection = CTProjection(ct, views) if projected else None
                for view in views if projected else ():
                    self._projection.model_of(view).GetDisplayNode().SetViewNodeIDs(views_beside(view))
            except InputError as error:
                self._session.refuse(error)

    def _end_projection(self) -> None:
        if self._projection is not None:
            self._projection.stop()
        self._projected, self._projection = (), None

    def _progressed(self, progress: Progress) -> None:
        self.ui.transferProgress.value = round(1000 * progress.part)
        self._say(progress.words)

    def _carried(self, carried: Any) -> None:
        self._session.end()
        words = list(carried.words)
        if carried.doubtful:
            words.insert(0, _("Doubtful: look at each landmark before you use them."))
        self._say("\n".join(_shortened(sentence) for sentence in words), doubtful=carried.doubtful)
        self.ui.transferState.toolTip = "\n".join(words)
        self._session.say(_("The landmarks lie on the CT: look at them in the slice views, and drag what is off."))

    def _refused(self, error: Any) -> None:
        self._session.end()
        self._say("")
        self._session.refuse(error)

    def _say(self, text: str, doubtful: bool = False) -> None:
        self.ui.transferState.styleSheet = _DOUBTFUL if doubtful else ""
        self.ui.transferState.toolTip = ""
        show_text(self.ui.transferState, text)


def _shortened(sentence: str) -> str:
    """A sentence that names no more landmarks than one reads; the others are marked in the table."""
    if len(sentence) <= _LONGEST:
        return sentence
    return sentence[:_LONGEST].rpartition(",")[0] + _(", … (! in the table).")
