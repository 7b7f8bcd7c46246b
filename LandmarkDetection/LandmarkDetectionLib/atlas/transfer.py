"""A template's landmarks carried to the CT of another head by its bone: found, aligned, deformed, then judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.errors import InputError
from jaxtyping import Float64

from .bone_points import bone_points
from .deformable_fit import deformed_onto
from .head import Head
from .head_alignment import aligned
from .head_frame import ct_from_head
from .landmark_set import LandmarkSet, LandmarkStatus
from .snapping import snapped
from .transfer_confidence import Fit, judged, measured_fit

# Real heads, computed ones, skulls without jaw or face: 0.5 and more, bent by 8 mm at most; a calotte alone 0.5. A
# forearm and a chest reach 0.3; a box and hollow balls 0.5 to 0.7, but a head must be bent by 20 mm and more for them.
LEAST_AGREEMENT = 0.35
DOUBTFUL_AGREEMENT = 0.45
MOST_BEND_MM = 13.0
DOUBTFUL_BEND_MM = 9.0
_LEAST_BONE_CM2 = 40.0
_CERTAIN = (LandmarkStatus.PLACED, LandmarkStatus.CORRECTED)


@dataclass(frozen=True, eq=False)
class Transfer:
    """Landmarks carried to a CT, and how well its bone was met.

    `ct_from_template` maps points (n, 3) of the template's frame to the CT's (RAS mm); the landmarks, carried by it,
    have then been refined by their own definitions. `bone_overlap` is the Dice coefficient of both bones where both
    CTs show something, `surface_mm` the mean distance of matched bone surfaces, `agreement` (0…1) the part of the
    surfaces that matches, `bend_mm` (root mean square) how far the template was bent beyond turning and stretching.
    `words` say what a person should know.
    """

    landmarks: LandmarkSet
    ct_from_template: Callable[[Float64[np.ndarray, "n 3"]], Float64[np.ndarray, "n 3"]]
    bone_overlap: float
    surface_mm: float
    agreement: float
    bend_mm: float
    words: tuple[str, ...]

    @property
    def is_doubtful(self) -> bool:
        """Whether the bones match so little, or after so much bending, that the CT may not show a head."""
        return self.agreement < DOUBTFUL_AGREEMENT or self.bend_mm > DOUBTFUL_BEND_MM


def transferred(
    template: Head,
    ct: CT,
    *,
    kept: LandmarkSet | None = None,
    tell: Callable[[str, float], None] = lambda stage, part: None,
) -> Transfer:
    """The template's landmarks in a CT of another head, wherever and however it lies there.

    Landmarks of `kept` that a person placed or corrected stay as they are and lead the fit. `tell` hears of the stage
    and the part of it that is done. InputError for a CT that shows no bone, or none that looks like a head's.
    """
    tell("reading the bone", 0.0)
    of_template = bone_points(template.ct)
    of_ct = bone_points(ct)
    area = len(of_ct.thinned(4.0)) * 0.16
    if area < _LEAST_BONE_CM2:
        raise InputError(
            "the CT",
            f"shows hardly any bone ({area:.0f} cm² of surface)",
            "Choose a CT of a head, in Hounsfield units.",
        )
    certain = _certain(template.landmarks, kept)
    alignment = aligned(of_template, of_ct, certain, lambda part: tell("finding the head", part))
    deformation = deformed_onto(
        of_template, of_ct, alignment.ct_from_template, certain, lambda part: tell("fitting the bone", part)
    )
    tell("judging the fit", 0.0)
    fit = measured_fit(of_template, of_ct, deformation)
    if fit.agreement < LEAST_AGREEMENT or fit.bend_mm > MOST_BEND_MM:
        raise InputError(
            "the CT",
            f"shows bone that does not look like a head's: {fit.agreement:.0%} of it matches the template "
            f"({LEAST_AGREEMENT:.0%} is the least), which had to be bent by {fit.bend_mm:.0f} mm for it "
            f"({MOST_BEND_MM:.0f} mm is the most)",
            "Choose a CT of a head, or place a few landmarks by hand and try again.",
        )
    landmarks = _refined(ct, judged(template.landmarks, of_ct, deformation, fit))
    landmarks = _with_kept(landmarks, kept)
    tell("judging the fit", 1.0)
    return Transfer(
        landmarks, deformation, fit.overlap, fit.surface_mm, fit.agreement, fit.bend_mm, _words(landmarks, fit)
    )


def _certain(
    template: LandmarkSet, kept: LandmarkSet | None
) -> tuple[Float64[np.ndarray, "m 3"], Float64[np.ndarray, "m 3"]] | None:
    """Points of the template and where a person says they are in the CT; None for none."""
    if kept is None:
        return None
    there = kept.named(template.names)
    chosen = np.array([status in _CERTAIN for status in there.status]) & there.is_known & template.is_known
    return (template.points[chosen], there.points[chosen]) if chosen.any() else None


def _refined(ct: CT, landmarks: LandmarkSet) -> LandmarkSet:
    """Each landmark where its own definition has it on this CT: people differ in more than a deformation follows."""
    try:
        frame = ct_from_head(landmarks)
    except InputError:
        # The template knows too few landmarks for a frame.
        return landmarks
    return snapped(ct, landmarks, frame)


def _with_kept(landmarks: LandmarkSet, kept: LandmarkSet | None) -> LandmarkSet:
    """Landmarks with those that a person placed put back, with their own uncertainty."""
    if kept is None:
        return landmarks
    there = kept.named(landmarks.names)
    chosen = np.array([status in _CERTAIN for status in there.status]) & there.is_known
    return LandmarkSet(
        landmarks.names,
        np.where(chosen[:, None], there.points, landmarks.points),
        np.where(chosen, there.uncertainty_mm, landmarks.uncertainty_mm),
        tuple(
            own if keep else carried for own, keep, carried in zip(there.status, chosen, landmarks.status, strict=True)
        ),
    )


def _words(landmarks: LandmarkSet, fit: Fit) -> tuple[str, ...]:
    words = []
    if fit.agreement < DOUBTFUL_AGREEMENT or fit.bend_mm > DOUBTFUL_BEND_MM:
        words.append(
            f"{fit.agreement:.0%} of the bone matches the template, bent by {fit.bend_mm:.0f} mm: check that the CT "
            "shows a head, and every landmark before it is used."
        )
    outside = [name for name, status in zip(landmarks.names, landmarks.status, strict=True) if status == "outside"]
    if outside:
        count = "1 landmark lies" if len(outside) == 1 else f"{len(outside)} landmarks lie"
        words.append(f"{count} where the CT does not show the bone: {', '.join(outside)}.")
    unsure = [
        f"{name} (± {sigma:.0f} mm)"
        for name, sigma, there in zip(landmarks.names, landmarks.uncertainty_mm, landmarks.is_in_ct, strict=True)
        if there and sigma > 4
    ]
    if unsure:
        words.append(f"Look at these before they are used: {', '.join(unsure)}.")
    return tuple(words)
