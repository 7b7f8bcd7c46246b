"""Section Manual alignment: six sliders and handles move the CT, and the DRR follows."""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _

from ..mrml.manual_pose import ManualPose, has_handles, show_handles
from ..mrml.views import views_in_scene
from ..mrml.xray_geometry import geometry_or_fault
from ..xray.errors import InputError
from .pose_watch import PoseWatch
from .session import Session, enable, show_text, tick

_SLIDERS = (
    *("aboutRightSlider", "aboutAnteriorSlider", "aboutSuperiorSlider"),
    *("rightSlider", "anteriorSlider", "superiorSlider"),
)
_BOXES = (*_SLIDERS, "handlesBox")


class ManualAlignmentSection:
    """Moves the CT about its own centre from where it lay when the sliders were at 0."""

    def __init__(self, ui: Any, session: Session, watch: PoseWatch) -> None:
        self.ui, self._session = ui, session
        self._manual: ManualPose | None = None
        # What the Designer file says of them; a tooltip also says why something cannot be used.
        self._tips = {name: str(getattr(ui, name).toolTip) for name in _BOXES}
        for name in _SLIDERS:
            getattr(ui, name).connect("valueChanged(double)", self.on_slider)
        ui.resetButton.connect("clicked(bool)", self.on_reset)
        ui.handlesBox.connect("toggled(bool)", self.on_handles)
        watch.listeners.append(self.ct_moved)

    def on_slider(self, _value: float = 0.0) -> None:
        """Move the CT as the sliders say."""
        manual = self._begun()
        if manual is None:
            self._zero()
            return
        manual.move([getattr(self.ui, name).value for name in _SLIDERS])

    def on_reset(self, _checked: bool = False) -> None:
        """Back to where the CT lay before it was moved by hand."""
        if self._manual is not None and self._manual.holds:
            self._manual.go_back()
        self._zero()
        self._session.changed()

    def on_handles(self, _checked: bool = False) -> None:
        """Show or hide handles on the CT's pose."""
        shown = bool(self.ui.handlesBox.checked)
        if self._session.ct is not None and (not shown or self._begun() is not None):
            show_handles(self._session.ct, shown)
        self.update()

    def restart(self) -> None:
        """Begin anew from where the CT lies now: it was registered, or its move was undone."""
        self._manual = None
        self._zero()

    def ct_moved(self) -> None:
        """Where other hands have moved the CT, the sliders count from there."""
        manual = self._manual
        if manual is None:
            return
        try:
            if not manual.holds:
                self.restart()
            elif manual.moved_by_others:
                manual.begin_here()
                self._zero()
        except InputError:
            # From where it lies now nothing can be moved; the next try says why.
            self.restart()

    def _zero(self) -> None:
        """Sliders at 0, without moving anything."""
        for name in _SLIDERS:
            slider = getattr(self.ui, name)
            slider.blockSignals(True)
            slider.value = 0.0
            slider.blockSignals(False)

    def _begun(self) -> ManualPose | None:
        """What moves the chosen CT; None where it cannot be moved, which the panel then says."""
        ct = self._session.ct
        if ct is not None and (self._manual is None or self._manual.ct is not ct or not self._manual.holds):
            self._manual = None
            with self._session.refusals_shown():
                self._manual = ManualPose(ct)
            self._session.changed()
        return self._manual

    def update(self) -> None:
        """Usable when there is a CT and nothing registers."""
        ct = self._session.ct
        if self._manual is not None and self._manual.ct is not ct:
            # Handles on a CT that is no longer chosen would be in the way.
            show_handles(self._manual.ct, False)
            self.restart()
        elif self._manual is not None and not self._manual.holds:
            self.restart()
        tick(self.ui.handlesBox, ct is not None and has_handles(ct))
        obstacles = (
            (ct is None, _("Choose a CT under Patient first.")),
            self._session.aligning,
        )
        for name in _BOXES:
            enable(getattr(self.ui, name), self._tips[name], *obstacles)
        enable(
            self.ui.resetButton,
            _("Put the CT where it lay before it was moved here."),
            *obstacles,
            (self._manual is None, _("The CT has not been moved by hand.")),
        )
        show_text(self.ui.followState, _who_follows())


def _who_follows() -> str:
    views = views_in_scene()
    if not views:
        return _("Add an X-ray to see the DRR follow.")
    if all(geometry_or_fault(view).state == "missing" for view in views):
        return _("Give an X-ray its geometry to see the DRR follow.")
    return ""
