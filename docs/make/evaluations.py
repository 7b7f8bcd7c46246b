"""The evaluation's part of docs/results.md: every suite run, or gone on with, by `fluororeg evaluate`.

Finished cases are kept below evaluation/, so that an interruption costs one case, and a second call only writes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "evaluation"
# A run by its folder: the suite and its options. Peers take minutes a case, and there are fifteen disturbances: of
# those two a part of the cases is run.
RUNS: dict[str, tuple[str, ...]] = {
    "head-ap": ("head-ap",),
    "head-lateral": ("head-lateral",),
    "head-biplane": ("head-biplane",),
    "head-wide": ("head-wide",),
    "skull-scout": ("skull-scout",),
    "wrist": ("wrist",),
    "peers": ("head-ap", "--start", "near", "--cases", "2", "--peers", "--peer-cases", "2"),
    "robustness": ("head-ap", "--start", "near", "--cases", "10", "--robustness", "10"),
}
# Runs that are shown by tables of their own.
_APART = ("peers", "robustness")

Measure = Callable[..., dict[str, Any]]
Table = Callable[[tuple[str, ...], list[tuple[str, ...]]], str]


def run(measured: Measure) -> dict[str, dict[str, Any]]:
    """What `fluororeg evaluate … --json` prints, for every run."""
    return {
        name: measured("evaluate", *arguments, "--out", str(FOLDER / name), "--html")
        for name, arguments in RUNS.items()
    }


def in_short(found: dict[str, dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Rows of the README's table."""
    rows = []
    for name, start, words in (
        ("head-ap", "near", "one view from the front, start up to 15°, 30 mm and 60 mm in depth off"),
        ("head-biplane", "near", "two views, such a start"),
        ("head-wide", "none", "one view from anywhere, head often half outside, no start at all"),
    ):
        s = found[name]["summaries"][f"ours, {start}"]
        rest = f"{s['under_2mm']:.0%} under 2 mm, {s['gross_failures_accepted']} gross failures called accepted"
        rows.append((words, f"{s['median_mtre_mm']:.2f} mm in {s['median_seconds']:.2f} s", rest))
    for peer, c in found["peers"]["peers"].items():
        rows.append(
            (
                f"{peer}'s recipe on the same views and starts, {c['cases']} of them",
                f"{c['peer_median_mtre_mm']:.2f} mm in {c['peer_median_seconds']:.0f} s",
                f"ours on these: {c['ours_median_mtre_mm']:.2f} mm in {c['ours_median_seconds']:.2f} s",
            )
        )
    return rows


def in_words(found: dict[str, dict[str, Any]], table: Table) -> str:
    """All suites in one table, what was asked for, the peers, and the disturbances."""
    simulated = found["head-ap"]
    shown = [evaluation for name, evaluation in found.items() if name not in _APART]
    return f"""## Accuracy on X-rays that another program made

The X-rays are simulated from the full CT of the {_SUBJECTS[simulated["subject"]]} by the program's own
[simulator](simulator.md) (exact paths through the voxels, a spectrum, scatter, noise, blur, glare; ranges
`{simulated["ranges"]}`), which shares no code with the renderer that the solver uses, and the body goes on
below the CT. Registered is another CT: voxels of 1.5 mm, off the grid, with 20 HU of noise. mTRE is the mean
distance, in 3D, of named points of the skull from where they truly are. “near” starts are up to 15°, ±30 mm
across and ±60 mm along the beam off; “none” tells nothing. skull-scout and wrist are real X-rays. Suites, seeds
and versions are fixed; `fluororeg evaluate SUITE --html` runs one again and shows every case.

{table(_HEADING, [row for e in shown for row in _rows(e)])}

{_descriptions(shown)}

### What was asked for

{table(("", "asked for", "found", ""), [row for e in shown for row in _goals(e)])}

{_peers(found["peers"], table)}

{_robustness(found["robustness"], table)}

**What this does not show:** accuracy on patients. The simulated head is one head, which has not moved, grown or lost
anything between CT and X-ray; {_confidence(found["head-ap"])}"""


_SUBJECTS = {
    "visible-human": "Visible Human head (U.S. National Library of Medicine)",
    "phantom": "computed head of the program",
}
_HEADING = (
    *("suite, start", "cases", "mTRE median", "95 %", "< 1 mm", "< 2 mm", "> 10 mm", "in-plane", "depth", "rotation"),
    *("accepted of < 1 mm", "> 10 mm accepted", "seconds"),
)


