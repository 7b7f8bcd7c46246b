"""`fluororeg drr`: a DRR of a CT, as an X-ray or a camera file would see it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from .camera_options import (
    OneCameraOption,
    PoseOption,
    SizeOption,
    ViewOption,
    camera_from_options,
    check_pose_options,
    pose_as_usual,
    refuse_overwriting,
)
from .geometry_options import SddOption, SodOption, SpacingOption
from .output import JsonOption, console, input_errors_end_the_command, print_json, say


def drr(
    ct: Annotated[Path, typer.Argument(help="CT: a DICOM folder, NRRD, NIfTI or MetaImage.")],
    out: Annotated[Path, typer.Option("--out", help="DRR to write in its place in space: .nrrd, .mha or .nii.gz.")],
    camera: OneCameraOption = None,
    pose: PoseOption = None,
    view: ViewOption = None,
    size: SizeOption = None,
    sdd: SddOption = None,
    sod: SodOption = None,
    spacing: SpacingOption = None,
    series: Annotated[
        str | None, typer.Option("--series", help="Series of a DICOM folder that holds several.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Render the CT. Without a camera file it stands at the isocentre of a C-arm (SDD 1020, SOD 700 mm), AP."""
    from ..xray.files.ct_files import read_ct
    from ..xray.files.radiograph_files import check_image_file, write_image
    from ..xray.files.transform_files import read_pose
    from ..xray.geometry import rigid
    from ..xray.projector import Projector

    with input_errors_end_the_command(as_json):
        check_pose_options(pose, view)
        check_image_file(out)
        refuse_overwriting([out], [ct, camera, pose])
        looking = camera_from_options(camera, size=size, sdd=sdd, sod=sod, spacing=spacing)
        world_from_ct = None if pose is None else read_pose(pose)
        with console.status("Reading the CT…"):
            loaded = read_ct(ct, series=series)
        if world_from_ct is None:
            world_from_ct = pose_as_usual(view, loaded, looking, from_file=camera is not None)
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
