"""What the simulator asks of everything that it lays into the beam."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ...ct import CT
from .solids import Solids


class ObjectInBeam(Protocol):
    """A kind of object with its physical parameters; each draw of `random` places it anew on the same CT."""

    def solids(self, ct: CT, random: np.random.Generator) -> tuple[Solids, ...]:
        """Its bodies in the CT's frame (RAS mm): same CT and same state of `random`, same bodies."""
        ...
