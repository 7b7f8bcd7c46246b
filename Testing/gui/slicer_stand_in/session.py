"""What a test sets before it plays the user, and what it looks at afterwards."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Answers:
    """What the user answers. A box that asks while no answer is set fails the test."""

    # A path, a list of paths or a function of the `Shown` file dialog; "" is Cancel.
    files: Any = ""
    # Which button of a message box: its value (qt.QMessageBox.Yes), its text, or a function of the `Shown` box.
    button: Any = None
    # A module's own QDialog: its result, or a function of the dialog that fills it in and gives the result.
    dialog: int | Callable[[Any], int] = 0
    # The text of the chosen action of a menu, or None.
    menu: str | None = None


@dataclass(frozen=True)
class Shown:
    """A box that was shown. `kind` is information, warning, critical, question, plain, file, dialog or menu."""

    kind: str
    title: str
    text: str
    details: str = ""


@dataclass
class PackageInstallation:
    """How slicer.packaging behaves: 'installed', 'declined' (RuntimeError) or 'failed' (CalledProcessError)."""

    outcome: str = "installed"
    asked: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Torch:
    """How the PyTorch extension behaves: whether torch is there, and what installing comes to (as packages)."""

    installed: bool = True
    outcome: str = "installed"
    asked: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Session:
    """One test's Slicer."""

    answers: Answers = field(default_factory=Answers)
    shown: list[Shown] = field(default_factory=list)
    # URLs and files that were handed to the desktop.
    opened: list[str] = field(default_factory=list)
    # Exceptions that Slicer would have printed and lost: the fixture fails if any is left.
    uncaught: list[BaseException] = field(default_factory=list)
    packages: PackageInstallation = field(default_factory=PackageInstallation)
    torch: Torch = field(default_factory=Torch)
    # What Qt itself warned of, such as a second layout for one widget.
    qt_warnings: list[str] = field(default_factory=list)
    # As with `Slicer --testing`.
    testing: bool = False
    # As with `Slicer --no-main-window` when False: no layout manager either.
    main_window: bool = True
    folder: Path = field(default_factory=lambda: Path(tempfile.gettempdir()))

    @property
    def errors(self) -> list[str]:
        """The texts of the error boxes."""
        return [one.text for one in self.shown if one.kind == "critical"]

    def take_uncaught(self) -> list[BaseException]:
        """The uncaught exceptions; the fixture no longer fails for them."""
        taken, self.uncaught = self.uncaught, []
        return taken


_current = Session()


def current() -> Session:
    """The session of the test that runs."""
    return _current


def begin(session: Session) -> Session:
    """Make `session` the current one."""
    global _current
    _current = session
    return session
