"""The pictures of docs/simulator.md: one head, each effect beside the same X-ray without it. `make pictures`.

python docs/make/simulator.py

The head is the Visible Human's where FLUOROREG_DATA or the network has it, else the computed one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from DiffRegistrationLib.evaluation.subjects import phantom, visible_human
from DiffRegistrationLib.registration.starts import pose_of_view
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry.c_arm import c_arm_camera
from DiffRegistrationLib.xray.simulator import Simulator, XraySettings
from DiffRegistrationLib.xray.simulator.collimator import Collimator, Rectangle, Round, Shutters
from DiffRegistrationLib.xray.simulator.detector_blur import DetectorBlur
from DiffRegistrationLib.xray.simulator.display import Curve, Display
from DiffRegistrationLib.xray.simulator.distortion import Distortion
from DiffRegistrationLib.xray.simulator.focal_spot import FocalSpot
from DiffRegistrationLib.xray.simulator.motion import Motion
from DiffRegistrationLib.xray.simulator.noise import QuantumNoise
from DiffRegistrationLib.xray.simulator.objects.hardware import Electrodes, Screws
from DiffRegistrationLib.xray.simulator.objects.supports import HeadHolder, Table
from DiffRegistrationLib.xray.simulator.objects.vessels import Side, Vessels
from DiffRegistrationLib.xray.simulator.objects.wires import GuideWire, Wires
from DiffRegistrationLib.xray.simulator.scatter import Scatter
from DiffRegistrationLib.xray.simulator.spectrum import Tube
from DiffRegistrationLib.xray.simulator.veiling_glare import VeilingGlare
from DiffRegistrationLib.xray.simulator.vignetting import Vignetting
from jaxtyping import Float64
from PIL import Image, ImageDraw, ImageFont

IMAGES = Path(__file__).parents[1] / "images"

_TILE, _GAP, _WORDS, _COLUMNS = 296, 5, 42, 4
_SIZE, _FIELD_MM, _SEED = 592, 384.0, 11
# Details (middle from the left, from the top, width; parts of the image): the carotid's siphon, the vault, the teeth.
_SIPHON, _VAULT, _TEETH = (0.62, 0.45, 0.2), (0.5, 0.2, 0.4), (0.8, 0.55, 0.25)
_BACKGROUND, _INK, _FAINT, _GRID = (13, 17, 23), (240, 246, 252), (160, 170, 182), (70, 150, 255)

# What every X-ray has, unless a tile says otherwise.
BASE = XraySettings(
    body_below_mm=150.0,
    focal_spot=FocalSpot(0.6),
    scatter=Scatter(0.3),
    noise=QuantumNoise(150.0, electronic_quanta=1.0),
    blur=DetectorBlur(0.2, tail_fraction=0.1),
)


@dataclass(frozen=True)
class Tile:
    """One X-ray: two lines of words, settings, view, the detail that it shows, and how.

    Grey values are shown `stored`, or their logarithms in a window, which ends where the patient is thin or, with
    `air`, where nothing is. A `grid` is drawn as the distortion bends it.
    """

    name: str
    words: str
    settings: XraySettings = BASE
    view: str = "ap"
    detail: tuple[float, float, float] | None = None
    stored: bool = False
    grid: bool = False
    air: bool = False


def with_changes(**changes: object) -> XraySettings:
    """The base with other effects."""
    return replace(BASE, **changes)  # type: ignore[arg-type]


# A detail's field is small, so that its scatter would not be the whole X-ray's.
QUIET = XraySettings(body_below_mm=150.0)
WIRE = replace(QUIET, guide_wire=GuideWire())


def beam_and_noise() -> list[Tile]:
    """Voltage, body, scatter, glare, noise; and what blurs, in a detail with a guide-wire."""

    def wire(name: str, words: str, **changes: object) -> Tile:
        return Tile(name, words, replace(WIRE, **changes), "left-lateral", _SIPHON)  # type: ignore[arg-type]

    return [
        Tile("60 kV", "tube", with_changes(tube=Tube(kilovolts=60))),
        Tile("120 kV", "less contrast of bone", with_changes(tube=Tube(kilovolts=120))),
        Tile("without body_below_mm", "the CT ends", with_changes(body_below_mm=0.0), "left-lateral"),
        Tile("body_below_mm", "150 mm", view="left-lateral"),
        Tile("without scatter", "", with_changes(scatter=None)),
        Tile("scatter", "0.8 of the primary behind 200 mm", with_changes(scatter=Scatter(0.8))),
        Tile("without glare", ""),
        Tile("glare", "12 %, reach 40 mm", with_changes(glare=VeilingGlare(0.12, 40.0))),
        Tile("without noise", "", with_changes(noise=None)),
        Tile("noise", "1000 nGy at the detector", with_changes(noise=QuantumNoise(1000.0, 1.0))),
        Tile("noise", "150 nGy", with_changes(noise=QuantumNoise(150.0, 1.0))),
        Tile("noise", "20 nGy", with_changes(noise=QuantumNoise(20.0, 1.0))),
        wire("without any blur", "detail with a guide-wire"),
        wire("focal_spot", "1.2 mm, magnified 1.46 times", focal_spot=FocalSpot(1.2)),
        wire("blur", "sigma 0.6 mm, a tenth strays 1 mm", blur=DetectorBlur(0.6, 0.1)),
        wire("motion", "1.5° and 2.5 mm", motion=Motion(1.5, 2.5)),
    ]


def collimation() -> list[Tile]:
    """The open field and three that are not."""
    shutters = Shutters(((120.0, 200.0), (100.0, 330.0), (130.0, 80.0)))
    return [
        Tile("without collimator", "the beam ends with the image"),
        Tile("collimator", "three shutters", with_changes(collimator=Collimator((shutters,)))),
        Tile(
            "collimator",
            "rectangle turned by 20°",
            with_changes(collimator=Collimator((Rectangle((8.0, -12.0), (200.0, 240.0), 20.0),))),
        ),
        Tile(
            "collimator", "round, lead leaks 3 %", with_changes(collimator=Collimator((Round(150.0),), 2.0, leak=0.03))
        ),
    ]


def distortion_and_display() -> list[Tile]:
    """What an image intensifier bends, and what a display makes of one signal."""
    radius = _FIELD_MM / 2

    def shown(name: str, words: str, display: Display) -> Tile:
        return Tile(name, words, with_changes(display=display), stored=True)

    return [
        Tile("without distortion", "with a grid drawn over it", grid=True, air=True),
        Tile(
            "distortion", "pincushion 0.1", with_changes(distortion=Distortion(0.1, 0.0, radius)), grid=True, air=True
        ),
        Tile("distortion", "S-turn 6°", with_changes(distortion=Distortion(0.0, 6.0, radius)), grid=True, air=True),
        Tile(
            "vignetting",
            "half lost in the corners",
            with_changes(vignetting=Vignetting(0.5, radius * 2**0.5)),
            air=True,
        ),
        shown("display: linear", "as stored, like the next seven", Display()),
        shown("linear, exposure 12", "the head shows, air burns out", Display(exposure=12.0)),
        shown("square-root", "noise is even", Display(curve=Curve.SQUARE_ROOT)),
        shown("logarithmic", "steps of thickness are even", Display(curve=Curve.LOGARITHMIC)),
        shown("sigmoid, exposure 8", "film", Display(curve=Curve.SIGMOID, exposure=8.0)),
        shown("gamma 0.6", "logarithmic", Display(curve=Curve.LOGARITHMIC, gamma=0.6)),
        shown("gamma 2", "logarithmic", Display(curve=Curve.LOGARITHMIC, gamma=2.0)),
        shown("bone_is_bright", "logarithmic", Display(curve=Curve.LOGARITHMIC, bone_is_bright=True)),
    ]


def objects() -> list[Tile]:
    """What is on the head and under it."""
    return [
        Tile("without objects", "from the front"),
        Tile("wires", "4 of 1.2 mm copper", with_changes(wires=Wires(4, 1.2))),
        Tile("screws", "12 of titanium, on plates", with_changes(screws=Screws(12))),
        Tile("electrodes", "18 silver cups", with_changes(electrodes=Electrodes(18))),
        Tile("without objects", "from the side", view="left-lateral", air=True),
        Tile("head_holder", "carbon fibre", with_changes(head_holder=HeadHolder()), "left-lateral", air=True),
        Tile("table", "carbon fibre and foam", with_changes(table=Table()), "left-lateral", air=True),
        Tile(
            "vessels, guide_wire and wires",
            "together",
            with_changes(vessels=Vessels(200.0), guide_wire=GuideWire(), wires=Wires(4, 1.2)),
            "left-lateral",
        ),
        Tile("without screws", "the vault, from the front", QUIET, detail=_VAULT),
        Tile("screws", "12 of titanium, on plates", replace(QUIET, screws=Screws(12)), detail=_VAULT),
        Tile("without guide_wire", "the siphon, from the side", QUIET, "left-lateral", _SIPHON),
        Tile("guide_wire", "steel, platinum tip", WIRE, "left-lateral", _SIPHON),
    ]


def vessels_and_motion() -> list[Tile]:
    """Contrast-filled arteries, and a patient who does not keep still."""
    moving = replace(QUIET, motion=Motion(1.5, 2.5))
    return [
        Tile("without vessels", "from the front"),
        Tile("vessels", "right, 200 mg iodine/ml", with_changes(vessels=Vessels(200.0))),
        Tile("vessels", "both sides", with_changes(vessels=Vessels(200.0, Side.BOTH))),
        Tile("vessels", "right, from the side", with_changes(vessels=Vessels(200.0)), "left-lateral"),
        Tile("without motion", "the vault", QUIET, detail=_VAULT),
        Tile("motion", "1.5° and 2.5 mm", moving, detail=_VAULT),
        Tile("without motion", "the teeth", QUIET, "left-lateral", _TEETH),
        Tile("motion", "1.5° and 2.5 mm", moving, "left-lateral", _TEETH),
    ]


SHEETS = {
    "simulator-beam.jpg": beam_and_noise,
    "simulator-collimation.jpg": collimation,
    "simulator-display.jpg": distortion_and_display,
    "simulator-objects.jpg": objects,
    "simulator-vessels.jpg": vessels_and_motion,
}


@cache
def head() -> CT:
    """Whose X-rays they are."""
    try:
        return visible_human().full
    except InputError:
        return phantom().full


@cache
def grey_values(
    settings: XraySettings, view: str, detail: tuple[float, float, float] | None
) -> Float64[np.ndarray, "rows columns"]:
    """The X-ray's grey values from 0 to 1; a detail has pixels of its own."""
    camera = c_arm_camera(
        source_detector_distance=1020.0,
        source_object_distance=700.0,
        pixel_spacing=(_FIELD_MM / _SIZE, _FIELD_MM / _SIZE),
        size=(_SIZE, _SIZE),
        primary_angle_deg=180.0 if view == "ap" else 90.0,
    )
    pose = pose_of_view(view, head(), camera)
    if detail is not None:
        x, y, width = (round(_SIZE * part) for part in detail)
        camera = camera.cropped(y - width // 2, x - width // 2, (width, width)).resampled((_SIZE, _SIZE))
    pixels = Simulator(head(), settings, _SEED).expose(camera, pose).pixels
    return pixels / (2**settings.display.bits - 1)


def logarithms(tile: Tile) -> Float64[np.ndarray, "rows columns"]:
    """Of the tile's grey values."""
    return np.log(np.maximum(grey_values(tile.settings, tile.view, tile.detail), 1e-5))


def picture(tile: Tile, window: tuple[float, float]) -> Image.Image:
    """The tile's image: grey values as stored, else their logarithm in a window, at the tile's size."""
    if tile.stored:
        grey = grey_values(tile.settings, tile.view, tile.detail)
    else:
        grey = np.clip((logarithms(tile) - window[0]) / (window[1] - window[0]), 0, 1)
    shown = Image.fromarray(np.rint(255 * grey).astype(np.uint8))
    shown = shown.resize((_TILE, _TILE), Image.Resampling.LANCZOS).convert("RGB")
    if tile.grid:
        draw_grid(shown, tile.settings.distortion)
    return shown


def draw_grid(image: Image.Image, distortion: Distortion | None) -> None:
    """A grid of six by six squares on the detector, as it appears."""
    draw = ImageDraw.Draw(image)
    along = np.linspace(-1.2, 1.2, 49) * _FIELD_MM / 2
    for place in np.linspace(-1, 1, 7) * _FIELD_MM / 2:
        for line in (np.stack([along, np.full(49, place)], 1), np.stack([np.full(49, place), along], 1)):
            bent = line if distortion is None else distortion.distorted(line)
            points = (bent / _FIELD_MM + 0.5) * _TILE
            draw.line([tuple(point) for point in points.tolist()], fill=_GRID)


def window_of(tile: Tile) -> tuple[float, float]:
    """The logarithms that are black and white."""
    low, high = np.quantile(logarithms(tile), [0.01, 0.98 if tile.detail else 0.995 if tile.air else 0.6])
    return float(low - 0.15 * (high - low)), float(high)


def sheet(tiles: Sequence[Tile]) -> Image.Image:
    """All tiles in rows; tiles of one view, detail and kind share the window of the first of them."""
    rows = -(-len(tiles) // _COLUMNS)
    width, height = _COLUMNS * (_TILE + _GAP) - _GAP, rows * (_TILE + _WORDS)
    drawn = Image.new("RGB", (width, height), _BACKGROUND)
    draw, bold, plain = ImageDraw.Draw(drawn), ImageFont.load_default(17), ImageFont.load_default(14)
    windows: dict[object, tuple[float, float]] = {}
    for number, tile in enumerate(tiles):
        x = number % _COLUMNS * (_TILE + _GAP)
        y = number // _COLUMNS * (_TILE + _WORDS)
        alike = (tile.view, tile.detail, tile.air)
        if alike not in windows:
            windows[alike] = window_of(tile)
        drawn.paste(picture(tile, windows[alike]), (x, y))
        draw.text((x + 2, y + _TILE + 10), tile.name, fill=_INK, font=bold, anchor="lm")
        draw.text((x + 2, y + _TILE + 29), tile.words, fill=_FAINT, font=plain, anchor="lm")
    return drawn


def main() -> None:
    """Make every sheet."""
    IMAGES.mkdir(exist_ok=True)
    for name, tiles in SHEETS.items():
        sheet(tiles()).save(IMAGES / name, quality=82, optimize=True)
        print("Wrote", IMAGES / name, f"{(IMAGES / name).stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
