"""Arrays of a CT's grid as SimpleITK images whose physical space is the CT's own frame (RAS mm, nothing turned)."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float64, Num


def image_of(values: Num[np.ndarray, "depth rows columns"], ct_from_voxel: Float64[np.ndarray, "4 4"]) -> Any:
    """The array as an image. A left-handed grid stays left-handed, which SimpleITK allows."""
    import SimpleITK

    edges = np.linalg.norm(ct_from_voxel[:3, :3], axis=0)
    image = SimpleITK.GetImageFromArray(values)
    image.SetSpacing([float(edge) for edge in edges])
    image.SetOrigin([float(place) for place in ct_from_voxel[:3, 3]])
    image.SetDirection([float(x) for x in (ct_from_voxel[:3, :3] / edges).ravel()])
    return image
