"""Where each number of a CT or a radiograph came from: which tag, which file, or an assumption."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Provenance:
    """One quantity, its value as read, and its origin.

    `assumed` marks a value that no file gave; a reader never assumes without leaving such a line.
    """

    quantity: str
    value: str
    origin: str
    assumed: bool = False

    def __str__(self) -> str:
        return f"{self.quantity} = {self.value} ({'assumed: ' if self.assumed else ''}{self.origin})"
