"""The landmarks' part of docs/results.md: networks of a population and of one patient, trained and judged.

Networks, and what the commands printed, are kept below evaluation/landmarks, so that a second call only writes; to
measure anew, delete that folder.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from DiffRegistrationLib.xray.files.sample_data import sample
from evaluations import FOLDER, Measure, Table
from kept_networks import trained as trained_network
from LandmarkDetectionLib.atlas.head import VISIBLE_HUMAN_LANDMARKS, VISIBLE_HUMAN_SAMPLE
from LandmarkDetectionLib.evaluation.dual_fluoroscopy import WAYS
from paragraphs import paragraph
from PIL import Image

KEPT = FOLDER / "landmarks"
POPULATION_MINUTES, PATIENT_MINUTES, SKULL_MINUTES, FRONT_MINUTES, MOVING_MINUTES = 30, 10, 8, 10, 25
_CASES, _SKULLS, _TRANSFERS, _START_CASES, _FRAME_PAIRS = 100, 20, 6, 30, 25
# Parts of the skull that closed fields leave, as at the end of a motion's range.
_PARTS, _CLOSED_PAIRS = (0.4, 0.2), 12
_SUITES = ("head-ap", "head-wide")
_PICTURE = Path(__file__).parents[1] / "images" / "landmarks-scout.jpg"
# Where a report of one view has it, in a window 1240 pixels wide.
_PICTURE_BOX = (64, 498, 1176, 1150)


def run(measured: Measure) -> dict[str, Any]:
    """What the commands print."""
    KEPT.mkdir(parents=True, exist_ok=True)
    ct, landmarks = str(sample(VISIBLE_HUMAN_SAMPLE)), str(VISIBLE_HUMAN_LANDMARKS)
    population, patient, skull = (KEPT / f"{name}.pt" for name in ("population", "patient", "skull"))
    # The fluoroscopes that the moving head is before have their tubes before the face.
    front, moving = KEPT / "around-front.pt", KEPT / "patient-dual-fluoroscopy.pt"
    skull_ct, skull_landmarks = str(sample("skull-phantom-ct")), KEPT / "skull.mrk.json"
    if not skull_landmarks.exists():
        measured("landmarks", "transfer", skull_ct, "--out", str(skull_landmarks))
    of_skull = (skull_ct, "--landmarks", str(skull_landmarks), "--views", "lateral")
    trained = {
        "population": _landmarks_trained(population, POPULATION_MINUTES, "--population"),
        "patient": _landmarks_trained(patient, PATIENT_MINUTES, ct, "--landmarks", landmarks),
        "skull": _landmarks_trained(skull, SKULL_MINUTES, *of_skull),
        "front": _landmarks_trained(front, FRONT_MINUTES, "--population", "--views", "around-front"),
        "moving": _landmarks_trained(
            moving, MOVING_MINUTES, ct, "--landmarks", landmarks, "--views", "dual-fluoroscopy"
        ),
    }
    judged = ("--count", str(_CASES), "--skulls", str(_SKULLS))
    of_patient = ("landmarks", "evaluate", str(patient), ct, "--landmarks", landmarks)
    found = {
        "population": kept(measured, "population", "landmarks", "evaluate", str(population), *judged),
        "patient": kept(measured, "patient", *of_patient, *judged),
        "scout": kept(measured, "scout", "landmarks", "evaluate", str(population), "--scout"),
        "own_scout": kept(measured, "own-scout", "landmarks", "evaluate", str(skull), "--scout"),
        "motion": kept(measured, "motion", "landmarks", "evaluate-motion", str(moving), "--count", str(_FRAME_PAIRS)),
        "closed": {
            str(part): kept(
                measured,
                f"motion-{part}",
                *("landmarks", "evaluate-motion", str(moving), "--count", str(_CLOSED_PAIRS), "--part", str(part)),
            )
            for part in _PARTS
        },
        "transfer": kept(measured, "transfer", "landmarks", "evaluate-transfer", "--count", str(_TRANSFERS)),
    }
    _pictured(measured, skull, str(sample("skull-phantom-scout")))
    suites = {
        suite: measured(
            *("evaluate", suite, "--start", "network", "--start", "none", "--cases", str(_START_CASES)),
            *("--network", str(front), "--landmarks", landmarks, "--out", str(KEPT / suite)),
        )
        for suite in _SUITES
    }
    return {"trained": trained, "suites": suites, **found}


def _landmarks_trained(path: Path, minutes: float, *arguments: str) -> dict[str, Any]:
    return trained_network(path, minutes, "landmarks", "train", *arguments)


def _pictured(measured: Measure, network: Path, xray: str) -> None:
    """The scout's picture out of the report on its landmarks; left as it is where there is no browser."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        print("No browser: the picture stays as it is.")
        return
    with tempfile.TemporaryDirectory() as folder:
        measured("landmarks", "detect", str(network), xray, "--out", folder)
        shot, page = Path(folder) / "report.png", (Path(folder) / "report.html").as_uri()
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        subprocess.run(
            [*command, "--window-size=1240,1250", f"--screenshot={shot}", page], check=True, capture_output=True
        )
        Image.open(shot).convert("RGB").crop(_PICTURE_BOX).save(_PICTURE, quality=88)


