"""The Visible Human's landmarks carried to a real scan: a plastic skull on a table, without jaw, cut at its base."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from DiffRegistrationLib.xray.files.ct_files import read_ct
from DiffRegistrationLib.xray.files.sample_data import unpack
from LandmarkDetectionLib.atlas.head import visible_human_head
from LandmarkDetectionLib.atlas.transfer import Transfer, transferred

pytestmark = [pytest.mark.real, pytest.mark.slow]

# Read off the scan's slices (RAS mm).
SEEN = {
    "nasion": (5.0, -20.7, 733.5),
    "rhinion": (3.9, -11.1, 718.3),
    "vertex": (1.1, -108.4, 827.2),
    "opisthocranion": (0.2, -196.8, 751.3),
    "mastoid tip right": (52.3, -127.2, 697.2),
    "mastoid tip left": (-45.5, -125.0, 697.2),
    "frontozygomatic suture right": (55.0, -43.0, 734.5),
    "frontozygomatic suture left": (-45.5, -40.0, 734.5),
}
CUT_OFF = (
    *("menton", "gonion right", "gonion left", "upper incisor", "C2 spinous process", "B point"),
    *("condylion right", "coronoid tip left", "dens tip"),
)


@pytest.fixture(scope="module")
def transfer(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Transfer:
    folder = tmp_path_factory.mktemp("skull")
    unpack(real_data / "skull_phantom" / "ct_soft_kernel_dicom.tar.xz", folder)
    return transferred(visible_human_head(), read_ct(folder))


def test_a_plastic_skull_gets_the_landmarks_of_a_person(transfer: Transfer) -> None:
    distance = {name: float(np.linalg.norm(transfer.landmarks.point(name) - place)) for name, place in SEEN.items()}
    assert max(distance.values()) < 6, distance
    assert np.mean(list(distance.values())) < 3.5, distance
    assert transfer.bone_overlap > 0.6
    assert transfer.surface_mm < 1.2


def test_what_was_not_scanned_is_said_to_be_outside(transfer: Transfer) -> None:
    shown = dict(zip(transfer.landmarks.names, transfer.landmarks.is_in_ct, strict=True))
    assert not any(shown[name] for name in CUT_OFF)
    assert all(shown[name] for name in SEEN)
    assert any("menton" in words for words in transfer.words)
