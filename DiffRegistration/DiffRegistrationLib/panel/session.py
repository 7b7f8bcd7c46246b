"""What all sections of a window share: the logic, the parameters, the message line, and one job at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import qt
from slicer.i18n import tr as _

from ..xray.errors import UNUSABLE, InputError, as_input_error
from .words import EngineWords, engine_in_words, without_options

_COLOURS = {"error": "#b3261e", "note": "#1b5e20"}
# Apart from what the widgets keep by themselves: keys of Windows do not tell small letters from large ones.
_REMEMBERED = "FluoroRegistration/Last/{name}"


class Session:
    """`changed()` asks every section to look anew; messages of refusals stay until the next action.

    `logic` is a `mrml.registration_logic.RegistrationLogic`, or another module's that has its `cancel` and `poll`;
    `parameters` are the module's, None while there is no scene, and have a `ct`.
    """

    # What the window says of the device.
    WORDS = EngineWords(
        without_torch=_(
            "Registration runs on the CPU. PyTorch, which networks need, is installed when you press Train."
        ),
        on_gpu=_("Registration runs on the CPU, training on the GPU where there is one"),
        on_cpu=_("Registration and training run on the CPU"),
    )

    def __init__(self, logic: Any, ui: Any, install: Callable[[bool], None]) -> None:
        self.logic = logic
        self.parameters: Any = None
        self.sections: list[Any] = []
        # Which job runs, by the name of its section, or None.
        self.working: str | None = None
        self._ui, self._install = ui, install
        # Once the layout has made room for it.
        self._show_message = single_shot(0, lambda: bring_into_view(ui.messageLabel))

    @property
    def ct(self) -> Any:
        """The chosen CT, or None."""
        return None if self.parameters is None else self.parameters.ct

    @property
    def aligning(self) -> tuple[bool, str]:
        """Whether a job runs that moves the CT, and what whoever would move it meanwhile is told."""
        if self.working == "track":
            return True, _("Wait for the end of the tracking, or cancel it.")
        return self.working == "register", _("Wait for the end of the registration, or cancel it.")

    def changed(self) -> None:
        """Have every section look at the scene and the job again."""
        for section in self.sections:
            section.update()

    @contextmanager
    def job(self, name: str) -> Iterator[None]:
        """A block that starts the job of this section; where it does not come to its end, none runs."""
        self.working = name
        self.changed()
        runs = False
        try:
            with self.refusals_shown():
                yield
                runs = True
        finally:
            if not runs:
                self.end()

    def end(self) -> None:
        """Note that the job is over."""
        self.working = None
        self.changed()

    def ready(self, network: bool = False) -> bool:
        """Whether the packages that are needed are there; the user is asked, and told if they cannot be had."""
        with self.refusals_shown():
            self._install(network)
            self.show_status()
            return True
        return False

    @contextmanager
    def refusals_shown(self) -> Iterator[None]:
        """Bad input becomes the panel's message; anything else is the program's fault and goes on as it is."""
        self.say("")
        try:
            yield
        except UNUSABLE as error:
            self.refuse(error)

    def refuse(self, error: InputError | OSError | MemoryError) -> None:
        """Show what is wrong and what to do."""
        self.say(without_options(str(as_input_error(error))), "error")

    def say(self, text: str, kind: str = "note") -> None:
        """Show a line in the panel; an empty one takes it away."""
        label = self._ui.messageLabel
        show_text(label, text)
        # One line's room for both: nothing jumps when there is something to say.
        self._ui.statusLabel.visible = not text
        if kind == "error":
            self._show_message.start()
        label.styleSheet = f"color: white; background-color: {_COLOURS[kind]}; padding: 6px; border-radius: 4px"

    def show_status(self) -> None:
        """Show what the engine runs on."""
        self._ui.statusLabel.text = engine_in_words(self.WORDS)


def show_text(label: Any, text: str) -> None:
    """Show a text; an empty one takes no room."""
    label.text = text
    label.visible = bool(text)


def bring_into_view(widget: Any) -> None:
    """Scroll the module's panel to a widget."""
    above = widget.parentWidget()
    while above is not None:
        if hasattr(above, "ensureWidgetVisible"):
            above.ensureWidgetVisible(widget)
            return
        above = above.parentWidget()


def fill(combo: Any, entries: list[tuple[str, str]]) -> None:
    """Fill a combo box with (label, data), without telling anyone."""
    combo.blockSignals(True)
    combo.clear()
    for label, data in entries:
        combo.addItem(label, data)
    combo.blockSignals(False)


def choose(combo: Any, data: str) -> None:
    """Choose the entry with this data, without telling anyone."""
    combo.blockSignals(True)
    combo.setCurrentIndex(max(combo.findData(data), 0))
    combo.blockSignals(False)


def tick(box: Any, ticked: bool) -> None:
    """Tick a check box or press a button, or not, without telling anyone."""
    box.blockSignals(True)
    box.checked = ticked
    box.blockSignals(False)


def enable(widget: Any, tip: str, *obstacles: tuple[bool, str]) -> None:
    """Enable a button unless an obstacle stands; the tooltip says the first one, or else what the button does."""
    standing = [reason for stands, reason in obstacles if stands]
    widget.enabled = not standing
    widget.toolTip = standing[0] if standing else tip


def spread(table: Any, wide: Sequence[int]) -> None:
    """Give the columns of these numbers the room that the others do not need."""
    header = table.horizontalHeader()
    for column in range(table.columnCount):
        stretched = column in wide
        header.setSectionResizeMode(column, qt.QHeaderView.Stretch if stretched else qt.QHeaderView.ResizeToContents)
    table.verticalHeader().setVisible(False)


def single_shot(milliseconds: int, call: Callable[[], Any]) -> Any:
    """A timer that calls once after each start."""
    timer = qt.QTimer()
    timer.setSingleShot(True)
    timer.setInterval(milliseconds)
    timer.connect("timeout()", call)
    return timer


def remembered(name: str, otherwise: str) -> str:
    """A choice of an earlier time."""
    return str(qt.QSettings().value(_REMEMBERED.format(name=name), otherwise))


def remember(name: str, value: str) -> None:
    """Keep a choice for the next time."""
    qt.QSettings().setValue(_REMEMBERED.format(name=name), value)
