"""Frames, rigid motions, cameras and rays. World is RAS in mm; a camera looks along +z, x right, y down."""

from .camera import Camera
from .pinhole import PinholeCamera
from .rays import Rays
from .slit import ScanningSlitCamera

__all__ = ["Camera", "PinholeCamera", "Rays", "ScanningSlitCamera"]
