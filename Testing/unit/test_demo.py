"""`fluororeg demo` from its first word to its last, and what the README does with what it leaves.

On the computed head, with a training of two seconds. One file, so that one process makes the demo for both tests.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from DiffRegistrationLib import demonstration
from DiffRegistrationLib.command_line.main import app
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.sample_data import DATA_VARIABLE
from DiffRegistrationLib.xray.files.transform_files import read_pose
from fluororeg_runs import run
from test_documentation import ROOT, blocks, commands
from typer.testing import CliRunner


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """`fluororeg demo` on the computed head, with a training of two seconds: its folder, and what it says as JSON."""

    def absent(name: str) -> Path:
        raise InputError(name, "is absent", "Nothing to do: the demo must go on without it.")

    out = tmp_path_factory.mktemp("demo") / "demo-output"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demonstration, "sample", absent)
        patch.setattr(demonstration, "_TRAINING_SECONDS", 2.0)
        found = run("demo", "--out", out, "--json")
    assert found.code in (0, 1), found.stderr
    return out, found.json


@pytest.mark.slow
def test_the_demo_trains_a_network_and_registers_from_it(demo: tuple[Path, dict[str, Any]]) -> None:
    out, said = demo
    names = [case["name"] for case in said["cases"]]
    assert names == ["simulated AP", "simulated lateral", "simulated AP and lateral", "simulated AP from network"]
    assert all(case["verdict"] == "accepted" for case in said["cases"][:3])
    page = (out / "simulated-ap-from-network" / "report.html").read_text(encoding="utf-8")
    assert "The network that it began from" in page and "fingerprint" in page
    assert (out / "head.pt").exists() and (out / "head.views.png").exists()


@pytest.mark.slow
def test_the_readme_runs_after_the_demo(
    demo: tuple[Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """Python example and all commands on the demo's files, on the head that needs no download."""
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(demo[0], "demo-output")
    first = demo[1]["cases"][0]
    assert first["verdict"] == "accepted" and first["error"]["mrpe_mm"] < 0.5

    (example,) = blocks(ROOT / "README.md", "python")
    scope: dict[str, object] = {}
    exec(example, scope)
    assert "accepted" in capsys.readouterr().out
    by_the_demo = read_pose(Path("demo-output", "simulated-ap", "pose.tfm"))
    np.testing.assert_allclose(read_pose("result/pose.tfm"), by_the_demo, atol=1e-6)

    runnable = [words for words in commands(ROOT / "README.md") if "demo-output" in " ".join(words)]
    assert len(runnable) == 2
    for words in runnable:
        outcome = CliRunner().invoke(app, words[1:])
        assert outcome.exit_code == 0, outcome.output
    assert Path("result/drr-2.nrrd").is_file()
