"""Shadows of what lies in the beam besides the patient: a stock of pictures that training draws from.

The simulator places its wires, screws and vessels in space, which takes seconds an X-ray. Training has milliseconds,
and its images are coarse: strokes, discs and bars of the right width and absorption must do.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32

# Line integrals through the middle: a thread of contrast medium, a steel wire, a screw, a table's edge.
_STROKE = (0.15, 2.5)
_DISC = (0.3, 3.0)
_BAR = (0.1, 0.8)


def shadows(count: int, size: int, pixel_mm: float, random: np.random.Generator) -> Float32[np.ndarray, "count n n"]:
    """`count` images of line integrals, `size`² pixels of `pixel_mm` at the detector: some curves, discs or a bar."""
    return np.stack([_shadow(size, pixel_mm, random) for _ in range(count)])


def _shadow(size: int, pixel_mm: float, random: np.random.Generator) -> Float32[np.ndarray, "n n"]:
    image = np.zeros((size, size), dtype=np.float32)
    y, x = np.mgrid[:size, :size].astype(np.float32)
    match random.choice(["curves", "discs", "bar"], p=[0.55, 0.3, 0.15]):
        case "curves":
            for _ in range(random.integers(1, 6)):
                _draw_curve(image, random, width=random.uniform(0.4, 4.0) / pixel_mm)
        case "discs":
            for _ in range(random.integers(2, 16)):
                centre, radius = random.uniform(0, size, 2), random.uniform(1.5, 8.0) / pixel_mm
                distance = np.hypot(x - centre[0], y - centre[1])
                image += random.uniform(*_DISC) * np.clip(radius + 0.5 - distance, 0, 1)
        case _:
            angle, offset = random.uniform(0, np.pi), random.uniform(-0.4, 0.4) * size
            along = (x - size / 2) * np.cos(angle) + (y - size / 2) * np.sin(angle) - offset
            width = random.uniform(2, 40) / pixel_mm
            image += random.uniform(*_BAR) * np.clip(width - np.abs(along) + 0.5, 0, 1)
    return image


def _draw_curve(image: Float32[np.ndarray, "n n"], random: np.random.Generator, width: float) -> None:
    """A smooth curve by splatting many points of a Bézier; a stroke thinner than a pixel is as much fainter."""
    size = len(image)
    corners = random.uniform(-0.2 * size, 1.2 * size, (4, 2))
    t = np.linspace(0, 1, 6 * size)[:, None]
    points = (
        (1 - t) ** 3 * corners[0]
        + 3 * t * (1 - t) ** 2 * corners[1]
        + 3 * t**2 * (1 - t) * corners[2]
        + t**3 * corners[3]
    )
    stroke = np.zeros_like(image)
    reach = max(1, int(np.ceil(width / 2 + 0.5)))
    whole = np.rint(points).astype(int)
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            at = whole + np.array([dx, dy])
            inside = ((at >= 0) & (at < size)).all(axis=1)
            distance = np.hypot(*(at - points).T)[inside]
            cover = min(width, 1.0) * np.clip(max(width, 1.0) / 2 + 0.5 - distance, 0, 1)
            np.maximum.at(stroke, (at[inside, 1], at[inside, 0]), cover.astype(np.float32))
    image += np.float32(random.uniform(*_STROKE)) * stroke
