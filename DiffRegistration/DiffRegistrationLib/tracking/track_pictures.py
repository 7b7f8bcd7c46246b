"""What of a tracking people look at: the report with pictures of some frames, and the movie of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from ..registration.result import Verdict
from ..registration.scene import PlacedBody, line_integrals_of
from ..report.encode import data_uri
from ..xray.errors import InputError
from ..xray.geometry import Camera, rigid
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
# About the bodies so much of their extent is shown; more than this part of the image, or a cut too small to look at,
# and the image stays whole.
_MARGIN, _MOST_OF_THE_IMAGE, _LEAST_SIDE = 0.15, 0.5, 48

Pose = Float64[np.ndarray, "4 4"]
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
    frames = _Frames(track, bodies, source)
    pictures = []
    for place in _chosen(track):
        picture = frames.picture(place, _REPORT_SIDE)
        if picture is not None:
            pictures.append(FramePicture(_words(track, place), data_uri(picture)))
    write_track_report(folder / REPORT, track, joints, pictures, provenance, title)
    if movie is not None:
        rate = track.frames_per_second or _USUAL_RATE
        all_of_them = (frames.picture(place, _MOVIE_SIDE) for place in range(len(track.times)))
        write_movie(folder / f"movie.{movie}", (one for one in all_of_them if one is not None), rate)


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


class _Frames:
    """Pictures of a track's frames, all cut alike: about where its bodies were, as they may be small in the X-rays."""

    def __init__(self, track: Track, bodies: Sequence[Body], source: FrameSource) -> None:
        self._track, self._bodies, self._source = track, tuple(bodies), source
        self._cuts: dict[int, tuple[int, int, tuple[int, int]]] = {}

    def picture(self, place: int, side: int) -> Picture | None:
        """The views of a frame with all bodies where they are; None for a frame that has no X-ray."""
        try:
            frame = self._source.frame(self._track.times[place])
        except InputError:
            return None
        seen = {view: self._cut(view, one, side) for view, one in enumerate(frame) if one is not None}
        if not seen:
            return None
        placed = [
            PlacedBody(body.projector, pose)
            for body, pose in zip(self._bodies, self._poses(place), strict=True)
            if np.isfinite(pose).all()
        ]
        # A view that lacks the frame stays black, so that the others stay in their places.
        nothing = _black(next(iter(seen.values())))
        radiographs = [seen.get(view, nothing) for view in range(len(frame))]
        drrs = [
            _drr(one, placed) if view in seen else np.zeros(one.camera.size, np.float32)
            for view, one in enumerate(radiographs)
        ]
        missing = [f"view {view + 1} has none" for view in range(len(frame)) if view not in seen]
        return overlay_frame(radiographs, drrs, "; ".join([_words(self._track, place), *missing]), side)

    def _poses(self, place: int) -> list[Pose]:
        """Where each body is in a frame; NaN where that is not known."""
        poses = []
        for followed in self._track.bodies:
            pose = followed.frames[place].pose
            if pose is None or followed.frames[place].verdict == Verdict.FAILED:
                pose = followed.smoothed[place]
            poses.append(pose)
        return poses

    def _cut(self, view: int, radiograph: Radiograph, side: int) -> Radiograph:
        """The part of a view that the bodies are ever in, with no more pixels than a picture shows."""
        if view not in self._cuts:
            self._cuts[view] = self._window(radiograph.camera)
        part = radiograph.cropped(*self._cuts[view])
        return part.binned(max(1, max(part.camera.size) // side))

    def _window(self, camera: Camera) -> tuple[int, int, tuple[int, int]]:
        """First row, first column and size of the part that the bodies are ever in; of all of it if that is most."""
        rows, columns = camera.size
        whole = (0, 0, (rows, columns))
        corners = [
            camera.project(rigid.transform_points(pose, body.projector.ct.corners()))
            for place in range(len(self._track.times))
            for body, pose in zip(self._bodies, self._poses(place), strict=True)
            if np.isfinite(pose).all()
        ]
        pixels = np.concatenate(corners) if corners else np.full((1, 2), np.nan)
        if not np.isfinite(pixels).all():
            return whole
        margin = _MARGIN * np.ptp(pixels, axis=0)
        low = np.clip(np.floor(pixels.min(axis=0) - margin), 0, [columns - 1, rows - 1]).astype(int)
        high = np.clip(np.ceil(pixels.max(axis=0) + margin), low + 1, [columns, rows]).astype(int)
        width, height = (int(length) for length in high - low)
        if width * height > _MOST_OF_THE_IMAGE * rows * columns or min(width, height) < _LEAST_SIDE:
            return whole
        return int(low[1]), int(low[0]), (height, width)


def _black(like: Radiograph) -> Radiograph:
    """An X-ray of nothing, of the same size."""
    return replace(like, attenuation=np.zeros_like(like.attenuation), mask=np.zeros_like(like.mask))


def _drr(radiograph: Radiograph, placed: Sequence[PlacedBody]) -> np.ndarray:
    camera = radiograph.camera
    if not placed:
        return np.zeros(camera.size, dtype=np.float32)
    centre = rigid.transform_points(placed[0].pose, [placed[0].projector.ct.centre])[0]
    drr = line_integrals_of(placed, camera.rays(), camera.pixel_footprint_mm(centre))
    assert drr is not None
    return drr.reshape(camera.size)
