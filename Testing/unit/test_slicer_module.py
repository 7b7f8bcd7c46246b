"""The Slicer module file: what it imports, which names of Slicer it uses, and what its window and logic do."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from DiffRegistrationLib.registration.starts import START_NAMES

ROOT = Path(__file__).parents[2]
MODULE_FILE = ROOT / "DiffRegistration" / "DiffRegistration.py"
STAND_IN = ROOT / "Testing" / "slicer_stand_in"
OF_SLICER = {"slicer", "qt", "ctk", "vtk"}


def stand_in() -> ModuleType:
    spec = importlib.util.spec_from_file_location("slicer_stand_in_modules", STAND_IN / "modules.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    return stand_in().install(monkeypatch)


@pytest.fixture
def module(seen: SimpleNamespace) -> ModuleType:
    spec = importlib.util.spec_from_file_location("DiffRegistration", MODULE_FILE)
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """An engine that notes how it was called and gives a known pose, or raises what `error` holds."""
    called = SimpleNamespace(error=None, arguments=None)
    pose = np.array([[0.0, -1, 0, 10], [1, 0, 0, -20], [0, 0, 1, 30], [0, 0, 0, 1]])

    def register_files(ct: Path, xrays: list[Path], *, start: str, output: Path) -> SimpleNamespace:
        called.arguments = (ct, xrays, start, output)
        if called.error is not None:
            raise called.error
        return SimpleNamespace(pose=pose, verdict=SimpleNamespace(value="doubtful"), reason="depth is vague")

    workflow = ModuleType("DiffRegistrationLib.registration.workflow")
    workflow.__dict__["register_files"] = register_files
    monkeypatch.setitem(sys.modules, workflow.__name__, workflow)
    called.pose = pose
    return called


def window(module: ModuleType, seen: SimpleNamespace) -> Any:
    made = module.DiffRegistrationWidget()
    made.setup()
    seen.widgets["DiffRegistration"] = made
    return made


def test_file_scope_imports_only_what_slicer_or_python_brings() -> None:
    tree = ast.parse(MODULE_FILE.read_text(encoding="utf-8"))
    compile(tree, MODULE_FILE.name, "exec")
    for node in tree.body:
        assert isinstance(node, (ast.Import, ast.ImportFrom, ast.ClassDef, ast.Expr)), f"code at line {node.lineno}"
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            top = name.split(".")[0]
            assert top in OF_SLICER or top in sys.stdlib_module_names, f"{name} is imported at file scope"


def used_names() -> set[str]:
    """Names of Slicer, Qt and CTK that the module file uses, dotted, with what is used of each widget it makes."""
    tree = ast.parse(MODULE_FILE.read_text(encoding="utf-8"))
    names: set[str] = set()
    kinds: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in OF_SLICER:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            made = ast.unparse(node.value.func)
            if made.startswith(("qt.", "ctk.")):
                kinds[ast.unparse(node.targets[0])] = made
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner = ast.unparse(node.value)
            if owner in kinds:
                names.add(f"{kinds[owner]}.{node.attr}")
            elif owner.split(".")[0] in OF_SLICER and not owner.startswith("slicer.mrmlScene"):
                names.add(f"{owner}.{node.attr}")
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".connect"):
            owner = ast.unparse(node.func).removesuffix(".connect")
            signal = node.args[0]
            assert isinstance(signal, ast.Constant)
            names.add(f"{kinds[owner]}.{signal.value.split('(')[0]}")
    return names - {"slicer.util"}


def test_every_name_of_slicer_is_a_known_one() -> None:
    known = set(json.loads((STAND_IN / "names.json").read_text(encoding="utf-8")))
    assert used_names() - known == set(), "check them against Slicer, then add them to names.json"
    assert known - used_names() == set(), "no longer used"


@pytest.mark.real
def test_known_names_exist_in_a_running_slicer(real_data: Path) -> None:
    recorded = real_data.parent / "slicer_api.json"
    if not recorded.is_file():
        pytest.skip(f"SLICER'S NAMES ABSENT: no {recorded.name} beside the real data")
    api = json.loads(recorded.read_text(encoding="utf-8"))

    def members(kit: str, kind: str) -> set[str]:
        entry = api[kit]["classes"].get(kind, [])
        inherited = api["qt"]["classes"]["QWidget"] if isinstance(entry, dict) else []
        return {*(entry["names"] if isinstance(entry, dict) else entry), *inherited}

    for name in json.loads((STAND_IN / "names.json").read_text(encoding="utf-8")):
        parts = name.split(".")
        if parts[0] in ("qt", "ctk"):
            assert parts[1] in api[parts[0]]["names"], name
            assert len(parts) == 2 or parts[2] in members(*parts[:2]), name
        elif len(parts) == 2:
            assert parts[1] in api["slicer"]["names"], name
        else:
            assert parts[2] in api["python"][f"slicer.{parts[1]}"], name


def test_logic_hands_paths_on_and_the_pose_back(
    module: ModuleType, seen: SimpleNamespace, engine: SimpleNamespace, tmp_path: Path
) -> None:
    node = module.DiffRegistrationLogic().register("ct folder", "x.dcm", start="pa", outputFolder=str(tmp_path))
    assert engine.arguments == (Path("ct folder"), [Path("x.dcm")], "pa", tmp_path)
    assert np.array_equal(node.matrix, engine.pose)
    assert seen.scene.nodes == [node]
    assert node.attributes == {
        "DiffRegistration.Verdict": "doubtful",
        "DiffRegistration.Reason": "depth is vague",
        "DiffRegistration.Report": str(tmp_path / "report.html"),
    }


def test_window_registers_and_opens_the_report(
    module: ModuleType, seen: SimpleNamespace, engine: SimpleNamespace
) -> None:
    shown = window(module, seen)
    assert not shown.registerButton.enabled and shown.registerButton.toolTip == "Choose a CT and an X-ray first."
    assert not shown.reportButton.enabled
    seen.chosen_folder = "ct folder"
    shown.ctFolderButton.click()
    assert shown.registerButton.toolTip == "Choose an X-ray first."
    shown.xrayPath.currentPath = "x.dcm"
    shown.startBox.currentIndex = 1
    shown.registerButton.click()
    assert engine.arguments[:3] == (Path("ct folder"), [Path("x.dcm")], shown.startBox.items[1][1])
    assert any(line.startswith("numba") for line in seen.installed)
    assert shown.resultLabel.text == "Doubtful: depth is vague. The pose is the transform 'CT pose'."
    shown.reportButton.click()
    assert seen.opened == [str(engine.arguments[3] / "report.html")]


def test_every_start_that_the_engine_knows_can_be_chosen(module: ModuleType, seen: SimpleNamespace) -> None:
    offered = [name for _, name in window(module, seen).startBox.items]
    assert offered[0] == "auto" and sorted(offered) == sorted(START_NAMES)


def test_a_failed_registration_is_shown_and_leaves_nothing_behind(
    module: ModuleType, seen: SimpleNamespace, engine: SimpleNamespace
) -> None:
    shown = window(module, seen)
    shown.ctPath.currentPath, shown.xrayPath.currentPath = "ct.nrrd", "x.dcm"
    shown.registerButton.click()
    engine.error = ValueError("x.dcm: no geometry. Give a camera file.")
    with pytest.raises(ValueError, match="no geometry"):
        shown.registerButton.click()
    assert seen.errors == ["The registration could not be made. x.dcm: no geometry. Give a camera file."]
    assert shown.resultLabel.text == "None yet." and not shown.reportButton.enabled
    assert len(seen.scene.nodes) == 1


def test_the_module_s_own_test_passes(module: ModuleType, seen: SimpleNamespace) -> None:
    window(module, seen)
    own = module.DiffRegistrationTest()
    own.runTest()
    assert len(own.messages) == 2


def test_the_description_names_the_three_papers(module: ModuleType) -> None:
    parent = SimpleNamespace()
    module.DiffRegistration(parent)
    assert parent.title == "DiffRegistration" and parent.categories == ["Registration"]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    for paper in ("2312.06358", "2108.06466", "10.1002/mp.17349"):
        assert paper in parent.acknowledgementText and paper in citation


def test_packages_for_slicer_are_the_engine_s_own() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    engine = {*project["dependencies"], *project["optional-dependencies"]["report"]}
    # Slicer brings the first three; the last two serve the command line only.
    elsewhere = {"numpy", "SimpleITK", "pydicom", "typer", "rich"}
    expected = {line for line in engine if re.split(r"[<>=]", line)[0] not in elsewhere}
    text = (ROOT / "DiffRegistration" / "Resources" / "requirements.txt").read_text(encoding="utf-8")
    assert {line for line in text.splitlines() if not line.startswith("#")} == expected
    assert f"version: {project['version']}" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
