"""`fluororeg drr`: a DRR of a CT, as an X-ray or a camera file would see it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from ..registration.starts import VIEW_BEAMS
from .geometry_options import SddOption, SodOption, SpacingOption, numbers
from .output import JsonOption, console, input_errors_end_the_command, print_json


def drr(
    ct: Annotated[Path, typer.Argument(help="CT: a DICOM folder, NRRD, NIfTI or MetaImage.")],
    out: Annotated[Path, typer.Option("--out", help="DRR to write: .nrrd, .mha or .nii.gz keep its place in space.")],
    camera: Annotated[Path | None, typer.Option("--camera", help="Camera file to look through.")] = None,
    pose: Annotated[Path | None, typer.Option("--pose", help="Pose of the CT: .tfm, .h5 or .json.")] = None,
    view: Annotated[str | None, typer.Option("--view", help=f"Instead of a pose: {', '.join(VIEW_BEAMS)}.")] = None,
    size: Annotated[str, typer.Option("--size", help="Rows,columns of the image without a camera file.")] = "512",
    sdd: SddOption = 1020.0,
    sod: SodOption = 700.0,
    spacing: SpacingOption = "0.6",
    series: Annotated[
        str | None, typer.Option("--series", help="Series of a DICOM folder that holds several.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Render the CT. Without a camera file it stands at the isocentre of a C-arm with the given distances, AP."""
    import numpy as np

    from ..registration.starts import pose_of_view
    from ..xray.errors import InputError
    from ..xray.files.camera_files import read_camera
    from ..xray.files.ct_files import read_ct
    from ..xray.files.radiograph_files import write_image
    from ..xray.files.transform_files import read_pose
    from ..xray.geometry import Camera, rigid
    from ..xray.geometry.c_arm import c_arm_camera
    from ..xray.projector import Projector

    with input_errors_end_the_command(as_json):
        if pose is not None and view is not None:
            raise InputError("--view", "was given beside --pose", "Give one of the two.")
        if view is not None and view not in VIEW_BEAMS:
            raise InputError(f"--view {view}", "is not a view", f"Use one of {', '.join(VIEW_BEAMS)}.")
        with console.status("Reading the CT…"):
            loaded = read_ct(ct, series=series)
        rows, columns = numbers("--size", size, 2) or (512.0, 512.0)
        pair = numbers("--spacing", spacing, 2) or (0.6, 0.6)
        looking: Camera
        if camera is not None:
            looking = read_camera(camera).camera
        else:
            looking = c_arm_camera(
                source_detector_distance=sdd or 1020.0,
                source_object_distance=sod or 700.0,
                pixel_spacing=(pair[0], pair[1]),
                size=(int(rows), int(columns)),
                primary_angle_deg=180.0,
            )
        if pose is not None:
            world_from_ct = read_pose(pose)
        elif camera is None or view is not None:
            world_from_ct = pose_of_view(view or "ap", loaded, looking)
        else:
            world_from_ct = np.eye(4)
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
    console.print(f"DRR of {looking.size[1]}×{looking.size[0]} pixels: {out}", soft_wrap=True)
    if not image.any():
        console.print("[yellow]It is empty: the CT is not in view of this camera at this pose.[/]")
