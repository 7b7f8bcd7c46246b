"""The nine numbers by which a pinhole camera may differ from how it is given, and what they do to its image.

They are detector offset (u, v; px), focal scale (relative) and a twist of the camera (ω rad, v mm; world axes).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float32, Float64

from ..xray.geometry import PinholeCamera, rigid

PER_VIEW, TWIST = 9, slice(3, 9)


def moved_camera(
    camera: PinholeCamera, numbers: Float64[np.ndarray, "9"], pivot: Float64[np.ndarray, "3"]
) -> PinholeCamera:
    """`camera` with its detector off by (u, v) px, its focal length scaled by 1 + s and itself moved about `pivot`."""
    K = camera.intrinsic.copy()
    K[:2, :2] *= 1 + numbers[2]
    K[:2, 2] += numbers[:2]
    twist = numbers[TWIST]
    motion = rigid.about(pivot, rigid.rigid(rigid.rotation_exp(twist[:3]), twist[3:]))
    return replace(
        camera, intrinsic=K, camera_from_world=rigid.orthonormalised(camera.moved(motion).camera_from_world)
    )


def camera_jacobian(
    camera: PinholeCamera,
    pixels: Float64[np.ndarray, "n 2"],
    pose_jacobian: Float32[np.ndarray, "6 n"],
    centre: Float64[np.ndarray, "3"],
    numbers: Float64[np.ndarray, "9"],
    pivot: Float64[np.ndarray, "3"],
) -> Float32[np.ndarray, "9 n"]:
    """Derivative of line integrals by the nine `numbers` of `camera` (as moved by them), from that by the pose.

    `pose_jacobian` is that of the increment about `centre`, the CT's centre (world mm). To a ray that turns by ω about
    the source, the CT seems to turn by −ω about it; to a camera that is moved, it seems to move back.
    """
    turn, move = pose_jacobian[:3].T, pose_jacobian[3:].T
    A = np.linalg.inv(camera.intrinsic[:2, :2])
    x = (pixels - camera.intrinsic[:2, 2]) @ A.T
    beam = np.column_stack([x, np.ones(len(x))])
    world_from_camera = camera.camera_from_world[:3, :3].T
    arm = centre - camera.source

    def by_direction(change: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n"]:
        omega = np.cross(beam, np.column_stack([change, np.zeros(len(change))])) / (beam**2).sum(axis=1)[:, None]
        omega = np.einsum("ij,nj->ni", world_from_camera, omega)
        return -(turn * omega).sum(axis=1) - (move * np.cross(omega, arm)).sum(axis=1)

    by_offset = [by_direction(np.broadcast_to(-A[:, axis], x.shape)) for axis in (0, 1)]
    by_scale = by_direction(-x / (1 + numbers[2]))
    # A small change of the twist moves the camera's world by J δω about the pivot as moved, then by δv.
    J = rigid.left_jacobian(numbers[3:6])
    lever = rigid.skew(centre - pivot - numbers[6:9]) @ J
    by_twist = [*(-np.einsum("ij,in->jn", J, turn.T) + np.einsum("ij,in->jn", lever, move.T)), *-move.T]
    return np.stack([*by_offset, by_scale, *by_twist]).astype(pose_jacobian.dtype)
