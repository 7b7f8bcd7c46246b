"""What of a tracking people look at: the report with pictures of some frames, and the movie of all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from ..registration.result import Verdict
from ..registration.scene import PlacedBody, line_integrals_of
from ..report.encode import data_uri
from ..xray.errors import InputError
from ..xray.geometry import rigid
from ..xray.provenance import Provenance
from ..xray.radiograph import Radiograph
from .bodies import Body
from .frames import FrameSource
from .joint_motion import JointMotion
from .movie import Picture, overlay_frame, write_movie
from .track import Track
from .track_report import FramePicture, write_track_report

REPORT = "report.html"
# Pictures in the report, and the longer side of a picture there and in a movie (px).
_PICTURES, _REPORT_SIDE, _MOVIE_SIDE = 6, 1100, 800
# Where nobody says how fast the frames came, a movie shows so many a second.
_USUAL_RATE = 10.0
_WORSE = (Verdict.ACCEPTED, Verdict.DOUBTFUL, Verdict.FAILED)


def write_pictures(
    folder: Path,
    track: Track,
    bodies: Sequence[Body],
    source: FrameSource,
    joints: Sequence[JointMotion],
    *,
    provenance: Mapping[str, Sequence[Provenance]],
    movie: str | None = None,
    title: str = "Tracking",
) -> None:
    """Write report.html and, if asked for, movie.gif or movie.mp4 into `folder`; `movie` is its suffix."""
    pictures = []
    for place in _chosen(track):
        picture = _picture(track, bodies, source, place, _REPORT_SIDE)
        if picture is not None:
            pictures.append(FramePicture(_words(track, place), data_uri(picture)))
    write_track_report(folder / REPORT, track, joints, pictures, provenance, title)
    if movie is not None:
        rate = track.frames_per_second or _USUAL_RATE
        write_movie(folder / f"movie.{movie}", _all_pictures(track, bodies, source), rate)


def _chosen(track: Track) -> list[int]:
    """Places of the frames that are shown: first, last, two of those that fit worst, and others evenly between."""
    count = len(track.times)
    even = np.unique(np.linspace(0, count - 1, _PICTURES).round().astype(int))
    bad = {place: max(_WORSE.index(body.frames[place].verdict) for body in track.bodies) for place in range(count)}
    worst = sorted((place for place in range(count) if bad[place]), key=lambda place: -bad[place])
    return sorted({*map(int, even), *worst[:2]})


def _words(track: Track, place: int) -> str:
    verdicts = ", ".join(
        body.frames[place].verdict.value
        if len(track.bodies) == 1
        else f"{body.name} {body.frames[place].verdict.value}"
        for body in track.bodies
    )
    return f"Frame {track.times[place]}: {verdicts}"


def _all_pictures(track: Track, bodies: Sequence[Body], source: FrameSource) -> Iterator[Picture]:
    for place in range(len(track.times)):
        picture = _picture(track, bodies, source, place, _MOVIE_SIDE)
        if picture is not None:
            yield picture


def _picture(track: Track, bodies: Sequence[Body], source: FrameSource, place: int, side: int) -> Picture | None:
    """The views of a frame with all bodies where they are; None for a frame that has no X-ray."""
    try:
        frame = source.frame(track.times[place])
    except InputError:
        return None
    radiographs = [_of_side(radiograph, side) for radiograph in frame if radiograph is not None]
    if not radiographs:
        return None
    placed = []
    for body, followed in zip(bodies, track.bodies, strict=True):
        pose = followed.frames[place].pose
        if pose is None or followed.frames[place].verdict == Verdict.FAILED:
            pose = followed.smoothed[place]
        if np.isfinite(pose).all():
            placed.append(PlacedBody(body.projector, pose))
    drrs = [_drr(radiograph, placed) for radiograph in radiographs]
    return overlay_frame(radiographs, drrs, _words(track, place), side)


def _of_side(radiograph: Radiograph, side: int) -> Radiograph:
    """The radiograph with no more pixels than a picture of `side` pixels shows."""
    return radiograph.binned(max(1, max(radiograph.camera.size) // side))


def _drr(radiograph: Radiograph, placed: Sequence[PlacedBody]) -> np.ndarray:
    camera = radiograph.camera
    if not placed:
        return np.zeros(camera.size, dtype=np.float32)
    centre = rigid.transform_points(placed[0].pose, [placed[0].projector.ct.centre])[0]
    drr = line_integrals_of(placed, camera.rays(), camera.pixel_footprint_mm(centre))
    assert drr is not None
    return drr.reshape(camera.size)
