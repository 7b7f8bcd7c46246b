"""`fluororeg demo` from its first word to its last, on the computed head, with a training of two seconds."""

from __future__ import annotations

from pathlib import Path

import pytest
from DiffRegistrationLib import demonstration
from DiffRegistrationLib.xray.errors import InputError
from fluororeg_runs import run


@pytest.mark.slow
def test_the_demo_trains_a_network_and_registers_from_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Path:
        raise InputError(name, "is absent", "Nothing to do: the demo must go on without it.")

    monkeypatch.setattr(demonstration, "sample", absent)
    monkeypatch.setattr(demonstration, "_TRAINING_SECONDS", 2.0)
    found = run("demo", "--out", tmp_path, "--json")
    assert found.code in (0, 1), found.stderr
    names = [case["name"] for case in found.json["cases"]]
    assert names == ["simulated AP", "simulated lateral", "simulated AP and lateral", "simulated AP from network"]
    assert all(case["verdict"] == "accepted" for case in found.json["cases"][:3])
    page = (tmp_path / "simulated-ap-from-network" / "report.html").read_text(encoding="utf-8")
    assert "The network that it began from" in page and "fingerprint" in page
    assert (tmp_path / "head.pt").exists() and (tmp_path / "head.views.png").exists()