def _rows(evaluation: dict[str, Any]) -> list[tuple[str, ...]]:
    rows = []
    for group, s in evaluation["summaries"].items():
        method, start = group.split(", ")
        if method != "ours":
            continue
        accepted = s["accepted_of_under_1mm"]
        rows.append(
            (
                f"{evaluation['suite']}, {start}",
                str(s["cases"]),
                f"{s['median_mtre_mm']:.2f} mm",
                f"{s['p95_mtre_mm']:.2f} mm",
                f"{s['under_1mm']:.0%}",
                f"{s['under_2mm']:.0%}",
                f"{s['gross_failure_rate']:.0%}",
                f"{s['median_in_plane_mm']:.2f} mm",
                f"{s['median_depth_mm']:.2f} mm",
                f"{s['median_rotation_deg']:.2f}°",
                "–" if accepted is None else f"{accepted:.0%}",
                str(s["gross_failures_accepted"]),
                f"{s['median_seconds']:.2f}",
            )
        )
    return rows


def _descriptions(shown: list[dict[str, Any]]) -> str:
    return "\n".join(
        f"- **{e['suite']}** (version {e['version']}, seed {e['seed']}): {e['description']}" for e in shown
    )


def _goals(evaluation: dict[str, Any]) -> list[tuple[str, ...]]:
    rows = []
    for target in evaluation["targets"]:
        asked = f"{'≥' if target['at_least'] else '≤'} {target['wanted']:g}{target['unit']}"
        met = "met" if target["met"] else "**not met**"
        rows.append((f"{evaluation['suite']}: {target['name']}", asked, f"{target['found']:.3g}{target['unit']}", met))
    return rows


def _peers(evaluation: dict[str, Any], table: Table) -> str:
    rows = [
        (
            f"{evaluation['suite']}: {peer}",
            str(c["cases"]),
            f"{c['peer_median_seconds']:.0f} s",
            f"{c['ours_median_seconds']:.2f} s",
            f"{c['median_seconds_ratio']:.0f}×",
            f"{c['peer_median_mtre_mm']:.2f} mm",
            f"{c['ours_median_mtre_mm']:.2f} mm",
            f"{c['peer_gross_failure_rate']:.0%}",
            f"{c['ours_gross_failure_rate']:.0%}",
        )
        for peer, c in evaluation["peers"].items()
    ]
    heading = ("peer", "cases", "peer's time", "ours", "ratio", "peer's mTRE", "ours", "peer's > 10 mm", "ours")
    return f"""### Beside DiffPose and xvr

The published recipes of their test-time registration (DiffPose: multiscale NCC, Adam 7.5e-3 and 7.5, StepLR, 250
iterations at 256²; xvr: multiscale NCC and gradient NCC, Adam, plateaus, 64², 128² and 256²), written anew on
nanodrr's renderer and its similarity measures, on the same images from the same starts, in the same run. Their pose
networks, which would bring them a better start, are left out, and so is ours. Both are made for GPUs; this is a CPU.

{table(heading, rows)}"""


def _robustness(evaluation: dict[str, Any], table: Table) -> str:
    rows = []
    for row in evaluation["robustness"]:
        s = row["summary"]
        rows.append(
            (
                f"{row['disturbance']}: {row['words']}",
                str(s["cases"]),
                f"{s['median_mtre_mm']:.2f} mm",
                f"{s['p95_mtre_mm']:.2f} mm",
                f"{s['under_2mm']:.0%}",
                f"{s['gross_failure_rate']:.0%}",
                str(s["accepted"]),
                str(s["gross_failures_accepted"]),
            )
        )
    heading = ("disturbance", "cases", "mTRE median", "95 %", "< 2 mm", "> 10 mm", "accepted", "> 10 mm accepted")
    return f"""### What disturbs it

head-ap, near starts, the same cases in every row, with one thing more wrong with the X-rays, and with all at once.

{table(heading, rows)}

{_where_it_falls(evaluation)}"""


def _where_it_falls(evaluation: dict[str, Any]) -> str:
    """The rows in which cases are lost, in words, the worst first."""
    found = {row["disturbance"]: row["summary"] for row in evaluation["robustness"]}
    fallen = sorted((name for name, s in found.items() if s["under_2mm"] < 1), key=lambda n: found[n]["under_2mm"])
    if not fallen:
        return "It falls nowhere in this table."
    told = [
        f"**{name}** ({s['under_2mm']:.0%} under 2 mm; medians {s['median_in_plane_mm']:.1f} mm in the image plane, "
        f"{s['median_depth_mm']:.1f} mm in depth; {s['gross_failures_accepted']} gross failures called accepted)"
        for name, s in ((name, found[name]) for name in fallen)
    ]
    return f"""Where it falls: {"; ".join(told)}. A distortion that is not undone is a wrong camera, which no verdict
tells from a right one: the DRR fits, at another depth. Undo it first. With everything at once, fields whose edge is
not found are registered by that edge."""


def _confidence(evaluation: dict[str, Any]) -> str:
    s = evaluation["summary"]
    low, high = s["under_2mm_ci95"]
    return (
        f"{s['cases']} cases pin a rate down only so far (head-ap under 2 mm: {low:.1%} to {high:.1%} with 95 % "
        "confidence)."
    )
