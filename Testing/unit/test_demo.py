"""`fluororeg demo` from its first word to its last, on the computed head, with a training of two seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.mark.slow
def test_the_demo_trains_a_network_and_registers_from_it(demo: tuple[Path, dict[str, Any]]) -> None:
    out, said = demo
    names = [case["name"] for case in said["cases"]]
    assert names == ["simulated AP", "simulated lateral", "simulated AP and lateral", "simulated AP from network"]
    assert all(case["verdict"] == "accepted" for case in said["cases"][:3])
    page = (out / "simulated-ap-from-network" / "report.html").read_text(encoding="utf-8")
    assert "The network that it began from" in page and "fingerprint" in page
    assert (out / "head.pt").exists() and (out / "head.views.png").exists()
