"""docs/results.md and the figures in the README, measured anew on this machine: `make results`.

python docs/make/results.py

Runs the benchmarks, the demo and the evaluation as a user would and writes down what they print, with date, machine
and versions. The evaluation takes hours; what of it is finished is kept below evaluation/ and not run again.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import Any

import evaluations

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


def wrapped(text: str) -> str:
    """A paragraph in lines of a page's width."""
    return textwrap.fill(text, 118)


def milliseconds(seconds: float) -> str:
    """Whole milliseconds."""
    return f"{1000 * seconds:.0f} ms"


def machine_in_words(machine: dict[str, Any], load: tuple[float, float]) -> str:
    """Date, machine, versions, and how busy the machine was before."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    shared = " Other programs ran at the same time: alone, times are shorter." if load[1] > machine["cores"] else ""
    return wrapped(
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
made for GPUs, where it has a fused kernel; this is a comparison on a CPU and says nothing about a GPU. Its gradient is
autograd's and reaches every input, ours is that of the pose alone."""


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
    said = wrapped(
        f"The X-rays of `make demo`: the {subject}, turned by up to 10° about every axis and shifted by up to 20 mm, "
        "with noise, scatter and blur; told is only “frontal” or “lateral”. mTRE is the mean distance, in 3D, of the "
        "corners of the box half the size of the CT from where they truly are."
    )
    return f"""## Simulated X-rays, position unknown

{said}

{table(("", "verdict", "rotation", "in plane", "depth", "mTRE", "time"), rows)}

**What this does not show:** accuracy on patients. The X-rays were rendered from the very CT that is registered; only
sampling, noise, scatter and blur differ. A second view settles the depth that one view leaves open."""


def in_short(p: dict[str, Any], s: dict[str, Any], d: dict[str, Any], load: tuple[float, float]) -> str:
    """The figures that the README shows."""
    at_200 = p["sizes"]["200"]
    both = next(case for case in d["cases"] if case["name"] == "simulated AP and lateral")
    one = next(case for case in d["cases"] if case["name"] == "simulated AP")
    rows = [
        (
            "DRR of 200×200 pixels",
            milliseconds(at_200["forward_seconds"]),
            milliseconds(at_200["peer_forward_seconds"]),
        ),
        (
            "DRR and its gradient by the pose",
            milliseconds(at_200["gradient_seconds"]),
            milliseconds(at_200["peer_gradient_seconds"]),
        ),
        (
            "memory that both add, 512×512 pixels",
            f"{p['extra_memory_mb']:.0f} MB",
            f"{p['peer_extra_memory_mb']:.0f} MB",
        ),
        ("real X-ray, starts up to 15° and 30 mm off that lead to one pose", f"{s['converged']} of {s['starts']}", ""),
        (
            "that pose beside the scanner's own, which is good to about 0.3° and 0.6 mm",
            f"{s['rotation_deg']:.2f}°, {s['in_plane_mm']:.2f} mm in plane",
            "",
        ),
        ("seconds from such a start, median", f"{s['median_seconds']:.2f}", ""),
        ("simulated AP, position unknown: mean error in 3D", f"{one['error']['mtre_mm']:.2f} mm", ""),
        ("with a second view", f"{both['error']['mtre_mm']:.2f} mm", ""),
    ]
    heading = ("", "ours", f"nanodrr {p['machine']['packages']['nanodrr']}")
    return f"{table(heading, rows)}\n\n{machine_in_words(p['machine'], load)}\n"


def write(page: str, short: str) -> None:
    """The page, and its short form between the README's marks."""
    PAGE.write_text(page, encoding="utf-8")
    around = re.compile("(<!-- figures: .*? -->\n).*?(<!-- end of figures -->)", re.DOTALL)
    README.write_text(around.sub(lambda m: m[1] + short + m[2], README.read_text(encoding="utf-8")), encoding="utf-8")
    print("Wrote", PAGE, "and", README)


def main() -> None:
    """Measure and write."""
    before = os.getloadavg()[0]
    projector = measured("benchmark", "projector")
    scout = measured("benchmark", "scout")
    with tempfile.TemporaryDirectory() as folder:
        demo = measured("demo", "--out", folder)
    evaluated = evaluations.run(measured)
    load = before, os.getloadavg()[0]
    page = f"""# Results

Written by `make results`; run it to measure on your own machine. Every figure is measured, none is typed in.

{machine_in_words(projector["machine"], load)}

{projector_in_words(projector)}

{scout_in_words(scout)}

{demo_in_words(demo)}

{evaluations.in_words(evaluated, table)}
"""
    write(page, in_short(projector, scout, demo, load))


if __name__ == "__main__":
    main()
