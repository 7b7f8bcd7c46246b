"""A module's window as a whole, whichever module: makes sections, keeps them in step with the scene, lets the worker's
words in.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import qt
import slicer

from .session import Session, single_shot

# Between two looks at what the worker has said: about 30 frames a second at most.
_LISTEN_MS = 30
# Of these, for a thread that prepares something.
_FOR_THE_THREAD_SECONDS = 0.012


class ModulePanel:
    """All SECTIONS below each other in `layout`; `load` gives the widget of a section's Designer file.

    A module's own panel makes `session` and the sections of `uis`, and then calls `begin`.
    """

    # What is to be said stands on top: below the other sections nobody would see it.
    SECTIONS: tuple[str, ...] = ("Status",)
    session: Session

    def __init__(self, layout: Any, load: Callable[[str], Any]) -> None:
        self._layout, self._load = layout, load
        self._widgets: list[Any] = []
        # A parameter node and the tag of its widgets, to be let go of again.
        self._bound: tuple[Any, Any] | None = None
        self._entered = False
        self.uis = {name: self._section(name) for name in self.SECTIONS}
        self._bindable = _by_parameter(widget for ui in self.uis.values() for widget in vars(ui).values())
        layout.addStretch(1)
        self._soon = single_shot(0, self._look_again)
        self._listen = qt.QTimer()
        self._listen.setInterval(_LISTEN_MS)
        self._listen.connect("timeout()", self._on_listen)

    def begin(self, sections: list[Any]) -> None:
        """All sections are made: listen to the worker from now on."""
        self.session.sections = sections
        self.session.show_status()
        self._listen.start()

    def use(self, parameters: Any) -> None:
        """Show the state of this parameter node, and of the scene that it came with."""
        self._unbind()
        self.scene_comes(parameters)
        self.session.parameters = parameters
        # `connectGui` would give no tag to disconnect by.
        self._bound = (parameters, parameters.connectParametersToGui(self._bindable))
        self.take_over()
        self._look_again()

    def enter(self) -> None:
        """The user comes, or comes back: others may have changed the scene meanwhile."""
        self._entered = True
        if self.session.parameters is not None:
            self._look_again()

    def exit(self) -> None:
        """The user goes to another module, whose layout is none of ours."""
        self._entered = False

    def scene_closes(self) -> None:
        """End what runs and let go of the nodes, before they go."""
        if self.session.working is not None:
            self.session.logic.cancel()
            self.session.working = None
        self.session.say("")
        self._soon.stop()
        self._unbind()
        self.session.parameters = None
        self.let_go()
        self.forget()

    def node_came_or_went(self) -> None:
        """Look again once Slicer is done with it."""
        if self.session.parameters is not None and not self._soon.active:
            self._soon.start()

    def node_goes(self, node: Any) -> None:
        """Let go of a node before it is deleted."""

    def close(self) -> None:
        """End the worker; the window goes."""
        self._listen.stop()
        self._soon.stop()
        self._unbind()
        self.session.parameters = None
        self.let_go()
        self.session.logic.close()

    def scene_comes(self, parameters: Any) -> None:
        """Make a scene that came, and the state that it holds, ready to be shown."""

    def take_over(self) -> None:
        """Show of the scene that came what `update` of the sections does not."""

    def let_go(self) -> None:
        """Stop what runs by itself: the scene or the window goes."""

    def forget(self) -> None:
        """The scene goes: forget what is known of it."""

    def looked_again(self) -> None:
        """Show what came while the user is here."""

    def _on_listen(self) -> None:
        self.session.logic.poll()
        if self.session.logic.preparing:
            # While Slicer waits for events it keeps Python's lock: the thread that prepares would hardly ever run.
            time.sleep(_FOR_THE_THREAD_SECONDS)

    def _look_again(self) -> None:
        self.session.changed()
        if self._entered:
            self.looked_again()

    def _unbind(self) -> None:
        if self._bound is not None:
            parameters, tag = self._bound
            parameters.disconnectGui(tag)
            self._bound = None

    def _section(self, name: str) -> Any:
        widget = self._load(name)
        self._layout.addWidget(widget)
        self._widgets.append(widget)
        return slicer.util.childWidgetVariables(widget)


def _by_parameter(widgets: Iterable[Any]) -> dict[str, Any]:
    """Widgets by the parameter that their Designer file names."""
    named = ((widget.property("SlicerParameterName"), widget) for widget in widgets)
    return {str(name): widget for name, widget in named if name}
