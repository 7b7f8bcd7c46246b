"""A CT that is moved by hand about its own centre, from where it lay when that began."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import slicer

from ..xray.geometry import rigid
from .ct_node import centre_of, world_from_ct
from .pose_node import put_under_pose


class ManualPose:
    """Six numbers move `ct`, whose pose before can be had back by `pose_node.undo_pose`.

    InputError where the CT lies under something else than rigid transforms.
    """

    def __init__(self, ct: Any) -> None:
        self.ct = ct
        self._begun = world_from_ct(ct)
        self._centre = rigid.transform_points(self._begun, [centre_of(ct)])[0]
        self.transform = put_under_pose(ct, self._begun)

    def move(self, numbers: Sequence[float]) -> None:
        """Degrees about the world's R, A and S axes, in this order, and mm along them; all 0 is where it began."""
        turned = np.eye(3)
        for axis, degrees in enumerate(numbers[:3]):
            turned = rigid.rotation_exp(np.radians(degrees) * np.eye(3)[axis]) @ turned
        moved = rigid.rigid(turned, self._centre - turned @ self._centre + np.asarray(numbers[3:]))
        slicer.util.updateTransformMatrixFromArray(self.transform, moved @ self._begun)

    def show_handles(self, shown: bool) -> None:
        """Handles to drag the pose in slice and 3D views."""
        self.transform.CreateDefaultDisplayNodes()
        display = self.transform.GetDisplayNode()
        if display is not None:
            display.SetEditorVisibility(shown)
            display.SetEditorVisibility3D(shown)
        self.transform.SetCenterOfTransformation(*self._centre_in_transform())

    def _centre_in_transform(self) -> list[float]:
        return [float(x) for x in centre_of(self.ct)]