def kept(measured: Measure, name: str, *command: str) -> dict[str, Any]:
    """What the command prints, or printed before: under this name, below evaluation/landmarks."""
    path = KEPT / f"{name}-figures.json"
    if not path.exists():
        path.write_text(json.dumps(measured(*command)), encoding="utf-8")
    return dict(json.loads(path.read_text(encoding="utf-8")))


def in_words(found: dict[str, Any], table: Table) -> str:
    """All of it."""
    population, patient = found["population"], found["patient"]
    judges = (("population", population), ("patient", patient), ("patient, with its CT", patient["with_ct"]))
    rows = [
        (f"{who}: {words}", *error_row(one[key]))
        for who, one in judges
        for key, words in (
            ("all", "all"),
            ("seen", "seen in the image"),
            ("not_seen", "outside or shut out"),
            ("eye_lenses", "eye lenses"),
        )
    ]
    shown = [
        (f"{who}: {part} of the landmarks seen", *error_row(one))
        for who, found_by in judges
        for part, one in found_by["by_visible_part"].items()
    ]
    transfer, scout, own = found["transfer"], found["scout"], found["own_scout"]
    mirror = transfer["mirrored"]
    trained = found["trained"]
    judged = paragraph(f"""
Trained on two cores, rendering included: `fluororeg landmarks train --population` for
{POPULATION_MINUTES} minutes ({trained["population"]["step"]} steps of 32 X-rays), the Visible Human's own network for
{PATIENT_MINUTES} ({trained["patient"]["step"]} steps). Judged on {population["x_rays"]} simulated X-rays each
(evaluation ranges; random views within ±100° of PA and ±30°, magnification, collimation, noise, contrast-filled
vessels), the population's on heads never trained on. Errors are in mm at the head's depth; in space at the known depth
of its middle. With the CT at hand (`--ct`), it is registered from what the patient's network found and its landmarks
are shown, {patient["with_ct"]["seconds"]:.1f} s an X-ray, without being told the depth;
where it cannot be registered, the network's own count.
Fum et al. (2024), whose protocol this follows, found 96.4 % of the landmarks of synthetic X-rays within 10 mm in the
image and 92.5 % in space, after 275 000 steps of training.""")
    stated = paragraph(f"""
Stated errors: the median squared error is {population["normalised_error"]:.2f} times what was
stated (population), {patient["normalised_error"]:.2f} times (patient); 1 is right. {population["sure"]:.0%} of the
views are called sure. The skull that the landmarks make lies {population["skull"]["mean_mm"]:.1f} mm from the true
surface on average (population, template warped, median {population["skull"]["median_mm"]:.1f} mm),
{patient["skull"]["mean_mm"]:.1f} mm for the patient's own (median {patient["skull"]["median_mm"]:.1f} mm;
{population["skull"]["count"]} X-rays each).""")
    real = paragraph(f"""
**Real X-ray** (the plastic skull's lateral localizer, landmarks carried to its CT and shown by the
header's pose): the skull's own network, {SKULL_MINUTES} minutes on lateral views, {own["scout_mean_mm"]:.1f} mm on
average, {own["scout_within_10_mm"]:.0%} within 10 mm; the population's {scout["scout_mean_mm"]:.1f} mm and
{scout["scout_within_10_mm"]:.0%}.""")
    carried = paragraph(f"""
**Carried to other CTs**: {transfer["mean_mm"]:.2f} mm on average to {transfer["heads"]} heads
deformed by a known field, {transfer["within_10_mm"]:.0%} within 10 mm, {transfer["seconds"]:.0f} s each; to the mirror
image {mirror["mean_mm"]:.2f} mm, {mirror["sides_swapped"]} of {mirror["sided"]} landmarks of a side on their own
side.""")
    started = paragraph(f"""
The first {_START_CASES} cases of each suite, nothing told: by landmarks that a population's
network finds (`--views around-front`, {FRONT_MINUTES} minutes, {trained["front"]["step"]} steps), and by search.""")
    return f"""## Skull landmarks

{judged}

{table(("", "landmarks", "mean", "95 %", "within 10 mm", "in space within 10 mm"), rows)}

By how much of the skull an X-ray shows:

{table(("", "landmarks", "mean", "95 %", "within 10 mm", "in space within 10 mm"), shown)}

{stated}

{real}

![Landmarks of the skull's own network in its localizer](images/landmarks-scout.jpg)

{carried}

### As a start of a registration

{started}

{table(_START_HEADING, _start_rows(found["suites"]))}

{_moving(found["motion"], found["closed"], table)}

**What this does not show:** times at the load told above, where figures were kept from an earlier call; accuracy on
patients. Heads are deformed from one real head and from computed ones, and
the suites' head is that real one. The population's rows are of the detector before what the mirror image shows was a
second answer: [by a template](#skull-landmarks-by-a-template-that-deforms) it is."""


