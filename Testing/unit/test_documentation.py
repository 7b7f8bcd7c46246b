"""README, docs and demo are true: links lead somewhere, commands and examples run, named tests exist."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from DiffRegistrationLib import demonstration
from DiffRegistrationLib.command_line.main import app
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.camera_files import read_camera
from DiffRegistrationLib.xray.files.sample_data import DATA_VARIABLE
from DiffRegistrationLib.xray.files.transform_files import read_pose
from DiffRegistrationLib.xray.geometry import PinholeCamera
from DiffRegistrationLib.xray.geometry.c_arm import c_arm_camera
from fluororeg_runs import run
from typer.testing import CliRunner

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
TESTS = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "Testing").rglob("test_*.py"))

pages = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)


def blocks(page: Path, language: str = "") -> list[str]:
    """The fenced blocks of one language."""
    found, inside = [], None
    for line in page.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.startswith("```"):
            if inside is None:
                inside = (line[3:].strip(), [])
            else:
                found.append(inside)
                inside = None
        elif inside is not None:
            inside[1].append(line)
    assert inside is None, f"{page.name}: a block is not closed"
    return ["".join(lines) for name, lines in found if name == language]


def anchors(page: Path) -> set[str]:
    """What GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(page: Path) -> Iterator[list[str]]:
    """The words of each `fluororeg …` line that is not a generated usage."""
    for block in blocks(page):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("fluororeg ") and "[options]" not in line:
                yield shlex.split(line, comments=True)


@pages
def test_every_link_and_picture_exists(page: Path) -> None:
    found = re.findall(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"", page.read_text(encoding="utf-8"))
    targets = [markdown or html for markdown, html in found]
    for target in targets:
        if target.startswith(("http://", "https://")):
            continue
        place, _, anchor = target.partition("#")
        linked = (page.parent / place) if place else page
        assert linked.exists(), f"{page.name} links to {target}, which is not there"
        assert not anchor or anchor in anchors(linked), f"{page.name} links to {target}, which has no such heading"


@pages
def test_every_command_line_parses(page: Path) -> None:
    for words in commands(page):
        command = typer.main.get_command(app)
        while hasattr(command, "commands"):
            command, words = command.commands[words[1]], words[1:]
        command.make_context(words[0], words[1:])


def test_readme_shows_the_main_commands() -> None:
    verbs = [words[1] for words in commands(ROOT / "README.md")]
    assert verbs.count("register") >= 4 and "info" in verbs
    targets = {
        line.split()[1]
        for page in PAGES
        for block in blocks(page)
        for line in block.splitlines()
        if line[:5] == "make "
    }
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert targets >= {"demo", "test"}
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []


@pages
def test_every_test_that_is_named_exists(page: Path) -> None:
    named = re.findall(r"`(test_\w+)`", page.read_text(encoding="utf-8"))
    assert [name for name in named if f"def {name}(" not in TESTS] == []
    assert page.name != "conventions.md" or len(named) > 20


@pages
def test_every_tag_has_its_number(page: Path) -> None:
    from pydicom.datadict import keyword_for_tag

    for group, element, keyword in re.findall(
        r"\(([0-9A-F]{4}),([0-9A-F]{4})\)\s+([A-Z]\w+)", page.read_text("utf-8")
    ):
        if keyword != "Patient":
            assert keyword_for_tag(int(group + element, 16)) == keyword


def test_what_follows_from_the_code_is_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "make"))
    import reference

    for path, text in reference.written().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is out of date: run `make docs`"


def test_the_camera_file_of_the_documentation_is_the_c_arm_that_it_says(tmp_path: Path) -> None:
    (example,) = blocks(ROOT / "docs" / "geometry.md", "json")
    (tmp_path / "camera.json").write_text(json.dumps(json.loads(example)), encoding="utf-8")
    camera = read_camera(tmp_path / "camera.json").camera
    same = c_arm_camera(
        source_detector_distance=1020.0,
        source_object_distance=700.0,
        pixel_spacing=(0.8, 0.8),
        size=(480, 480),
        primary_angle_deg=180.0,
    )
    assert isinstance(camera, PinholeCamera) and camera.size == same.size
    np.testing.assert_allclose(camera.projection_matrix, same.projection_matrix, atol=1e-9)
    assert camera.pixel_spacing == same.pixel_spacing


def test_the_camera_example_writes_a_camera(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (example,) = blocks(ROOT / "docs" / "geometry.md", "python")
    exec(example, {})
    (expected,) = blocks(ROOT / "docs" / "geometry.md", "json")
    np.testing.assert_allclose(
        read_camera("camera.json").camera.camera_from_world, json.loads(expected)["camera_from_world_mm"], atol=1e-9
    )


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
