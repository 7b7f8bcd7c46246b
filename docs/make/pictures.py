"""The pictures of README and extension catalog, from the demo's own registrations: `make pictures`.

python docs/make/pictures.py FOLDER

The demo is run into FOLDER first. The screenshot needs a browser (chromium).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from itertools import chain
from pathlib import Path

import numpy as np
from DiffRegistrationLib.demonstration import Case, real_scout, simulated_views
from DiffRegistrationLib.registration.starts import pose_of_view
from DiffRegistrationLib.report import pictures
from DiffRegistrationLib.report.intensity import matched_to_xray
from DiffRegistrationLib.xray.files.ct_files import read_ct
from DiffRegistrationLib.xray.geometry import rigid
from DiffRegistrationLib.xray.projector import Projector
from jaxtyping import Float32, UInt8
from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).parents[2]
GALLERY = ROOT / "docs" / "images" / "registration.png"
SCREENSHOT = ROOT / "Resources" / "Screenshots" / "report.png"

_TILE, _GAP, _HEAD, _SIDE = 250, 6, 34, 34
_COLUMNS = ("X-ray", "overlay at the start", "overlay, registered", "DRR, registered", "its edges on the X-ray")
_ROWS = {
    "real lateral": "real",
    "simulated AP": "simulated",
    "simulated lateral": "simulated",
}

Picture = UInt8[np.ndarray, "rows columns 3"]


def tiles(case: Case) -> list[Picture]:
    """X-ray, overlay at the start and at the end, DRR and edges of a case's first view."""
    ct, radiograph = read_ct(case.ct), case.xrays[0].read()
    projector = Projector(ct)
    camera = radiograph.camera
    middle = camera.project(rigid.transform_points(case.result.pose, [ct.centre]))[0]
    side = min(camera.size)
    row, column = (
        int(np.clip(round(float(m) - side / 2), 0, n - side)) for m, n in zip(middle[::-1], camera.size, strict=True)
    )
    radiograph = radiograph.cropped(row, column, (side, side))
    drr = case.result.drrs[0][row : row + side, column : column + side]
    # "right-lateral, mirrored twin" began as "right-lateral".
    view = case.result.start.split(",")[0]
    start = projector.render(radiograph.camera.rays(), pose_of_view(view, ct, camera))[0].reshape(side, side)
    xray, mask = enlarged(radiograph.attenuation), enlarged(radiograph.mask.astype(np.float32)) >= 0.5
    matched = matched_to_xray(enlarged(drr), xray, mask)
    gain, offset = np.polyfit(enlarged(drr).ravel(), matched.ravel(), 1)
    started = (gain * enlarged(start) + offset).astype(np.float32)
    window = pictures.grey_window(xray, mask)
    return [
        pictures.light_box(xray, mask, window),
        pictures.overlay(xray, started, mask, window),
        pictures.overlay(xray, matched, mask, window),
        pictures.light_box(matched, mask, window),
        pictures.edges(xray, matched, mask, window),
    ]


def enlarged(image: Float32[np.ndarray, "rows columns"]) -> Float32[np.ndarray, "tile tile"]:
    """An image at the size of a tile."""
    return np.asarray(Image.fromarray(image).resize((_TILE, _TILE), Image.Resampling.LANCZOS))


def gallery(cases: list[Case], path: Path) -> None:
    """One row a case, one column a step, with words above and beside."""
    width = _SIDE + len(_COLUMNS) * (_TILE + _GAP)
    sheet = Image.new("RGB", (width, _HEAD + len(cases) * (_TILE + _GAP)), (13, 17, 23))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(17)
    for number, name in enumerate(_COLUMNS):
        x = _SIDE + number * (_TILE + _GAP) + _TILE / 2
        draw.text((x, _HEAD / 2), name, fill=(230, 237, 243), font=font, anchor="mm")
    for number, case in enumerate(cases):
        top = _HEAD + number * (_TILE + _GAP)
        name = Image.new("RGB", (_TILE, _SIDE), (13, 17, 23))
        ImageDraw.Draw(name).text(
            (_TILE / 2, _SIDE / 2), f"{_ROWS[case.name]} X-ray", fill=(230, 237, 243), font=font, anchor="mm"
        )
        sheet.paste(name.rotate(90, expand=True), (0, top))
        for place, tile in enumerate(tiles(case)):
            sheet.paste(Image.fromarray(tile), (_SIDE + place * (_TILE + _GAP), top))
    path.parent.mkdir(parents=True, exist_ok=True)
    small(sheet).save(path, optimize=True)


def small(image: Image.Image) -> Image.Image:
    """The same picture in 256 colours of its own, dithered: a third of the bytes."""
    palette = image.quantize(256, method=Image.Quantize.MEDIANCUT, kmeans=3)
    return image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)


def screenshot(report: Path, path: Path) -> None:
    """The top of a report as a browser shows it; left as it is where there is no browser."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        print("No browser: the screenshot stays as it is.")
        return
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "report.png"
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        command += ["--window-size=1240,2110", f"--screenshot={shot}", report.resolve().as_uri()]
        subprocess.run(command, check=True, capture_output=True)
        image = Image.open(shot).convert("RGB").resize((930, 1582), Image.Resampling.LANCZOS)
        small(image).save(path, optimize=True)


def main(folder: Path) -> None:
    """Run the demo into `folder` and make every picture from it."""
    cases = {case.name: case for case in chain(simulated_views(folder, print), real_scout(folder, print))}
    gallery([cases[name] for name in _ROWS if name in cases], GALLERY)
    screenshot(cases["simulated lateral"].report, SCREENSHOT)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
