"""What a manifest of a cohort may say, and how it tells what is wrong in which line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from DiffRegistrationLib.cohort.case_inputs import case_inputs
from DiffRegistrationLib.cohort.cohort_case import COLUMNS
from DiffRegistrationLib.cohort.fingerprint import Fingerprints
from DiffRegistrationLib.cohort.manifest import Manifest, read_manifest
from DiffRegistrationLib.xray.errors import InputError


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with files of all kinds; only their names count here."""
    (tmp_path / "cam1").mkdir()
    for name in ("head.nrrd", "ap.dcm", "lat.dcm", "ap.json", "lat.json", "jaw.nrrd", "cam1/1.tif", "cam1/2.tif"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    return tmp_path


def manifest(folder: Path, *lines: str, encoding: str = "utf-8") -> Manifest:
    path = folder / "cohort.csv"
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return read_manifest(path)


def test_columns_become_views_and_numbers(files: Path) -> None:
    listed = manifest(
        files,
        "case,ct,xrays,cameras,masks,sdd,sod,spacing,angles,frame,bone,start,similarity,series",
        "a,head.nrrd,ap.dcm; lat.dcm,ap.json;lat.json,;jaw.nrrd,,,,,2,dark,lateral,local-ncc,#2",
        "",
        'b,head.nrrd,ap.dcm;lat.dcm,,,1020,700,"0.3, 0.4","180 0;-90,5",,,,,',
    )
    assert [(case.name, case.line, case.problem) for case in listed.cases] == [("a", 2, None), ("b", 4, None)]
    first, second = (case_inputs(case, listed.folder) for case in listed.cases)
    assert [view.path.name for view in first.views] == ["ap.dcm", "lat.dcm"]
    assert [view.camera and view.camera.name for view in first.views] == ["ap.json", "lat.json"]
    assert [view.mask and view.mask.name for view in first.views] == [None, "jaw.nrrd"]
    assert [(view.frame, view.bone_is_bright) for view in first.views] == [(2, False)] * 2
    assert (first.start, first.similarity, first.series) == ("lateral", "local-ncc", "#2")
    assert second.start == "auto" and all(view.camera is None for view in second.views)
    geometries = [view.geometry for view in second.views]
    assert all(g and g.source_detector_distance == 1020 and g.pixel_spacing == (0.3, 0.4) for g in geometries)
    assert [g and (g.primary_angle_deg, g.secondary_angle_deg) for g in geometries] == [(180, 0), (-90, 5)]


def test_sequences_may_be_patterns_and_name_their_bodies(files: Path) -> None:
    listed = manifest(
        files,
        "case,kind,ct,xrays,key_frame,frames_per_second,labels,bodies,joints",
        "a,track,head.nrrd,cam1/*.tif;cam1,12,30,jaw.nrrd,skull=label:1;jaw=mask:jaw.nrrd;wire=ct:head.nrrd,skull:jaw",
        "b,track,head.nrrd,cam2/*.tif,,,,,",
        "c,track,head.nrrd,cam1,,,,skull=label:1,",
        "d,track,head.nrrd,cam1,,,no.nrrd,skull=label:1,",
        "e,track,head.nrrd,cam1,,,,skull,",
    )
    assert listed.cases[0].problem is None
    inputs = case_inputs(listed.cases[0], listed.folder)
    assert (inputs.key_frame, inputs.frames_per_second, inputs.joints) == (12, 30.0, (("skull", "jaw"),))
    assert inputs.labels == files / "jaw.nrrd" and files / "jaw.nrrd" in inputs.files
    bodies = [(b.name, b.label, b.mask and b.mask.name, b.ct and b.ct.name) for b in inputs.bodies]
    assert bodies == [
        ("skull", 1, None, None),
        ("jaw", None, "jaw.nrrd", None),
        ("wire", None, None, "head.nrrd"),
    ]
    assert "line 3, column xrays: no file matches cam2/*.tif" in str(listed.cases[1].problem)
    assert "line 4, column bodies: skull is a label of a label map, which is not given" in str(listed.cases[2].problem)
    assert "line 5, column labels: there is no file or folder no.nrrd" in str(listed.cases[3].problem)
    assert "line 6, column bodies: 'skull' is no body" in str(listed.cases[4].problem)


def test_spreadsheets_of_other_countries_are_read(files: Path) -> None:
    listed = manifest(files, "Case;CT;Xrays;", 'ä;head.nrrd;"ap.dcm;lat.dcm";', encoding="utf-8-sig")
    assert listed.cases[0].name == "ä" and listed.cases[0].problem is None
    assert len(case_inputs(listed.cases[0], listed.folder).views) == 2


def test_the_manifest_of_the_documentation_can_be_used(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "cohorts.md").read_text(encoding="utf-8")
    example = page.partition("```csv\n")[2].partition("```")[0]
    for name in re.findall(r"P00\d/[^,;\n]+", example):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name.replace("*", "1")).write_text(name, encoding="utf-8")
    cases = manifest(tmp_path, example.strip()).cases
    assert len(cases) == 4 and [str(case.problem) for case in cases if case.problem] == []
    described = re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`[^|]*) \|", page, re.MULTILINE)))
    assert set(COLUMNS) <= set(described)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a,no.nrrd,ap.dcm,,,,", ("line 2, column ct", "no.nrrd")),
        ("a,head.nrrd,ap.dcm;no.dcm,,,,", ("line 2, column xrays", "no.dcm")),
        ("a,head.nrrd,ap.dcm;,,,,", ("line 2, column xrays",)),
        ("a,head.nrrd,ap.dcm;lat.dcm,ap.json,,,", ("line 2, column cameras", "1 for 2")),
        ("a,head.nrrd,ap.dcm,ap.json,1020,,", ("line 2, column sdd", "beside cameras")),
        ("a,head.nrrd,ap.dcm,,nan,,", ("line 2, column sdd", "'nan'")),
        ("a,head.nrrd,ap.dcm,,-1,,", ("line 2, column sdd", "above 0")),
        ("a,head.nrrd,ap.dcm,,,upside-down,", ("line 2, column start", "upside-down", "left-lateral")),
        ("a,head.nrrd,ap.dcm,,,,3", ("line 2, column key_frame", "kind register")),
        ("a,head.nrrd,,,,,", ("line 2", "xrays")),
        (",head.nrrd,ap.dcm,,,,", ("line 2", "case")),
        ("a,head.nrrd,ap.dcm,,,,,ap,0.3", ("line 2", "9 fields for 7 columns")),
        ("../a,head.nrrd,ap.dcm,,,,", ("line 2, column case", "'/'")),
        (".a,head.nrrd,ap.dcm,,,,", ("line 2, column case", "begin")),
        ("a.,head.nrrd,ap.dcm,,,,", ("line 2, column case", "dot")),
        ("Nul.x,head.nrrd,ap.dcm,,,,", ("line 2, column case", "taken")),
        ("cohort.csv,head.nrrd,ap.dcm,,,,", ("line 2, column case", "taken")),
    ],
)
def test_a_bad_line_is_told_and_the_others_are_not_touched(files: Path, line: str, words: tuple[str, ...]) -> None:
    listed = manifest(files, "case,ct,xrays,cameras,sdd,start,key_frame", line, "good,head.nrrd,ap.dcm,,,,")
    bad, good = listed.cases
    assert bad.problem is not None and good.problem is None
    for word in words:
        assert word in str(bad.problem), str(bad.problem)


def test_cases_of_one_name_are_all_refused_as_nobody_knows_which_is_meant(files: Path) -> None:
    line = "head.nrrd,ap.dcm"
    listed = manifest(files, "case,ct,xrays", f"Müller,{line}", f"b,{line}", f"MU\u0308LLER,{line}")
    one, alone, other = listed.cases
    assert alone.problem is None
    assert "line 4" in str(one.problem) and "line 2" in str(other.problem)
    assert not one.has_folder and not other.has_folder


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (("case,ct", "a,head.nrrd"), ("line 1", "xrays")),
        (("case,ct,xrays,simliarity", "a,head.nrrd,ap.dcm,"), ("line 1", "simliarity", "mean similarity")),
        (("case,ct,xrays,ct", "a,head.nrrd,ap.dcm,"), ("line 1", "2 columns ct")),
        (("case,ct,xrays",), ("no case",)),
        (("",), ("empty",)),
        (('case,ct,xrays\n"a,head.nrrd,ap.dcm',), ("CSV",)),
    ],
)
def test_what_is_no_manifest_ends_at_once(files: Path, lines: tuple[str, ...], words: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as error:
        manifest(files, *lines)
    for word in ("cohort.csv", *words):
        assert word in str(error.value)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00case", None])
def test_what_is_no_text_or_not_there_ends_at_once(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "cohort.csv").write_bytes(content)
    with pytest.raises(InputError, match=r"cohort\.csv"):
        read_manifest(tmp_path / "cohort.csv")


def test_a_fingerprint_changes_with_line_and_files_and_with_nothing_else(files: Path) -> None:
    lines = ["case,ct,xrays,start,sdd", "a,head.nrrd,ap.dcm,,1020", "t,head.nrrd,ap.dcm,,"]

    def prints() -> list[str]:
        listed = manifest(files, *lines)
        return [Fingerprints().of(case, case_inputs(case, listed.folder)) for case in listed.cases]

    before = prints()
    assert prints() == before and len(set(before)) == 2
    lines[0], lines[1], lines[2] = "case,ct,xrays,sdd,start", "a,head.nrrd,ap.dcm,1020,", "t,head.nrrd,ap.dcm,,ap"
    after = prints()
    assert after[0] == before[0] and after[1] != before[1]
    (files / "lat.dcm").write_text("of nobody here", encoding="utf-8")
    assert prints() == after
    (files / "ap.dcm").write_text("taken again", encoding="utf-8")
    assert not set(prints()) & set(after)


def test_pixels_beside_a_header_count(tmp_path: Path) -> None:
    for name in ("head.mhd", "head.raw", "other.raw", "x.dcm"):
        (tmp_path / name).write_text(name, encoding="utf-8")

    def now() -> str:
        listed = manifest(tmp_path, "case,ct,xrays", "a,head.mhd,x.dcm")
        return Fingerprints().of(listed.cases[0], case_inputs(listed.cases[0], listed.folder))

    before = now()
    (tmp_path / "other.raw").write_text("changed", encoding="utf-8")
    assert now() == before
    (tmp_path / "head.raw").write_text("changed", encoding="utf-8")
    assert now() != before
