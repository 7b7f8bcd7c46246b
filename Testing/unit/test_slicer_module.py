"""What the modules take from Slicer, Qt and CTK exists in a running Slicer; imports; what they say of themselves."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from xml.etree import ElementTree

import pytest
from DiffRegistrationLib.registration.starts import START_NAMES

ROOT = Path(__file__).parents[2]
MODULE = ROOT / "DiffRegistration"
MODULE_FILE = MODULE / "DiffRegistration.py"
LIB = MODULE / "DiffRegistrationLib"
LANDMARKS = ROOT / "LandmarkDetection"
LANDMARKS_FILE = LANDMARKS / "SkullLandmarkDetection.py"
LANDMARKS_LIB = LANDMARKS / "LandmarkDetectionLib"
MODULE_FILES = (MODULE_FILE, LANDMARKS_FILE)
FILES = [
    *MODULE_FILES,
    *(
        path
        for lib in (LIB, LANDMARKS_LIB)
        for part in ("panel", "mrml")
        for path in sorted((lib / part).glob("*.py"))
    ),
]
OF_SLICER = {"slicer", "qt", "ctk", "vtk", "SampleData", "PyTorchUtils"}
# Recorded in a running Slicer; a test of the stand-in compares it with the whole recording.
RECORDED = json.loads((ROOT / "Testing" / "gui" / "slicer_stand_in" / "names.json").read_text(encoding="utf-8"))

files = pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.parent.name}-{path.stem}")


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def members(kind: str) -> set[str]:
    """Properties, signals and methods of a class of Qt, CTK or Slicer, with those that it inherits."""
    for kit in ("qt", "ctk", "slicer"):
        if kind in RECORDED[kit]:
            entry = RECORDED[kit][kind]
            inherited = members(entry["extends"]) if "extends" in entry else set()
            return {*entry["names"].split(), *inherited}
    raise KeyError(f"{kind} was not recorded")


def widgets(*designed: Path) -> dict[str, str]:
    """Class of every widget of some Designer files by its name."""
    found: dict[str, str] = {}
    for path in designed:
        for widget in ElementTree.parse(path).iter("widget"):
            name, kind = widget.attrib["name"], widget.attrib["class"]
            assert found.setdefault(name, kind) == kind, f"{name} is of two classes"
    return found


# The window of landmarks shows two sections of the other module's.
_SHARED = [MODULE / "Resources" / "UI" / f"{name}.ui" for name in ("Status", "Packages")]
WIDGETS = widgets(*sorted((MODULE / "Resources" / "UI").glob("*.ui")))
WIDGETS_OF_LANDMARKS = widgets(*sorted((LANDMARKS / "Resources" / "UI").glob("*.ui")), *_SHARED)


def widgets_of(path: Path) -> dict[str, str]:
    """The widgets that a file's window has."""
    return WIDGETS_OF_LANDMARKS if LANDMARKS in path.parents else WIDGETS


def of_widgets(tree: ast.Module) -> Iterator[tuple[str, str, int]]:
    """(widget, attribute, line) for every `ui.widget.attribute`, whatever holds the ui."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute):
            holder = node.value.value
            called = holder.id if isinstance(holder, ast.Name) else getattr(holder, "attr", "")
            if called in ("ui", "_ui", "packagesUI", "packages"):
                yield node.value.attr, node.attr, node.lineno


def chains(tree: ast.Module) -> Iterator[tuple[list[str], int]]:
    """Dotted names that begin with a module of Slicer's, and their lines; of nested ones the longest."""
    inner: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and id(node) not in inner:
            parts, at = [node.attr], node.value
            while isinstance(at, ast.Attribute):
                inner.add(id(at))
                parts.append(at.attr)
                at = at.value
            if isinstance(at, ast.Name) and at.id in ("slicer", "qt", "ctk"):
                yield [at.id, *reversed(parts)], node.lineno


@pytest.mark.parametrize("path", MODULE_FILES, ids=lambda path: path.stem)
def test_file_scope_imports_only_what_slicer_or_python_brings(path: Path) -> None:
    for node in tree_of(path).body:
        assert isinstance(node, (ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef, ast.Expr)), (
            f"code at line {node.lineno}"
        )
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            top = name.split(".")[0]
            assert top in OF_SLICER or top in sys.stdlib_module_names, f"{name} is imported at file scope"


