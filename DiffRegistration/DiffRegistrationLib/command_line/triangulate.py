"""`fluororeg triangulate`: points in space from where calibrated views see them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..xray.errors import InputError
from .camera_options import refuse_overwriting
from .output import JsonOption, input_errors_end_the_command, print_json, say

if TYPE_CHECKING:
    from ..xray.geometry.triangulation import Triangulation

_SIGMA_PX = 0.5
# Errors of pixels alone are 1.25 standard deviations long on average, and shorter after a fit.
_SIGMAS_OF_FIT = 5.0


def triangulate(
    points: Annotated[Path, typer.Argument(help="CSV with columns cam1_u, cam1_v, cam2_u, cam2_v … (px).")],
    camera: Annotated[list[Path], typer.Option("--camera", help="Camera file of a view; once for each, in order.")],
    out: Annotated[Path | None, typer.Option("--out", help="CSV for the points (mm, in the cameras' world).")] = None,
    sigma: Annotated[
        float, typer.Option("--sigma", help="Standard deviation of a pixel's place, for the uncertainties (px).")
    ] = _SIGMA_PX,
    outlier: Annotated[
        float | None,
        typer.Option("--outlier", help="Leave a view out that lies farther off (px); needs three views."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Find the likeliest points in space for the pixels that two or more views show them at.

    Each comes with its standard deviations and with how far its image lies from what each view shows: mean errors of
    many pixels mean cameras that do not belong together. A distortion that a camera file tells of is undone.
    """
    with input_errors_end_the_command(as_json):
        import numpy as np

        from ..xray.files.camera_files import read_camera
        from ..xray.files.point_files import read_seen_points, write_triangulated
        from ..xray.geometry import triangulation

        _check(camera, sigma, outlier)
        if out is not None:
            refuse_overwriting([out], [points, *camera])
        calibrated = [read_camera(path) for path in camera]
        seen = read_seen_points(points, len(calibrated))
        ideal = np.stack(
            [one.ideal_pixels(path, pixels) for one, path, pixels in zip(calibrated, camera, seen.pixels, strict=True)]
        )
        found = triangulation.triangulate(
            [one.camera for one in calibrated], ideal, sigma_px=sigma, outlier_px=outlier
        )
        if found.behind.any():
            raise InputError(
                points,
                f"{int(found.behind.sum())} of {len(seen.names)} points lie behind an X-ray source",
                "The cameras do not belong together, are given in another order, or one has flipped axes (LPS for "
                "RAS). Check them: fluororeg calibration check says which.",
            )
        if out is not None:
            write_triangulated(out, seen.names, found)
    fits = not found.mean_reprojection > _SIGMAS_OF_FIT * sigma
    if not fits:
        say(
            f"The points fit the views badly: {found.mean_reprojection:.1f} px on average, for pixels known to "
            f"{sigma:g} px. Check that each camera is that of its columns and of this study.",
            label="Warning:",
            style="bold yellow",
        )
    if as_json:
        print_json({"fits": fits, **_content(seen.names, found)})
    else:
        _show(seen.names, found)
    if out is not None:
        say(f"{out}", label="Written:")


def _check(cameras: list[Path], sigma: float, outlier: float | None) -> None:
    if len(cameras) < 2:
        raise InputError("--camera", "was given once, two views are needed at least", "Give one for each view.")
    for name, value in (("--sigma", sigma), ("--outlier", outlier)):
        if value is not None and not 0 < value < float("inf"):
            raise InputError(f"{name} {value}", "is no length", "Give pixels above 0.")


def _content(names: tuple[str, ...], found: Triangulation) -> dict[str, Any]:
    from ..xray.files.point_files import left_out

    return {
        "mean_reprojection_px": found.mean_reprojection,
        "points": [
            {
                "name": name,
                "position_mm": found.points[n].tolist() if found.found[n] else None,
                "std_mm": found.std[n].tolist() if found.found[n] else None,
                "reprojection_px": found.reprojection[:, n].tolist(),
                "left_out": left_out(found, n),
            }
            for n, name in enumerate(names)
        ],
    }


def _show(names: tuple[str, ...], found: Triangulation) -> None:
    from rich.console import Console
    from rich.table import Table

    from ..xray.files.point_files import left_out

    table = Table()
    for heading in ("point", "x, y, z (mm)", "± (mm)", "off in each view (px)", "left out"):
        table.add_column(heading, overflow="fold")
    for n, name in enumerate(names):
        if not found.found[n]:
            table.add_row(name, "seen by fewer than two views, or along one line", "", "", "", style="yellow")
            continue
        numbers = (
            ", ".join(f"{value:.{digits}f}" for value in values)
            for values, digits in ((found.points[n], 2), (found.std[n], 3), (found.reprojection[:, n], 2))
        )
        out = " ".join(f"view {view}" for view in left_out(found, n))
        table.add_row(name, *numbers, out, style="yellow" if out else None)
    # The table is the answer: unlike progress it belongs on stdout.
    answer = Console(highlight=False, markup=False)
    answer.print(table)
    answer.print(f"Mean reprojection error: {found.mean_reprojection:.2f} px")
