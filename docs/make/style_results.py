"""The part of docs/results.md on looks: what translating X-rays to the look of DRRs is worth.

X-rays, networks and figures are kept below evaluation/style, so that a second call only writes; to measure anew,
delete that folder.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from DiffRegistrationLib.xray.files.sample_data import DATA_VARIABLE, sample
from DiffRegistrationLib.xray.files.xray_files import read_line_integrals
from evaluations import FOLDER, Measure, Table
from kept_networks import trained as trained_network
from LandmarkDetectionLib.atlas.head import VISIBLE_HUMAN_LANDMARKS, VISIBLE_HUMAN_SAMPLE
from paragraphs import paragraph
from PIL import Image

_KEPT = FOLDER / "style"
_XRAYS, _JUDGED = 120, 60
PLAIN_MINUTES, STYLE_MINUTES, REAL_MINUTES = 10, 12, 5
_PICTURE = Path(__file__).parents[1] / "images" / "style-real.jpg"
_REAL_FOLDERS, _TILE, _GAP = ("wrist_biplane", "knee_biplane"), 320, 6
_METHODS = {"cut": "CUT", "cyclegan": "CycleGAN"}


def run(measured: Measure, randomised: Path, of_scout: Path) -> dict[str, Any]:
    """What the commands print; `randomised` is the head's network that was trained on X-rays of many looks, `of_scout`
    that of the skull whose localizer is the real X-ray.
    """
    _KEPT.mkdir(parents=True, exist_ok=True)
    of_head = (str(sample(VISIBLE_HUMAN_SAMPLE)), "--landmarks", str(VISIBLE_HUMAN_LANDMARKS))
    xrays, plain = _KEPT / "xrays", _KEPT / "plain.pt"
    if not xrays.is_dir():
        measured("style", "simulate", *of_head, "--out", str(xrays), "--count", str(_XRAYS))
    trained = {"plain": trained_network(plain, PLAIN_MINUTES, "landmarks", "train", *of_head, "--plain")}
    for method in _METHODS:
        arguments = ("style", "train", str(xrays), "--method", method, "--ct", of_head[0])
        trained[method] = trained_network(_KEPT / f"{method}.pt", STYLE_MINUTES, *arguments)
    figures = _KEPT / "figures.json"
    if not figures.exists():
        networks = ("--network", f"plain={plain}", "--network", f"randomised={randomised}")
        translations = [
            word for method in _METHODS for word in ("--translation", f"{method}={_KEPT / f'{method}.pt'}")
        ]
        found = measured("style", "evaluate", *of_head, *networks, *translations, "--count", str(_JUDGED))
        figures.write_text(json.dumps(found), encoding="utf-8")
    scout = _KEPT / "scout-figures.json"
    if not scout.exists():
        ways = {"untranslated": ()} | {m: ("--style", str(_KEPT / f"{m}.pt")) for m in _METHODS}
        judged = {
            way: measured("landmarks", "evaluate", str(of_scout), "--scout", *style) for way, style in ways.items()
        }
        scout.write_text(json.dumps(judged), encoding="utf-8")
    found = {"trained": trained, **json.loads(figures.read_text(encoding="utf-8"))}
    return found | {"scout": json.loads(scout.read_text(encoding="utf-8")), "real": _real(measured)}


def _real(measured: Measure) -> dict[str, Any] | None:
    """Real X-rays of a wrist and a knee, translated, with their picture; None where they are not at hand."""
    data = Path(os.environ.get(DATA_VARIABLE, ""))
    files = [file for folder in _REAL_FOLDERS for file in sorted((data / folder).glob("cam*.tif"))]
    if not os.environ.get(DATA_VARIABLE) or not files:
        return None
    xrays, translated, model = _KEPT / "real-xrays", _KEPT / "real-translated", _KEPT / "real.pt"
    xrays.mkdir(exist_ok=True)
    for number, file in enumerate(files):
        shutil.copy(file, xrays / f"{number}{file.suffix}")
    trained_network(model, REAL_MINUTES, "style", "train", str(xrays))
    copies = [str(file) for file in sorted(xrays.iterdir())]
    told = measured("style", "apply", str(model), *copies, "--out", str(translated))
    _write_picture(sorted(xrays.iterdir()), sorted(translated.glob("*.png")))
    return {"x_rays": len(files), **told}


def _write_picture(before: list[Path], after: list[Path]) -> None:
    """X-rays above, what the translation makes of them below."""
    rows = [[_tile(_line_integrals(file)) for file in before], [_tile(_pixels(file)) for file in after]]
    step = _TILE + _GAP
    sheet = Image.new("L", (len(before) * step - _GAP, 2 * step - _GAP), 255)
    for row, tiles in enumerate(rows):
        for column, tile in enumerate(tiles):
            sheet.paste(tile, (column * step, row * step))
    sheet.save(_PICTURE, quality=88)


def _line_integrals(file: Path) -> np.ndarray:
    """What is usable of an X-ray, on its darkest tone."""
    xray = read_line_integrals(file)[0]
    return np.where(xray.mask, xray.attenuation, xray.attenuation[xray.mask].min())


def _pixels(file: Path) -> np.ndarray:
    return np.asarray(Image.open(file), dtype=np.float32)


def _tile(values: np.ndarray) -> Image.Image:
    low, high = np.percentile(values, [0.5, 99.5])
    grey = Image.fromarray(np.uint8(255 * np.clip((values - low) / max(high - low, 1e-6), 0, 1)))
    return grey.resize((_TILE, _TILE), Image.Resampling.LANCZOS)


def in_words(found: dict[str, Any], table: Table) -> str:
    """The table of networks and ways to prepare X-rays."""
    minutes = {
        "untranslated": "",
        "clean DRRs": "",
        "matched tones": "0",
        **dict.fromkeys(_METHODS, str(STYLE_MINUTES)),
    }
    words = {"plain": "trained on clean DRRs alone", "randomised": "trained on many looks"}
    rows = [
        (
            f"{words[network]}: {_METHODS.get(way, way)}",
            minutes[way],
            f"{one['mean_mm']:.2f} mm",
            f"{one['median_mm']:.2f} mm",
            f"{one['within_10_mm']:.1%}",
            f"{one['mean_mm'] / ways['clean DRRs']['mean_mm']:.2f}",
        )
        for network, ways in found["errors"].items()
        for way, one in ways.items()
    ]
    shifts = ", ".join(f"{name} {found['shift_px'][method]:.2f} px" for method, name in _METHODS.items())
    trained = found["trained"]
    told = paragraph(
        f"Landmarks that are seen, in {found['x_rays']} simulated X-rays (evaluation ranges) of the head that two "
        f"networks know: one was trained for {PLAIN_MINUTES} minutes on clean DRRs alone "
        f"({trained['plain']['step']} steps), the other on DRRs in many looks. Translations were learnt from "
        f"{_XRAYS} other X-rays of the same kind, on two cores; structures move by {shifts} at 128 px. "
        "The last column is the error beside that of the same network on clean DRRs of the same views behind the same "
        "shutters."
    )
    heading = ("", "minutes to translate", "mean", "median", "within 10 mm", "of clean DRRs")
    return f"""## Looks

