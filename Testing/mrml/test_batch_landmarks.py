"""The batch script for landmarks: what can be done is done, and a second run does the rest."""

from __future__ import annotations

import csv
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[1] / "unit"))
sys.path.append(str(Path(__file__).parents[1] / "batch"))

from batch_landmarks import main
from fluororeg_runs import write_case
from untrained_detector import untrained

pytestmark = pytest.mark.mrml


def test_landmarks_of_patients_are_written_and_one_without_x_rays_stops_nothing(
    scene: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    patients, out = tmp_path / "patients", tmp_path / "out"
    case = write_case(tmp_path / "case")
    (patients / "a").mkdir(parents=True)
    (patients / "b").mkdir()
    shutil.copy(case.xray, patients / "a" / "xray.nrrd")
    shutil.copy(case.camera, patients / "a" / "xray.camera.json")
    network = untrained(tmp_path / "head.pt")
    assert main([str(patients), str(network), str(out)]) == 1
    told = capfd.readouterr().out
    assert "a: done" in told and "b: error" in told and "holds no X-ray" in told
    with (out / "a" / "landmarks.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 55 and {row["Side"] for row in rows} == {"right", "left", "midline"}
    assert (out / "a" / "landmarks.mrk.json").exists() and not (out / "b").exists()
    main(["--", str(patients), str(network), str(out)])
    assert "a: done before" in capfd.readouterr().out
    assert main([str(tmp_path / "none"), str(network), str(out)]) == 2
