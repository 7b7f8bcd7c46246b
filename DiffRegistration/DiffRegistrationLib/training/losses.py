"""What a pose costs: distances on SE(3), distances of points, and how likely the error is under the stated one.

Every loss gives one number an image. Distances are in mm; an angle counts as the way that it moves something at the
source-detector radius (geodesic distances) or at the CT itself (point distance).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float

from ..pose_network.pose_estimate import PoseEstimate

# mm by which an angle in rad is weighed in geodesic distances: half a usual source-detector distance, as in DiffPose.
RADIUS_MM = 500.0


@dataclass(frozen=True, eq=False)
class TruePoses:
    """camera_from_ct rotations and the CT's centre before the camera (mm)."""

    rotation: Float[torch.Tensor, "batch 3 3"]
    centre: Float[torch.Tensor, "batch 3"]

    def part(self, which: slice) -> TruePoses:
        """Those of some of the images."""
        return TruePoses(self.rotation[which], self.centre[which])


def geodesic(estimate: PoseEstimate, truth: TruePoses) -> Float[torch.Tensor, "batch"]:
    """|log(T̂⁻¹ T)| on SE(3), rotations weighed by RADIUS_MM, about the CT's centre."""
    error = estimate.errors(truth.rotation, truth.centre)
    scaled = torch.cat([RADIUS_MM * error[:, :3], error[:, 3:]], dim=1)
    return scaled.square().sum(1).add(1e-6).sqrt()


def double_geodesic(estimate: PoseEstimate, truth: TruePoses) -> Float[torch.Tensor, "batch"]:
    """√(d_SO(3)² + d_R³²): the angle as an arc of RADIUS_MM, the distance between the sources as the CT sees them.

    Gopalakrishnan et al., CVPR 2024 (arXiv 2312.06358), equation of the double geodesic distance.
    """
    angle = RADIUS_MM * estimate.errors(truth.rotation, truth.centre)[:, :3].square().sum(1).add(1e-12).sqrt()
    found, true = (
        -(rotation.mT @ centre[:, :, None])[:, :, 0]
        for rotation, centre in ((estimate.rotation, estimate.centre), (truth.rotation, truth.centre))
    )
    return (angle.square() + (found - true).square().sum(1)).add(1e-6).sqrt()


def point_distance(
    estimate: PoseEstimate, truth: TruePoses, points: Float[torch.Tensor, "points 3"]
) -> Float[torch.Tensor, "batch"]:
    """Mean distance of `points` (mm about the CT's centre, its axes) from where they truly are."""
    found = points @ estimate.rotation.mT + estimate.centre[:, None]
    true = points @ truth.rotation.mT + truth.centre[:, None]
    return (found - true).square().sum(2).add(1e-6).sqrt().mean(1)


def stated_error(estimate: PoseEstimate, truth: TruePoses) -> Float[torch.Tensor, "batch"]:
    """Negative log-likelihood of the six errors under Laplace distributions of the stated scales (no unit)."""
    error = estimate.errors(truth.rotation, truth.centre).abs()
    return (error * torch.exp(-estimate.log_scale) + estimate.log_scale).sum(1)


@dataclass(frozen=True)
class LossWeights:
    """How much each loss counts in their sum; 0 leaves it out. `image` is that of `image_loss`."""

    point_distance: float = 0.0
    geodesic: float = 0.0
    double_geodesic: float = 0.0
    stated_error: float = 0.0
    image: float = 0.0


# What `fluororeg benchmark training --loss …` compares.
LOSSES: Mapping[str, LossWeights] = {
    "default": LossWeights(stated_error=1.0, point_distance=0.05),
    "stated-error": LossWeights(stated_error=1.0),
    "point-distance": LossWeights(point_distance=0.02),
    "geodesic": LossWeights(geodesic=0.01),
    "double-geodesic": LossWeights(double_geodesic=0.01),
    "diffpose": LossWeights(geodesic=0.01, double_geodesic=0.01, image=1.0),
    "default-and-image": LossWeights(stated_error=1.0, point_distance=0.05, image=1.0),
}
