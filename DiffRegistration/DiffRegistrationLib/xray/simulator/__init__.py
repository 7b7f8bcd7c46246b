"""Simulated X-rays from physics that the solver does not know: the test of everything that is claimed."""

from .settings import XraySettings
from .simulated_xray import SimulatedXray
from .simulator import Simulator

__all__ = ["SimulatedXray", "Simulator", "XraySettings"]
