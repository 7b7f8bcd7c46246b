"""One self-contained HTML page that says how bodies moved through a sequence, and how far that can be trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata
from pathlib import Path

import numpy as np

from ..registration.result import Verdict
from ..report.page_template import page_template
from ..xray.files.atomic import atomic_write, check_file_for_writing
from ..xray.provenance import Provenance
from .joint_motion import CONVENTION, JointMotion, joint_motion
from .smoothing import Smoothing, smoothed_track
from .track import BodyTrack, Track


@dataclass(frozen=True)
class FramePicture:
    """A picture for the page: `words` below it, `uri` its data: address (see `report.encode.data_uri`)."""

    words: str
    uri: str


@dataclass(frozen=True)
class _Body:
    """What the page says of one body."""

    name: str
    counts: tuple[tuple[str, int], ...]
    facts: tuple[tuple[str, str], ...]
    ribbon: str
    turned: str
    moved: str


@dataclass(frozen=True)
class _Joint:
    name: str
    facts: tuple[tuple[str, str], ...]
    angles: str
    shifts: str
    locked: int


def write_track_report(
    path: str | Path,
    track: Track,
    joints: Sequence[JointMotion],
    pictures: Sequence[FramePicture],
    provenance: Mapping[str, Sequence[Provenance]],
    title: str,
) -> None:
    """Write the report of a tracking as one HTML file that needs nothing but a browser.

    `provenance` are the lines on where the geometry came from, by what they are about (CT, view 1, …). Neither
    `title` nor the words of pictures may name the patient. The file appears whole or not at all. InputError if jinja2
    is missing or the file cannot be written.
    """
    check_file_for_writing(path)
    template = page_template(Path(__file__).parent, "track_report.html", "report.html")
    smoothings = [smoothed_track(body) for body in track.bodies]
    tone, headline = _headline(track)
    page = template.render(
        title=title,
        tone=tone,
        headline=headline,
        sign={"accepted": "✓", "doubtful": "!", "failed": "✕"}[tone],
        stopped=track.stopped,
        facts=_facts(track, joints),
        bodies=[_body(body, smoothing) for body, smoothing in zip(track.bodies, smoothings, strict=True)],
        joints=[_joint(joint, track) for joint in joints],
        convention=CONVENTION,
        pictures=pictures,
        rows=[(body, frame) for body in track.bodies for frame in body.frames],
        provenance=provenance,
        assumed=sum(line.assumed for lines in provenance.values() for line in lines),
        made=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        version=_version(),
    )
    with atomic_write(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _headline(track: Track) -> tuple[str, str]:
    """The page's tone, and what heads it."""
    verdicts = [frame.verdict for body in track.bodies for frame in body.frames]
    lost = [body.name for body in track.bodies if not body.trusted.any()]
    if lost or not verdicts:
        return "failed", f"Not found in any frame: {', '.join(lost) or 'no body was tracked'}"
    counts = {verdict: verdicts.count(verdict) for verdict in Verdict}
    if counts[Verdict.ACCEPTED] == len(verdicts):
        return "accepted", "Every frame was accepted"
    said = [f"{counts[verdict]} {verdict.value}" for verdict in Verdict if counts[verdict]]
    return "doubtful", f"Of {len(verdicts)} poses: {', '.join(said)}"


def _facts(track: Track, joints: Sequence[JointMotion]) -> tuple[tuple[str, str], ...]:
    times = track.times
    views = {view for body in track.bodies for frame in body.frames for view in frame.views}
    seconds = sum(frame.seconds for body in track.bodies for frame in body.frames)
    rate = track.frames_per_second
    return (
        ("Bodies", ", ".join(body.name for body in track.bodies) or "none"),
        ("Frames", f"{len(times)}, number {times[0]} to {times[-1]}" if times else "none"),
        ("Views", str(len(views))),
        ("Frames a second", "not known" if rate is None else f"{rate:g}"),
        ("Joints", ", ".join(f"{joint.distal} in {joint.proximal}" for joint in joints) or "none asked for"),
        ("Time", f"{seconds:.1f} s, {seconds / max(len(times), 1):.2f} s a frame"),
    )


def _body(body: BodyTrack, smoothing: Smoothing) -> _Body:
    from .time_charts import pose_charts, verdict_ribbon  # need markupsafe, which comes with jinja2

    verdicts = [frame.verdict for frame in body.frames]
    count = max(len(verdicts), 1)
    known = np.isfinite(body.smoothed).all(axis=(1, 2))
    filled = int((known & ~body.trusted).sum())
    ignored = int((smoothing.weights < 0.1).sum())
    std = np.sqrt(np.maximum(np.einsum("tii->ti", smoothing.covariances[known]), 0))
    rotation, position = (np.nanmedian(std[:, k]) if np.isfinite(std[:, k]).any() else np.nan for k in _HALVES)
    facts = (
        ("Smoothed", f"{int(known.sum())} frames ({100 * known.sum() / count:.0f} %)"),
        ("Of these filled", f"{filled} without a trusted pose of their own ({100 * filled / count:.0f} %)"),
        ("Left out as outliers", str(ignored)),
        ("Smoothed pose known to (1 std, median)", f"{_measured(np.degrees(rotation))}°, {_measured(position)} mm"),
        ("Poses scatter", f"{np.sqrt(smoothing.inflation):.2f} × what their own uncertainty says"),
    )
    turned, moved = pose_charts(body, smoothing)
    return _Body(
        body.name,
        tuple((verdict.value, verdicts.count(verdict)) for verdict in Verdict),
        facts,
        verdict_ribbon([frame.time for frame in body.frames], verdicts, f"Verdicts on {body.name} over the frames")
        if verdicts
        else "",
        turned,
        moved,
    )


_HALVES = (slice(3), slice(3, 6))


def _joint(joint: JointMotion, track: Track) -> _Joint:
    from .time_charts import joint_charts

    frames = {joint.proximal: joint.proximal_frame, joint.distal: joint.distal_frame}
    measured = joint_motion(track.body(joint.proximal), track.body(joint.distal), frames, smoothed=False)
    angles, shifts = joint_charts(joint, measured)
    facts = []
    for name, values, unit in (
        *((name, joint.angles[:, k], "°") for k, name in enumerate(("Flexion", "Abduction", "Internal rotation"))),
        ("Helical angle", joint.helical_angle, "°"),
    ):
        known = values[np.isfinite(values)]
        said = f"{known.min():.1f}{unit} to {known.max():.1f}{unit}" if len(known) else "unknown"
        facts.append((name, said.replace("-", "−")))
    return _Joint(
        f"{joint.distal} in {joint.proximal}", tuple(facts), angles, shifts, int(joint.near_gimbal_lock.sum())
    )


def _measured(value: float) -> str:
    return f"{value:.2g}" if np.isfinite(value) else "unknown"


def _version() -> str:
    try:
        return metadata.version("fluororegistration")
    except metadata.PackageNotFoundError:  # inside Slicer the engine lies in the module's folder, not in site-packages
        return ""
