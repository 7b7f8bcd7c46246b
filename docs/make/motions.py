"""Moving bodies in docs/results.md: real bones of a wrist in two frames, and a simulated head in two hundred."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Table = Callable[[tuple[str, ...], list[tuple[str, ...]]], str]


def wrist_in_words(w: dict[str, Any], table: Table) -> str:
    """Agreement on the real wrist."""
    rows = [
        (
            name,
            one["verdict"],
            f"{one['spread_mm']:.3f} mm, {one['spread_deg']:.2f}°",
            f"{one['starts_accepted']} of {w['starts']}",
            f"{one['other_similarity_mm']:.2f} mm, {one['other_similarity_deg']:.2f}°",
            ", ".join(f"{view:.2f}" for view in one["single_views_mm"]) + " mm",
            f"{one['from_search_mm']:.2f} mm, {one['from_search_verdict']}",
            f"{one['seconds']:.1f}",
        )
        for name, one in w["bones"].items()
    ]
    right = sum(one["from_search_mm"] < 1.0 for one in w["bones"].values())
    search = f"ends there for {right} of {len(w['bones'])}"
    heading = (
        "",
        "verdict",
        f"{w['starts']} starts, largest spread",
        "accepted",
        f"{w['other_similarity']}",
        "each view alone, in plane",
        "wide search",
        "seconds",
    )
    return f"""## Real dual fluoroscopy: two bones of a wrist

Frames 2 and 99 of a published pair of calibrated fluoroscopes (BrownBiomechanics/Autoscoper), radius and ulna as
masked bones. {w["beads"]} metal beads triangulate to {w["bead_reprojection_px"]:.2f} px (mean reprojection error).
The bones are followed from the published rough pose of the radius in frame 99; then each is registered with the other
in the picture from {w["starts"]} starts up to 6° and 5 mm off (seed {w["seed"]}), by edges instead of fine structure,
in each view alone, and by a wide search (36°, 80 mm) about the rough pose of the radius, which {search}.

{table(heading, rows)}

**What this does not show:** the error. No truth is known of these bones; the figures are agreement. The beads lie on
the skin and do not move with the bones."""


def motion_in_words(m: dict[str, Any], table: Table) -> str:
    """Errors on the simulated moving head."""
    rows = []
    for name, one in m["activities"].items():
        for words, key in (("60 % of the skull in view and more", "mostly_visible"), ("less", "end_of_range")):
            part = one[key]
            if part is None:
                continue
            rows.append(
                (
                    f"{name}, {words}",
                    f"{part['frames']}",
                    f"{part['mean_deg']:.2f}° ({part['max_deg']:.2f}°)",
                    f"{part['mean_mm']:.2f} mm ({part['max_mm']:.2f} mm)",
                    f"{part['smoothed_mean_deg']:.2f}°, {part['smoothed_mean_mm']:.2f} mm",
                )
            )
    verdicts = [
        (
            name,
            *(f"{one['verdicts'][verdict]}" for verdict in ("accepted", "doubtful", "failed")),
            f"{one['accepted_gross_failures']}",
            f"{one['frame_pairs_per_second']:.1f}",
        )
        for name, one in m["activities"].items()
    ]
    motions = "\n".join(f"- {name}: {one['words']}" for name, one in m["activities"].items())
    return f"""## A moving head in simulated dual fluoroscopy

{motions}

Two image intensifiers, 80° apart, {m["frames"]} frames of each motion, from the full CT of the Visible
Human head whose neck bends, with everything that the simulator has: scatter, noise, blur, glare, vignetting, motion
during the exposure, wires, electrodes, screws, vessels, head holder, table, display curve; the intensifiers'
distortion is undone by its calibration. Followed is the CT of 1.5 mm voxels above the neck, with no start told
(`fluororeg benchmark head-motion`). Means, and maxima in brackets, of the poses as measured and after smoothing.

{table(("", "frames", "rotation", "position", "smoothed"), rows)}

{table(("", "accepted", "doubtful", "failed", "> 10 mm accepted", "frame pairs/s"), verdicts)}

For comparison: landmarks in dual fluoroscopy, 3.9° and 4.6 mm in walking (Zhou et al. 2021, other people, real
X-rays). **What this does not show:** that difference's share of real X-rays. The head is one head, simulated."""
