"""Where a lens of the eye is: on a CT it is denser than the water in the eye around it, and of a known size."""

from __future__ import annotations

import numpy as np
from DiffRegistrationLib.xray.attenuation import hounsfield_from_attenuation
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.geometry import rigid
from jaxtyping import Float64
from scipy import ndimage

# A lens is 9 mm across and 4 mm thick, some 160 mm³. Of one that a CT shows poorly only the middle is dense enough.
_DENSE_HOUNSFIELD = (66.0, 250.0)
_VOLUME_MM3 = (50.0, 400.0)
_SMOOTHED_MM = 0.8
# Room for a lens whose centre is at the edge of the search.
_MARGIN_MM = 6.0


def eye_lens_near(ct: CT, point: Float64[np.ndarray, "3"], radius_mm: float) -> Float64[np.ndarray, "3"] | None:
    """Centre (mm, the CT's frame) of the lens within `radius_mm` of a point; None where nothing looks like one."""
    at = np.linalg.solve(ct.ct_from_voxel, [*point, 1.0])[:3]
    reach = (radius_mm + _MARGIN_MM) / ct.voxel_size
    low = np.clip(np.floor(at - reach), 0, ct.size).astype(int)
    high = np.clip(np.ceil(at + reach) + 1, 0, ct.size).astype(int)
    block = ct.attenuation[low[2] : high[2], low[1] : high[1], low[0] : high[0]]
    if not block.size:
        return None
    # Bone and air would shine far into the eye when smoothed.
    hounsfield = np.clip(hounsfield_from_attenuation(block), -200, 400)
    hounsfield = ndimage.gaussian_filter(hounsfield, _SMOOTHED_MM / ct.voxel_size[::-1])
    pieces, count = ndimage.label((hounsfield > _DENSE_HOUNSFIELD[0]) & (hounsfield < _DENSE_HOUNSFIELD[1]))
    numbers = np.arange(1, count + 1)
    volume = ndimage.sum_labels(np.ones_like(hounsfield), pieces, numbers) * ct.voxel_size.prod()
    centres = np.array(ndimage.center_of_mass(np.ones_like(hounsfield), pieces, numbers)).reshape(-1, 3)[:, ::-1]
    centres = rigid.transform_points(ct.ct_from_voxel, centres + low)
    could_be = (volume >= _VOLUME_MM3[0]) & (volume <= _VOLUME_MM3[1])
    could_be &= np.linalg.norm(centres - point, axis=1) <= radius_mm
    if not could_be.any():
        return None
    density = np.asarray(ndimage.mean(hounsfield, pieces, numbers))
    return centres[np.argmax(np.where(could_be, density, -np.inf))]
