"""A CT that is moved by hand about its own centre, from where it lay when that began."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..xray.geometry import rigid
from .ct_node import centre_of, world_from_ct
from .pose_history import last_step
from .pose_node import SAME_PLACE, put_under_pose
from .scene import set_matrix


class ManualPose:
    """Six numbers move `ct`, whose pose before can be had back by `pose_node.undo_pose`.

    InputError where the CT lies under something else than rigid transforms.
    """

    def __init__(self, ct: Any) -> None:
        self.ct = ct
        self._begun = world_from_ct(ct)
        self.transform = put_under_pose(ct, self._begun)
        self._step = last_step(ct)
        self.begin_here()

    @property
    def holds(self) -> bool:
        """Whether to move the CT on is still the same move: it lies under this transform alone, and neither was put
        anywhere else since nor taken back.
        """
        under = self.ct.GetParentTransformNode() is self.transform and self.transform.GetParentTransformNode() is None
        return under and last_step(self.ct) == self._step

    @property
    def moved_by_others(self) -> bool:
        """Whether the CT lies elsewhere than it was put last: its handles or other modules moved it."""
        return not np.allclose(world_from_ct(self.ct), self._put, rtol=0, atol=SAME_PLACE)

    def begin_here(self) -> None:
        """Count the numbers from where the CT lies now. `go_back` leads to where it lay at first all the same."""
        self._from = self._put = world_from_ct(self.ct)
        self._centre = rigid.transform_points(self._from, [centre_of(self.ct)])[0]

    def move(self, numbers: Sequence[float]) -> None:
        """Degrees about the world's R, A and S axes, in this order, and mm along them; all 0 moves nothing."""
        turned = np.eye(3)
        for axis, degrees in enumerate(numbers[:3]):
            turned = rigid.rotation_exp(np.radians(degrees) * np.eye(3)[axis]) @ turned
        moved = rigid.rigid(turned, self._centre - turned @ self._centre + np.asarray(numbers[3:]))
        self._put_at(moved @ self._from)

    def go_back(self) -> None:
        """Back to where the CT lay before it was moved by hand."""
        self._put_at(self._begun)
        self.begin_here()

    def _put_at(self, pose: np.ndarray) -> None:
        self._put = pose
        set_matrix(self.transform, pose)


def show_handles(ct: Any, shown: bool) -> None:
    """Show or hide handles that drag and turn the transform that a CT lies under, in slice and 3D views."""
    transform = ct.GetParentTransformNode()
    if transform is None or (not shown and transform.GetDisplayNode() is None):
        return
    transform.CreateDefaultDisplayNodes()
    display = transform.GetDisplayNode()
    # A pose turns and moves, and does no more.
    display.SetEditorScalingEnabled(False)
    display.SetEditorScalingSliceEnabled(False)
    display.SetEditorVisibility(shown)
    display.SetEditorVisibility3D(shown)
    transform.SetCenterOfTransformation(*(float(x) for x in centre_of(ct)))


def has_handles(ct: Any) -> bool:
    """Whether `show_handles` shows them."""
    transform = ct.GetParentTransformNode()
    display = None if transform is None else transform.GetDisplayNode()
    return display is not None and bool(display.GetEditorVisibility())
