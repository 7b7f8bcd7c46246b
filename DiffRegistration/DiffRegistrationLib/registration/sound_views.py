"""Views that do not fit: one that shows something else, or whose camera is wrong, must not spoil the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..xray.geometry import rigid
from ..xray.projector import Projector
from ..xray.radiograph import Radiograph
from .registration import register
from .result import RegistrationResult, Verdict, ViewFit
from .starts import Start, start_from_pose

_MISFIT = "does not fit the others"
# A view is suspected when it explains less than this part of what the best fitting one does.
_SUSPECT = 0.5


def register_sound_views(
    projector: Projector,
    radiographs: Sequence[Radiograph],
    start: Start,
    *,
    similarity: str | Sequence[str] = "auto",
    weights: Sequence[float] | None = None,
    **options: Any,
) -> RegistrationResult:
    """`register`, and where the views together fail or one fits much less than another, what those say that fit alone.

    If all of them fit alone, their cameras contradict each other, and the result says so. If some do, the others are
    left out, and a result of a single view is doubtful. Else the result is that of all views. `options` as `register`.
    """
    count = len(radiographs)
    names = [similarity] * count if isinstance(similarity, str) else list(similarity)
    shares = [1.0] * count if weights is None else list(weights)
    together = register(projector, radiographs, start, similarity=names, weights=shares, **options)
    if count == 1 or together.verdict == Verdict.ACCEPTED or not _is_suspect(together):
        return together
    near = start_from_pose(together.pose, f"all views, from {together.start}")
    alone = [
        register(projector, [radiograph], near, similarity=name, **{**options, "wants_drrs": False})
        for radiograph, name in zip(radiographs, names, strict=True)
    ]
    fitting = [view for view in range(count) if alone[view].verdict == Verdict.ACCEPTED]
    if len(fitting) == count:
        return _contradicting(projector, radiographs, together, alone)
    if not fitting:
        return together
    sound = register(
        projector,
        [radiographs[view] for view in fitting],
        start_from_pose(alone[fitting[0]].pose, f"view {fitting[0] + 1} alone"),
        similarity=[names[view] for view in fitting],
        weights=[shares[view] for view in fitting],
        **options,
    )
    if sound.verdict != Verdict.ACCEPTED:
        return together
    return _without_misfits(projector, radiographs, together, sound, fitting, options)


def _is_suspect(together: RegistrationResult) -> bool:
    fits = [view.agreement for view in together.views]
    return together.verdict == Verdict.FAILED or min(fits) < _SUSPECT * max(fits)


def _contradicting(
    projector: Projector,
    radiographs: Sequence[Radiograph],
    together: RegistrationResult,
    alone: Sequence[RegistrationResult],
) -> RegistrationResult:
    """All views fit, each elsewhere."""
    camera = radiographs[0].camera
    centres = [rigid.transform_points(one.pose, [projector.ct.centre])[0] for one in alone]
    pixels = camera.project(np.array(centres))
    apart = float(np.linalg.norm(pixels - pixels[0], axis=1).max() * camera.pixel_footprint_mm(centres[0]))
    turned = max(float(np.degrees(rigid.angle_between(one.pose, alone[0].pose))) for one in alone)
    return replace(
        together,
        verdict=Verdict.FAILED,
        reason=f"the views contradict each other: each fits alone, but {apart:.1f} mm and {turned:.1f}° apart as the "
        f"first one sees it; check that their cameras belong to one calibration and that they show one moment "
        f"(together: {together.reason})",
    )


def _without_misfits(
    projector: Projector,
    radiographs: Sequence[Radiograph],
    together: RegistrationResult,
    sound: RegistrationResult,
    fitting: Sequence[int],
    options: dict[str, Any],
) -> RegistrationResult:
    """The pose of the fitting views, with fits and DRRs of all of them."""
    from .evidence import Shown

    shown = Shown(projector, tuple(radiographs), tuple(options.get("others", ())))
    fits: list[ViewFit] = []
    for view in range(len(radiographs)):
        fit = shown.fit(view, sound.pose)
        fits.append(fit if view in fitting else replace(fit, left_out=_MISFIT))
    out = ", ".join(str(view + 1) for view in range(len(radiographs)) if view not in fitting)
    words = f"view {out} was left out, which {_MISFIT}; {sound.reason}"
    return replace(
        sound,
        verdict=Verdict.DOUBTFUL if len(fitting) == 1 else sound.verdict,
        reason=words,
        seconds=together.seconds + sound.seconds,
        views=tuple(fits),
        drrs=tuple(shown.drr(radiograph, sound.pose) for radiograph in radiographs) if sound.drrs else (),
    )
