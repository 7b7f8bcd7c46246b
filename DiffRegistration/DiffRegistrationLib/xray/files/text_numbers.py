"""Rows of numbers in text files, with the line of whatever is none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from ..errors import InputError


@dataclass(frozen=True)
class TextRow:
    """The values of one line, split at commas, semicolons and blanks; `line` counts from 1."""

    line: int
    values: tuple[str, ...]


def text_rows(text: str) -> list[TextRow]:
    """Lines of `text` that are neither empty nor comments (#)."""
    rows = []
    for number, line in enumerate(text.splitlines(), start=1):
        values = line.partition("#")[0].replace(",", " ").replace(";", " ").split()
        if values:
            rows.append(TextRow(number, tuple(values)))
    return rows


def numbers(subject: object, rows: list[TextRow], columns: int) -> Float64[np.ndarray, "rows columns"]:
    """The rows as an array; InputError naming the line of a row of another length or of a value that is no number."""
    array = np.empty((len(rows), columns))
    for i, row in enumerate(rows):
        if len(row.values) != columns:
            raise InputError(
                subject,
                f"line {row.line} has {len(row.values)} values, expected {columns}",
                "Separate the values by commas or blanks, one row a line.",
            )
        for j, value in enumerate(row.values):
            try:
                array[i, j] = float(value)
            except ValueError:
                raise InputError(
                    subject, f"line {row.line}: “{value}” is not a number", "Write numbers with a decimal point."
                ) from None
            if not np.isfinite(array[i, j]):
                raise InputError(subject, f"line {row.line}: “{value}” is not finite", "Calibrate the camera again.")
    return array
