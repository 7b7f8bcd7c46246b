"""From a detector's counts to line integrals: unattenuated level, saturated pixels, collimator."""

from .collimation import find_collimation
from .line_integrals import LineIntegrals, from_logarithmic, line_integrals

__all__ = ["LineIntegrals", "find_collimation", "from_logarithmic", "line_integrals"]
