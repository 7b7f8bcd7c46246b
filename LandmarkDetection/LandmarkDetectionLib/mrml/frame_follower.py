"""A study that follows its X-rays: another frame in a sequence browser, another place of a detector."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import slicer
from DiffRegistrationLib.mrml.attributes import CAMERA
from DiffRegistrationLib.mrml.sequence_items import browser_of
from DiffRegistrationLib.xray.errors import InputError

from .landmark_study import refresh, show_frame, shown_frame, xrays_of
from .study_node import item_at, number_shown_by


class FrameFollower:
    """Has a study show the frame that a browser of its X-rays turns to, and tells `on_frame` of its number.

    Until `stop`. Where the study cannot be shown any more, as while the scene is closed, nothing happens.
    """

    def __init__(self, study: Any, on_frame: Callable[[int], None] | None = None) -> None:
        self.study = study
        self._on_frame = on_frame
        self._observed: list[tuple[Any, int]] = []
        xrays = [node for node in xrays_of(study) if node is not None]
        browsers = {browser.GetID(): browser for node in xrays if (browser := browser_of(node)) is not None}
        self._numbers = {node.GetID(): number_shown_by(node) for node in xrays}
        self._places = {node.GetID(): self._place_of(node) for node in xrays}
        for browser in browsers.values():
            self._observe(browser, "ModifiedEvent", self._stepped)
        for node in xrays:
            self._observe(node, slicer.vtkMRMLTransformableNode.TransformModifiedEvent, self._placed)
            # A camera is an attribute.
            self._observe(node, "ModifiedEvent", self._placed)

    def stop(self) -> None:
        """Follow no more."""
        for node, tag in self._observed:
            node.RemoveObserver(tag)
        self._observed.clear()

    def _observe(self, node: Any, event: Any, told: Callable[[Any, Any], None]) -> None:
        self._observed.append((node, node.AddObserver(event, told)))

    def _stepped(self, _caller: Any, _event: Any) -> None:
        with suppress(InputError):
            for node in xrays_of(self.study):
                number = None if node is None else number_shown_by(node)
                if number is None or number == self._numbers.get(node.GetID()):
                    continue
                # Other browsers are taken along, which comes back here.
                self._numbers |= {one.GetID(): number for one in xrays_of(self.study) if one is not None}
                if number != shown_frame(self.study):
                    show_frame(self.study, number)
                    self._places = {key: self._place_of(slicer.mrmlScene.GetNodeByID(key)) for key in self._places}
                if self._on_frame is not None:
                    self._on_frame(number)
                return

    def _placed(self, node: Any, _event: Any) -> None:
        if not slicer.mrmlScene.IsNodePresent(self.study):
            return
        place = self._place_of(node)
        if place != self._places.get(node.GetID()):
            self._places[node.GetID()] = place
            with suppress(InputError):
                refresh(self.study)

    def _place_of(self, node: Any) -> tuple[Any, ...]:
        """What the places of landmarks in an X-ray's image depend on, in the frame that the study shows."""
        if node is None:
            return ()
        item = item_at(node, shown_frame(self.study))
        return item.GetAttribute(CAMERA), item.GetSpacing(), node.GetTransformNodeID()
