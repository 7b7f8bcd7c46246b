"""The X-ray views: the DRR laid over each X-ray, in the layout of X-rays beside 3D, following the CT as it moves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import qt
import slicer
from jaxtyping import Float

from ..mrml.drr_node import drr_of, show_drr, show_overlay, take_drr_away
from ..mrml.views import views_in_scene
from ..mrml.xray_geometry import geometry_or_fault
from ..mrml.xray_views import show_in_view
from ..xray.errors import InputError
from .pose_watch import PoseWatch
from .session import Session, single_shot
from .xray_layout import XrayLayout

# Longest side of a DRR that follows a hand: more is not seen while it moves, and takes longer.
_FOLLOWING_SIZE = 256
# After so many milliseconds without a move the DRR is drawn in full.
_AT_REST_MS = 400
# Between two looks whether what DRRs are drawn from is ready.
_AGAIN_MS = 50
_FLICKER_MS = 500


class Overlays:
    """Shows DRRs over X-rays: those of a registration that runs, else that of where the CT lies."""

    def __init__(self, session: Session, watch: PoseWatch) -> None:
        self._session, self._watch = session, watch
        self._mode, self._opacity = "colours", 0.5
        # Whether X-ray and DRR are shown in turn, and which of them now.
        self._flickering = self._flickered = False
        self._layout = XrayLayout(self._show_in_view)
        # What lay over the views of the registration that runs before it.
        self._before: list[tuple[Any, np.ndarray | None]] = []
        # The DRRs in full, drawn piece by piece.
        self._pieces: Iterator[None] = iter(())
        self._again = single_shot(_AGAIN_MS, self.follow)
        self._at_rest = single_shot(_AT_REST_MS, self._begin_in_full)
        self._next_piece = single_shot(0, self._draw_piece)
        self._flicker = qt.QTimer()
        self._flicker.setInterval(_FLICKER_MS)
        self._flicker.connect("timeout()", self._on_flicker)
        watch.listeners.append(self.follow)

    def set_mode(self, mode: str) -> None:
        """One of `drr_node.OVERLAY_MODES`."""
        self._mode = mode
        self.refresh()

    def set_opacity(self, opacity: float) -> None:
        """Of the DRR over the X-ray in the mode “fade”, 0 … 1."""
        self._opacity = opacity
        self._layout.refresh()

    def set_flicker(self, flickering: bool) -> None:
        """Show the X-ray alone, then the DRR alone, in turn; or as the mode has them."""
        self._flickering, self._flickered = flickering, False
        if flickering:
            self._flicker.start()
        else:
            self._flicker.stop()
        self._layout.refresh()

    def show_views(self, fit: bool = True, plot: bool = False) -> None:
        """The layout of all X-rays beside a 3D view; without `fit` the views are only fitted where it is a new one.

        With `plot` there is a plot view below the 3D view.
        """
        self._layout.show(fit, plot)

    def show_new_views(self) -> None:
        """The layout, if X-rays came or went since it was made."""
        self._layout.show_new()

    def show_again(self) -> None:
        """What lies over the X-rays, which another module may have taken off."""
        self._layout.refresh()

    def begin_frames(self, views: list[Any]) -> None:
        """A registration of these views, or a tracking, begins, whose DRRs come by `show_frame`."""
        self.stop()
        nodes = [(view, drr_of(view)) for view in views]
        self._before = [
            (view, None if node is None else np.array(slicer.util.arrayFromVolume(node)[0])) for view, node in nodes
        ]

    def show_frame(self, view: int, drr: Float[np.ndarray, "rows columns"], _pose: Any = None) -> None:
        """The DRR of the registration that runs, over the X-ray of this number (from 0)."""
        if view < len(self._before):
            self._lay_over(self._before[view][0], drr)

    def end_frames(self, registered: bool) -> None:
        """The registration is over: its own DRRs are in the scene already; without it all is as before."""
        before, self._before = self._before, []
        for view, drr in before if not registered else ():
            if drr is not None:
                self._lay_over(view, drr)
            elif _is_in_scene(view):
                take_drr_away(view)
        self.refresh()

    def update(self) -> None:
        """Watch the chosen CT. DRRs of the one before are drawn anew."""
        before = self._watch.ct
        self._watch.watch(self._session.ct)
        if before is not None and self._watch.ct is not None and before is not self._watch.ct:
            self.draw_anew()

    def draw_anew(self) -> None:
        """CT or geometry are others now: draw the DRRs that there are again."""
        if any(drr_of(view) is not None for view in views_in_scene()):
            self.follow()

    def refresh(self) -> None:
        """Lay the DRRs that there are over their X-rays again: the X-ray or the mode is another."""
        for view in views_in_scene():
            if self._mode != "fade" and drr_of(view) is not None:
                with self._told():
                    show_overlay(view, self._mode)
        self._layout.refresh()

    def follow(self) -> None:
        """Draw the DRRs of where the CT lies: small at once, in full when it came to rest."""
        self.stop()
        # A registration or tracking shows frames of its own.
        if not self._session.aligning[0] and self._draw():
            self._at_rest.start()

    def stop(self) -> None:
        """Draw nothing more of what was begun."""
        for timer in (self._again, self._at_rest, self._next_piece):
            timer.stop()
        self._pieces = iter(())

    def close(self) -> None:
        """Before a scene is closed or the window goes."""
        self.stop()
        self._watch.stop()
        self._layout.close()
        self._before = []

    def _draw(self) -> bool:
        ct, views, logic = self._session.ct, _views_with_geometry(), self._session.logic
        if ct is None or not views:
            return False
        with self._told():
            quick = [logic.drr_is_quick(ct, view, size=_FOLLOWING_SIZE) for view in views]
            if not all(quick):
                self._again.start()
                return False
            for view in views:
                self._lay_over(view, logic.compute_drr(ct, view, size=_FOLLOWING_SIZE))
            return True
        return False

    def _begin_in_full(self) -> None:
        self._pieces = self._in_full()
        self._next_piece.start()

    def _draw_piece(self) -> None:
        with self._told():
            # Between two pieces the window lives.
            if next(self._pieces, self) is None:
                self._next_piece.start()

    def _in_full(self) -> Iterator[None]:
        for view in _views_with_geometry():
            if max(view.GetImageData().GetDimensions()) > _FOLLOWING_SIZE:
                for drr in self._session.logic.drr_in_pieces(self._session.ct, view):
                    if drr is not None:
                        self._lay_over(view, drr)
                    yield None

    def _lay_over(self, view: Any, drr: Float[np.ndarray, "rows columns"]) -> None:
        # An X-ray that was deleted meanwhile needs none.
        if _is_in_scene(view):
            with self._told():
                show_drr(view, drr)
                if self._mode != "fade":
                    show_overlay(view, self._mode)
            self._layout.refresh()

    def _on_flicker(self) -> None:
        self._flickered = not self._flickered
        self._layout.refresh()

    def _show_in_view(self, slice_logic: Any, view: Any, fit: bool) -> None:
        # A picture of both images replaces the X-ray; only a DRR fades in.
        mode, over = self._mode, self._opacity if self._mode == "fade" else 1.0
        if self._flickering:
            mode, over = "fade", float(self._flickered)
        with self._told():
            show_in_view(slice_logic, view, mode, over, fit=fit)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Bad input becomes the panel's message, which stays otherwise: nobody pressed a button."""
        try:
            yield
        except (InputError, OSError, MemoryError) as error:
            self._session.refuse(error)


def _views_with_geometry() -> list[Any]:
    return [view for view in views_in_scene() if geometry_or_fault(view).state != "missing"]


def _is_in_scene(node: Any) -> bool:
    return bool(slicer.mrmlScene.IsNodePresent(node))
