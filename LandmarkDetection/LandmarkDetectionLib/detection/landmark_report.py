"""One self-contained HTML page that shows the landmarks found in X-rays, and says how far they can be trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from DiffRegistrationLib import __version__
from DiffRegistrationLib.report.page_template import page_template
from DiffRegistrationLib.xray.files.atomic import atomic_write, check_file_for_writing

from ..atlas.definitions import skull_landmarks
from ..network.model_file import TrainedDetector
from .landmark_detections import LandmarkDetections
from .landmark_pictures import LandmarkPicture, Standing, landmark_picture, side_symbol, standings

if TYPE_CHECKING:
    from .workflow import DetectedView

_STANDING_IN_WORDS = {
    Standing.VISIBLE: "yes",
    Standing.HIDDEN: "covered or doubtful",
    Standing.OUTSIDE: "outside",
    Standing.UNKNOWN: "not known",
}
_VIEW_NAMES = {"ap": "AP", "pa": "PA", "left-lateral": "left lateral", "right-lateral": "right lateral"}
_NOT_RECORDED = "not recorded"


@dataclass(frozen=True)
class _Row:
    """A landmark in a view's table."""

    number: int
    name: str
    side: str
    abbreviation: str
    standing: str
    position: str
    uncertainty: str
    in_image: str
    visibility: str
    depth: str


@dataclass(frozen=True, eq=False)
class _View:
    """All that the page shows of one X-ray."""

    name: str
    sure: bool
    headline: str
    lenses: str
    facts: tuple[tuple[str, str], ...]
    picture: LandmarkPicture
    numbered: str
    unlabelled: str
    rows: tuple[_Row, ...]


