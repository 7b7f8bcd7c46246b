"""The landmarks of the chosen CT as a table that follows the hand which drags them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import qt
import slicer
from DiffRegistrationLib.panel.session import single_shot, spread
from slicer.i18n import tr as _

from ..atlas.definitions import skull_landmarks
from ..atlas.landmark_set import LandmarkSet, LandmarkStatus
from ..mrml.ct_landmarks import landmark_node, landmarks_of
from ..mrml.sides import shown_name

_STATES = {
    LandmarkStatus.PLACED: _("placed by hand"),
    LandmarkStatus.TRANSFERRED: _("carried over"),
    LandmarkStatus.CORRECTED: _("corrected by hand"),
    LandmarkStatus.OUTSIDE: _("outside the CT"),
    LandmarkStatus.UNKNOWN: _("no place"),
}
# From here on (mm) the transfer asks a person to look at what it carried over.
_LOOK_AT_MM = 4.0
# A hand moves a point many times a second.
_FOLLOW_MS = 40


class CTLandmarkTable:
    """Fills `table`; `changed` is called after points were moved, by whose hand ever."""

    def __init__(self, table: Any, changed: Callable[[], None]) -> None:
        self._table, self._changed = table, changed
        # What the table was filled from; None if it has changed since.
        self._shown: tuple[Any, ...] | None = ()
        self._observed: list[tuple[Any, int]] = []
        self._soon = single_shot(_FOLLOW_MS, changed)
        self.landmarks: LandmarkSet | None = None
        spread(table, wide=(0,))

    @property
    def list_node(self) -> Any:
        """The point list that is shown, or None."""
        return self._observed[0][0] if self._observed else None

    @property
    def chosen(self) -> str | None:
        """The name of the landmark of the chosen row, None where none is chosen."""
        row = self._table.currentRow()
        there = self.landmarks is not None and 0 <= row < len(self.landmarks.names)
        return self.landmarks.names[row] if there and self.landmarks is not None else None

    def show(self, ct: Any) -> None:
        """Show the landmarks of this CT; it is read again only where its points have changed. InputError as in
        `landmarks_of`.
        """
        node = landmark_node(ct)
        self._observe(node)
        shown = () if node is None else (ct.GetID(), node.GetID(), node.GetMTime())
        if shown != self._shown:
            self._shown = shown
            self.landmarks = None
            try:
                self.landmarks = None if node is None else landmarks_of(ct)
            finally:
                self._fill()

    def stop(self) -> None:
        """Before the list, the scene or the window goes."""
        self._soon.stop()
        self._observe(None)
        self._shown, self.landmarks = (), None
        self._fill()

    def node_goes(self, node: Any) -> None:
        """Let go of the list before it is deleted."""
        if node is self.list_node:
            self.stop()

    def _observe(self, node: Any) -> None:
        if node is self.list_node:
            return
        for observed, tag in self._observed:
            observed.RemoveObserver(tag)
        self._observed = []
        if node is not None:
            kind = slicer.vtkMRMLMarkupsNode
            for event in (kind.PointModifiedEvent, kind.PointAddedEvent, kind.PointRemovedEvent):
                self._observed.append((node, node.AddObserver(event, self._moved)))

    def _moved(self, _caller: Any = None, _event: Any = None) -> None:
        # The node's own time does not tell of it.
        self._shown = None
        if not self._soon.active:
            self._soon.start()

    def _fill(self) -> None:
        found, table = self.landmarks, self._table
        names = () if found is None else found.names
        table.blockSignals(True)
        if table.rowCount != len(names):
            table.setRowCount(len(names))
        for row, name in enumerate(names):
            one = skull_landmarks().definition(name)
            assert found is not None
            off, state = found.uncertainty_mm[row], _STATES[found.status[row]]
            if found.status[row] == LandmarkStatus.TRANSFERRED and off > _LOOK_AT_MM:
                state = _("! carried over")
            words = (shown_name(name), one.side, state, f"{off:.1f}" if np.isfinite(off) else "")
            for column, text in enumerate(words):
                item = table.item(row, column)
                if item is None:
                    item = qt.QTableWidgetItem(text)
                    table.setItem(row, column, item)
                elif item.text() != text:
                    item.setText(text)
                item.setToolTip(f"{one.abbreviation}: {one.definition}")
        table.blockSignals(False)