@files
def test_every_widget_and_what_is_asked_of_it_exists(path: Path) -> None:
    known = widgets_of(path)
    for widget, attribute, line in of_widgets(tree_of(path)):
        assert widget in known, f"line {line}: no Designer file has a {widget}"
        assert attribute in members(known[widget]), f"line {line}: a {known[widget]} has no {attribute}"


@files
def test_every_signal_that_is_connected_exists(path: Path) -> None:
    for node in ast.walk(tree_of(path)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "connect"):
            continue
        signature = node.args[0]
        assert isinstance(signature, ast.Constant) and re.fullmatch(r"\w+\([\w*,: ]*\)", str(signature.value)), (
            f"line {node.lineno}: signals are connected by their C++ signature"
        )
        sender = node.func.value
        if isinstance(sender, ast.Attribute) and sender.attr in widgets_of(path):
            name = str(signature.value).split("(")[0]
            assert name in members(widgets_of(path)[sender.attr]), (
                f"line {node.lineno}: {sender.attr} has no signal {name}"
            )


@files
def test_every_name_of_qt_ctk_and_slicer_exists(path: Path) -> None:
    slicer = pytest.importorskip("slicer")
    importlib.import_module("slicer.util")
    for parts, line in chains(tree_of(path)):
        where = f"line {line}: {'.'.join(parts)}"
        if parts[0] in ("qt", "ctk"):
            assert parts[1] in RECORDED["kits"][parts[0]].split(), where
            # Enumerators of qt.Qt were not recorded.
            assert len(parts) == 2 or parts[1] == "Qt" or parts[2] in members(parts[1]), where
        elif parts[1] == "app":
            assert len(parts) == 2 or parts[2] in members("qSlicerApplication"), where
        elif parts[1] == "util":
            assert hasattr(slicer.util, parts[2]), where
        elif parts[1].startswith("vtk"):
            kind = getattr(slicer, parts[1], None)
            assert kind is not None, where
            assert all(hasattr(kind, name) for name in parts[2:3]), where
        elif parts[1] == "mrmlScene":
            assert all(hasattr(slicer.vtkMRMLScene, name) for name in parts[2:3]), where
        else:
            assert parts[1] in ("modules", "selfTests", "dicomDatabase"), where


@files
def test_every_import_from_slicer_exists(path: Path) -> None:
    util = pytest.importorskip("slicer.util")
    for node in ast.walk(tree_of(path)):
        if not isinstance(node, ast.ImportFrom) or node.level or (node.module or "").split(".")[0] != "slicer":
            continue
        for alias in node.names:
            if node.module == "slicer.util":
                assert hasattr(util, alias.name), f"line {node.lineno}"
                continue
            known = RECORDED["python"][node.module]
            assert alias.name in known or alias.name in known.get("all", ()), f"line {node.lineno}: {alias.name}"


@files
def test_every_class_and_method_of_nodes_and_vtk_exists(path: Path) -> None:
    """Of what class a node is no syntax tells: a method must be one of some class of Slicer's MRML or of VTK."""
    slicer, vtk = pytest.importorskip("slicer"), pytest.importorskip("vtk")
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Constant) and re.fullmatch(r"vtkMRML\w+(Node|\d)", str(node.value)):
            # Colour tables that are there by themselves are known by their ids.
            known = hasattr(slicer, node.value) or str(node.value).startswith("vtkMRMLColorTableNode")
            assert known, f"line {node.lineno}: {node.value}"
        elif isinstance(node, ast.Attribute) and re.match(r"[A-Z][a-z]+[A-Z]|IsA$", node.attr):
            holder = ast.unparse(node.value)
            if holder in ("qt", "ctk", "SampleData") or holder.startswith(("slicer", "qt.", "self.packages")):
                continue
            assert node.attr in every_method(slicer, vtk), f"line {node.lineno}: {node.attr}"


@cache
def every_method(slicer: ModuleType, vtk: ModuleType) -> frozenset[str]:
    """Names of the methods, events and constants of all classes of Slicer's MRML and VTK, and of VTK itself."""
    kinds = [getattr(module, name) for module in (slicer, vtk) for name in dir(module) if name.startswith("vtk")]
    return frozenset({*dir(vtk), *(name for kind in kinds for name in dir(kind))})


