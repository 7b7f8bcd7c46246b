"""The eight ways to lay an image on its pixel grid: turned by quarters, mirrored or both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Self, TypeVar

import numpy as np
from jaxtyping import Float64, Shaped

_Pair = TypeVar("_Pair", tuple[int, int], tuple[float, float])


@dataclass(frozen=True)
class GridSymmetry:
    """What becomes of an image's axes: directions d = (right, down) become `matrix` d, a signed permutation.

    The matrix is stored as ((a, b), (c, d)) of −1, 0 and 1.
    """

    matrix: tuple[tuple[int, int], tuple[int, int]]

    @classmethod
    def identity(cls) -> Self:
        """The image as it is."""
        return cls(((1, 0), (0, 1)))

    @classmethod
    def mirrored_columns(cls) -> Self:
        """Left and right swapped."""
        return cls(((-1, 0), (0, 1)))

    @classmethod
    def turned_clockwise(cls, quarters: int) -> Self:
        """Turned clockwise by `quarters` of 90°: right becomes down, down becomes left."""
        return cls._from_array(np.linalg.matrix_power(np.array([[0, -1], [1, 0]]), quarters % 4))

    @classmethod
    def every(cls) -> Iterator[Self]:
        """All eight."""
        for transposed, right, down in product((False, True), (1, -1), (1, -1)):
            yield cls(((0, right), (down, 0)) if transposed else ((right, 0), (0, down)))

    @classmethod
    def _from_array(cls, matrix: np.ndarray) -> Self:
        (a, b), (c, d) = np.rint(matrix).astype(int).tolist()
        return cls(((a, b), (c, d)))

    @property
    def transposes(self) -> bool:
        """Whether rows become columns."""
        return self.matrix[0][0] == 0

    def after(self, first: GridSymmetry) -> Self:
        """The symmetry that does `first` and then this one."""
        return self._from_array(np.array(self.matrix) @ np.array(first.matrix))

    def inverse(self) -> Self:
        """The symmetry that undoes this one."""
        return self._from_array(np.array(self.matrix).T)

    def image(self, pixels: Shaped[np.ndarray, "rows columns"]) -> Shaped[np.ndarray, "r c"]:
        """The image laid out anew; no value changes."""
        pixels = pixels.T if self.transposes else pixels
        return np.ascontiguousarray(pixels[:: sum(self.matrix[1]), :: sum(self.matrix[0])])

    def pair(self, of_rows_and_columns: _Pair) -> _Pair:
        """A size or a spacing (rows, columns) of the image laid out anew."""
        return of_rows_and_columns[::-1] if self.transposes else of_rows_and_columns

    def pixel(self, pixel: tuple[float, float], size: tuple[int, int]) -> tuple[float, float]:
        """Where pixel (u, v) of an image of `size` (rows, columns) comes to lie."""
        rows, columns = self.pair(size)
        last = np.array([columns - 1, rows - 1]) * (np.sum(self.matrix, axis=1) < 0)
        u, v = np.array(self.matrix) @ np.asarray(pixel, dtype=np.float64) + last
        return float(u), float(v)

    def agreement(self, new_by_old: Float64[np.ndarray, "2 2"]) -> float:
        """Sum of the cosines between wished new axes and old ones that this symmetry brings onto each other."""
        return float(np.sum(np.array(self.matrix) * new_by_old))

    def __str__(self) -> str:
        names = {
            ((1, 0), (0, 1)): "as stored",
            ((-1, 0), (0, 1)): "columns mirrored",
            ((1, 0), (0, -1)): "rows mirrored",
            ((-1, 0), (0, -1)): "turned by 180°",
            ((0, -1), (1, 0)): "turned clockwise by 90°",
            ((0, 1), (-1, 0)): "turned counterclockwise by 90°",
            ((0, 1), (1, 0)): "transposed",
            ((0, -1), (-1, 0)): "transposed and turned by 180°",
        }
        return names[self.matrix]
