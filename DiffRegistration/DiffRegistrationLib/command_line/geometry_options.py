"""Options by which a user gives the geometry that an X-ray file lacks."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isfinite
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from ..xray.errors import InputError
from ..xray.files.c_arm_geometry import CArmGeometry
from ..xray.files.xray_with_geometry import XrayFile

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


def numbers(option: str, text: str | None, count: int, *, one_for_all: bool = True) -> tuple[float, ...] | None:
    """`count` finite numbers out of "a,b"; one alone stands for all if allowed. InputError for something else."""
    if text is None:
        return None
    try:
        values = tuple(float(part) for part in text.replace("x", ",").split(","))
    except ValueError:
        values = ()
    if len(values) == 1 and one_for_all:
        values *= count
    if len(values) != count or not all(map(isfinite, values)):
        raise InputError(option, f"{text!r} is not {count} numbers", f"Write it as {','.join(['1.5'] * count)}.")
    return values


def lengths(option: str, text: str | None) -> tuple[float, float] | None:
    """Two positive lengths in mm out of "rows,columns" or one number for both. InputError for something else."""
    pair = numbers(option, text, 2)
    if pair is None:
        return None
    if not min(pair) > 0:
        raise InputError(option, f"{text} mm was given, expected more than zero", "Give it in mm at the detector.")
    return pair[0], pair[1]


def check_distances(sdd: float | None, sod: float | None) -> None:
    """InputError for a distance that is not a positive number of mm."""
    for option, value in (("--sdd", sdd), ("--sod", sod)):
        if value is not None and not 0 < value < inf:
            raise InputError(option, f"{value:g} mm was given, expected more than zero", "Give it in mm.")


def refuse_beside_camera(camera: object, given: dict[str, object]) -> None:
    """InputError when options of a geometry are given beside a camera file, which would silently win."""
    beside = [option for option, value in given.items() if value is not None and value != []]
    if camera and beside:
        raise InputError(
            ", ".join(beside),
            "given beside --camera, whose file already says all of the geometry",
            "Leave out one or the other.",
        )


def _one_each(option: str, given: Sequence[T] | None, count: int) -> list[T | None]:
    if not given:
        return [None] * count
    if len(given) != count:
        raise InputError(
            option,
            f"was given {len(given)} times for {count} X-ray{'' if count == 1 else 's'}",
            "Give it once per X-ray, in the same order.",
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
    """The X-rays with what the options say of each. InputError for options that cannot be or do not go together."""
    count = len(xrays)
    check_distances(sdd, sod)
    refuse_beside_camera(cameras, {"--sdd": sdd, "--sod": sod, "--spacing": spacing, "--angles": angles})
    pair = lengths("--spacing", spacing)
    files = []
    for path, camera, angle, mask in zip(
        xrays,
        _one_each("--camera", cameras, count),
        _one_each("--angles", angles, count),
        _one_each("--mask", masks, count),
        strict=True,
    ):
        turned = numbers("--angles", angle, 2, one_for_all=False) or (None, None)
        geometry = CArmGeometry(
            source_detector_distance=sdd,
            source_object_distance=sod,
            pixel_spacing=pair,
            primary_angle_deg=turned[0],
            secondary_angle_deg=turned[1],
        )
        files.append(XrayFile(path, camera, geometry, frame, mask, bone_is_bright))
    return files
