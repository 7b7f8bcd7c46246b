"""The fields of a JSON object, asked for by name: what is missing or wrong is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError


class JsonFields:
    """The fields of one JSON object of the file `path`; every error is an InputError that names the field."""

    def __init__(self, path: str | Path, content: Any) -> None:
        self.path = path
        self.content = content

    def get(self, name: str) -> Any:
        """A field's value."""
        if name not in self.content:
            raise InputError(self.path, f"the field “{name}” is missing", "Add it or write the camera again.")
        return self.content[name]

    def numbers(self, name: str, count: int) -> Any:
        """`count` finite floats of a field, as a tuple."""
        try:
            values = np.array(self.get(name), dtype=np.float64).reshape(count)
        except (TypeError, ValueError):
            values = np.array([np.nan])
        if not np.isfinite(values).all():
            raise InputError(self.path, f"the field “{name}” is not {count} finite numbers", "Correct it.")
        return tuple(float(v) for v in values)

    def whole_numbers(self, name: str, count: int) -> tuple[int, ...]:
        """`count` positive integers of a field."""
        values = self.numbers(name, count)
        if any(v < 1 or v % 1 for v in values):
            raise InputError(self.path, f"the field “{name}” is {values}", "Expected whole numbers of at least 1.")
        return tuple(int(v) for v in values)
