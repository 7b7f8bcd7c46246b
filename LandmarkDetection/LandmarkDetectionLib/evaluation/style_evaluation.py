"""What translating X-rays is worth: landmark errors on simulated X-rays of many looks, beside clean DRRs of the same
views."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from DiffRegistrationLib.training.training_volumes import continued
from DiffRegistrationLib.xray.files.atomic import atomic_write
from DiffRegistrationLib.xray.projector import Projector
from DiffRegistrationLib.xray.radiograph import Radiograph

from ..atlas.head import Head
from ..detection.detector import detect
from ..network.model_file import TrainedDetector
from ..population.view_ranges import ViewRanges
from ..style.drr_looks import DrrLooks
from ..style.matched_tones import MatchedTones
from ..style.translated_xray import moved_by_translation, translated_xray
from ..style.translation_file import Translation
from .simulated_cases import LandmarkCase, simulated_case

# X-rays that are judged on are none that a look was learnt from.
_LEARNT, _JUDGED = 55_001, 55_002
_SEED, _TONES_SIZE, _TONES_STOCK = 7, 128, 96
_BINNING = 2
_WHITE = 65535

Preparation = Callable[[Radiograph], Radiograph]


def write_simulated_xrays(folder: Path, head: Head, ranges: ViewRanges, count: int) -> None:
    """`count` pictures (PNG, linear in intensity, bone dark) of X-rays in the simulator's evaluation ranges, to learn
    their look from: read again they are the line integrals that there were.
    """
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        xray = simulated_case(head, ranges, _LEARNT, number).radiograph
        intensity = np.where(xray.mask, np.exp(xray.attenuation[xray.mask].min() - xray.attenuation), 0.0)
        with atomic_write(folder / f"xray-{number:03d}.png") as temporary:
            Image.fromarray(np.rint(intensity * _WHITE).astype(np.uint16)).save(temporary, format="PNG")


def evaluated_style(
    networks: Mapping[str, TrainedDetector],
    translations: Mapping[str, Translation],
    head: Head,
    ranges: ViewRanges,
    count: int,
    tell: Callable[[int], None] = lambda done: None,
) -> dict[str, Any]:
    """Mean error (mm at the head's depth) of landmarks that are seen, for every network and way to prepare X-rays.

    Networks are of this head. Beside the errors stand those on clean DRRs of the same views behind the same shutters,
    and how far translations move structures (px at 128 along an X-ray's shorter side).
    """
    # As in the X-rays and in what networks learn from, the body goes on where the CT ends.
    projector = Projector(continued(head.ct.binned(_BINNING)))
    ways: dict[str, Preparation] = {
        "untranslated": lambda xray: xray,
        "matched tones": _matched(head, ranges),
        **{name: _by(translation) for name, translation in translations.items()},
    }
    errors: dict[tuple[str, str], list[float]] = {
        (network, way): [] for network in networks for way in ("clean DRRs", *ways)
    }
    shifts: dict[str, list[float]] = {way: [] for way in translations}
    for number in range(count):
        case = simulated_case(head, ranges, _JUDGED, number)
        shown = {way: prepare(case.radiograph) for way, prepare in ways.items()}
        shown["clean DRRs"] = _rendered(projector, case)
        for network, trained in networks.items():
            for way, radiograph in shown.items():
                errors[network, way] += _errors(trained, case, radiograph)
        for way in translations:
            xray, translated = case.radiograph, shown[way]
            shifts[way] += moved_by_translation(xray.attenuation, xray.mask, translated.attenuation).tolist()
        tell(number + 1)
    return {
        "x_rays": count,
        "errors": {
            network: {way: _summary(errors[network, way]) for way in ("clean DRRs", *ways)} for network in networks
        },
        "shift_px": {way: float(np.mean(found)) if found else None for way, found in shifts.items()},
    }


def _by(translation: Translation) -> Preparation:
    return lambda xray: translated_xray(translation, xray)


def _matched(head: Head, ranges: ViewRanges) -> Preparation:
    match = MatchedTones(DrrLooks([head.ct], ranges, _TONES_SIZE, _SEED, _TONES_STOCK).images)

    def prepared(xray: Radiograph) -> Radiograph:
        tones = match.translated(
            torch.from_numpy(xray.attenuation.copy())[None], torch.from_numpy(xray.mask.copy())[None]
        )
        return replace(xray, attenuation=tones[0].numpy())

    return prepared


def _rendered(projector: Projector, case: LandmarkCase) -> Radiograph:
    xray = case.radiograph
    rays = xray.camera.rays()
    drr = projector.render(rays, case.camera_from_ct)[0].reshape(xray.camera.size)
    return replace(xray, attenuation=drr)


def _errors(trained: TrainedDetector, case: LandmarkCase, radiograph: Radiograph) -> list[float]:
    found = detect(trained, radiograph)
    off = np.linalg.norm(found.pixels - case.pixels, axis=1) * case.depth_mm / case.focal_length
    return [float(value) for value in off[case.visible] if np.isfinite(value)]


def _summary(errors: list[float]) -> dict[str, float | int]:
    values = np.array(errors)
    return {
        "landmarks": len(values),
        "mean_mm": float(values.mean()),
        "median_mm": float(np.median(values)),
        "within_10_mm": float((values < 10).mean()),
    }
