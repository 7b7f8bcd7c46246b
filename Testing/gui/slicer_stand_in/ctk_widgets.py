"""The module `ctk`: CTK's widgets, made of Qt's."""

# Names are CTK's own.
# ruff: noqa: N801, N802, N815

from __future__ import annotations

from types import ModuleType
from typing import Any

from PySide6.QtCore import Property, QEvent, QRect, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QComboBox,
    QGroupBox,
    QMessageBox,
    QPushButton,
    QStyle,
    QStyleOptionButton,
    QTextBrowser,
    QWidget,
)

from .ctk_numbers import ctkDoubleSpinBox, ctkSliderWidget
from .ctk_paths import ctkDirectoryButton, ctkPathLineEdit
from .pythonqt import make_class
from .recorded_names import recorded


def _show_children(widget: QWidget, visible: bool, hidden: set[QWidget]) -> None:
    """Hide the children of a collapsed widget, and bring back those that were not hidden before."""
    for child in [child for child in widget.children() if isinstance(child, QWidget)]:
        if visible and child in hidden:
            hidden.discard(child)
            child.show()
        elif not visible and not child.isHidden():
            hidden.add(child)
            child.hide()


class ctkCollapsibleButton(QAbstractButton):
    """A header that opens and closes what lies below it."""

    contentsCollapsed = Signal(bool)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(next((one for one in arguments if isinstance(one, QWidget)), None))
        self.setText(next((one for one in arguments if isinstance(one, str)), "Title"))
        self.setCheckable(True)
        self.setChecked(True)
        self._hidden: set[QWidget] = set()
        self._header = self.fontMetrics().height() + 8
        self.setContentsMargins(0, self._header, 0, 0)
        self.toggled.connect(self._on_toggled)

    def _on_toggled(self, opened: bool) -> None:
        _show_children(self, opened, self._hidden)
        self.setMaximumHeight(16777215 if opened else self._header)
        self.contentsCollapsed.emit(not opened)

    def _collapsed(self) -> bool:
        return not self.isChecked()

    def _set_collapsed(self, collapsed: bool) -> None:
        self.setChecked(not collapsed)

    collapsed = Property(bool, _collapsed, _set_collapsed)

    def hitButton(self, position: Any) -> bool:
        return QRect(0, 0, self.width(), self._header).contains(position)

    def sizeHint(self) -> QSize:
        wanted = QSize(self.fontMetrics().horizontalAdvance(self.text()) + 40, self._header)
        return wanted.expandedTo(self.layout().totalSizeHint()) if self.layout() and self.isChecked() else wanted

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint() if not self.isChecked() else QWidget.minimumSizeHint(self)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        option = QStyleOptionButton()
        option.initFrom(self)
        option.rect = QRect(0, 0, self.width(), self._header)
        self.style().drawPrimitive(QStyle.PrimitiveElement.PE_PanelButtonCommand, option, painter, self)
        mark = "▾" if self.isChecked() else "▸"
        text = QRect(8, 0, self.width() - 8, self._header)
        painter.drawText(text, Qt.AlignmentFlag.AlignVCenter, f"{mark}  {self.text()}")


class ctkCollapsibleGroupBox(QGroupBox):
    """A group whose tick opens and closes it."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._hidden: set[QWidget] = set()
        self.setCheckable(True)
        self.setChecked(True)
        self.toggled.connect(self._on_toggled)

    def _on_toggled(self, opened: bool) -> None:
        _show_children(self, opened, self._hidden)
        # A closed QGroupBox disables its children, which are hidden anyway; an open one must not.
        self.setMaximumHeight(16777215 if opened else self.fontMetrics().height() + 8)

    def _collapsed(self) -> bool:
        return not self.isChecked()

    def _set_collapsed(self, collapsed: bool) -> None:
        self.setChecked(not collapsed)

    collapsed = Property(bool, _collapsed, _set_collapsed)


class ctkComboBox(QComboBox):
    """A combo box with a text for when nothing is chosen."""

    _default = ""

    def _default_text(self) -> str:
        return self._default

    def _set_default_text(self, text: str) -> None:
        self._default = text
        self.setPlaceholderText(text)

    defaultText = Property(str, _default_text, _set_default_text)

    def _user_data(self) -> str:
        return str(self.currentData() or "")

    def setCurrentUserDataAsString(self, data: str) -> None:
        self.setCurrentIndex(next((i for i in range(self.count()) if str(self.itemData(i)) == data), -1))

    currentUserDataAsString = Property(str, _user_data, setCurrentUserDataAsString)


class ctkMenuButton(QPushButton):
    """A push button with a menu beside it."""


class ctkPushButton(QPushButton):
    """A push button."""


class ctkFittedTextBrowser(QTextBrowser):
    """A text browser as high as its text."""

    def sizeHint(self) -> QSize:
        document = self.document().clone()
        document.setTextWidth(max(self.viewport().width(), 200))
        return QSize(super().sizeHint().width(), round(document.size().height()) + 4)

    def resizeEvent(self, event: QEvent) -> None:
        super().resizeEvent(event)
        self.updateGeometry()


class ctkMessageBox(QMessageBox):
    """A message box that can be told not to come again."""

    _key = ""
    _again = False

    def _set_key(self, key: str) -> None:
        self._key = key

    def setDontShowAgain(self, again: bool) -> None:
        self._again = again

    dontShowAgainSettingsKey = Property(str, lambda self: self._key, _set_key)
    dontShowAgainVisible = Property(bool, lambda self: False, lambda self, _visible: None)
    dontShowAgain = Property(bool, lambda self: self._again, setDontShowAgain)


def make_module() -> ModuleType:
    """The module `ctk`."""
    made = ModuleType("ctk", "CTK's widgets made of Qt's: a stand-in")
    for one in (
        *(ctkCollapsibleButton, ctkCollapsibleGroupBox, ctkComboBox, ctkDirectoryButton, ctkDoubleSpinBox),
        *(ctkFittedTextBrowser, ctkMenuButton, ctkMessageBox, ctkPathLineEdit, ctkPushButton, ctkSliderWidget),
    ):
        setattr(made, one.__name__, make_class("ctk", one.__name__, one))

    def refuse(name: str) -> Any:
        if name in recorded()["kits"]["ctk"].split():
            raise AttributeError(f"ctk.{name} is in Slicer; the stand-in does not offer it")
        raise AttributeError(f"module 'ctk' has no attribute '{name}'")

    made.__dict__["__getattr__"] = refuse
    return made
