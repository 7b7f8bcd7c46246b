"""The report's part on the network that a registration began from: what it knows, and how it came to know it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from .charts import line_chart


@dataclass(frozen=True)
class NetworkSection:
    """Facts (name, value) and the curve of the error while it was trained."""

    facts: tuple[tuple[str, str], ...]
    chart: Markup


def network_section(metadata: Mapping[str, Any]) -> NetworkSection:
    """From the metadata of the network's file."""
    milestones = metadata["milestones"]
    facts = [
        ("Preset", str(metadata["preset"]["name"])),
        ("Trained", f"{metadata['seconds']:.0f} s, {metadata['steps']} steps"),
        ("CT", f"fingerprint {metadata['ct_fingerprint']}"),
    ]
    if milestones:
        last = milestones[-1]["validation"]
        facts.append(
            (
                "On images it never saw",
                f"off by {last['distance_mm']:.1f} mm and {last['rotation_deg']:.1f}° (medians)",
            )
        )
    points = [(m["seconds"], m["validation"]["distance_mm"]) for m in milestones]
    chart = line_chart(points, "Seconds of training", "Error (mm)", "Median error on validation images while training")
    return NetworkSection(tuple(facts), chart)
