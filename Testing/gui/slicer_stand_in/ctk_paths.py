"""CTK's widgets for a path."""

# Names are CTK's own.
# ruff: noqa: N801, N802, N815

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import Property, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QToolButton, QWidget

from .qt_kit import TestSettings, chosen_files


def _keep(name: str) -> Callable[[Any, Any], None]:
    return lambda self, value: setattr(self, name, value)


class ctkPathLineEdit(QWidget):
    """A path with a history and a button that opens a file dialog."""

    currentPathChanged = Signal(str)
    validInputChanged = Signal(bool)
    # QDir's filters.
    Dirs, Files, Drives, NoSymLinks = 0x1, 0x2, 0x4, 0x8
    Readable, Writable, Executable, Hidden, NoDot, NoDotDot = 0x10, 0x20, 0x40, 0x100, 0x2000, 0x4000
    AllDirs, AllEntries, NoDotAndDotDot, NoFilter = 0x400, 0x7, 0x6000, -1
    ShowDirsOnly, DontConfirmOverwrite, ReadOnly = 0x1, 0x4, 0x20

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.box = QComboBox(self)
        self.box.setEditable(True)
        self.box.setMinimumContentsLength(12)
        self.button = QToolButton(self)
        self.button.setText("...")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.box, 1)
        row.addWidget(self.button)
        self._filters = self.AllEntries | self.NoDotAndDotDot | self.Readable
        self._options, self._name_filters, self._key, self._label = 0, [], "", ""
        self._valid = False
        self.box.editTextChanged.connect(self._on_text)
        self.button.clicked.connect(self.browse)

    def _on_text(self, text: str) -> None:
        valid = bool(text) and (
            (Path(text).is_file() and bool(self._filters & self.Files))
            or (Path(text).is_dir() and bool(self._filters & (self.Dirs | self.AllDirs)))
        )
        if valid != self._valid:
            self._valid = valid
            self.validInputChanged.emit(valid)
        self.currentPathChanged.emit(text)

    def setCurrentPath(self, path: str) -> None:
        self.box.setEditText(path)

    def browse(self) -> None:
        files = chosen_files(self._label, ";;".join(self._name_filters))
        if files:
            self.setCurrentPath(files[0])

    def addCurrentPathToHistory(self) -> None:
        path = self.box.currentText()
        history = [path, *(self.box.itemText(index) for index in range(self.box.count()))]
        self._fill(list(dict.fromkeys(history)), path)
        if self._key:
            TestSettings().setValue(self._key, list(dict.fromkeys(history)))

    def retrieveHistory(self) -> None:
        kept = TestSettings().value(self._key) if self._key else None
        if kept:
            history = [kept] if isinstance(kept, str) else list(kept)
            self._fill(history, history[0])

    def _fill(self, history: list[str], current: str) -> None:
        changed = current != self.box.currentText()
        self.box.blockSignals(True)
        self.box.clear()
        self.box.addItems(history)
        self.box.setEditText(current)
        self.box.blockSignals(False)
        if changed:
            self._on_text(current)

    def _set_key(self, key: str) -> None:
        self._key = key
        self.retrieveHistory()

    currentPath = Property(str, lambda self: self.box.currentText(), setCurrentPath)
    filters = Property(int, lambda self: self._filters, _keep("_filters"))
    options = Property(int, lambda self: self._options, _keep("_options"))
    nameFilters = Property("QStringList", lambda self: self._name_filters, _keep("_name_filters"))
    settingKey = Property(str, lambda self: self._key, _set_key)
    label = Property(str, lambda self: self._label, _keep("_label"))
    showBrowseButton = Property(
        bool, lambda self: not self.button.isHidden(), lambda self, on: self.button.setVisible(on)
    )
    showHistoryButton = Property(bool, lambda self: True, lambda self, _on: None)
    minimumContentsLength = Property(
        int, lambda self: self.box.minimumContentsLength(), lambda self, x: self.box.setMinimumContentsLength(x)
    )


class ctkDirectoryButton(QPushButton):
    """A button that shows a folder and chooses another."""

    directoryChanged = Signal(str)
    directorySelected = Signal(str)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(next((one for one in arguments if isinstance(one, QWidget)), None))
        self._directory = "."
        self._caption = ""
        self.clicked.connect(self.browse)

    def browse(self) -> None:
        files = chosen_files(self._caption, "")
        if files:
            self._set_directory(files[0])
            self.directorySelected.emit(files[0])

    def _set_directory(self, directory: str) -> None:
        if directory != self._directory:
            self._directory = directory
            self.setText(directory)
            self.directoryChanged.emit(directory)

    def _set_caption(self, caption: str) -> None:
        self._caption = caption

    directory = Property(str, lambda self: self._directory, _set_directory)
    caption = Property(str, lambda self: self._caption, _set_caption)
