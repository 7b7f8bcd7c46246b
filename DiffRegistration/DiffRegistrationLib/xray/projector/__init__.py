"""DRRs and their pose derivative: one front (`Projector`), one file per kernel."""

from .projector import Projector

__all__ = ["Projector"]
