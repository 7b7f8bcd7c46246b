"""What stands in the way of what a button does, and what to do about it: what several sections have to say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from DiffRegistrationLib.mrml.xray_geometry import geometry_or_fault
from DiffRegistrationLib.xray.errors import InputError
from slicer.i18n import tr as _

from ..mrml.ct_landmarks import landmarks_of

Obstacle = tuple[bool, str]
"""Whether it stands, and the words."""


def other_work(working: str | None) -> Obstacle:
    """A job that runs."""
    return working is not None, _("Wait for the end of what is running, or cancel it.")


def no_study(study: Any) -> Obstacle:
    """Nothing was found yet."""
    return study is None, _("Find landmarks in X-rays first.")


def no_xray(views: Sequence[Any]) -> Obstacle:
    """There is no X-ray."""
    return not views, _("Add an X-ray in the module DiffRegistration first.")


def no_geometry(views: Sequence[Any]) -> Obstacle:
    """Some X-ray has no geometry."""
    names = [view.GetName() for view in views if geometry_or_fault(view).state == "missing"]
    words = _("{name} has no geometry: give it one in the module DiffRegistration.")
    return bool(names), words.format(name=", ".join(names))


def no_ct(ct: Any) -> Obstacle:
    """No CT is chosen."""
    return ct is None, _("Choose a CT under Landmarks on the CT first.")


def no_ct_landmarks(ct: Any) -> Obstacle:
    """No CT is chosen, or it has no landmarks that can be used."""
    if ct is None:
        return no_ct(ct)
    try:
        return landmarks_of(ct) is None, _(
            "The CT has no landmarks: carry them over, or load them, under Landmarks on the CT."
        )
    except InputError as error:
        # Somebody named or deleted points of the list.
        return True, str(error)
