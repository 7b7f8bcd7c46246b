"""The module `qt`: PySide6's classes with PythonQt's habits, and no dialog that waits for anybody."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import QSettings, QTimer

from . import ui_files
from .connections import guarded
from .conversion import EnumValue, to_python
from .pythonqt import Wrapper, different, make_class, native
from .recorded_names import OFFERED, WITHOUT_MEMBERS, recorded
from .session import Shown, current

KINDS = {0: "plain", 1: "information", 2: "warning", 3: "critical", 4: "question"}
MESSAGE_BOXES = ("QMessageBox", "ctkMessageBox")


class Namespace:
    """`qt.Qt`: the enumerators of Qt itself, and their enumerations."""

    def __getattr__(self, name: str) -> Any:
        value = getattr(QtCore.Qt, name, None)
        if name.startswith("_") or value is None:
            raise AttributeError(f"type object 'Qt' has no attribute '{name}'")
        return to_python(value)


class TestSettings(QSettings):
    """Settings in a file of the test's own folder, whatever the arguments."""

    __test__ = False

    def __init__(self, *_arguments: Any) -> None:
        super().__init__(str(current().folder / "Slicer.ini"), QSettings.Format.IniFormat)


def show(box: Shown) -> Shown:
    """Note a box as shown."""
    current().shown.append(box)
    return box


def _native_class(name: str) -> type:
    if name == "QSettings":
        return TestSettings
    if name == "QUiLoader":
        return ui_files.Loader
    return next(getattr(part, name) for part in (QtWidgets, QtGui, QtCore) if hasattr(part, name))


def make_module() -> ModuleType:
    """The module `qt`."""
    made = ModuleType("qt", "PySide6 with PythonQt's habits: a stand-in")
    for name in (*OFFERED["qt"], *WITHOUT_MEMBERS):
        setattr(made, name, make_class("qt", name, _native_class(name)))
    made.__dict__["Qt"] = Namespace()

    def refuse(name: str) -> Any:
        if name in recorded()["kits"]["qt"].split():
            raise AttributeError(f"qt.{name} is in Slicer; the stand-in does not offer it")
        raise AttributeError(f"module 'qt' has no attribute '{name}'")

    made.__dict__["__getattr__"] = refuse
    return made


@different("QTimer", "singleShot")
def _single_shot(_self: None, milliseconds: int, target: Callable[[], Any]) -> None:
    QTimer.singleShot(milliseconds, guarded(target))


@different("QDesktopServices", "openUrl")
def open_url(_self: Any, url: QtCore.QUrl) -> bool:
    current().opened.append(url.toLocalFile() if url.isLocalFile() else url.toString())
    return True


def chosen_files(title: str, filters: str) -> list[str]:
    """What the user chooses in a file dialog."""
    box = show(Shown("file", title, filters))
    answer = current().answers.files
    answer = answer(box) if callable(answer) else answer
    return [str(path) for path in (answer if isinstance(answer, (list, tuple)) else [answer]) if str(path)]


def _file_function(many: bool) -> Callable[..., Any]:
    def choose(
        _self: None, _parent: Any = None, title: str = "", _folder: str = "", filters: Any = "", *_: Any
    ) -> Any:
        files = chosen_files(title, filters if isinstance(filters, str) else "")
        return files if many else (files[0] if files else "")

    return choose


for _name in ("getOpenFileName", "getSaveFileName", "getExistingDirectory"):
    different("QFileDialog", _name)(_file_function(many=False))
different("QFileDialog", "getOpenFileNames")(_file_function(many=True))


def _press(box: QtWidgets.QMessageBox, shown: Shown) -> int:
    answer = current().answers.button
    answer = answer(shown) if callable(answer) else answer
    # "Show Details..." is a button as well.
    action = QtWidgets.QMessageBox.ButtonRole.ActionRole
    buttons = [button for button in box.buttons() if box.buttonRole(button) != action]
    if len(buttons) <= 1:
        chosen = buttons[0] if buttons else None
    elif answer is None:
        raise AssertionError(f"a box asks '{shown.text}': set stand_in.answers.button before")
    elif isinstance(answer, str):
        named = [button for button in box.buttons() if button.text().replace("&", "") == answer]
        assert named, f"the box '{shown.text}' has no button '{answer}'"
        chosen = named[0]
    else:
        chosen = box.button(QtWidgets.QMessageBox.StandardButton(int(answer)))
        assert chosen is not None, f"the box '{shown.text}' has no button {int(answer):#x}"
    if chosen is not None:
        chosen.click()
    return box.result()


def _exec_message_box(self: Wrapper) -> int:
    box = native(self)
    details = "\n".join(text for text in (box.informativeText(), box.detailedText()) if text)
    return _press(box, show(Shown(KINDS[box.icon().value], box.windowTitle().strip(), box.text(), details)))


def _ask(icon: int) -> Callable[..., Any]:
    def ask(_self: None, parent: Any, title: str, text: str, buttons: Any = None, *_default: Any) -> EnumValue:
        box = QtWidgets.QMessageBox(parent)
        ok = QtWidgets.QMessageBox.StandardButton.Ok
        box.setStandardButtons(QtWidgets.QMessageBox.StandardButton(buttons) if buttons is not None else ok)
        return EnumValue(QtWidgets.QMessageBox.StandardButton(_press(box, show(Shown(KINDS[icon], title, text)))))

    return ask


for _icon, _name in ((1, "information"), (2, "warning"), (3, "critical"), (4, "question")):
    different("QMessageBox", _name)(_ask(_icon))
for _class in MESSAGE_BOXES:
    different(_class, "exec")(_exec_message_box)


def _exec_dialog(self: Wrapper) -> int:
    dialog = native(self)
    words = " ".join(label.text() for label in dialog.findChildren(QtWidgets.QLabel))
    show(Shown("dialog", dialog.windowTitle(), words))
    answer = current().answers.dialog
    result = int(answer(self) if callable(answer) else answer)
    dialog.done(result)
    return result


def _exec_file_dialog(self: Wrapper) -> int:
    dialog = native(self)
    files = chosen_files(dialog.windowTitle(), ";;".join(dialog.nameFilters()))
    for file in files:
        dialog.selectFile(file)
    dialog.done(1 if files else 0)
    return int(bool(files))


def _exec_menu(self: Wrapper, *_position: Any) -> Any:
    menu = native(self)
    show(Shown("menu", menu.title(), ", ".join(action.text() for action in menu.actions())))
    wanted = current().answers.menu
    chosen = next((action for action in menu.actions() if action.text().replace("&", "") == wanted), None)
    if chosen is not None:
        chosen.trigger()
    return chosen


for _class in ("QDialog", "QProgressDialog"):
    different(_class, "exec")(_exec_dialog)
different("QFileDialog", "exec")(_exec_file_dialog)
different("QMenu", "exec")(_exec_menu)
