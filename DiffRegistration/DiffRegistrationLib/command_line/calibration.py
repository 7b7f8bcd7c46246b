"""`fluororeg calibration`: whether cameras belong together, and cameras in other programs' formats."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..xray.errors import InputError
from .camera_options import refuse_overwriting
from .geometry_options import numbers
from .output import FAILED, JsonOption, input_errors_end_the_command, print_json, say

if TYPE_CHECKING:
    from ..xray.files.calibrated_camera import CalibratedCamera
    from ..xray.geometry.calibration_check import CalibrationCheck

app = typer.Typer(help="Check cameras by points, and convert their files.", no_args_is_help=True)

# Beads are picked to a fraction of a pixel; what other studies' cameras are off by is far more.
_LIMIT_PX = 2.0
# Bends that an intensifier has, and no more than a few dozen beads determine.
_DEGREE = 5
_FORMATS = "json, mayacam1, mayacam2 (XMALab), projection-matrix or xreg"


@app.command("check")
def check(
    cameras: Annotated[list[Path], typer.Argument(help="Camera files of two views or more.")],
    points: Annotated[
        Path, typer.Option("--points", help="CSV with columns cam1_u, cam1_v, cam2_u, cam2_v … (px), a row a point.")
    ],
    limit: Annotated[
        float, typer.Option("--limit", help="Median distance from the epipolar line that is allowed (px).")
    ] = _LIMIT_PX,
    as_json: JsonOption = False,
) -> None:
    """Say whether cameras belong together, by points that several views show.

    Each point must lie on the line that the other view's ray draws, and in front of both sources. If not, flipped
    axes, LPS, mirrored images and swapped files are tried. Exit code 1 if the cameras do not belong together.
    """
    with input_errors_end_the_command(as_json):
        import numpy as np

        from ..xray.files.camera_files import read_camera
        from ..xray.files.point_files import read_seen_points
        from ..xray.geometry.calibration_check import calibration_check

        if len(cameras) < 2:
            raise InputError("cameras", "one was given, two are needed at least", "Give the file of each view.")
        if not 0 < limit < float("inf"):
            raise InputError(f"--limit {limit}", "is no length", "Give pixels above 0.")
        calibrated = [read_camera(path) for path in cameras]
        seen = read_seen_points(points, len(cameras))
        pixels = np.stack(
            [one.ideal_pixels(path, of) for one, path, of in zip(calibrated, cameras, seen.pixels, strict=True)]
        )
        found = calibration_check([one.camera for one in calibrated], pixels, limit_px=limit)
    if as_json:
        print_json(_content(seen.names, found))
    else:
        _show(seen.names, found, limit)
    if not found.fits:
        raise typer.Exit(FAILED)


@app.command("convert")
def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Camera file of any format that is read.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Camera file to write.")],
    to: Annotated[str, typer.Option("--to", help=f"Format: {_FORMATS}.")],
    size: Annotated[
        str | None, typer.Option("--size", help="Rows,columns of the image, where the file does not say them.")
    ] = None,
    projection: Annotated[
        int | None, typer.Option("--projection", help="Which camera of an xReg file with several, from 0.")
    ] = None,
    beads_seen: Annotated[
        Path | None,
        typer.Option("--beads-seen", help="Beads in the distorted image: a line u,v each (XMALab: …_INPTS.csv)."),
    ] = None,
    beads_true: Annotated[
        Path | None, typer.Option("--beads-true", help="The same beads without distortion (XMALab: …_BSPTS.csv).")
    ] = None,
    degree: Annotated[
        int, typer.Option("--degree", min=1, max=9, help="Of the polynomial through the beads.")
    ] = _DEGREE,
    as_json: JsonOption = False,
) -> None:
    """Write a camera in another format, so that reading it back gives the same camera.

    With --beads-seen and --beads-true the images' distortion is measured and written too, which json alone holds.
    """
    with input_errors_end_the_command(as_json):
        from ..xray.files.camera_files import read_camera
        from ..xray.files.camera_writing import write_camera_as

        refuse_overwriting([target], [source, beads_seen, beads_true])
        calibrated = read_camera(source, size=_size(size), projection=projection)
        fit = None
        if beads_seen is not None or beads_true is not None:
            calibrated, fit = _with_distortion(source, calibrated, beads_seen, beads_true, degree)
        write_camera_as(target, calibrated, to)
    rows, columns = calibrated.camera.size
    if as_json:
        lines = [vars(line) for line in calibrated.provenance]
        content = {"written": str(target), "format": to, "size_rows_columns_px": [rows, columns], "provenance": lines}
        print_json({**content, **({} if fit is None else {"distortion_fit_px": fit})})
        return
    if fit is not None:
        say(f"beads to {fit['rms']:.2f} px (rms), {fit['maximum']:.2f} px at most", label="Distortion:")
    for line in calibrated.provenance:
        say(str(line), style="yellow" if line.assumed else "")
    say(f"{target}", label="Written:")


def _size(text: str | None) -> tuple[int, int] | None:
    pair = numbers("--size", text, 2)
    if pair is None:
        return None
    if not all(n % 1 == 0 and n >= 1 for n in pair):
        raise InputError(f"--size {text}", "expected whole numbers above 0", "Write it as 512,512.")
    return int(pair[0]), int(pair[1])


def _with_distortion(
    source: Path, calibrated: CalibratedCamera, seen: Path | None, true: Path | None, degree: int
) -> tuple[CalibratedCamera, dict[str, float]]:
    """The camera with a polynomial through the beads, and how far (px) that leaves them."""
    from dataclasses import replace

    from ..xray.files.distortion_json import distortion_line
    from ..xray.files.xmalab_beads import read_bead_grid
    from ..xray.geometry.lens_distortion import fit_polynomial_distortion

    if seen is None or true is None:
        raise InputError("--beads-seen, --beads-true", "one was given without the other", "Give both, or none.")
    if calibrated.distortion is not None:
        raise InputError(source, "has a distortion already", "Leave --beads-seen and --beads-true out.")
    fit = fit_polynomial_distortion(*read_bead_grid(seen, true), degree)
    left = {"rms": fit.rms, "maximum": float(fit.residual.max())}
    line = distortion_line(fit.distortion, f"{len(fit.residual)} beads, left by {left['rms']:.2f} px (rms)")
    return replace(calibrated, provenance=(*calibrated.provenance, line), distortion=fit.distortion), left


def _content(names: tuple[str, ...], found: CalibrationCheck) -> dict[str, Any]:
    return {
        "fits": found.fits,
        "verdict": found.verdict,
        "pairs": [
            {
                "views": [pair.first + 1, pair.second + 1],
                "points": pair.geometry.count,
                "median_px": pair.geometry.median,
                "maximum_px": pair.geometry.maximum,
                "of_points": [
                    {"name": name, "residual_px": residual, "behind": [bool(first), bool(second)]}
                    for name, residual, first, second in zip(
                        names,
                        pair.geometry.residual.tolist(),
                        pair.geometry.behind_first,
                        pair.geometry.behind_second,
                        strict=True,
                    )
                ],
            }
            for pair in found.pairs
        ],
        "explanations": [{"if": one.words, "median_px": one.residual} for one in found.explanations],
    }


def _show(names: tuple[str, ...], found: CalibrationCheck, limit: float) -> None:
    import numpy as np
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for heading in ("views", "points", "median (px)", "largest (px)", "at point", "behind a source"):
        table.add_column(heading, overflow="fold")
    for pair in found.pairs:
        geometry = pair.geometry
        table.add_row(
            f"{pair.first + 1}, {pair.second + 1}",
            str(geometry.count),
            f"{geometry.median:.2f}",
            f"{geometry.maximum:.2f}",
            names[int(np.nanargmax(geometry.residual))],
            str(geometry.behind),
            style=None if geometry.fits(limit) else "yellow",
        )
    # The table is the answer: unlike progress it belongs on stdout.
    answer = Console(highlight=False, markup=False)
    answer.print(table)
    answer.print(found.verdict, soft_wrap=True)
