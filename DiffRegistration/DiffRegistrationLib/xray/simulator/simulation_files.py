"""A simulated X-ray in a folder, as a user finds a real one: picture, camera, and beside them the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import UInt

from ..files.atomic import written_together
from ..files.camera_files import write_camera
from ..files.transform_files import write_pose
from .settings_file import write_settings
from .simulated_xray import SimulatedXray

XRAY, CAMERA, POSE, SETTINGS = "xray.png", "camera.json", "pose.json", "settings.json"


def simulation_files(folder: Path) -> dict[str, Path]:
    """What `write_simulation` writes into `folder`, by name."""
    return {"xray": folder / XRAY, "camera": folder / CAMERA, "pose": folder / POSE, "settings": folder / SETTINGS}


def write_simulation(folder: str | Path, xray: SimulatedXray) -> None:
    """Write picture (8 or 16 bit), camera, true pose and settings with the seed into `folder`, all or none.

    Grey values of 9 to 15 bits are stretched over the picture's 16: whoever reads it takes its highest value for the
    end of the detector's range. InputError when the folder cannot be made or written to.
    """
    from PIL import Image

    with written_together(folder) as temporary:
        Image.fromarray(stretched(xray.pixels, xray.settings.display.bits)).save(temporary / XRAY, format="PNG")
        write_camera(temporary / CAMERA, xray.camera)
        write_pose(temporary / POSE, xray.pose)
        write_settings(temporary / SETTINGS, xray.settings, seed=xray.seed)


def stretched(pixels: UInt[np.ndarray, "rows columns"], bits: int) -> UInt[np.ndarray, "rows columns"]:
    """`pixels` of `bits` on the whole range of their type; no two values become one."""
    top = int(np.iinfo(pixels.dtype).max)
    # Exact in 64 bits; half of the divisor rounds to the nearest.
    return ((pixels.astype(np.int64) * top + (2**bits - 1) // 2) // (2**bits - 1)).astype(pixels.dtype)
