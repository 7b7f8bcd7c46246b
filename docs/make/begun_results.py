"""Networks of a patient that begin with what a population's network knows, beside those that begin with nothing.

Networks and what the commands printed are kept below evaluation/landmarks, so that a second call only writes.
"""

from __future__ import annotations

from typing import Any

from DiffRegistrationLib.xray.files.sample_data import sample
from evaluations import Measure, Table
from kept_networks import trained as trained_network
from landmark_results import KEPT, PATIENT_MINUTES, POPULATION_MINUTES, error_row, kept
from LandmarkDetectionLib.atlas.head import VISIBLE_HUMAN_LANDMARKS, VISIBLE_HUMAN_SAMPLE
from paragraphs import paragraph

_CASES, _SKULLS, _SHORT_MINUTES = 100, 20, 2


def run(measured: Measure) -> dict[str, Any]:
    """What the commands print."""
    KEPT.mkdir(parents=True, exist_ok=True)
    ct, landmarks = str(sample(VISIBLE_HUMAN_SAMPLE)), str(VISIBLE_HUMAN_LANDMARKS)
    patient = (ct, "--landmarks", landmarks)
    heads = KEPT / "population.pt"
    found: dict[str, Any] = {
        "scout": {},
        "population": trained_network(heads, POPULATION_MINUTES, "landmarks", "train", "--population"),
        "patient": {},
    }
    begun = ("--begin-with", str(heads))
    for name, words, minutes, options in (
        ("patient", "from nothing", PATIENT_MINUTES, ()),
        ("patient-begun", "begun", _SHORT_MINUTES, begun),
    ):
        path = KEPT / f"{name}.pt"
        trained = trained_network(path, minutes, "landmarks", "train", *patient, *options)
        told = kept(
            *(measured, name, "landmarks", "evaluate", str(path), *patient),
            *("--count", str(_CASES), "--skulls", str(_SKULLS)),
        )
        found["patient"][f"{words}, {minutes} min"] = {"trained": trained, "told": told}
    skull_ct, skull_landmarks = str(sample("skull-phantom-ct")), KEPT / "skull.mrk.json"
    if not skull_landmarks.exists():
        measured("landmarks", "transfer", skull_ct, "--out", str(skull_landmarks))
    of_skull = (skull_ct, "--landmarks", str(skull_landmarks), "--views", "lateral")
    for name, words, options in (("skull-short", "from nothing", ()), ("skull-begun", "begun", begun)):
        path = KEPT / f"{name}.pt"
        trained_network(path, _SHORT_MINUTES, "landmarks", "train", *of_skull, *options)
        found["scout"][words] = kept(measured, f"scout-{name}", "landmarks", "evaluate", str(path), "--scout")
    return found


def in_words(found: dict[str, Any], table: Table) -> str:
    """All of it."""
    rows = []
    for way, one in found["patient"].items():
        for words, told in (("", one["told"]), (", with its CT", one["told"]["with_ct"])):
            seen, skull = error_row(told["seen"]), told["skull"]
            rows.append(
                (
                    f"{way}{words}",
                    *error_row(told["all"])[1:],
                    seen[1],
                    f"{skull['mean_mm']:.2f} mm ({skull['median_mm']:.2f} mm)",
                )
            )
    said = paragraph(
        "`fluororeg landmarks train --begin-with heads.pt`: the Visible Human's own network, which begins with what a "
        f"population's learnt in {POPULATION_MINUTES} minutes ({found['population']['step']} steps) on the machine "
        f"told here. Judged as [above](#skull-landmarks) on {_CASES} simulated X-rays, the skull on {_SKULLS} (mean "
        "distance from the true surface, median in brackets); half of that population was deformed from this very "
        "head, so that other patients gain less."
    )
    scout = paragraph(
        "**Another head, and a real X-ray**: the plastic skull's own network, "
        f"{_SHORT_MINUTES} minutes on lateral views, in its localizer: "
        + ", ".join(
            f"{words} {told['scout_mean_mm']:.1f} mm and {told['scout_within_10_mm']:.0%} within 10 mm"
            for words, told in found["scout"].items()
        )
        + ". No head of the population was made from it."
    )
    heading = ("", "mean", "95 %", "within 10 mm", "in space within 10 mm", "seen: mean", "skull")
    return f"""## A patient's network that begins with a population's

{said}

{table(heading, rows)}

{scout}

**What this does not show:** accuracy on patients."""
