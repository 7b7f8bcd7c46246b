"""The part of docs/results.md on looks: what translating X-rays to the look of DRRs is worth.

X-rays, networks and figures are kept below evaluation/style, so that a second call only writes; to measure anew,
delete that folder.
"""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

from DiffRegistrationLib.xray.files.sample_data import sample
from evaluations import FOLDER, Measure, Table
from kept_networks import trained as trained_network
from LandmarkDetectionLib.atlas.head import VISIBLE_HUMAN_LANDMARKS, VISIBLE_HUMAN_SAMPLE

_KEPT = FOLDER / "style"
_XRAYS, _JUDGED = 120, 60
PLAIN_MINUTES, STYLE_MINUTES = 10, 20
_METHODS = {"cut": "CUT", "cyclegan": "CycleGAN"}


def run(measured: Measure, randomised: Path) -> dict[str, Any]:
    """What the commands print; `randomised` is the head's network that was trained on X-rays of many looks."""
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
    return {"trained": trained, **json.loads(figures.read_text(encoding="utf-8"))}


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
    told = textwrap.fill(
        f"Landmarks that are seen, in {found['x_rays']} simulated X-rays (evaluation ranges) of the head that two "
        f"networks know: one was trained for {PLAIN_MINUTES} minutes on clean DRRs alone "
        f"({trained['plain']['step']} steps), the other on DRRs in many looks. Translations were learnt from "
        f"{_XRAYS} other X-rays of the same kind, on two cores; structures move by {shifts} at 128 px. "
        "The last column is the error beside that of the same network on clean DRRs of the same views behind the same "
        "shutters.",
        118,
    )
    heading = ("", "minutes to translate", "mean", "median", "within 10 mm", "of clean DRRs")
    return f"""## Looks

{told}

{table(heading, rows)}

**What this does not show:** that real X-rays differ from DRRs as simulated ones do."""
