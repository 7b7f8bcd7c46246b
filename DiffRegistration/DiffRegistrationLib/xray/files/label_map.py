"""Which structure each voxel of a CT belongs to, from a label map placed by its own geometry."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int

from ..errors import InputError
from ..provenance import Provenance
from .lps import ras_from_index
from .volume_file import read_scalar_image

_LISTED_LABELS = 12


def read_label_map(
    path: Path, ct_from_voxel: Float64[np.ndarray, "4 4"], size: tuple[int, int, int]
) -> tuple[Int[np.ndarray, "depth rows columns"], Provenance]:
    """Labels on the CT's grid of `size` (i, j, k), the nearest ones in space, 0 where the label map does not reach.

    `ct_from_voxel` maps voxels to RAS mm. InputError for labels that are no whole numbers or that miss the CT.
    """
    import SimpleITK

    image = read_scalar_image(path)
    values = SimpleITK.GetArrayViewFromImage(image)
    if values.dtype.kind == "f" and not np.array_equal(values, np.round(values)):
        raise InputError(
            path,
            "its values are not whole numbers, so it is no label map (or was resampled with interpolation)",
            "Save the segmentation as a label map; resample label maps to the nearest neighbour.",
        )
    if not values.any():
        raise InputError(path, "no voxel carries a label", "Give a label map with at least one structure.")

    lps_from_voxel = ras_from_index(np.asarray(ct_from_voxel))
    spacing = np.linalg.norm(lps_from_voxel[:3, :3], axis=0)
    image = SimpleITK.Cast(image, SimpleITK.sitkInt32)
    resampled = SimpleITK.Resample(
        image,
        size,
        SimpleITK.Transform(3, SimpleITK.sitkIdentity),
        SimpleITK.sitkNearestNeighbor,
        lps_from_voxel[:3, 3].tolist(),
        spacing.tolist(),
        (lps_from_voxel[:3, :3] / spacing).flatten().tolist(),
        0,
    )
    labels = SimpleITK.GetArrayFromImage(resampled)
    found = np.unique(labels)
    found = found[found != 0]
    if not len(found):
        raise InputError(
            path,
            "none of its structures lies inside the CT: the two do not overlap in space",
            "Give the label map that was drawn on this CT.",
        )
    named = ", ".join(map(str, found[:_LISTED_LABELS])) + (" …" if len(found) > _LISTED_LABELS else "")
    return labels, Provenance("labels", named, f"{path.name}, nearest voxel in space")
