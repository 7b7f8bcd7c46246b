"""A procedural head: demonstrations and tests with no download, landmarks known by construction."""

from .anatomy import STRUCTURES
from .head import HeadPhantom, head_phantom

__all__ = ["STRUCTURES", "HeadPhantom", "head_phantom"]
