"""CTK's widgets for a number: a spin box, and a slider with one."""

# Names are CTK's own.
# ruff: noqa: N801, N802, N815

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Property, Qt, Signal
from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QSlider, QWidget


class ctkDoubleSpinBox(QWidget):
    """A spin box in a widget of its own."""

    valueChanged = Signal(float)
    decimalsChanged = Signal(int)
    editingFinished = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.spin = QDoubleSpinBox(self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.spin)
        self.spin.valueChanged.connect(self.valueChanged)
        self.spin.editingFinished.connect(self.editingFinished)

    def setValue(self, value: float) -> None:
        self.spin.setValue(value)

    def setDecimals(self, decimals: int) -> None:
        self.spin.setDecimals(decimals)
        self.decimalsChanged.emit(decimals)

    def stepUp(self) -> None:
        self.spin.stepUp()

    def stepDown(self) -> None:
        self.spin.stepDown()

    def setReadOnly(self, only: bool) -> None:
        self.spin.setReadOnly(only)

    value = Property(float, lambda self: self.spin.value(), setValue)
    minimum = Property(float, lambda self: self.spin.minimum(), lambda self, x: self.spin.setMinimum(x))
    maximum = Property(float, lambda self: self.spin.maximum(), lambda self, x: self.spin.setMaximum(x))
    singleStep = Property(float, lambda self: self.spin.singleStep(), lambda self, x: self.spin.setSingleStep(x))
    decimals = Property(int, lambda self: self.spin.decimals(), setDecimals)
    prefix = Property(str, lambda self: self.spin.prefix(), lambda self, text: self.spin.setPrefix(text))
    suffix = Property(str, lambda self: self.spin.suffix(), lambda self, text: self.spin.setSuffix(text))
    readOnly = Property(bool, lambda self: self.spin.isReadOnly(), setReadOnly)
    cleanText = Property(str, lambda self: self.spin.cleanText())


class ctkSliderWidget(QWidget):
    """A slider with a spin box beside it; the value is the spin box's."""

    valueChanged = Signal(float)
    valueIsChanging = Signal(float)
    decimalsChanged = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.slider = QSlider(Qt.Orientation.Horizontal, self)
        self.spin = QDoubleSpinBox(self)
        self.spin.setRange(0.0, 99.0)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.slider, 1)
        row.addWidget(self.spin)
        self._tracking, self._page, self._following = True, 10.0, False
        self._fit()
        self.spin.valueChanged.connect(self._on_spin)
        self.slider.valueChanged.connect(self._on_slider)
        self.slider.sliderReleased.connect(lambda: self.spin.setValue(self._of_slider()))

    def _fit(self) -> None:
        steps = round((self.spin.maximum() - self.spin.minimum()) / self.spin.singleStep())
        self._following = True
        self.slider.setRange(0, max(min(steps, 2**30), 0))
        self.slider.setPageStep(max(round(self._page / self.spin.singleStep()), 1))
        self.slider.setValue(round((self.spin.value() - self.spin.minimum()) / self.spin.singleStep()))
        self._following = False

    def _of_slider(self) -> float:
        return min(self.spin.minimum() + self.slider.value() * self.spin.singleStep(), self.spin.maximum())

    def _on_spin(self, value: float) -> None:
        self._fit()
        self.valueIsChanging.emit(value)
        self.valueChanged.emit(value)

    def _on_slider(self, _position: int) -> None:
        if self._following:
            return
        if self.slider.isSliderDown() and not self._tracking:
            self.valueIsChanging.emit(self._of_slider())
        else:
            self.spin.setValue(self._of_slider())

    def setValue(self, value: float) -> None:
        self.spin.setValue(value)

    def setDecimals(self, decimals: int) -> None:
        self.spin.setDecimals(decimals)
        self.decimalsChanged.emit(decimals)

    def setSpinBoxVisible(self, visible: bool) -> None:
        self.spin.setVisible(visible)

    def reset(self) -> None:
        self.spin.setValue(self.spin.minimum())

    def _set(self, name: str, value: Any) -> None:
        getattr(self.spin, name)(value)
        self._fit()

    def _set_tracking(self, tracking: bool) -> None:
        self._tracking = tracking

    def _set_page(self, page: float) -> None:
        self._page = page
        self._fit()

    value = Property(float, lambda self: self.spin.value(), setValue)
    minimum = Property(float, lambda self: self.spin.minimum(), lambda self, x: self._set("setMinimum", x))
    maximum = Property(float, lambda self: self.spin.maximum(), lambda self, x: self._set("setMaximum", x))
    singleStep = Property(float, lambda self: self.spin.singleStep(), lambda self, x: self._set("setSingleStep", x))
    pageStep = Property(float, lambda self: self._page, _set_page)
    decimals = Property(int, lambda self: self.spin.decimals(), setDecimals)
    prefix = Property(str, lambda self: self.spin.prefix(), lambda self, text: self.spin.setPrefix(text))
    suffix = Property(str, lambda self: self.spin.suffix(), lambda self, text: self.spin.setSuffix(text))
    tracking = Property(bool, lambda self: self._tracking, _set_tracking)
    spinBoxVisible = Property(bool, lambda self: not self.spin.isHidden(), setSpinBoxVisible)
