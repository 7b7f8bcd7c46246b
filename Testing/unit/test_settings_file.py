"""Settings of simulated X-rays: what is written comes back, and a slip of the pen is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.simulator import XraySettings
from DiffRegistrationLib.xray.simulator.collimator import Collimator, Rectangle, Round, Shutters
from DiffRegistrationLib.xray.simulator.display import Curve, Display
from DiffRegistrationLib.xray.simulator.effects import EFFECTS, only, without
from DiffRegistrationLib.xray.simulator.focal_spot import FocalSpot
from DiffRegistrationLib.xray.simulator.ranges import EVALUATION, RANGES, drawn_settings
from DiffRegistrationLib.xray.simulator.settings_file import (
    read_settings,
    settings_as_dict,
    settings_from_dict,
    write_settings,
)
from DiffRegistrationLib.xray.simulator.simulation_files import stretched
from DiffRegistrationLib.xray.simulator.spectrum import SingleEnergy, Tube

ALL_ON = drawn_settings(EVALUATION, 0, (300.0, 300.0))
OPENINGS = Collimator((Shutters(((1.5, 30.0), (2.5, 120.0))), Rectangle((1, -2), (30, 40), 0.1), Round(50.5)))


@pytest.mark.parametrize(
    "settings",
    [
        XraySettings(),
        XraySettings(tube=SingleEnergy(33.3), collimator=OPENINGS, display=Display(8, curve=Curve.SIGMOID)),
        *(drawn_settings(ranges, seed, (250.0, 310.0)) for ranges in RANGES.values() for seed in range(8)),
    ],
    ids=lambda settings: f"{settings.tube}"[:40],
)
def test_settings_come_back_exactly(tmp_path: Path, settings: XraySettings) -> None:
    write_settings(tmp_path / "settings.json", settings, seed=4)
    assert read_settings(tmp_path / "settings.json") == settings
    content = json.loads((tmp_path / "settings.json").read_text(encoding="utf-8"))
    assert content["seed"] == 4 and content["settings"] == settings_as_dict(settings)


def test_what_is_left_out_is_as_by_default() -> None:
    settings = settings_from_dict({"focal_spot": {"size_mm": 1}, "tube": {"kind": "tube", "kilovolts": 100}})
    assert settings == XraySettings(
        tube=Tube(kilovolts=100.0),
        focal_spot=FocalSpot(1.0),
    )
    assert isinstance(settings.focal_spot.size_mm, float)


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (("glow",), 1, ("“glow” is not known", "glare")),
        (("noise",), 3, ("“noise” is 3", "{ }")),
        (("noise",), {}, ("“noise.air_kerma_nanogray” is missing",)),
        (("noise", "air_kerma_nanogray"), -5, ("“noise” cannot be", "air_kerma_nanogray must be more than 0", "-5")),
        (("noise", "air_kerma_nanogray"), float("nan"), ("“noise.air_kerma_nanogray” is NaN", "a number")),
        (("noise", "air_kerma_nanogray"), 10**400, ("“noise.air_kerma_nanogray” is 1000", "a number")),
        (("noise", "kerma"), 5, ("“noise.kerma” is not known", "air_kerma_nanogray")),
        (("tube",), None, ("“tube” is null",)),
        (("tube", "kind"), "laser", ('“tube.kind” is "laser"', "tube or single energy")),
        (("tube", "kilovolts"), "80", ('“tube.kilovolts” is "80"', "a number")),
        (("tube", "kilovolts"), 500, ("“tube” cannot be", "kilovolts", "40 to 150", "500")),
        (("display", "bits"), 8.5, ("“display.bits” is 8.5", "a whole number")),
        (("display", "bits"), True, ("“display.bits” is true", "a whole number")),
        (("display", "bone_is_bright"), 1, ("“display.bone_is_bright” is 1", "true or false")),
        (("display", "curve"), ["linear"], ("“display.curve”", "linear, square-root, logarithmic, sigmoid")),
        (("distortion", "centre_mm"), [1], ("“distortion.centre_mm” is [1]", "a list of 2 numbers")),
        (("collimator", "apertures"), {}, ("“collimator.apertures” is {}", "a list")),
        (("collimator", "apertures"), [{"radius_mm": 9}], ("“collimator.apertures[0].kind” is null", "or round")),
        (("body_below_mm",), -1, ("“settings” cannot be", "body_below_mm", "-1")),
    ],
)
def test_an_entry_that_cannot_be_is_named_with_what_was_expected(
    tmp_path: Path, place: tuple[str, ...], value: Any, words: tuple[str, ...]
) -> None:
    write_settings(tmp_path / "edited.json", ALL_ON)
    content = json.loads((tmp_path / "edited.json").read_text(encoding="utf-8"))
    holder = content["settings"]
    for name in place[:-1]:
        holder = holder[name]
    holder[place[-1]] = value
    (tmp_path / "edited.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_settings(tmp_path / "edited.json")
    assert caught.value.subject == str(tmp_path / "edited.json")
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x89PNG", "is no JSON"),
        (b"{", "line 1 is no JSON"),
        (b"[]", "is JSON, but no"),
        (b'{"format": "fluoro registration camera", "version": 1}', "is JSON, but no"),
        (b'{"format": "fluoro registration simulated X-ray", "version": 1}', "“settings” is missing"),
        (b'{"format": "fluoro registration simulated X-ray", "version": 1, "settings": []}', "is [], expected"),
    ],
)
def test_files_that_hold_no_settings(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "settings.json").write_bytes(content)
    with pytest.raises(InputError, match=r"settings\.json") as caught:
        read_settings(tmp_path / "settings.json")
    assert words in str(caught.value)


def test_effects_are_kept_and_left_out_by_name() -> None:
    assert all(getattr(ALL_ON, name) != getattr(XraySettings(), name) for name in EFFECTS)
    kept = only(ALL_ON, ["noise", "body_below_mm"])
    assert (kept.noise, kept.body_below_mm, kept.tube) == (ALL_ON.noise, ALL_ON.body_below_mm, ALL_ON.tube)
    assert [name for name in EFFECTS if getattr(kept, name) != getattr(XraySettings(), name)] == [
        "body_below_mm",
        "noise",
    ]
    assert without(ALL_ON, [name for name in EFFECTS if name not in ("noise", "body_below_mm")]) == kept
    assert without(ALL_ON, []) == ALL_ON
    with pytest.raises(ValueError, match="no effects: tube"):
        without(ALL_ON, ["noise", "tube"])


def test_a_picture_s_grey_values_end_where_the_detector_s_do() -> None:
    for bits in (9, 10, 12, 15, 16):
        shown = stretched(np.arange(2**bits, dtype=np.uint16), bits)
        assert (shown[0], shown[-1], shown.dtype) == (0, 65535, np.uint16)
        assert np.all(np.diff(shown.astype(int)) > 0)
        np.testing.assert_allclose(shown / 65535, np.arange(2**bits) / (2**bits - 1), atol=0.5 / 65535)
    np.testing.assert_array_equal(stretched(np.arange(256, dtype=np.uint8), 8), np.arange(256))
