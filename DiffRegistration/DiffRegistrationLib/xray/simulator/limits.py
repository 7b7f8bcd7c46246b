"""What the physical parameters of an effect may be."""

from __future__ import annotations

import numpy as np


def check_positive(name: str, value: float, unit: str = "") -> None:
    """ValueError unless `value` is finite and more than 0."""
    if not 0 < value < np.inf:
        raise ValueError(f"{name} must be more than 0{_spaced(unit)}, got {value:g}")


def check_within(name: str, value: float, least: float, most: float = np.inf, unit: str = "") -> None:
    """ValueError unless `value` is finite and lies in [least, most]."""
    if not (np.isfinite(value) and least <= value <= most):
        wanted = f"at least {least:g}" if most == np.inf else f"in [{least:g}, {most:g}]"
        raise ValueError(f"{name} must be {wanted}{_spaced(unit)}, got {value:g}")


def _spaced(unit: str) -> str:
    return f" {unit}" if unit else ""
