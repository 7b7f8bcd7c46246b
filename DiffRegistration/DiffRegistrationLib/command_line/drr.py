"""`fluororeg drr`: a DRR of a CT, as an X-ray or a camera file would see it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..registration.starts import VIEW_BEAMS
from ..xray.errors import InputError
from .geometry_options import (
    SddOption,
    SodOption,
    SpacingOption,
    check_distances,
    lengths,
    numbers,
    refuse_beside_camera,
)
from .output import JsonOption, console, input_errors_end_the_command, print_json, say

if TYPE_CHECKING:
    from ..xray.geometry import Camera

# A common C-arm, for whoever has no camera file.
_SDD, _SOD, _SPACING, _SIZE = 1020.0, 700.0, 0.6, 512
# No detector has more, and a slip of the finger here would fill the memory.
_MOST_PIXELS = 5000


def drr(
    ct: Annotated[Path, typer.Argument(help="CT: a DICOM folder, NRRD, NIfTI or MetaImage.")],
    out: Annotated[Path, typer.Option("--out", help="DRR to write in its place in space: .nrrd, .mha or .nii.gz.")],
    camera: Annotated[Path | None, typer.Option("--camera", help="Camera file to look through.")] = None,
    pose: Annotated[Path | None, typer.Option("--pose", help="Pose of the CT: .tfm, .h5 or .json.")] = None,
    view: Annotated[str | None, typer.Option("--view", help=f"Instead of a pose: {', '.join(VIEW_BEAMS)}.")] = None,
    size: Annotated[
        str | None, typer.Option("--size", help=f"Rows,columns where no camera file says them ({_SIZE}).")
    ] = None,
    sdd: SddOption = None,
    sod: SodOption = None,
    spacing: SpacingOption = None,
    series: Annotated[
        str | None, typer.Option("--series", help="Series of a DICOM folder that holds several.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Render the CT. Without a camera file it stands at the isocentre of a C-arm (SDD 1020, SOD 700 mm), AP."""
    import numpy as np

    from ..registration.starts import pose_of_view
    from ..xray.files.ct_files import read_ct
    from ..xray.files.radiograph_files import check_image_file, write_image
    from ..xray.files.transform_files import read_pose
    from ..xray.geometry import rigid
    from ..xray.projector import Projector

    with input_errors_end_the_command(as_json):
        if pose is not None and view is not None:
            raise InputError("--view", "was given beside --pose", "Give one of the two.")
        if view is not None and view not in VIEW_BEAMS:
            raise InputError(f"--view {view}", "is not a view", f"Use one of {', '.join(VIEW_BEAMS)}.")
        check_image_file(out)
        _refuse_overwriting(out, ct, camera, pose)
        looking = _camera(camera, size, sdd, sod, spacing)
        world_from_ct = None if pose is None else read_pose(pose)
        with console.status("Reading the CT…"):
            loaded = read_ct(ct, series=series)
        if world_from_ct is None:
            from_view = camera is None or view is not None
            world_from_ct = pose_of_view(view or "ap", loaded, looking) if from_view else np.eye(4)
        projector = Projector(loaded)
        centre = rigid.transform_points(world_from_ct, [loaded.centre])[0]
        binning = projector.binning_for(looking.pixel_footprint_mm(centre))
        began = time.perf_counter()
        with console.status("Rendering…"):
            image = projector.render(looking.rays(), world_from_ct, binning=binning)[0].reshape(looking.size)
        seconds = time.perf_counter() - began
        write_image(out, image, looking)
    if as_json:
        print_json({"drr": str(out), "size": list(looking.size), "maximum": float(image.max()), "seconds": seconds})
    say(f"DRR of {looking.size[1]}×{looking.size[0]} pixels: {out}")
    if not image.any():
        say("it is empty, the CT is not in view of this camera at this pose", label="Warning:", style="yellow")


def _camera(path: Path | None, size: str | None, sdd: float | None, sod: float | None, spacing: str | None) -> Camera:
    """The camera of a file, or the C-arm's. InputError for options that cannot be or do not go together."""
    from ..xray.files.camera_files import read_camera
    from ..xray.geometry.c_arm import c_arm_camera

    refuse_beside_camera(path, {"--sdd": sdd, "--sod": sod, "--spacing": spacing})
    pixels = numbers("--size", size, 2)
    if pixels is not None and not all(n % 1 == 0 and 1 <= n <= _MOST_PIXELS for n in pixels):
        raise InputError(f"--size {size}", f"expected whole numbers from 1 to {_MOST_PIXELS}", "Write it as 512,512.")
    rows_columns = None if pixels is None else (int(pixels[0]), int(pixels[1]))
    if path is not None:
        return read_camera(path, size=rows_columns).camera
    check_distances(sdd, sod)
    return c_arm_camera(
        source_detector_distance=_SDD if sdd is None else sdd,
        source_object_distance=_SOD if sod is None else sod,
        pixel_spacing=lengths("--spacing", spacing) or (_SPACING, _SPACING),
        size=rows_columns or (_SIZE, _SIZE),
        primary_angle_deg=180.0,
    )


def _refuse_overwriting(out: Path, *inputs: Path | None) -> None:
    """InputError when the output would take the place of an input."""
    for path in inputs:
        if path is not None and path.exists() and out.resolve() == path.resolve():
            raise InputError(
                out, "is one of the inputs, which would be overwritten", "Choose another name with --out."
            )
