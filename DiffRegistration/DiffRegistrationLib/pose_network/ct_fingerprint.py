"""A short name for a CT by what it holds and how it lies, which tells nothing about whose it is."""

from __future__ import annotations

import hashlib

import numpy as np

from ..xray.attenuation import hounsfield_from_attenuation
from ..xray.ct import CT


def ct_fingerprint(ct: CT) -> str:
    """16 hexadecimal digits of a SHA-256 over the grid's size, its place (to 1 µm) and its whole Hounsfield units.

    CTs hold whole numbers of HU, so the same CT read from another format or on another machine has the same name.
    Slices count in the order that makes the grid right-handed, as some readers reverse them.
    """
    slices, matrix = ct.attenuation, ct.ct_from_voxel.copy()
    if np.linalg.det(matrix[:3, :3]) < 0:
        slices = slices[::-1]
        matrix[:3, 3] += (len(slices) - 1) * matrix[:3, 2]
        matrix[:3, 2] *= -1
    digest = hashlib.sha256()
    digest.update(np.array(ct.size, dtype="<i8").tobytes())
    digest.update(np.rint(matrix * 1e3).astype("<i8").tobytes())
    for plane in slices:
        digest.update(np.rint(hounsfield_from_attenuation(plane)).astype("<i4").tobytes())
    return digest.hexdigest()[:16]