def error_row(one: dict[str, Any]) -> tuple[str, ...]:
    """One line of a table of errors."""
    return (
        str(one["count"]),
        f"{one['mean_mm']:.2f} mm",
        f"{one['p95_mm']:.1f} mm",
        f"{one['within_2d']:.1%}",
        f"{one['within_3d']:.1%}",
    )


def _moving(motion: dict[str, Any], closed: dict[str, Any], table: Table) -> str:
    """The moving head in simulated dual fluoroscopy, every frame pair by itself."""
    rows, verdicts = [], []
    for name, one in motion["activities"].items():
        for part, words in (("mostly_visible", "60 % of the skull in view and more"), ("end_of_range", "less")):
            told = one["verdicts"][part]
            if not one[part]["refined"]["frames"]:
                continue
            verdicts.append(
                (f"{name}, {words}", *(str(told[verdict]) for verdict in ("accepted", "doubtful", "failed")))
            )
            for way, how in WAYS.items():
                off = one[part][way]
                if off["frames"] == off["without"]:
                    continue
                rows.append(
                    (
                        f"{name}, {words}: {how}",
                        f"{off['frames'] - off['without']} of {off['frames']}",
                        f"{off['mean_deg']:.2f}° ({off['median_deg']:.2f}°)",
                        f"{off['mean_mm']:.2f} mm ({off['median_mm']:.2f} mm)",
                        f"{off['max_deg']:.1f}°, {off['max_mm']:.1f} mm",
                    )
                )
    activities = motion["activities"].values()
    gross = sum(one["accepted_gross_failures"] for one in activities)
    seconds = max(one["seconds"] for one in activities)
    told = paragraph(f"""
The head that [moves before two image intensifiers](#a-moving-head-in-simulated-dual-fluoroscopy),
{motion["frames"]} frame pairs of each motion, each placed by itself and nothing told: a network of the patient's
(`--views dual-fluoroscopy`, {MOVING_MINUTES} minutes) finds the landmarks in both views ({seconds:.1f} s a frame
pair, all three ways together). Means, medians in brackets, and the largest. For comparison: 3.9° and 4.6 mm in
walking (Zhou et al. 2021: landmarks, triangulated; other people, real X-rays). Accepted by the solver though more
than 10 mm off: {gross}.""")
    return f"""### A moving head in two views, by its landmarks

{told}

{table(("", "frame pairs", "rotation", "position", "largest"), rows)}

{table(("", "accepted", "doubtful", "failed"), verdicts)}

{_closed(closed, table)}"""


def _closed(closed: dict[str, Any], table: Table) -> str:
    """What the verdict is worth where little of the skull shows."""
    rows = []
    for part, motion in closed.items():
        for name, one in motion["activities"].items():
            told = {v: sum(of[v] for of in one["verdicts"].values()) for v in ("accepted", "doubtful", "failed")}
            rows.append(
                (
                    f"{name}, {float(part):.0%} of the landmarks",
                    *map(str, told.values()),
                    str(one["accepted_gross_failures"]),
                )
            )
    said = paragraph(f"""
The same where both fields are closed from one side until only a part of the landmarks is left in each
({_CLOSED_PAIRS} frame pairs of each motion):""")
    return f"{said}\n\n{table(('', 'accepted', 'doubtful', 'failed', 'accepted, > 10 mm off'), rows)}"


_START_HEADING = ("", "mTRE median", "95 %", "< 2 mm", "> 10 mm", "> 10 mm accepted", "seconds")


def _start_rows(suites: dict[str, Any]) -> list[tuple[str, ...]]:
    rows = []
    for name, found in suites.items():
        for key, words in (
            ("network alone, network", "landmarks alone"),
            ("ours, network", "landmarks, then the solver"),
            ("ours, none", "search"),
        ):
            s = found["summaries"][key]
            rows.append(
                (
                    f"{name}: {words}",
                    f"{s['median_mtre_mm']:.2f} mm",
                    f"{s['p95_mtre_mm']:.2f} mm",
                    f"{s['under_2mm']:.0%}",
                    f"{s['gross_failure_rate']:.0%}",
                    str(s["gross_failures_accepted"]) if words != "landmarks alone" else "",
                    f"{s['median_seconds']:.2f}",
                )
            )
    return rows
