"""`fluororeg` on what scanners and C-arms really write: it names what is missing, and tells nothing of the patient."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from DiffRegistrationLib.xray.files.sample_data import sample, unpack
from pydicom import dcmread

sys.path.append(str(Path(__file__).parents[1] / "unit"))
from fluororeg_runs import refused, run

pytestmark = pytest.mark.real

IDENTIFYING = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SOPInstanceUID",
    "FrameOfReferenceUID",
    "AccessionNumber",
    "InstitutionName",
    "StudyDate",
)


def identifiers(*files: Path) -> set[str]:
    """Values that tell a patient or an examination, long enough not to turn up by chance."""
    values = {str(dcmread(file, stop_before_pixels=True).get(tag) or "") for file in files for tag in IDENTIFYING}
    return {value for value in values if len(value) >= 6}


def test_the_scout_registers_and_no_output_names_the_patient(real_data: Path, tmp_path: Path) -> None:
    scan, scout = sample("skull-phantom-ct"), sample("skull-phantom-scout")
    first = min(scan.rglob("I*"))
    secrets = identifiers(first, scout)
    assert len(secrets) >= 4
    outcome = run("register", scan, scout, "--out", tmp_path / "out", "--json")
    assert outcome.code == 0
    assert outcome.json["verdict"] != "failed"
    # The header's own pose is good to about 0.3° and 0.6 mm in the image.
    assert np.abs(np.array(outcome.json["pose"])[:3, :3] - np.eye(3)).max() < 0.01
    told = [outcome.stdout.encode(), outcome.stderr.encode(), *(p.read_bytes() for p in (tmp_path / "out").iterdir())]
    assert len(told) == 8
    described = run("info", scan, scout)
    assert described.code == 0
    told += [described.stdout.encode(), described.stderr.encode()]
    assert not [secret for secret in secrets if any(secret.encode() in text for text in told)]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("skull_phantom/ct_gantry_tilt_dicom.tar.xz", "sheared by a tilt of"),
        ("uneven_head/ct_dicom.tar.xz", "unevenly spaced, 1.08 to 7"),
    ],
)
def test_info_tells_what_reading_a_scan_took(real_data: Path, tmp_path: Path, name: str, said: str) -> None:
    unpack(real_data / name, tmp_path / "scan")
    outcome = run("info", tmp_path / "scan", "--json")
    assert outcome.code == 0
    (grid,) = [fact for fact in outcome.json["files"][0]["facts"] if fact["quantity"] == "grid"]
    assert grid["value"].startswith("resampled") and said in grid["origin"]


def test_angiograms_without_geometry_list_what_they_lack(real_data: Path, tmp_path: Path) -> None:
    cine, cerebral = (
        real_data / "xray_dicom" / name
        for name in ("xa_cine_jpeg_baseline.dcm", "xa_cerebral_jpeg_lossless_no_geometry.dcm")
    )
    ct = real_data / "visible_human_head" / "ct.nrrd"
    out = ("--out", tmp_path / "out")
    message = refused(tmp_path, ("register", ct, cine, *out), cine, "--sdd", "--sod", "--spacing")
    assert "angle" not in message.split("Missing")[1].split("Give")[0]
    refused(tmp_path, ("register", ct, cerebral, *out), cerebral, "--sdd", "--sod", "--spacing", "primary angle")
    refused(tmp_path, ("register", ct, cine, "--frame", 96, *out), cine, "frame 96", "0 to 95")
    shown = run("info", cine, cerebral)
    assert shown.code == 0 and shown.stderr.count("Missing:") == 2
    assert not [secret for secret in identifiers(cine, cerebral) if secret in shown.stdout + shown.stderr + message]


def test_a_scout_is_no_ct_and_a_slice_is_no_xray(real_data: Path, tmp_path: Path) -> None:
    scan, scout = sample("skull-phantom-ct"), sample("skull-phantom-scout")
    one = min(scan.rglob("I*"))
    refused(tmp_path, ("register", scout, scout, "--out", tmp_path / "out"), scout, "localizer", "as the X-ray")
    refused(tmp_path, ("register", scan, one, "--out", tmp_path / "out"), one, "is a CT slice")
