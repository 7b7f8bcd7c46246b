"""A tracking as a moving picture: every frame's X-rays with what the pose says beside them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image, ImageDraw, ImageFont

from ..report import pictures as shown
from ..report.encode import mask_on_screen, on_screen, screen_size
from ..report.intensity import matched_to_xray
from ..xray.errors import InputError
from ..xray.files.atomic import atomic_write
from ..xray.radiograph import Radiograph

Picture = UInt8[np.ndarray, "rows columns 3"]
# Browsers slow down GIFs of more frames a second; a GIF's clock ticks in hundredths of a second.
_FASTEST_GIF = 50.0
# The palette is made for these many of the first frames together.
_PALETTE_FRAMES = 8
_GAP = 6
_INK, _BACKGROUND = (235, 238, 240), (20, 24, 28)


def overlay_frame(
    radiographs: Sequence[Radiograph],
    drrs: Sequence[Float32[np.ndarray, "rows columns"]],
    words: str,
    longest_side: int,
) -> Picture:
    """A frame as one picture: a column a view, the DRR's edges on the X-ray above and the overlay below, then `words`.

    `drrs` are on the radiographs' own pixels. No side is longer than `longest_side` (px). ValueError without a view,
    or with another number of DRRs.
    """
    if not radiographs or len(radiographs) != len(drrs):
        raise ValueError(f"{len(radiographs)} radiographs and {len(drrs)} DRRs")
    sizes = [screen_size(radiograph.camera) for radiograph in radiographs]
    # All views are as high, and their widths add up.
    aspects = [width / height for height, width in sizes]
    text_height = max(14, longest_side // 32)
    across = (longest_side - _GAP * (len(sizes) - 1)) / sum(aspects)
    down = (longest_side - _GAP - 2 * text_height) / 2
    height = max(8, int(min(across, down, max(size[0] for size in sizes))))
    columns = []
    for radiograph, drr, aspect in zip(radiographs, drrs, aspects, strict=True):
        size = height, max(1, int(height * aspect))
        xray, mask = on_screen(radiograph.attenuation, size), mask_on_screen(radiograph.mask, size)
        matched = matched_to_xray(on_screen(drr, size), xray, mask)
        window = shown.grey_window(xray, mask)
        gap = np.full((_GAP, size[1], 3), _BACKGROUND, dtype=np.uint8)
        columns += [
            np.full((2 * height + _GAP, _GAP, 3), _BACKGROUND, dtype=np.uint8),
            np.vstack([shown.edges(xray, matched, mask, window), gap, shown.overlay(xray, matched, mask, window)]),
        ]
    return _with_words(np.hstack(columns[1:]), words, text_height)


def _with_words(picture: Picture, words: str, height: int) -> Picture:
    """The picture with a line of words below it, smaller where they would not fit."""
    strip = Image.new("RGB", (picture.shape[1], 2 * height), _BACKGROUND)
    draw = ImageDraw.Draw(strip)
    size = float(height)
    font = ImageFont.load_default(size)
    while draw.textlength(words, font) > strip.width - 8 and size > 6:
        size *= 0.9
        font = ImageFont.load_default(size)
    draw.text((4, height), words, _INK, font, anchor="lm")
    return np.vstack([picture, np.asarray(strip)])


def check_movie(path: str | Path) -> None:
    """InputError unless a movie of this name's suffix can be written here: to be known before the frames are made."""
    path = Path(path)
    if path.suffix.lower() not in (".gif", ".mp4"):
        raise InputError(path, f"no movie is written as “{path.suffix}”", "Use .gif or .mp4.")
    if path.suffix.lower() == ".mp4":
        _mp4_writer(path)


def write_movie(path: str | Path, pictures: Iterable[Picture], frames_per_second: float) -> None:
    """Write pictures (uint8 RGB) as an animated GIF that runs for ever, or as MP4, in the first one's size.

    A GIF shows at most 50 frames a second: of faster ones, some are left out, so that it takes as long. The file
    appears whole or not at all. InputError for another suffix, a rate that is not positive, no picture, or an MP4 that
    no installed package can write.
    """
    path = Path(path)
    check_movie(path)
    if not (np.isfinite(frames_per_second) and frames_per_second > 0):
        raise InputError("frames a second", f"{frames_per_second:g} is not above 0", "Give the rate of the sequence.")
    checked = _of_one_size(path, pictures)
    write = _write_gif if path.suffix.lower() == ".gif" else _mp4_writer(path)
    with atomic_write(path) as temporary:
        write(temporary, checked, float(frames_per_second))


