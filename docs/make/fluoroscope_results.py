"""A moving head placed by its landmarks between other pairs of fluoroscopes: other angles, and distortion left in.

The network and what the commands printed are kept below evaluation/fluoroscopes, so that a second call only writes.
"""

from __future__ import annotations

import json
from typing import Any

from DiffRegistrationLib.xray.files.sample_data import sample
from evaluations import FOLDER, Measure, Table
from kept_networks import trained as trained_network
from LandmarkDetectionLib.atlas.head import VISIBLE_HUMAN_LANDMARKS, VISIBLE_HUMAN_SAMPLE
from LandmarkDetectionLib.evaluation.dual_fluoroscopy import WAYS
from paragraphs import paragraph

KEPT = FOLDER / "fluoroscopes"
_MINUTES, _FRAME_PAIRS = 25, 6
_PAIRS = {
    "80° apart": (),
    "45° apart": ("--between", "45"),
    "20° apart": ("--between", "20"),
    "80° apart, distortion left in": ("--distorted",),
}
_SHOWN = ("landmarks", "refined")


def run(measured: Measure) -> dict[str, Any]:
    """What the commands print."""
    KEPT.mkdir(parents=True, exist_ok=True)
    ct, landmarks = str(sample(VISIBLE_HUMAN_SAMPLE)), str(VISIBLE_HUMAN_LANDMARKS)
    network = KEPT / "patient.pt"
    trained = trained_network(
        *(network, _MINUTES, "landmarks", "train", ct, "--landmarks", landmarks, "--views", "dual-fluoroscopy")
    )
    found = {}
    for number, (name, options) in enumerate(_PAIRS.items()):
        path = KEPT / f"{number}.json"
        if not path.exists():
            told = measured("landmarks", "evaluate-motion", str(network), "--count", str(_FRAME_PAIRS), *options)
            path.write_text(json.dumps(told), encoding="utf-8")
        found[name] = json.loads(path.read_text(encoding="utf-8"))
    return {"trained": trained, "pairs": found}


def in_words(found: dict[str, Any], table: Table) -> str:
    """All of it."""
    rows = []
    for pair, told in found["pairs"].items():
        for name, one in told["activities"].items():
            ways = [
                text
                for way in _SHOWN
                for off in [one["mostly_visible"][way]]
                for text in (f"{off['mean_deg']:.2f}°", f"{off['mean_mm']:.2f} mm")
            ]
            verdicts = [
                str(sum(of[verdict] for of in one["verdicts"].values()))
                for verdict in ("accepted", "doubtful", "failed")
            ]
            rows.append((f"{pair}: {name}", *ways, *verdicts, str(one["accepted_gross_failures"])))
    heading = (
        *("", "landmarks: rotation", "position", "solver: rotation", "position"),
        *("accepted", "doubtful", "failed", "accepted, > 10 mm off"),
    )
    said = paragraph(
        f"As [above](#a-moving-head-in-two-views-by-its-landmarks): {_FRAME_PAIRS} frame pairs of each motion, each "
        "placed by itself and nothing told; means over those with 60 % of the skull in view and more. The network is "
        f"another one, trained for {_MINUTES} minutes ({found['trained']['step']} steps) on the machine told here. "
        f"First the pose by {WAYS['landmarks']}, then the solver's from there. Image intensifiers bend an image, "
        "most at its edge; a calibration undoes that, which the last rows leave out."
    )
    return f"""## A moving head between other fluoroscopes

{said}

{table(heading, rows)}

**What this does not show:** accuracy on patients."""
