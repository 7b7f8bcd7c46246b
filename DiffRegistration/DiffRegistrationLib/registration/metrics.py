"""How far a pose is from the truth, in full: no single number tells rotation from depth.

mPE is measured on the detector, mRPE back at the patient, mTRE in space (van de Kraats et al., IEEE TMI 24(9), 2005);
in-plane and depth are the parts of the CT centre's displacement across and along its ray.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from ..xray.geometry import Camera, PinholeCamera, rigid

GROSS_FAILURE_MM = 10.0


@dataclass(frozen=True)
class PoseError:
    """Errors of one pose. `mpe_mm` is None where the camera's pixel spacing at the detector is unknown."""

    mpe_mm: float | None
    mrpe_mm: float
    mtre_mm: float
    rotation_deg: float
    in_plane_mm: float
    depth_mm: float

    @property
    def gross_failure(self) -> bool:
        """Whether the targets are more than 10 mm off."""
        return self.mtre_mm > GROSS_FAILURE_MM


def pose_error(
    pose: Float64[np.ndarray, "4 4"],
    truth: Float64[np.ndarray, "4 4"],
    targets: Float64[np.ndarray, "n 3"],
    centre: Float64[np.ndarray, "3"],
    camera: Camera,
) -> PoseError:
    """Error of `pose` against `truth` (both world_from_ct), seen by `camera`.

    `targets` are points of the CT (mm, its own frame), `centre` its centre. In-plane and depth are split along the ray
    through the true centre.
    """
    found, true = rigid.transform_points(pose, targets), rigid.transform_points(truth, targets)
    pixels_found, pixels_true = camera.project(found), camera.project(true)
    mpe = None
    if isinstance(camera, PinholeCamera) and camera.pixel_spacing is not None:
        step = (pixels_found - pixels_true) * [camera.pixel_spacing[1], camera.pixel_spacing[0]]
        mpe = float(np.linalg.norm(step, axis=1).mean())
    depth = rigid.transform_points(camera.camera_from_world, true)[:, 2]
    reprojected = np.linalg.norm(camera.back_project(pixels_found, depth) - true, axis=1)
    in_plane, along = split_along_ray(pose, truth, centre, camera)
    return PoseError(
        mpe,
        float(reprojected.mean()),
        float(np.linalg.norm(found - true, axis=1).mean()),
        float(np.degrees(rigid.angle_between(pose, truth))),
        in_plane,
        along,
    )


def split_along_ray(
    pose: Float64[np.ndarray, "4 4"],
    truth: Float64[np.ndarray, "4 4"],
    centre: Float64[np.ndarray, "3"],
    camera: Camera,
) -> tuple[float, float]:
    """Displacement (mm) of the CT's centre between two poses, across and along (signed) its true ray."""
    found, true = (rigid.transform_points(p, [centre])[0] for p in (pose, truth))
    ray = camera.rays(camera.project(true[None]))
    beam = (ray.target - ray.source)[0]
    beam = beam / np.linalg.norm(beam)
    along = float((found - true) @ beam)
    return float(np.linalg.norm(found - true - along * beam)), along
