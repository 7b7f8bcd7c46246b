"""A CT to a volume file, in Hounsfield units as other programs expect it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..attenuation import hounsfield_from_attenuation
from ..ct import CT
from .atomic import atomic_write_by_itk
from .lps import ras_from_index


def write_ct(path: str | Path, ct: CT) -> None:
    """Write `ct` as 16-bit Hounsfield units; the suffix says the format (.nrrd, .mha, .nii.gz).

    InputError for a folder that cannot be written to.
    """
    import SimpleITK

    lps_from_voxel = ras_from_index(ct.ct_from_voxel)
    image = SimpleITK.GetImageFromArray(np.rint(hounsfield_from_attenuation(ct.attenuation)).astype(np.int16))
    image.SetSpacing(ct.voxel_size.tolist())
    image.SetDirection((lps_from_voxel[:3, :3] / ct.voxel_size).ravel().tolist())
    image.SetOrigin(lps_from_voxel[:3, 3].tolist())
    with atomic_write_by_itk(path) as temporary:
        SimpleITK.WriteImage(image, str(temporary), useCompression=True)
