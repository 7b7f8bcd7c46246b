"""The icons of the extension and of its two modules: `python docs/make/icons.py`.

One family: a dark tile and a skull in profile. DiffRegistration lays two of them over each other in the colours of its
overlay, green and magenta, which make white where they agree; SkullLandmarkDetection marks the skull's points, right,
left and on the midline; the extension puts the skull between source and detector. Drawn at four times the size.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float64
from PIL import Image, ImageChops, ImageDraw

ROOT = Path(__file__).parents[2]
SIZE, _FINENESS = 128, 4

Colour = tuple[int, int, int]
_TILE, _BONE = (20, 32, 44), (206, 216, 226)
_XRAY, _CT, _BEAM = (60, 226, 120), (206, 40, 168), (255, 196, 38)
_RIGHT, _LEFT, _MIDLINE = (255, 99, 71), (60, 200, 110), (255, 214, 64)

# A skull that looks to the left, in a box of 100 × 100, y down. Skull without jaw from the nasion over the vertex; the
# jaw from its condyle down; orbit and the space below the cheekbone as (centre, half axes).
_CRANIUM = (
    (13, 45), (9, 40), (9, 31), (14, 19), (26, 8), (44, 2), (62, 2), (79, 8), (92, 20), (97, 34), (95, 47), (87, 58),
    (76, 62), (71, 69), (65, 70), (61, 62), (54, 60), (48, 64), (44, 74), (36, 78), (15, 78), (10, 72), (8, 65),
    (15, 60), (7, 55),
)  # fmt: skip
_JAW = (
    (55, 64), (59, 70), (57, 82), (50, 89), (34, 95), (18, 99), (11, 95), (12, 88), (15, 82), (36, 82), (46, 78),
    (49, 68),
)  # fmt: skip
_ORBIT, _TEMPLE = ((24, 48), (8.5, 7.5)), ((45, 55), (6.5, 4.0))


def smooth(corners: tuple[tuple[float, float], ...], pieces: int = 12) -> Float64[np.ndarray, "n 2"]:
    """A closed Catmull–Rom curve through the corners."""
    p1 = np.array(corners, dtype=np.float64)
    p0, p2, p3 = np.roll(p1, 1, axis=0), np.roll(p1, -1, axis=0), np.roll(p1, -2, axis=0)
    t = (np.arange(pieces) / pieces)[None, :, None]
    p0, p1, p2, p3 = (p[:, None, :] for p in (p0, p1, p2, p3))
    curve = (2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3) / 2
    return curve.reshape(-1, 2)


class Drawing:
    """A tile in the units of the icon's pixels, drawn `_FINENESS` times as fine."""

    def __init__(self) -> None:
        side = SIZE * _FINENESS
        self.image = Image.new("RGB", (side, side), _TILE)

    def skull(self, colour: Colour, place: tuple[float, float], width: float) -> None:
        """A skull added as light, its box's upper left corner at `place`."""
        light = Image.new("RGB", self.image.size)
        light.paste(colour, mask=self._skull_mask(place, width))
        self.image = ImageChops.add(self.image, light)

    def clear_skull(self, place: tuple[float, float], width: float) -> None:
        """What is drawn already goes behind a skull at `place`."""
        self.image.paste(_TILE, mask=self._skull_mask(place, width))

    def _skull_mask(self, place: tuple[float, float], width: float) -> Image.Image:
        mask = Image.new("L", self.image.size, 0)
        draw, scale = ImageDraw.Draw(mask), width / 100

        def on(points: Float64[np.ndarray, "n 2"]) -> list[tuple[float, float]]:
            return [(float(x), float(y)) for x, y in (points * scale + place) * _FINENESS]

        for outline in (_CRANIUM, _JAW):
            draw.polygon(on(smooth(outline)), fill=255)
        for centre, half in (_ORBIT, _TEMPLE):
            box = np.array([np.subtract(centre, half), np.add(centre, half)])
            draw.ellipse([value for point in on(box) for value in point], fill=0)
        return mask

    def line(self, colour: Colour, points: list[tuple[float, float]], width: float) -> None:
        """A line with round ends."""
        draw, half = ImageDraw.Draw(self.image), width * _FINENESS / 2
        fine = [(x * _FINENESS, y * _FINENESS) for x, y in points]
        draw.line(fine, fill=colour, width=round(2 * half), joint="curve")
        for x, y in fine:
            draw.ellipse([x - half, y - half, x + half, y + half], fill=colour)

    def dot(self, colour: Colour, centre: tuple[float, float], radius: float, rim: Colour | None = None) -> None:
        """A disc, with a rim that sets it off."""
        draw = ImageDraw.Draw(self.image)
        x, y = centre[0] * _FINENESS, centre[1] * _FINENESS
        for r, fill in ((radius + 2.5, rim), (radius, colour)):
            if fill is not None:
                draw.ellipse([x - r * _FINENESS, y - r * _FINENESS, x + r * _FINENESS, y + r * _FINENESS], fill=fill)

    def finished(self) -> Image.Image:
        """The icon, transparent beyond the tile's round corners."""
        side = SIZE * _FINENESS
        tile = Image.new("L", (side, side), 0)
        ImageDraw.Draw(tile).rounded_rectangle(
            [2 * _FINENESS, 2 * _FINENESS, side - 2 * _FINENESS - 1, side - 2 * _FINENESS - 1],
            22 * _FINENESS,
            fill=255,
        )
        image = self.image.copy()
        image.putalpha(tile)
        return image.resize((SIZE, SIZE), Image.Resampling.LANCZOS)


def registration() -> Image.Image:
    """X-ray and CT, not quite on each other."""
    drawing = Drawing()
    drawing.skull(_XRAY, (12, 13), 98)
    drawing.skull(_CT, (19, 19), 98)
    return drawing.finished()


def landmarks() -> Image.Image:
    """A skull with landmarks of either side and on the midline."""
    drawing = Drawing()
    drawing.skull((112, 126, 140), (15, 12), 98)
    for colour, places in (
        (_MIDLINE, ((27, 56), (72, 17), (107, 68), (28, 106))),
        (_RIGHT, ((64, 74), (43, 90))),
        (_LEFT, ((88, 82), (70, 99))),
    ):
        for place in places:
            drawing.dot(colour, place, 6.6, _TILE)
    return drawing.finished()


def extension() -> Image.Image:
    """A skull in the beam between source and detector."""
    drawing = Drawing()
    source, ends = (19.0, 64.0), ((112.0, 17.0), (112.0, 111.0))
    for end in ends:
        drawing.line(_BEAM, [source, end], 3.4)
    drawing.line(_BONE, list(ends), 7.5)
    places = ((_XRAY, (43.0, 34.0)), (_CT, (46.0, 37.0)))
    for _, place in places:
        drawing.clear_skull(place, 58)
    for colour, place in places:
        drawing.skull(colour, place, 58)
    drawing.dot(_BEAM, source, 10.0)
    return drawing.finished()


ICONS = {
    "DiffRegistration/Resources/Icons/DiffRegistration.png": registration,
    "LandmarkDetection/Resources/Icons/SkullLandmarkDetection.png": landmarks,
    "Resources/Icons/FluoroRegistration.png": extension,
}


def main() -> None:
    """Draw them all."""
    for name, draw in ICONS.items():
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        draw().save(path, optimize=True)
        print("Wrote", name)


if __name__ == "__main__":
    main()