def write_landmark_report(path: Path, views: Sequence[DetectedView], trained: TrainedDetector) -> None:
    """Write the landmarks of `views`, found by `trained`, as one HTML file that needs nothing but a browser.

    The views' names must not name the patient. The file appears whole or not at all. InputError if jinja2 is missing
    or the file cannot be written.
    """
    check_file_for_writing(path)
    template = page_template(Path(__file__).parent, "landmark_report.html", "report.html")
    shown = [_view(view) for view in views]
    page = template.render(
        headline=_headline(shown),
        sure=all(view.sure for view in shown),
        views=shown,
        symbols={side: side_symbol(side) for side in ("right", "left", "midline")},
        of_patient=trained.is_of_patient,
        depth_is_told=all(_is_told(view.found) for view in views),
        network=_network_facts(trained),
        families=_families(trained.metadata["views"]),
        judged=bool(trained.metadata.get("milestones")),
        chart=_chart(trained.metadata.get("milestones") or ()),
        made=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        version=__version__,
    )
    with atomic_write(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _headline(views: Sequence[_View]) -> str:
    doubtful = sum(not view.sure for view in views)
    count = "one X-ray" if len(views) == 1 else f"{len(views)} X-rays"
    if doubtful == 0:
        return f"Landmarks found in {count}"
    if len(views) == 1:
        return "Doubtful"
    return f"{doubtful} of {count} {'is' if doubtful == 1 else 'are'} doubtful"


def _view(view: DetectedView) -> _View:
    found, radiograph = view.found, view.radiograph
    standing = standings(found, radiograph.camera.size)
    picture = landmark_picture(radiograph, found)
    return _View(
        view.name,
        found.is_sure,
        _view_headline(found, standing),
        _lenses(found, standing) if found.is_sure else "",
        _facts(view, standing),
        picture,
        ", ".join(f"{n + 1} {found.names[n]}" for n in picture.numbered),
        ", ".join(found.names[n] for n in picture.unlabelled),
        tuple(_row(found, n, standing[n]) for n in range(len(found.names))),
    )


def _view_headline(found: LandmarkDetections, standing: Sequence[Standing]) -> str:
    """How many landmarks are in the image and how sure they are; or why this is doubtful."""
    if not found.is_sure:
        return f"Doubtful: {found.words}."
    seen = np.array([one is Standing.VISIBLE for one in standing], dtype=bool)
    typical = _median(found.uncertainty_mm[seen])
    said = f"{seen.sum()} of {len(standing)} landmarks are in the image"
    if np.isfinite(typical):
        said += f", typically known to {typical:.1f} mm"
    outside = sum(one is Standing.OUTSIDE for one in standing)
    beyond = _median(found.uncertainty_mm[[one is Standing.OUTSIDE for one in standing]])
    if outside and np.isfinite(beyond):
        said += f"; {outside} lie outside it, known to {beyond:.1f} mm"
    return said + "."


def _lenses(found: LandmarkDetections, standing: Sequence[Standing]) -> str:
    """Where the eye lenses are, which radiation harms most."""
    words = {
        Standing.VISIBLE: "in the image",
        Standing.HIDDEN: "covered or doubtful",
        Standing.OUTSIDE: "outside the image",
        Standing.UNKNOWN: "not known",
    }
    said = []
    for side in ("right", "left"):
        name = f"eye lens {side}"
        if name in found.names:
            said.append(f"{side} {words[standing[found.names.index(name)]]}")
    return ", ".join(said)


def _facts(view: DetectedView, standing: Sequence[Standing]) -> tuple[tuple[str, str], ...]:
    found, radiograph = view.found, view.radiograph
    depth, deviation = found.camera_points[:, 2], _depth_deviation(found)
    counts = [sum(one is which for one in standing) for which in Standing]
    return (
        ("In the image", str(counts[0])),
        ("Covered or doubtful", str(counts[1])),
        ("Outside", str(counts[2])),
        ("Not known", str(counts[3])),
        ("Image", f"{radiograph.camera.size[0]} rows × {radiograph.camera.size[1]} columns"),
        ("Usable", f"{100 * radiograph.mask.mean():.0f} % of the pixels"),
        ("A pixel at the head", _measured(found.mm_per_pixel, "mm", 3)),
        (
            "Head from the source",
            f"{_number(_median(depth), 0)} ± {_measured(_median(deviation), 'mm', 0)}"
            + (f"; its middle, as told, {found.depth_told_mm:g} mm" if _is_told(found) else ""),
        ),
        ("Placed by", _placed_by(found)),
        ("Misfit to a head", f"{_number(found.misfit, 1)} standard deviations"),
    )


def _is_told(found: LandmarkDetections) -> bool:
    """Whether the depth is what a person told; a CT that was registered tells its own."""
    return found.depth_told_mm is not None and not found.is_registered


def _placed_by(found: LandmarkDetections) -> str:
    if found.is_registered:
        return "the CT, registered, where it shows them"
    return "a template head, deformed to the X-ray" if found.is_fitted else "the network"


def _row(found: LandmarkDetections, n: int, standing: Standing) -> _Row:
    definition = skull_landmarks().definition(found.names[n])
    u, v = found.pixels[n]
    depth, deviation = found.camera_points[n, 2], _depth_deviation(found)[n]
    known = standing is not Standing.UNKNOWN
    return _Row(
        n + 1,
        definition.name,
        definition.side,
        definition.abbreviation,
        standing.value,
        f"{_number(u, 1)}, {_number(v, 1)}" if known else "–",
        _number(found.uncertainty_mm[n], 1),
        _STANDING_IN_WORDS[standing],
        f"{100 * found.visibility[n]:.0f} %" if known else "–",
        f"{_number(depth, 0)} ± {_number(deviation, 0)}" if known else "–",
    )


def _depth_deviation(found: LandmarkDetections) -> np.ndarray:
    """Standard deviation of each landmark's distance from the source (mm)."""
    return np.sqrt(np.maximum(found.camera_covariance[:, 2, 2], 0))


def _network_facts(trained: TrainedDetector) -> tuple[tuple[str, str], ...]:
    """From the metadata of the network's file; what a file does not tell is said to be missing."""
    about = trained.metadata
    views = about["views"]
    low, high = trained.field
    name = ": ".join(str(views[key]) for key in ("name", "description") if views.get(key)) or _NOT_RECORDED
    seconds, steps, versions = about.get("seconds"), about.get("steps"), about.get("versions") or {}
    facts = [
        ("Knows", "one patient's head" if trained.is_of_patient else "the heads of a population"),
        ("Views", name),
        ("Width of image / source-detector distance", f"{low:g} to {high:g}"),
        ("Trained", _NOT_RECORDED if seconds is None else _trained(float(seconds), steps)),
        ("Seed", str(about.get("seed", _NOT_RECORDED))),
        ("Made with", ", ".join(f"{name} {version}" for name, version in versions.items()) or _NOT_RECORDED),
    ]
    if about.get("begun_with"):
        facts.insert(3, ("Began with", str(about["begun_with"]["words"])))
    if trained.is_of_patient:
        facts.insert(1, ("CT", f"fingerprint {about['ct_fingerprint']}"))
    milestones = about.get("milestones") or ()
    if milestones:
        last = milestones[-1]["validation"]
        facts += [
            ("Off by, landmarks seen", f"{last['seen_mm']:.1f} mm"),
            ("Off by, not seen", f"{last['hidden_mm']:.1f} mm"),
            ("Within 10 mm in the image", f"{100 * last['within_2d']:.0f} %"),
            ("Within 10 mm in space", f"{100 * last['within_3d']:.0f} %"),
        ]
    return tuple(facts)


def _trained(seconds: float, steps: Any) -> str:
    """How long, in words."""
    time = f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"
    return time if steps is None else f"{time}, {steps} steps"


def _families(views: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Rows on the kinds of views: name, share, beam, turn, tilt, roll."""
    families = views.get("families") or {}
    whole = sum(float(one.get("share", 1)) for one in families.values()) or 1.0
    rows = []
    for name, one in families.items():
        beams = one["views"] if isinstance(one["views"], list) else [one["views"]]
        angles = (_interval(one[key]) for key in ("turn_deg", "tilt_deg", "roll_deg"))
        said = " or ".join(_VIEW_NAMES.get(str(beam), str(beam)) for beam in beams)
        rows.append((str(name), f"{100 * float(one.get('share', 1)) / whole:.0f} %", said, *angles))
    return rows


def _interval(ends: Sequence[float]) -> str:
    return f"{ends[0]:g}° to {ends[1]:g}°".replace("-", "−")


def _chart(milestones: Sequence[Mapping[str, Any]]) -> str:
    from DiffRegistrationLib.report.charts import line_chart  # needs markupsafe, which comes with jinja2

    points = [(one["seconds"] / 60, one["validation"]["seen_mm"]) for one in milestones]
    if not points or not max(error for _, error in points) > 0 or not points[-1][0] > 0:
        return ""
    name = "Error (mm)"
    return line_chart(points, "Minutes of training", name, "Mean error of landmarks that are seen, while training")


def _median(values: np.ndarray) -> float:
    """Of what is known; NaN where nothing is."""
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".replace("-", "−") if np.isfinite(value) else "–"


def _measured(value: float, unit: str, digits: int) -> str:
    return f"{_number(value, digits)} {unit}" if np.isfinite(value) else "not known"
