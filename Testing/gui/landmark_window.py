"""How to play a user of the module SkullLandmarkDetection; heads and X-rays are those of `landmark_study_scene`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from window_patient import MODULE as REGISTRATION
from window_patient import idle, is_refusal, message, pump, pump_until, scene_in_words, worker_processes

if TYPE_CHECKING:
    from slicer_stand_in.installation import StandIn

MODULE = Path(__file__).parents[2] / "LandmarkDetection" / "SkullLandmarkDetection.py"


def open_landmark_window(stand_in: StandIn) -> Any:
    """The module's window, as Slicer opens it: the module that it depends on is loaded before."""
    stand_in.load_module(REGISTRATION)
    stand_in.load_module(MODULE)
    return stand_in.enter_module("SkullLandmarkDetection")


def choose_ct(panel: Any, ct: Any) -> Any:
    """Choose a CT in the window."""
    panel.ct_landmarks.ui.ctSelector.setCurrentNode(ct)
    pump(0.05)
    return ct


def row_of(panel: Any, name: str) -> list[str]:
    """What the table of the CT's landmarks says of one."""
    table = panel.ct_landmarks.ui.ctLandmarkTable
    rows = [[str(table.item(row, column).text()) for column in range(4)] for row in range(table.rowCount)]
    (found,) = [row for row in rows if row[0].casefold() == name.casefold()]
    return found


def choose_landmark(panel: Any, name: str) -> None:
    """Choose the row of a landmark of the CT."""
    table = panel.ct_landmarks.ui.ctLandmarkTable
    names = [str(table.item(row, 0).text()).casefold() for row in range(table.rowCount)]
    table.selectRow(names.index(name.casefold()))
    pump(0.05)


def drag(node: Any, name: str, *by: float) -> None:
    """Move a point of a list, as a hand does in a slice view (mm)."""
    labels = [node.GetNthControlPointLabel(number) for number in range(node.GetNumberOfControlPoints())]
    number = labels.index(name)
    before = node.GetNthControlPointPositionWorld(number)
    node.SetNthControlPointPositionWorld(number, *(x + step for x, step in zip(before, by, strict=True)))
    pump(0.1)


@contextmanager
def refused(panel: Any, *words: str) -> Iterator[None]:
    """A block whose action must end with a message that says all `words`, in a panel that is usable again, and with
    the scene as it was.
    """
    pump(0.05)
    before = scene_in_words()
    yield
    pump_until(lambda: idle(panel))
    pump(0.05)
    text = message(panel)
    assert is_refusal(panel), f"no refusal: {text!r}"
    for word in words:
        assert word in text, text
    assert scene_in_words() == before
    usable(panel)


def worker_is_gone() -> bool:
    """Whether no process of ours computes any more."""
    return not worker_processes()


def usable(panel: Any) -> None:
    """Nothing runs, and no button waits for anything that will not come."""
    ui, training = panel.ct_landmarks.ui, panel.training.ui
    assert ui.transferButton.text == "Carry over landmarks"
    assert training.trainButton.text == "Train" and training.learnButton.text == "Learn"
    assert not panel.session.logic.busy
    for button in (ui.transferButton, training.trainButton, training.learnButton, ui.loadButton):
        assert not str(button.toolTip).startswith("Wait"), button.toolTip
