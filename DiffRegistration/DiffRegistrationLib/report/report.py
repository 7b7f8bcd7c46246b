"""One self-contained HTML page that says what a registration found, how sure it is, and on what it stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32

from ..registration.result import RegistrationResult
from ..xray.files.atomic import atomic_write
from ..xray.geometry import Camera, PinholeCamera, ScanningSlitCamera
from ..xray.provenance import Provenance
from ..xray.radiograph import Radiograph
from . import pictures
from .advice import advice_for
from .encode import data_uri, mask_on_screen, on_screen, screen_size
from .intensity import correlation, matched_to_xray
from .page_template import page_template
from .pose_in_words import axis_rows, measured, total_rotation_deg, view_uncertainties

if TYPE_CHECKING:
    from .calibration_section import CalibrationSection
    from .network_section import NetworkSection


@dataclass(frozen=True)
class _Figure:
    """A picture, its name and how to read it."""

    kind: str
    name: str
    reading: str
    uri: str


@dataclass(frozen=True)
class _View:
    """All that the page shows of one radiograph."""

    number: int
    facts: tuple[tuple[str, str], ...]
    figures: tuple[_Figure, ...]
    size: tuple[int, int]
    provenance: tuple[Provenance, ...]


def write_report(
    path: Path,
    *,
    radiographs: Sequence[Radiograph],
    result: RegistrationResult,
    ct_provenance: Sequence[Provenance],
    title: str,
    network: NetworkSection | None = None,
    calibration: CalibrationSection | None = None,
) -> None:
    """Write the report of a registration as one HTML file that needs nothing but a browser.

    `result.drrs` holds one DRR per radiograph, on the radiograph's own pixels. `title` heads the page and must not
    name the patient; `network` is what there is to say of a network that the registration began from,
    `calibration` of cameras that were refined. The file appears whole or not at all. InputError if jinja2 is missing
    or the file cannot be written, ValueError if DRRs and radiographs do not belong together.
    """
    if len(radiographs) != len(result.drrs):
        raise ValueError(f"{len(radiographs)} radiographs, but {len(result.drrs)} DRRs")
    views = [
        _view(number, radiograph, drr)
        for number, (radiograph, drr) in enumerate(zip(radiographs, result.drrs, strict=True), start=1)
    ]
    page = page_template(Path(__file__).parent, "template.html", "report.html").render(
        title=title,
        result=result,
        advice=advice_for(result.verdict),
        summary=_summary(result, len(views)),
        views=views,
        axes=axis_rows(result),
        rotation=f"{total_rotation_deg(result.pose):.2f}°",
        view_uncertainties=view_uncertainties(result, [radiograph.camera for radiograph in radiographs]),
        ct_provenance=ct_provenance,
        assumed=sum(line.assumed for line in [*ct_provenance, *(line for view in views for line in view.provenance)]),
        chart=_chart(result),
        network=network,
        calibration=calibration,
        colours={
            "xray": _css(pictures.XRAY_COLOUR),
            "drr": _css(pictures.DRR_COLOUR),
            "edge": _css(pictures.EDGE_COLOUR),
        },
        made=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        version=_version(),
    )
    with atomic_write(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _view(number: int, radiograph: Radiograph, drr: Float32[np.ndarray, "rows columns"]) -> _View:
    if drr.shape != radiograph.camera.size:
        raise ValueError(f"view {number}: DRR {drr.shape} and radiograph {radiograph.camera.size} differ in size")
    size = screen_size(radiograph.camera)
    xray = on_screen(radiograph.attenuation, size)
    mask = mask_on_screen(radiograph.mask, size)
    matched = matched_to_xray(on_screen(drr, size), xray, mask)
    window = pictures.grey_window(xray, mask)
    percent = f"{100 * pictures.DIFFERENCE_RANGE:.0f} %"
    shown = (
        (
            "xray",
            "X-ray",
            "Bone is bright. What lies under a grey haze was not used.",
            pictures.light_box(xray, mask, window),
        ),
        (
            "drr",
            "DRR",
            "The X-ray that the CT would give at this pose, in the X-ray's greys.",
            pictures.light_box(matched, mask, window),
        ),
        (
            "overlay",
            "Overlay",
            "X-ray green, DRR magenta, grey where they agree.",
            pictures.overlay(xray, matched, mask, window),
        ),
        (
            "checkerboard",
            "Checkerboard",
            "X-ray (top left tile) and DRR in turn: contours must run on.",
            pictures.checkerboard(xray, matched, mask, window),
        ),
        (
            "difference",
            "Difference",
            f"Green: X-ray denser. Magenta: DRR denser. Full colour at {percent} of the X-ray's grey range.",
            pictures.difference(xray, matched, mask, window),
        ),
        (
            "edges",
            "DRR edges on the X-ray",
            "Orange lines must lie on the bone.",
            pictures.edges(xray, matched, mask, window),
        ),
    )
    facts = (
        # Where both see the patient, as the result's own similarity is measured.
        ("Correlation", _decimal(correlation(radiograph.attenuation, drr, radiograph.mask & (drr > 0)))),
        ("Image", f"{radiograph.camera.size[0]} rows × {radiograph.camera.size[1]} columns"),
        ("Camera", _camera_in_words(radiograph.camera)),
        ("Used", f"{100 * radiograph.mask.mean():.0f} % of the pixels"),
    )
    figures = tuple(_Figure(kind, name, reading, data_uri(picture)) for kind, name, reading, picture in shown)
    return _View(number, facts, figures, size, radiograph.provenance)


def _camera_in_words(camera: Camera) -> str:
    if isinstance(camera, ScanningSlitCamera):
        dy, dx = camera.pixel_spacing
        return f"scanning slit, pixels {dy:.4g} × {dx:.4g} mm at the isocentre"
    if isinstance(camera, PinholeCamera):
        if camera.pixel_spacing is None:
            return "cone beam, pixel size unknown"
        dy, dx = camera.pixel_spacing
        return (
            f"cone beam, pixels {dy:.4g} × {dx:.4g} mm on the detector, SDD {camera.source_detector_distance:.0f} mm"
        )
    return type(camera).__name__


def _summary(result: RegistrationResult, views: int) -> tuple[tuple[str, str], ...]:
    return (
        ("Similarity", f"{_decimal(result.similarity)} (1 = identical)"),
        ("Views", str(views)),
        ("Start", result.start),
        ("Time", measured(result.seconds, " s")),
        ("Solver steps", str(len(result.iterations))),
    )


def _version() -> str:
    try:
        return metadata.version("fluororegistration")
    except metadata.PackageNotFoundError:  # inside Slicer the engine lies in the module's folder, not in site-packages
        return ""


def _chart(result: RegistrationResult) -> str:
    from .charts import convergence_chart  # needs markupsafe, which comes with jinja2

    return convergence_chart(result.iterations)


def _decimal(value: float) -> str:
    return f"{value:.3f}".replace("-", "−") if np.isfinite(value) else "unknown"


def _css(colour: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
