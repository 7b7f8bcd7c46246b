"""Heads without a CT, by a template that deforms: what it makes of what a population's network found.

The network and what the commands printed are kept below evaluation/landmarks, so that a second call only writes.
"""

from __future__ import annotations

import json
from typing import Any

from evaluations import FOLDER, Measure, Table
from kept_networks import trained as trained_network
from landmark_results import error_row
from paragraphs import paragraph

KEPT = FOLDER / "landmarks"
_MINUTES, _CASES, _SKULLS = 30, 100, 20
_PARTS = {
    "all": "all",
    "seen": "seen in the image",
    "not_seen": "outside or shut out",
    "eye_lenses": "eye lenses",
}


def run(measured: Measure) -> dict[str, Any]:
    """What the commands print."""
    KEPT.mkdir(parents=True, exist_ok=True)
    network = KEPT / "population.pt"
    trained = trained_network(network, _MINUTES, "landmarks", "train", "--population")
    found = {}
    for name, options in {
        "simulated": ("--count", str(_CASES), "--skulls", str(_SKULLS)),
        "real": ("--scout",),
    }.items():
        path = KEPT / f"template-{name}.json"
        if not path.exists():
            told = measured("landmarks", "evaluate", str(network), *options)
            path.write_text(json.dumps(told), encoding="utf-8")
        found[name] = json.loads(path.read_text(encoding="utf-8"))
    return {"trained": trained, **found}


def in_words(found: dict[str, Any], table: Table) -> str:
    """All of it."""
    by_network, by_template, real = found["simulated"], found["simulated"]["with_template"], found["real"]
    ways = (("network alone", by_network), ("template from there", by_template))
    rows = [(f"{way}: {words}", *error_row(told[name])) for way, told in ways for name, words in _PARTS.items()]
    rows += [
        (f"{way}: {part} of the landmarks seen", *error_row(one))
        for way, told in ways
        for part, one in told["by_visible_part"].items()
    ]
    said = paragraph(
        f"A population's network, `fluororeg landmarks train --population` for {_MINUTES} minutes on the machine told "
        f"here ({found['trained']['step']} steps), judged as [above](#skull-landmarks) on {by_network['x_rays']} "
        "simulated X-rays of heads never trained on; then a template head that deforms as heads of the population do "
        "(`--template`) is laid over each of them from there, "
        f"{by_template['seconds'] - by_network['seconds']:.0f} s an X-ray, the depth of the head's middle told to "
        "both. Fum et al. (2024), whose protocol this follows, found 96.4 % of the landmarks of synthetic X-rays "
        "within 10 mm in the image and 92.5 % in space."
    )
    more = paragraph(
        f"Stated errors: the median squared error is {by_network['normalised_error']:.2f} times what was stated by "
        f"the network, {by_template['normalised_error']:.2f} times by the template; 1 is right. "
        f"{by_network['sure']:.0%} of the views are called sure by the network, {by_template['sure']:.0%} with the "
        "template. The skull that the landmarks make lies "
        f"{by_network['skull']['mean_mm']:.1f} and {by_template['skull']['mean_mm']:.1f} mm from "
        f"the true surface on average (medians {by_network['skull']['median_mm']:.1f} and "
        f"{by_template['skull']['median_mm']:.1f} mm, {by_template['skull']['count']} X-rays)."
    )
    scout = paragraph(
        "**Real X-ray** (the plastic skull's lateral localizer; neither network nor template know this skull): "
        f"{real['scout_mean_mm']:.1f} mm and {real['scout_within_10_mm']:.0%} within 10 mm by the network, "
        f"{real['template_mean_mm']:.1f} mm and {real['template_within_10_mm']:.0%} with the template."
    )
    limits = paragraph(
        "**What this does not show:** accuracy on patients. Half of the simulated heads are deformed from the head "
        "that is a template as well, in the ways that its modes were learnt from, half from computed heads of another "
        "kind than the computed template; other people's heads differ in more ways."
    )
    heading = ("", "landmarks", "mean", "95 %", "within 10 mm", "in space within 10 mm")
    return f"""## Skull landmarks by a template that deforms

{said}

{table(heading, rows)}

{more}

{scout}

{limits}"""
