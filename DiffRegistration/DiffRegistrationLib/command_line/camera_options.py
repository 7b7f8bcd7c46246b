"""A camera and a pose for pictures of a CT: from files, or from how a C-arm stands and how the patient lies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..registration.starts import VIEW_BEAMS
from ..xray.errors import InputError
from .geometry_options import check_distances, lengths, numbers, refuse_beside_camera

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float64

    from ..xray.ct import CT
    from ..xray.geometry import Camera

# A common C-arm, for whoever has no camera file, in front of the patient (AP).
_SDD, _SOD, _SPACING, _SIZE = 1020.0, 700.0, 0.6, 512
_AP_DEG = (180.0, 0.0)
# No detector has more, and a slip of the finger here would fill the memory.
_MOST_PIXELS = 5000

OneCameraOption = Annotated[Path | None, typer.Option("--camera", help="Camera file to look through.")]
PoseOption = Annotated[Path | None, typer.Option("--pose", help="Pose of the CT: .tfm, .h5 or .json.")]
ViewOption = Annotated[str | None, typer.Option("--view", help=f"Instead of a pose: {', '.join(VIEW_BEAMS)}.")]
SizeOption = Annotated[
    str | None, typer.Option("--size", help=f"Rows,columns where no camera file says them ({_SIZE}).")
]


def check_pose_options(pose: Path | None, view: str | None) -> None:
    """InputError for a pose beside a view, and for a view that is none."""
    if pose is not None and view is not None:
        raise InputError("--view", "was given beside --pose", "Give one of the two.")
    if view is not None and view not in VIEW_BEAMS:
        raise InputError(f"--view {view}", "is not a view", f"Use one of {', '.join(VIEW_BEAMS)}.")


def camera_from_options(
    path: Path | None,
    *,
    size: str | None,
    sdd: float | None,
    sod: float | None,
    spacing: str | None,
    angles: str | None = None,
) -> Camera:
    """The camera of a file, or the C-arm's. InputError for options that cannot be or do not go together."""
    from ..xray.files.camera_files import read_camera
    from ..xray.geometry.c_arm import c_arm_camera

    refuse_beside_camera(path, {"--sdd": sdd, "--sod": sod, "--spacing": spacing, "--angles": angles})
    pixels = numbers("--size", size, 2)
    if pixels is not None and not all(n % 1 == 0 and 1 <= n <= _MOST_PIXELS for n in pixels):
        raise InputError(f"--size {size}", f"expected whole numbers from 1 to {_MOST_PIXELS}", "Write it as 512,512.")
    rows_columns = None if pixels is None else (int(pixels[0]), int(pixels[1]))
    if path is not None:
        return read_camera(path, size=rows_columns).camera
    check_distances(sdd, sod)
    primary, secondary = numbers("--angles", angles, 2, one_for_all=False) or _AP_DEG
    return c_arm_camera(
        source_detector_distance=_SDD if sdd is None else sdd,
        source_object_distance=_SOD if sod is None else sod,
        pixel_spacing=lengths("--spacing", spacing) or (_SPACING, _SPACING),
        size=rows_columns or (_SIZE, _SIZE),
        primary_angle_deg=primary,
        secondary_angle_deg=secondary,
    )


def pose_as_usual(view: str | None, ct: CT, camera: Camera, *, from_file: bool) -> Float64[np.ndarray, "4 4"]:
    """The pose (world_from_ct) where no file says it: as `view` shows the CT, else as the camera's world means it.

    A camera `from_file` has a world that the CT may share. Around a C-arm the CT's centre is at the isocentre and its
    axes are the world's, which is the AP view unless the C-arm was turned.
    """
    import numpy as np

    from ..registration.starts import pose_of_view
    from ..xray.geometry import rigid

    if view is not None:
        return pose_of_view(view, ct, camera)
    return np.eye(4) if from_file else rigid.rigid(np.eye(3), -ct.centre)


def refuse_overwriting(outputs: Sequence[Path], inputs: Sequence[Path | None]) -> None:
    """InputError when an output would take the place of an input."""
    for out in outputs:
        for path in inputs:
            if path is not None and path.exists() and out.resolve() == path.resolve():
                raise InputError(
                    out, "is one of the inputs, which would be overwritten", "Choose another name with --out."
                )
