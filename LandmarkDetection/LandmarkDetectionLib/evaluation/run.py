"""A network judged on many simulated X-rays."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from DiffRegistrationLib.xray.projector import Projector

from ..atlas.head import Head, phantom_head, template_head
from ..detection.detector import detect
from ..detection.refinement import KnownHead, refined
from ..detection.template_refinement import refined_by_template
from ..network.model_file import TrainedDetector
from ..population.view_ranges import ViewRanges
from .figures import CaseErrors, case_errors, figures
from .simulated_cases import HeadOfCase, simulated_case, unseen_heads
from .skull_error import SkullError

# Heads of the evaluation come from other numbers than those of training, half of them from computed heads that no
# training begins from.
_SEED = 77_003
_VARIANTS, _PHANTOM_MM = (11, 12, 13), 1.25


def heads_never_trained_on() -> HeadOfCase:
    """A new head for each case: deformed from the template, or from computed heads of other variants."""
    template = template_head()
    variants = [phantom_head(_PHANTOM_MM, variant) for variant in _VARIANTS]
    mixed = [head for variant in variants for head in (template, variant)]
    return unseen_heads(mixed, _SEED)


def evaluated(
    trained: TrainedDetector,
    head_of: HeadOfCase,
    ranges: ViewRanges,
    count: int,
    tell: Callable[[int], None] = lambda done: None,
    *,
    skulls: int = 0,
) -> dict[str, Any]:
    """Figures of `trained` on `count` simulated X-rays (see `figures`), and of the skulls in the first `skulls`.

    Of one patient's network also the figures `with_ct`, where the CT is registered from what was found; of heads in
    general those `with_template`, where a template is laid over the X-ray, at the known depth.
    """
    cases: list[CaseErrors] = []
    sharper: list[CaseErrors] = []
    patient = head_of(0) if trained.is_of_patient else None
    known = None if patient is None else KnownHead(Projector(patient.ct), patient.landmarks)
    skull_error = SkullError(patient) if skulls else None
    surfaces: list[float] = []
    sharper_surfaces: list[float] = []
    names: tuple[str, ...] = ()
    for number in range(count):
        head: Head = head_of(number)
        case = simulated_case(head, ranges, _SEED, number)
        began = time.perf_counter()
        found = detect(trained, case.radiograph)
        seconds = time.perf_counter() - began
        names = found.names
        with_depth = detect(trained, case.radiograph, depth_mm=case.depth_mm, with_less_likely=known is None)
        cases.append(case_errors(case, found, with_depth, seconds))
        began = time.perf_counter()
        if known is None:
            shown = in_space = refined_by_template(with_depth, case.radiograph, case.depth_mm)
        else:
            shown = refined(found, known, case.radiograph)
            in_space = shown if shown.is_registered else with_depth
        sharper.append(case_errors(case, shown, in_space, seconds + time.perf_counter() - began))
        if skull_error is not None and number < skulls:
            surfaces.append(skull_error(case, head, with_depth).mean_mm)
            sharper_surfaces.append(skull_error(case, head, in_space).mean_mm)
        tell(number + 1)
    by_network, by_head = figures(names, cases), figures(names, sharper)
    if surfaces:
        by_network["skull"], by_head["skull"] = _of_skulls(surfaces), _of_skulls(sharper_surfaces)
    return by_network | {"with_template" if known is None else "with_ct": by_head}


def _of_skulls(surfaces: Sequence[float]) -> dict[str, Any]:
    return {
        "count": len(surfaces),
        "mean_mm": float(np.mean(surfaces)),
        "median_mm": float(np.median(surfaces)),
        "largest_mm": float(np.max(surfaces)),
    }
