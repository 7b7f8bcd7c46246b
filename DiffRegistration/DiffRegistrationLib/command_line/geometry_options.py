"""Options by which a user gives the geometry that an X-ray file lacks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from ..registration.workflow import XrayFile
from ..xray.errors import InputError
from ..xray.files.c_arm_geometry import CArmGeometry

CameraOption = Annotated[
    list[Path] | None,
    typer.Option("--camera", help="Camera file of an X-ray; repeat it once per X-ray, in their order."),
]
SddOption = Annotated[float | None, typer.Option("--sdd", help="Source-detector distance in mm.")]
SodOption = Annotated[float | None, typer.Option("--sod", help="Source-isocentre distance in mm.")]
SpacingOption = Annotated[
    str | None, typer.Option("--spacing", help="Pixel spacing at the detector in mm: one number, or rows,columns.")
]
AnglesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--angles", help="C-arm angles in degrees: primary,secondary (LAO and cranial positive); once per X-ray."
    ),
]
FrameOption = Annotated[int, typer.Option("--frame", help="Frame of a multi-frame X-ray, from 0.")]
MaskOption = Annotated[
    list[Path] | None,
    typer.Option("--mask", help="Image that is above zero where the X-ray may be used; once per X-ray."),
]
BoneOption = Annotated[
    bool | None,
    typer.Option("--bone-bright/--bone-dark", help="Polarity of the pixel values; from the file if not given."),
]

T = TypeVar("T")


def numbers(option: str, text: str | None, count: int) -> tuple[float, ...] | None:
    """`count` numbers out of "a,b"; one alone stands for all. InputError if it is something else."""
    if text is None:
        return None
    try:
        values = tuple(float(part) for part in text.replace("x", ",").split(","))
    except ValueError:
        values = ()
    if len(values) == 1:
        values *= count
    if len(values) != count:
        raise InputError(option, f"{text!r} is not {count} numbers", f"Write it as {','.join(['1.5'] * count)}.")
    return values


def _one_each(option: str, given: Sequence[T] | None, count: int) -> list[T | None]:
    if not given:
        return [None] * count
    if len(given) != count:
        raise InputError(
            option, f"was given {len(given)} times for {count} X-rays", "Give it once per X-ray, in the same order."
        )
    return list(given)


def xray_files(
    xrays: Sequence[Path],
    *,
    cameras: Sequence[Path] | None,
    sdd: float | None,
    sod: float | None,
    spacing: str | None,
    angles: Sequence[str] | None,
    frame: int,
    masks: Sequence[Path] | None,
    bone_is_bright: bool | None,
) -> list[XrayFile]:
    """The X-rays with what the options say of each."""
    count = len(xrays)
    pair = numbers("--spacing", spacing, 2)
    files = []
    for path, camera, angle, mask in zip(
        xrays,
        _one_each("--camera", cameras, count),
        _one_each("--angles", angles, count),
        _one_each("--mask", masks, count),
        strict=True,
    ):
        turned = numbers("--angles", angle, 2) or (None, None)
        geometry = CArmGeometry(
            source_detector_distance=sdd,
            source_object_distance=sod,
            pixel_spacing=None if pair is None else (pair[0], pair[1]),
            primary_angle_deg=turned[0],
            secondary_angle_deg=turned[1],
        )
        files.append(XrayFile(path, camera, geometry, frame, mask, bone_is_bright))
    return files
