"""Nothing of the patient in the input's tags reaches any output file or message."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from fluororeg_runs import Outcome, camera, intensity, run, write_head_series
from pydicom.dataset import FileDataset
from synthetic_ct import PATIENT, cut
from synthetic_xray_dicom import xray_dataset

SECRETS = (
    *PATIENT.split("^"),
    "ID-4711",
    "19580401",
    "1.2.826.0.1.3680043.10.999",
    "Sanatorium",
    "Quacksalber",
    "ACC-0815",
    "Unmistakable study",
)
# Longer than allowed, and no UID at all: what makes pydicom quote the value in a warning.
ODD_UID = "1.2.826.0.1.3680043.10.999.x" + "9" * 60


def identified(dataset: FileDataset, k: int = 0) -> None:
    """Every place where files name the patient, some of it against the rules."""
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = PATIENT, "ID-4711", "19580401"
    dataset.OtherPatientNames = PATIENT
    dataset.InstitutionName, dataset.ReferringPhysicianName = "Sanatorium", "Quacksalber"
    dataset.AccessionNumber, dataset.StudyID = "ACC-0815", "ID-4711"
    dataset.StudyDescription = dataset.SeriesDescription = "Unmistakable study"
    dataset.ImageComments = f"{PATIENT} 19580401"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset.StudyInstanceUID = dataset.SeriesInstanceUID = dataset.FrameOfReferenceUID = ODD_UID
        dataset.DeviceSerialNumber = "ID-4711"


def check(outcome: Outcome, log: pytest.LogCaptureFixture) -> None:
    for secret in SECRETS:
        assert secret not in outcome.stdout + outcome.stderr, outcome.stderr
        assert secret not in log.text, log.text


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """CT folder and C-arm image of one patient."""
    scan = write_head_series(tmp_path / "scan", np.arange(0, 240, 8.0), change=identified)
    dataset = xray_dataset(
        intensity(),
        DistanceSourceToDetector=1000,
        DistanceSourceToPatient=700,
        ImagerPixelSpacing=[3.2, 3.2],
        PositionerPrimaryAngle=180,
        PositionerSecondaryAngle=0,
        SeriesNumber=3,
    )
    assert camera().size == (dataset.Rows, dataset.Columns)
    identified(dataset)
    dataset.save_as(tmp_path / "x.dcm")
    return scan, tmp_path / "x.dcm"


@pytest.mark.filterwarnings("always")
def test_results_and_messages_say_nothing_of_the_patient(
    tmp_path: Path, files: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    scan, xray = files
    caplog.clear()
    out = tmp_path / "out"
    for options in ((), ("--json",)):
        outcome = run("register", scan, xray, "--out", out, *options)
        assert outcome.code == 0
        check(outcome, caplog)
        check(run("info", scan, xray, *options), caplog)
    assert len(list(out.iterdir())) == 6
    for path in out.iterdir():
        content = path.read_bytes()
        for secret in SECRETS:
            assert secret.encode() not in content, f"{secret} in {path.name}"


@pytest.mark.filterwarnings("always")
def test_networks_and_their_progress_say_nothing_of_the_patient(
    tmp_path: Path, files: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    scan, xray = files
    caplog.clear()
    model = tmp_path / "networks" / "head.pt"
    model.parent.mkdir()
    check(run("train", scan, "--out", model, "--size", 64, "--batch", 4, "--minutes", 0.01, "--json"), caplog)
    outcome = run("register", scan, xray, "--start", model, "--out", model.parent / "out")
    assert outcome.code in (0, 1), outcome.stderr
    check(outcome, caplog)
    written = [path for path in model.parent.rglob("*") if path.is_file()]
    assert len(written) == 9
    for path in written:
        for secret in SECRETS:
            assert secret.encode() not in path.read_bytes(), f"{secret} in {path.name}"


@pytest.mark.filterwarnings("always")
def test_errors_say_nothing_of_the_patient(
    tmp_path: Path, files: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    scan, xray = files
    caplog.clear()
    write_head_series(scan / "again", np.arange(0, 240, 8.0), change=lambda d, k: None)
    failing = [run("register", scan, xray), run("register", xray, xray), run("register", xray, scan / "slice000.dcm")]
    cut(xray, 0.8)
    cut(scan / "slice007.dcm", 0.7)
    failing += [run("register", scan, xray), run("drr", scan, "--out", tmp_path / "d.nrrd", "--series", "#2")]
    failing += [run("info", scan, xray)]
    for outcome in failing:
        assert outcome.code == 2
        check(outcome, caplog)