def offered(section: str, constant: str, lib: Path = LIB) -> list[str]:
    """The engine's names in a table of choices of a section's file."""
    tree = tree_of(lib / "panel" / f"{section}.py")
    (table,) = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and ast.unparse(node.targets[0]) == constant
        and isinstance(node.value, ast.Tuple)
    ]
    return [ast.literal_eval(entry.elts[0]) for entry in table.elts if isinstance(entry, ast.Tuple)]


def test_what_the_window_offers_is_what_the_engine_knows() -> None:
    """Every start, preset and overlay can be chosen, and no other."""
    starts = offered("register", "_STARTS")
    assert starts[0] == "auto" and sorted({*starts} - {"current", "network"}) == sorted(START_NAMES)
    presets = {path.stem for path in (LIB / "training" / "presets").glob("*.toml")}
    assert sorted(offered("train", "_PRESETS")) == sorted(presets)
    modes = re.search(r"OVERLAY_MODES = (\(.*\))", (LIB / "mrml" / "drr_node.py").read_text(encoding="utf-8"))
    assert modes is not None and sorted(offered("register", "_OVERLAYS")) == sorted(ast.literal_eval(modes[1]))


def test_what_the_window_of_landmarks_offers_is_what_the_engine_knows() -> None:
    """Views, methods and devices of trainings."""
    views = {path.stem for path in (LANDMARKS_LIB / "population" / "presets").glob("*.toml")}
    assert sorted(offered("landmark_training", "_VIEWS", LANDMARKS_LIB)) == sorted(views)
    translators = tree_of(LANDMARKS_LIB / "style" / "translators.py")
    (methods,) = [
        [ast.literal_eval(key) for key in node.value.keys if key is not None]
        for node in translators.body
        if isinstance(node, ast.Assign)
        and ast.unparse(node.targets[0]) == "METHODS"
        and isinstance(node.value, ast.Dict)
    ]
    assert sorted(offered("landmark_training", "_METHODS", LANDMARKS_LIB)) == sorted(methods)
    assert offered("landmark_training", "_DEVICES", LANDMARKS_LIB) == ["auto", "cpu", "cuda", "mps"]


def test_designer_files_of_both_modules_have_names_of_their_own() -> None:
    """They are installed into one folder."""
    first, second = ({path.name for path in (one / "Resources" / "UI").glob("*.ui")} for one in (MODULE, LANDMARKS))
    assert first and second and not first & second


@pytest.mark.parametrize("path", MODULE_FILES, ids=lambda path: path.stem)
def test_the_description_names_the_three_papers(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loaded as plain Python: the description asks nothing of the window."""
    base = type("Base", (), {"__init__": lambda self, parent: setattr(self, "parent", parent)})
    names = [f"ScriptedLoadableModule{kind}" for kind in ("", "Widget", "Logic", "Test")]
    made = {
        "slicer": {"app": SimpleNamespace(connect=lambda signal, receiver: None)},
        "slicer.i18n": {"tr": str, "translate": lambda context, text: text},
        "slicer.ScriptedLoadableModule": dict.fromkeys(names, base),
        "slicer.util": {"VTKObservationMixin": type("Mixin", (), {})},
        "vtk": {"calldata_type": lambda kind: lambda method: method, "VTK_OBJECT": 0},
        **{name: {} for name in ("qt", "ctk")},
    }
    for name, content in made.items():
        module = ModuleType(name)
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, module)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    parent = SimpleNamespace()
    getattr(loaded, path.stem)(parent)
    assert parent.title.replace(" ", "") == path.stem and parent.categories == ["Registration"]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    for paper in ("2312.06358", "2108.06466", "10.1002/mp.17349"):
        assert paper in parent.acknowledgementText and paper in citation


def test_packages_for_slicer_are_the_engine_s_own() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    engine = {*project["dependencies"], *project["optional-dependencies"]["report"]}
    # Slicer brings the first three; the last two serve the command line only.
    elsewhere = {"numpy", "SimpleITK", "pydicom", "typer", "rich"}
    expected = {line for line in engine if re.split(r"[<>=]", line)[0] not in elsewhere}
    text = (MODULE / "Resources" / "requirements.txt").read_text(encoding="utf-8")
    assert {line for line in text.splitlines() if not line.startswith("#")} == expected
    assert f"version: {project['version']}" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
