"""What an X-ray keeps of the pixels it was made of."""

from __future__ import annotations

import numpy as np
import pytest
from DiffRegistrationLib.xray.geometry import PinholeCamera
from DiffRegistrationLib.xray.radiograph import Radiograph

SIZE = (6, 8)
CAMERA = PinholeCamera.from_distances(1000.0, (1.0, 1.0), SIZE, np.eye(4))


def test_pixels_that_are_not_numbers_may_be_masked_and_then_are_none() -> None:
    image, mask = np.ones(SIZE, dtype=np.float32), np.ones(SIZE, dtype=bool)
    image[2, 3], image[4, 4] = np.nan, np.inf
    with pytest.raises(ValueError, match="usable pixel is NaN"):
        Radiograph(image, mask, CAMERA)
    mask[2, 3] = mask[4, 4] = False
    kept = Radiograph(image, mask, CAMERA).attenuation
    assert np.isfinite(kept).all() and (kept[mask] == 1).all() and np.isnan(image[2, 3])
