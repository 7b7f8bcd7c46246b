"""How one head differs from the next, in numbers: proportions, the jaw, the neck, and what no number names."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from jaxtyping import Float64

# Largest relative changes, at strength 1; most heads stay within half of them.
_SIZE, _AXIS, _FACE, _JAW, _ASYMMETRY = 0.07, 0.05, 0.07, 0.08, 0.02
_CHIN_MM = 4.0
_OPENING_DEG, _FLEXION_DEG = 12.0, 12.0
_DENSITY = 0.2
# Of the field that no anatomy names: standard deviation of each component, distance at which it has half forgotten.
_FIELD_MM, _CORRELATION_MM = (1.5, 3.0), (35.0, 60.0)
_WAVES = 32


@dataclass(frozen=True, eq=False)
class HeadVariation:
    """One head against its template.

    Proportions are relative changes: of the whole (`size`), of its axes, of the face against the vault, of the jaw,
    of the right half's breadth at the left one's cost (`asymmetry`). The jaw opens and the neck bends forward by
    degrees; bone gets denser by a part. Everything else is a sum of waves through space: `wave_vector` (rad/mm),
    `wave_phase` and `wave_mm` along each axis of the head.
    """

    size: float
    length: float
    breadth: float
    height: float
    face_height: float
    face_depth: float
    jaw_length: float
    jaw_width: float
    asymmetry: float
    chin_mm: float
    jaw_opening_deg: float
    flexion_deg: float
    bone_density: float
    wave_mm: Float64[np.ndarray, "waves 3"]
    wave_vector: Float64[np.ndarray, "waves 3"]
    wave_phase: Float64[np.ndarray, "waves"]

    @classmethod
    def drawn(cls, random: np.random.Generator) -> Self:
        """Another head."""

        def part(limit: float) -> float:
            return float(limit * np.clip(random.normal(scale=0.5), -1, 1))

        # A random field whose correlation falls as a Gaussian over distance is a sum of waves with Gaussian vectors.
        amplitude, correlation = random.uniform(*_FIELD_MM), random.uniform(*_CORRELATION_MM)
        half_at = np.sqrt(2 * np.log(2))
        return cls(
            part(_SIZE),
            *(part(_AXIS), part(_AXIS), part(_AXIS)),
            *(part(_FACE), part(_FACE), part(_JAW), part(_JAW)),
            *(part(_ASYMMETRY), part(_CHIN_MM)),
            # Mouths are shut more often than open.
            float(_OPENING_DEG * random.beta(0.7, 2.0)),
            float(random.uniform(-_FLEXION_DEG, _FLEXION_DEG)),
            float(random.uniform(-_DENSITY, _DENSITY)),
            amplitude * np.sqrt(2 / _WAVES) * random.normal(size=(_WAVES, 3)),
            random.normal(size=(_WAVES, 3)) * half_at / correlation,
            random.uniform(0, 2 * np.pi, _WAVES),
        )

    def times(self, factor: float) -> Self:
        """The same differences, so many times as strong."""
        unchanged = ("wave_vector", "wave_phase")
        return type(self)(
            **{
                field.name: getattr(self, field.name) * (1 if field.name in unchanged else factor)
                for field in fields(self)
            }
        )
