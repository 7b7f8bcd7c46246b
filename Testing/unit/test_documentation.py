"""README and docs are true: links lead somewhere, commands parse and run, examples run, named tests exist."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import typer
from DiffRegistrationLib.command_line.main import app
from DiffRegistrationLib.xray.files.camera_files import read_camera
from DiffRegistrationLib.xray.geometry import PinholeCamera
from DiffRegistrationLib.xray.geometry.c_arm import c_arm_camera

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
