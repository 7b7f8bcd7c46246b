"""The training's part of docs/results.md: error against time, networks and losses beside each other, interruptions.

The suites from a network are run, or gone on with, by `fluororeg evaluate`; finished cases, and what the benchmarks
printed, are kept below evaluation/, so that a second call only writes. The page says of which program each figure is;
to measure anew, delete that folder.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from DiffRegistrationLib.evaluation.record import engine_fingerprint
from evaluations import FOLDER, Measure, Table

CHART = Path(__file__).parents[1] / "images" / "training.svg"
# Minutes of training before each suite.
SUITES = {"head-ap": 8, "head-lateral": 8, "head-wide": 12}
_MINUTES, _LOSS_MINUTES, _INTERRUPTED_MINUTES, _KILLS = 5, 3, 2.5, 10
_RECIPES = ("compact", "resnet18", "diffpose")
_LOSSES = ("default", "stated-error", "point-distance", "geodesic", "double-geodesic", "default-and-image")


def run(measured: Measure) -> dict[str, Any]:
    """What the commands print."""
    suites = {
        name: measured(
            *("evaluate", name, "--start", "network", "--network-minutes", str(minutes)),
            *("--out", str(FOLDER / f"network-{name}"), "--html"),
        )
        for name, minutes in SUITES.items()
    }
    recipes = [word for recipe in _RECIPES for word in ("--recipe", recipe)]
    losses = [word for loss in _LOSSES for word in ("--loss", loss)]
    return {
        "suites": suites,
        "recipes": _kept(measured, "recipes", "benchmark", "training", "--minutes", str(_MINUTES), *recipes),
        "losses": _kept(measured, "losses", "benchmark", "training", "--minutes", str(_LOSS_MINUTES), *losses),
        "interruptions": _kept(
            *(measured, "interruptions", "benchmark", "interruptions"),
            *("--minutes", str(_INTERRUPTED_MINUTES), "--kills", str(_KILLS)),
        ),
    }


def _kept(measured: Measure, name: str, *command: str) -> dict[str, Any]:
    """What the command prints, or printed before, and of which program it is."""
    path = FOLDER / f"training-{name}.json"
    if path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        if before["command"] == list(command):
            return dict(before["found"], program=before["program"])
    found = measured(*command)
    FOLDER.mkdir(exist_ok=True)
    content = {"command": list(command), "program": engine_fingerprint(), "found": found}
    path.write_text(json.dumps(content), encoding="utf-8")
    return dict(found, program=content["program"])


def _of(found: dict[str, Any]) -> str:
    """Date and program of a benchmark."""
    return f"Measured {found['machine']['date']}, program {found['program']}."


def in_short(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Rows of the README's table."""
    rows = []
    for name, minutes in SUITES.items():
        alone, ours = (found["suites"][name]["summaries"][f"{who}, network"] for who in ("network alone", "ours"))
        rows.append(
            (
                f"{name}, no start told, network trained for {minutes} minutes on two cores",
                f"{ours['median_mtre_mm']:.2f} mm in {ours['median_seconds']:.2f} s",
                f"{ours['under_2mm']:.0%} under 2 mm; the network alone {alone['median_mtre_mm']:.1f} mm",
            )
        )
    return rows


def in_words(found: dict[str, Any], table: Table) -> str:
    """All of it."""
    interrupted = found["interruptions"]
    _write_chart(found["recipes"]["trainings"])
    return f"""## Pose networks

Trained on X-rays rendered from the CT that is then registered (1.5 mm voxels), in looks of the simulator's training
ranges; judged on X-rays that the simulator made from the full CT, with its evaluation ranges.

{table(_SUITE_HEADING, _suite_rows(found["suites"]))}

### Error against training time

Median distance of the corners of a box half the size of the CT, on 128 views that no network has learnt from, in the
looks of training, `{found["recipes"]["preset"]}`, {found["recipes"]["minutes"]:g} minutes each, one after the other.

![Error against training time](images/training.svg)

{table(_TRAINING_HEADING, _training_rows(found["recipes"]))}

`diffpose` is the published recipe (ResNet18, 256², batches of 8, its losses), with our renderer and our looks;
`resnet18` is that network at 96² with our losses. {_of(found["recipes"])}

### What each loss is worth

The default recipe with other losses, {found["losses"]["minutes"]:g} minutes each. {_of(found["losses"])}

{table(_TRAINING_HEADING, _training_rows(found["losses"]))}

### Killed and gone on with

A training of {interrupted["minutes"]:g} minutes, killed (SIGKILL) {interrupted["kills"]} times at random moments: at
most {interrupted["most_seconds_lost"]:.0f} s of work were lost each time. It ended
{interrupted["killed"]["distance_mm"]:.2f} mm and {interrupted["killed"]["rotation_deg"]:.2f}° off, one that was left
alone {interrupted["unbroken"]["distance_mm"]:.2f} mm and {interrupted["unbroken"]["rotation_deg"]:.2f}°.
{_of(interrupted)}

On a GPU: [registration](registration.md#on-a-gpu)."""


_SUITE_HEADING = (
    *("suite", "minutes", "network alone: mTRE median", "95 %", "after the solver: mTRE median", "95 %", "< 2 mm"),
    *("> 10 mm", "> 10 mm accepted", "seconds"),
)
_TRAINING_HEADING = ("", "weights", "steps", "images/s", "distance", "95 %", "rotation", "across", "depth")


def _suite_rows(suites: dict[str, Any]) -> list[tuple[str, ...]]:
    rows = []
    for name, minutes in SUITES.items():
        alone, ours = (suites[name]["summaries"][f"{who}, network"] for who in ("network alone", "ours"))
        rows.append(
            (
                *(name, str(minutes), f"{alone['median_mtre_mm']:.2f} mm", f"{alone['p95_mtre_mm']:.2f} mm"),
                *(f"{ours['median_mtre_mm']:.2f} mm", f"{ours['p95_mtre_mm']:.2f} mm", f"{ours['under_2mm']:.0%}"),
                *(f"{ours['gross_failure_rate']:.0%}", str(ours["gross_failures_accepted"])),
                f"{ours['median_seconds']:.2f}",
            )
        )
    return rows


def _training_rows(compared: dict[str, Any]) -> list[tuple[str, ...]]:
    rows = []
    for name, one in compared["trainings"].items():
        v = one["milestones"][-1]["validation"]
        rows.append(
            (
                *(name, f"{one['weights'] / 1e6:.1f} M", str(one["steps"]), f"{one['images_per_second']:.0f}"),
                *(f"{v['distance_mm']:.1f} mm", f"{v['p95_distance_mm']:.1f} mm", f"{v['rotation_deg']:.2f}°"),
                *(f"{v['across_mm']:.2f} mm", f"{v['depth_mm']:.2f} mm"),
            )
        )
    return rows


def _write_chart(trainings: dict[str, Any]) -> None:
    """One line a recipe, the error on a logarithmic scale."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4.2))
    for name, one in trainings.items():
        minutes = [milestone["seconds"] / 60 for milestone in one["milestones"]]
        axes.plot(minutes, [m["validation"]["distance_mm"] for m in one["milestones"]], marker=".", label=name)
    axes.set_yscale("log")
    axes.set_xlabel("minutes of training on two cores")
    axes.set_ylabel("median error (mm)")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_minor_formatter(lambda value, _: f"{value:g}")
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    figure.tight_layout()
    figure.savefig(CHART, metadata={"Date": None})
