"""Which X-rays are views of a registration is remembered on the X-rays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import slicer
from DiffRegistrationLib.mrml.attributes import DRR, MASK, OVERLAY
from DiffRegistrationLib.mrml.drr_node import show_drr, show_overlay
from DiffRegistrationLib.mrml.views import add_view, remove_view, views_in_scene
from DiffRegistrationLib.mrml.xray_node import add_radiograph
from DiffRegistrationLib.mrml.xray_sequence import add_radiograph_sequence
from DiffRegistrationLib.xray.errors import InputError
from made_up_xrays import radiograph, volume

pytestmark = pytest.mark.mrml


def test_views_keep_their_order_and_a_sequence_stays_one_whichever_frame_it_shows(
    scene: Any, reopened: Callable
) -> None:
    single = add_radiograph(radiograph())
    cine, browser = add_radiograph_sequence([radiograph(seed=n) for n in range(3)], range(3))
    for node in (cine, single):
        add_view(node)
    browser.SetSelectedItemNumber(2)
    assert views_in_scene() == [cine, single]
    successor = reopened()
    successor(browser).SetSelectedItemNumber(1)
    assert views_in_scene() == [successor(cine), successor(single)]
    remove_view(successor(cine))
    successor(browser).SetSelectedItemNumber(0)
    assert views_in_scene() == [successor(single)]


def test_the_ct_is_no_view(scene: Any) -> None:
    ct = volume(np.zeros((3, 4, 5), np.int16))
    with pytest.raises(InputError, match="one volume cannot be both"):
        add_view(ct, other_than=ct)
    with pytest.raises(InputError, match="a single image was expected"):
        add_view(ct)
    assert not views_in_scene()


def test_what_was_made_for_an_x_ray_is_no_view(scene: Any) -> None:
    xray = add_radiograph(radiograph())
    show_drr(xray, radiograph().attenuation)
    show_overlay(xray, "colours")
    for reference in (MASK, DRR, OVERLAY):
        with pytest.raises(InputError, match="Choose the X-ray itself"):
            add_view(xray.GetNodeReference(reference))
    assert not views_in_scene()


def test_a_clone_of_a_view_is_none_before_it_is_made_one(scene: Any, reopened: Callable) -> None:
    xray = add_radiograph(radiograph())
    add_view(xray)
    clone = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    clone.Copy(xray)
    assert views_in_scene() == [xray]
    add_view(clone)
    assert views_in_scene() == [xray, clone]
    successor = reopened()
    assert views_in_scene() == [successor(xray), successor(clone)]
