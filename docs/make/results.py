"""docs/results.md and the figures in the README, measured anew on this machine: `make results`.

python docs/make/results.py [projector] [scout] [demo] [evaluation] [training] [landmarks] [template]
                            [begun] [fluoroscopes] [style] [wrist] [motion]

Runs the benchmarks, the demo, the evaluation and trainings as a user would and writes down what they print, with date,
machine and versions: all of it, or the parts that are named. Evaluation and training take hours; cases of the
evaluation that are finished are kept below evaluation/ and not run again.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import begun_results
import evaluations
import fluoroscope_results
import landmark_results
import motions
import style_results
import template_results
import trainings
from DiffRegistrationLib.benchmarks.machine import machine
from paragraphs import paragraph

# Text on the page and rows of the README's table that a part of the measurements gives.
Part = tuple[str, list[tuple[str, str, str]]]

PAGE = Path(__file__).parents[1] / "results.md"
README = Path(__file__).parents[2] / "README.md"


def measured(*arguments: str) -> dict[str, Any]:
    """What `fluororeg … --json` prints."""
    command = [str(Path(sys.executable).with_name("fluororeg")), *arguments, "--json"]
    print("Running:", "fluororeg", *arguments, flush=True)
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def table(heading: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A table in Markdown; all columns but the first are numbers."""
    lines = [heading, ("---", *["---:"] * (len(heading) - 1)), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def milliseconds(seconds: float) -> str:
    """Whole milliseconds."""
    return f"{1000 * seconds:.0f} ms"


def machine_in_words(machine: dict[str, Any], load: tuple[float, float]) -> str:
    """Date, machine, versions, and how busy the machine was before."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    shared = " Other programs ran at the same time: alone, times are shorter." if load[1] > machine["cores"] else ""
    return paragraph(
        f"Measured {machine['date']} on {machine['cores']} cores of an {machine['processor']} processor, no GPU; "
        f"Python {machine['python']}, {versions}. Load of the machine before and after: {load[0]:.1f} and "
        f"{load[1]:.1f}.{shared}"
    )


def projector_in_words(p: dict[str, Any]) -> str:
    """The renderer beside its peer."""
    rows = []
    for size, s in p["sizes"].items():
        for name, key in (("DRR", "forward"), ("DRR and gradient by the pose", "gradient")):
            ours, peer = s[f"{key}_seconds"], s[f"peer_{key}_seconds"]
            rows.append((f"{name}, {size}×{size}", milliseconds(ours), milliseconds(peer), f"{peer / ours:.1f}×"))
    memory, peer_memory = p["extra_memory_mb"], p["peer_extra_memory_mb"]
    rows.append(
        ("memory added by both, 512×512", f"{memory:.0f} MB", f"{peer_memory:.0f} MB", f"{peer_memory / memory:.0f}×")
    )
    volume = "×".join(str(n) for n in p["volume_size"])
    return f"""## Projector

One CT ({p["volume"]}, {volume} voxels), one camera, {p["samples"]} samples a ray, float32, both programs in one run,
in turns, median of five. nanodrr runs as `pip` installs it, without `torch.compile`.

{table(("", "ours", "nanodrr " + p["machine"]["packages"]["nanodrr"], "ratio"), rows)}

Both images differ by {100 * p["image_difference"]:.2f} % (root mean square). **What this does not show:** nanodrr is
made for GPUs, where it has a fused kernel; this is a comparison on a CPU, and [on a GPU](registration.md#on-a-gpu)
ours is 2.6 to 7.4 times as fast. Its gradient is autograd's and reaches every input, ours is that of the pose."""


def scout_in_words(s: dict[str, Any]) -> str:
    """The real scout from many starts."""
    rows = [
        ("starts that lead to one pose (within 0.3° and 0.3 mm)", f"{s['converged']} of {s['starts']}"),
        ("that pose beside the scanner's: rotation", f"{s['rotation_deg']:.2f}°"),
        ("that pose beside the scanner's: in the image plane", f"{s['in_plane_mm']:.2f} mm"),
        ("that pose beside the scanner's: in depth", f"{abs(s['depth_mm']):.1f} mm"),
        ("seconds from a start: median", f"{s['median_seconds']:.2f}"),
        ("seconds from a start: 95th percentile", f"{s['p95_seconds']:.2f}"),
        ("verdict “accepted”", f"{s['accepted']} of {s['starts']}"),
        ("accepted, but another pose", f"{s['wrong_but_accepted']}"),
        ("from “lateral” alone, position unknown: same pose", "yes" if s["from_search_ok"] else "no"),
        ("from “lateral” alone: seconds", f"{s['from_search_seconds']:.1f}"),
    ]
    return f"""## Real X-ray

The lateral localizer of a plastic skull (neurolabusc/dcm_qa_ct, a Philips scanner) and its CT. Starts are up to
15° and 30 mm off, in directions spread evenly over the sphere (seed {s["seed"]}).

{table(("", ""), rows)}

**What this does not show:** the error. The scanner's own pose is good to about 0.3° and 0.6 mm in the image
plane, so the distance to it is no finer than that; a slit hardly shows depth. It is one skull without jaw or soft
tissue."""


def demo_in_words(d: dict[str, Any]) -> str:
    """The simulated views, position unknown."""
    simulated = [case for case in d["cases"] if case["simulated"]]
    subject = simulated[0]["subject"]
    rows = [
        (
            case["name"],
            case["verdict"],
            f"{case['error']['rotation_deg']:.2f}°",
            f"{case['error']['in_plane_mm']:.2f} mm",
            f"{abs(case['error']['depth_mm']):.1f} mm",
            f"{case['error']['mtre_mm']:.2f} mm",
            f"{case['seconds']:.1f} s",
        )
        for case in simulated
    ]
    said = paragraph(
        f"The X-rays of `make demo`: the {subject}, turned by up to 10° about every axis and shifted by up to 20 mm, "
        "with noise, scatter and blur; told is only “frontal” or “lateral”. mTRE is the mean distance, in 3D, of the "
        "corners of the box half the size of the CT from where they truly are."
    )
    return f"""## Simulated X-rays, position unknown

{said}

{table(("", "verdict", "rotation", "in plane", "depth", "mTRE", "time"), rows)}

**What this does not show:** accuracy on patients. The X-rays were rendered from the very CT that is registered; only
sampling, noise, scatter and blur differ. A second view settles the depth that one view leaves open."""


def projector_part() -> Part:
    """The renderer."""
    before = os.getloadavg()[0]
    p = measured("benchmark", "projector")
    at_200, peer = p["sizes"]["200"], f"nanodrr {p['machine']['packages']['nanodrr']}"
    rows = [
        (name, milliseconds(at_200[f"{key}_seconds"]), f"{peer}: {milliseconds(at_200[f'peer_{key}_seconds'])}")
        for name, key in (("DRR of 200×200 pixels", "forward"), ("DRR and its gradient by the pose", "gradient"))
    ]
    memory = f"{p['extra_memory_mb']:.0f} MB", f"{peer}: {p['peer_extra_memory_mb']:.0f} MB"
    rows.append(("memory that both add, 512×512 pixels", *memory))
    return _with_machine(projector_in_words(p), p["machine"], before), rows


def scout_part() -> Part:
    """The real X-ray."""
    before = os.getloadavg()[0]
    s = measured("benchmark", "scout")
    return _with_machine(scout_in_words(s), s["machine"], before), [
        (
            "real X-ray of a plastic skull, starts up to 15° and 30 mm off",
            f"{s['converged']} of {s['starts']} to one pose, {s['median_seconds']:.2f} s",
            f"{s['rotation_deg']:.2f}° and {s['in_plane_mm']:.2f} mm in plane from the scanner's own pose",
        )
    ]


def demo_part() -> Part:
    """What `make demo` shows."""
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        d = measured("demo", "--out", folder)
    return _with_machine(demo_in_words(d), machine("fluororegistration", "numpy", "numba", "torch"), before), []


def evaluation_part() -> Part:
    """All suites."""
    before = os.getloadavg()[0]
    found = evaluations.run(measured)
    where = found["head-ap"]["machine"]
    return _with_machine(evaluations.in_words(found, table), where, before), evaluations.in_short(found)


def training_part() -> Part:
    """Pose networks."""
    before = os.getloadavg()[0]
    found = trainings.run(measured)
    return _with_machine(trainings.in_words(found, table), found["recipes"]["machine"], before), trainings.in_short(
        found
    )


def landmarks_part() -> Part:
    """Skull landmarks."""
    before = os.getloadavg()[0]
    found = landmark_results.run(measured)
    where = machine("fluororegistration", "numpy", "numba", "torch")
    return _with_machine(landmark_results.in_words(found, table), where, before), []


def begun_part() -> Part:
    """Networks of a patient that begin with a population's."""
    before = os.getloadavg()[0]
    found = begun_results.run(measured)
    where = machine("fluororegistration", "numpy", "numba", "torch")
    return _with_machine(begun_results.in_words(found, table), where, before), []


def template_part() -> Part:
    """Heads without a CT, by a template that deforms."""
    before = os.getloadavg()[0]
    found = template_results.run(measured)
    where = machine("fluororegistration", "numpy", "numba", "torch")
    return _with_machine(template_results.in_words(found, table), where, before), []


def fluoroscopes_part() -> Part:
    """A moving head between other fluoroscopes."""
    before = os.getloadavg()[0]
    found = fluoroscope_results.run(measured)
    where = machine("fluororegistration", "numpy", "numba", "torch")
    return _with_machine(fluoroscope_results.in_words(found, table), where, before), []


def style_part() -> Part:
    """Translation of X-rays."""
    before = os.getloadavg()[0]
    found = style_results.run(measured, *(landmark_results.KEPT / f"{name}.pt" for name in ("patient", "skull")))
    where = machine("fluororegistration", "numpy", "numba", "torch")
    return _with_machine(style_results.in_words(found, table), where, before), []


def wrist_part() -> Part:
    """Real dual fluoroscopy."""
    before = os.getloadavg()[0]
    w = measured("benchmark", "wrist")
    return _with_machine(motions.wrist_in_words(w, table), w["machine"], before), []


def motion_part() -> Part:
    """Simulated dual fluoroscopy of a moving head."""
    before = os.getloadavg()[0]
    m = measured("benchmark", "head-motion")
    return _with_machine(motions.motion_in_words(m, table), m["machine"], before), []


PARTS = {
    "projector": projector_part,
    "scout": scout_part,
    "evaluation": evaluation_part,
    "training": training_part,
    "landmarks": landmarks_part,
    "template": template_part,
    "begun": begun_part,
    "fluoroscopes": fluoroscopes_part,
    "style": style_part,
    "wrist": wrist_part,
    "motion": motion_part,
    "demo": demo_part,
}


def _with_machine(text: str, where: dict[str, Any], load_before: float) -> str:
    """The text with the machine's line below its heading."""
    heading, rest = text.split("\n", 1)
    return f"{heading}\n\n{machine_in_words(where, (load_before, os.getloadavg()[0]))}\n{rest}"


def filled(text: str, name: str, content: str) -> str:
    """`text` with `content` between the marks of this name. ValueError where it has no such marks."""
    marks = re.compile(f"(<!-- {name}: .*? -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
    if not marks.search(text):
        raise ValueError(f"no marks of {name}")
    return marks.sub(lambda m: m[1] + content + "\n" + m[2], text)


def main(names: list[str]) -> None:
    """Measure and write the parts of these names, one after the other."""
    for name in names or PARTS:
        filled(PAGE.read_text(encoding="utf-8"), name, "")
    for name in names or PARTS:
        text, rows = PARTS[name]()
        PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), name, text), encoding="utf-8")
        if rows:
            short = table(("", "found", ""), rows)
            README.write_text(
                filled(README.read_text(encoding="utf-8"), f"figures of {name}", short), encoding="utf-8"
            )
        print("Wrote", name, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
