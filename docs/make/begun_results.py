"""Networks of a patient that begin with what a population's network knows, beside those that begin with nothing.

Networks and what the commands printed are kept below evaluation/landmarks, so that a second call only writes.
"""

from __future__ import annotations

from typing import Any

from DiffRegistrationLib.xray.files.sample_data import sample
from evaluations import Measure, Table
from kept_networks import trained as trained_network
from landmark_results import KEPT, MOVING_MINUTES, PATIENT_MINUTES, POPULATION_MINUTES, error_row, kept
from LandmarkDetectionLib.atlas.head import VISIBLE_HUMAN_LANDMARKS, VISIBLE_HUMAN_SAMPLE
from paragraphs import paragraph

_CASES, _SKULLS, _FRAME_PAIRS, _SHORT_MINUTES = 100, 20, 25, 2
_WAYS = {"landmarks": "landmarks", "refined": "then the solver"}


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
        "moving": {},
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
    for name, words, options in (
        ("patient-dual-fluoroscopy", "from nothing", ()),
        ("patient-dual-fluoroscopy-begun", "begun", begun),
    ):
        path = KEPT / f"{name}.pt"
        views = ("--views", "dual-fluoroscopy")
        trained = trained_network(path, MOVING_MINUTES, "landmarks", "train", *patient, *views, *options)
        told = kept(
            *(measured, f"motion-{words}".replace(" ", "-"), "landmarks", "evaluate-motion", str(path)),
            *("--count", str(_FRAME_PAIRS)),
        )
        found["moving"][f"{words}, {MOVING_MINUTES} min"] = {"trained": trained, "told": told}
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
    moving = []
    for way, one in found["moving"].items():
        for name, told in one["told"]["activities"].items():
            off = told["mostly_visible"]
            moving.append(
                (
                    f"{way}: {name}",
                    *(
                        text
                        for key in _WAYS
                        for text in (
                            f"{off[key]['mean_deg']:.2f}° ({off[key]['median_deg']:.2f}°)",
                            f"{off[key]['mean_mm']:.2f} mm ({off[key]['median_mm']:.2f} mm)",
                        )
                    ),
                )
            )
    steps = " and ".join(str(one["trained"]["step"]) for one in found["moving"].values())
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
    more = paragraph(
        f"The same for the [moving head](#a-moving-head-in-two-views-by-its-landmarks), {_FRAME_PAIRS} frame pairs of "
        f"each motion ({steps} steps), those with 60 % of the skull in view and more: the pose by all landmarks of "
        "both views together, means and medians, then the solver's from there."
    )
    heading = ("", "mean", "95 %", "within 10 mm", "in space within 10 mm", "seen: mean", "skull")
    of_moving = ("", *(text for words in _WAYS.values() for text in (f"{words}: rotation", "position")))
    return f"""## A patient's network that begins with a population's

{said}

{table(heading, rows)}

{scout}

{more}

{table(of_moving, moving)}

**What this does not show:** accuracy on patients."""
