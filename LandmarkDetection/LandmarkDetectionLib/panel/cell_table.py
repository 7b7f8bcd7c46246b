"""A table widget that is filled again and again with nearly the same: only cells that changed are touched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import qt


class Cell(NamedTuple):
    """What a cell says, also when the mouse rests on it, and whether it has a tick (None: it can have none)."""

    text: str
    tip: str = ""
    ticked: bool | None = None


class CellTable:
    """`widget` is a QTableWidget that nobody else fills; it tells nobody of what is shown by `show`."""

    def __init__(self, widget: Any) -> None:
        self._widget = widget
        self._shown: list[list[Cell]] = []

    def show(self, rows: Sequence[Sequence[Cell]]) -> None:
        """Show these rows, each as long as the table is wide."""
        self._widget.blockSignals(True)
        if self._widget.rowCount != len(rows):
            self._widget.setRowCount(len(rows))
        del self._shown[len(rows) :]
        for row, cells in enumerate(rows):
            if row == len(self._shown):
                self._shown.append([])
            before = self._shown[row]
            for column, cell in enumerate(cells):
                if column >= len(before) or before[column] != cell:
                    self._show(row, column, before[column] if column < len(before) else None, cell)
            self._shown[row] = list(cells)
        self._widget.blockSignals(False)

    def forget(self) -> None:
        """Empty the table, and begin anew with the next rows: its columns may be others then."""
        self.show([])

    def ticked(self, row: int, column: int) -> bool:
        """Whether a person has left a tick in a cell."""
        is_ticked = bool(self._widget.item(row, column).checkState() == qt.Qt.Checked)
        self._shown[row][column] = self._shown[row][column]._replace(ticked=is_ticked)
        return is_ticked

    def _show(self, row: int, column: int, before: Cell | None, cell: Cell) -> None:
        if before is None or (before.ticked is None) != (cell.ticked is None):
            item = qt.QTableWidgetItem(cell.text)
            item.setToolTip(cell.tip)
            if cell.ticked is not None:
                item.setCheckState(_state(cell.ticked))
            self._widget.setItem(row, column, item)
            return
        item = self._widget.item(row, column)
        if before.text != cell.text:
            item.setText(cell.text)
        if before.tip != cell.tip:
            item.setToolTip(cell.tip)
        if cell.ticked is not None and before.ticked != cell.ticked:
            item.setCheckState(_state(cell.ticked))


def _state(ticked: bool) -> Any:
    return qt.Qt.Checked if ticked else qt.Qt.Unchecked