def _of_one_size(path: Path, pictures: Iterable[Picture]) -> Iterator[Picture]:
    """Pictures of the first one's size: others, as of frames that lack a view, shrink into it and are framed."""
    size = None
    for picture in pictures:
        size = size or picture.shape[:2]
        yield picture if picture.shape[:2] == size else _framed(picture, size)
    if size is None:
        raise InputError(path, "there is no picture for a movie", "Track at least one frame that has an X-ray.")


def _framed(picture: Picture, size: tuple[int, ...]) -> Picture:
    canvas, inside = Image.new("RGB", (size[1], size[0]), _BACKGROUND), Image.fromarray(picture)
    inside.thumbnail(canvas.size)
    canvas.paste(inside, ((canvas.width - inside.width) // 2, (canvas.height - inside.height) // 2))
    return np.asarray(canvas)


def _write_gif(path: Path, pictures: Iterator[Picture], frames_per_second: float) -> None:
    rate = min(frames_per_second, _FASTEST_GIF)
    kept = _at_rate(pictures, frames_per_second, rate)
    head = list(itertools.islice(kept, _PALETTE_FRAMES))
    palette = Image.fromarray(np.vstack(head)).quantize(256, method=Image.Quantize.MEDIANCUT)

    def in_palette(number: int, picture: Picture) -> Image.Image:
        # No dithering: it would crawl from frame to frame and swell the file.
        frame = Image.fromarray(picture).quantize(palette=palette, dither=Image.Dither.NONE)
        # Hundredths of a second are rounded in the sum, so that the movie as a whole keeps time.
        frame.info["duration"] = 10 * (round(100 * (number + 1) / rate) - round(100 * number / rate))
        return frame

    frames = map(in_palette, itertools.count(), itertools.chain(head, kept))
    next(frames).save(path, "GIF", save_all=True, append_images=frames, loop=0, optimize=False)


def _at_rate(pictures: Iterator[Picture], given: float, wanted: float) -> Iterator[Picture]:
    """The pictures that are seen first in each tick of the slower rate."""
    last = -1
    for number, picture in enumerate(pictures):
        tick = int(number * wanted / given + 1e-9)
        if tick > last:
            last = tick
            yield picture


def _mp4_writer(path: Path) -> Any:
    """What writes an MP4 here; InputError if nothing can."""
    if find_spec("av") is not None:
        return _write_with_av
    if find_spec("imageio_ffmpeg") is not None:
        return _write_with_ffmpeg
    raise InputError(
        path,
        "an MP4 needs the package av or imageio-ffmpeg, and neither is installed",
        "Install one: pip install av. Or give a name that ends in .gif.",
    )


def _even(picture: Picture) -> Picture:
    """H.264 halves the colours' resolution, so both sides are even: an odd one repeats its last row or column."""
    rows, columns = picture.shape[0] % 2, picture.shape[1] % 2
    return np.ascontiguousarray(np.pad(picture, ((0, rows), (0, columns), (0, 0)), mode="edge"))


def _write_with_av(path: Path, pictures: Iterator[Picture], frames_per_second: float) -> None:
    av = import_module("av")
    with av.open(str(path), "w", format="mp4") as container:
        stream: Any = None
        for picture in map(_even, pictures):
            if stream is None:
                rate = Fraction(frames_per_second).limit_denominator(1001)
                stream = container.add_stream("h264", rate=rate, options={"crf": "20"})
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def _write_with_ffmpeg(path: Path, pictures: Iterator[Picture], frames_per_second: float) -> None:
    imageio_ffmpeg = import_module("imageio_ffmpeg")
    even = map(_even, pictures)
    first = next(even)
    writer = imageio_ffmpeg.write_frames(
        str(path), (first.shape[1], first.shape[0]), fps=frames_per_second, quality=7, macro_block_size=2
    )
    writer.send(None)
    try:
        for picture in itertools.chain([first], even):
            writer.send(picture)
    finally:
        writer.close()
