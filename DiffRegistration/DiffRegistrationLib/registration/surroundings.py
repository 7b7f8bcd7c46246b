"""Whether a CT holds a body with what surrounds it, or a bone that was cut out and stands in air.

The X-ray of a bone shows soft tissue and other bones as well. Where the CT lacks them, DRR and X-ray agree in fine
structure only, and neither brightness nor the strength of edges can be compared.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np

from ..xray.attenuation import WATER_ATTENUATION_PER_MM
from ..xray.ct import CT

# Denser than this part of water is tissue.
_TISSUE = 0.3
# Skin is thinner than a voxel and no denser than water; the surface of a bone is.
_BONE_SURFACE = 1.2


# Asked for at every level; a CT that nobody needs any more must not be kept for it.
_known: WeakKeyDictionary[CT, bool] = WeakKeyDictionary()


def lacks_surroundings(ct: CT) -> bool:
    """Whether the surface of what `ct` holds is bone: the median of the voxels at which it begins is denser than
    water."""
    if ct not in _known:
        _known[ct] = _begins_with_bone(ct)
    return _known[ct]


def _begins_with_bone(ct: CT) -> bool:
    inside = ct.attenuation > _TISSUE * WATER_ATTENUATION_PER_MM
    begins = inside[..., 1:] & ~inside[..., :-1]
    surface = ct.attenuation[..., 1:][begins]
    return surface.size > 0 and float(np.median(surface)) > _BONE_SURFACE * WATER_ATTENUATION_PER_MM