{told}

{table(heading, rows)}

{_scout_in_words(found["scout"], table)}
{_real_in_words(found["real"])}
**What this does not show:** that real X-rays differ from DRRs as simulated ones do."""


def _scout_in_words(scout: dict[str, Any], table: Table) -> str:
    rows = []
    for way, one in scout.items():
        for key, words in (("translated", ", translated alone"), ("scout", ", as detection does")):
            if f"{key}_mean_mm" in one:
                told = f"{one[f'{key}_mean_mm']:.2f} mm", f"{one[f'{key}_within_10_mm']:.1%}"
                rows.append((_METHODS.get(way, way) + (words if way in _METHODS else ""), *told))
    said = paragraph(
        "The real localizer of a plastic skull, by that skull's own network, through the same translations, which "
        "were learnt from other X-rays. Detection shows a network of many looks the X-ray as it is, too, and takes "
        "what it is surer of:"
    )
    return f"{said}\n\n{table(('', 'mean', 'within 10 mm'), rows)}\n"


def _real_in_words(real: dict[str, Any] | None) -> str:
    if real is None:
        return ""
    shift = np.mean([one["shift_px"] for one in real["translated"] if one["shift_px"] is not None])
    said = paragraph(
        f"Real X-rays of a wrist and a knee (two fluoroscopes each), above, and what a translation makes of them that "
        f"was learnt from these {real['x_rays']} in {REAL_MINUTES} minutes, without their bones ever being rendered. "
        f"Structures move by {shift:.2f} px at 128 px."
    )
    return f"{said}\n\n![Real X-rays and their translations](images/{_PICTURE.name})\n"
