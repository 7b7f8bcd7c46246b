"""One X-ray on one level, on a device, ready to be compared with DRRs of several poses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Float64

from ...xray.geometry import PinholeCamera, Rays, rigid
from ...xray.projector.device_projector import DeviceProjector
from ...xray.projector.projector import Projector
from ...xray.radiograph import Radiograph
from ..scene import PlacedBody, line_integrals_of
from ..views import comparable
from .device_correlation import Comparisons, DeviceCorrelation
from .device_features import DEVICE_FEATURES, GridJacobians, Grids

Poses = Float64[torch.Tensor, "poses 4 4"]


@dataclass(frozen=True, eq=False)
class DeviceView:
    """As `ViewLevel`, but for several poses: all rays are cast, and each pose has a mask of its own."""

    camera: PinholeCamera
    rays: Rays
    ct_binning: int
    correlation: DeviceCorrelation
    background: Float32[torch.Tensor, "rows columns"] | None
    weight: float

    def begin(self, projector: DeviceProjector, poses: Poses) -> None:
        """Let tone and weights be chosen by the DRRs of these poses."""
        self.correlation.begin(self._drrs(projector.render(self.rays, poses, binning=self.ct_binning)))

    def compare(self, projector: DeviceProjector, poses: Poses) -> Comparisons:
        """DRRs of `poses` against the X-ray."""
        images, derivatives = projector.render_with_jacobian(self.rays, poses, binning=self.ct_binning)
        jacobians: GridJacobians = derivatives.transpose(1, 2).reshape(len(images), 6, *self.camera.size)
        return self.correlation.compare(self._drrs(images), jacobians)

    def _drrs(self, images: Float32[torch.Tensor, "poses rays"]) -> Grids:
        drrs = images.reshape(-1, *self.camera.size)
        return drrs if self.background is None else drrs + self.background


def device_view(
    radiograph: Radiograph,
    binning: int,
    projector: Projector,
    poses: Sequence[Float64[np.ndarray, "4 4"]],
    similarity: str,
    others: Sequence[PlacedBody] = (),
    weight: float = 1.0,
) -> DeviceView:
    """As `view_level`, for a projector that has a device."""
    assert projector.on_device is not None
    device = projector.on_device.device
    coarse = radiograph.binned(binning)
    camera = coarse.camera
    assert isinstance(camera, PinholeCamera)
    rays = camera.rays()
    masks = np.zeros((len(poses), *camera.size), dtype=bool)
    usable = rays[coarse.mask.ravel()]
    for mask, pose in zip(masks, poses, strict=True):
        mask[coarse.mask] = comparable(usable, projector, pose)
    footprint = camera.pixel_footprint_mm(rigid.transform_points(poses[0], [projector.ct.centre])[0])
    background = line_integrals_of(others, rays, footprint)
    return DeviceView(
        camera,
        rays,
        projector.binning_for(footprint),
        DeviceCorrelation(
            torch.tensor(coarse.attenuation, dtype=torch.float32, device=device),
            DEVICE_FEATURES[similarity](masks, device),
            projector.on_device.fused,
        ),
        None if background is None else torch.from_numpy(background).to(device).reshape(camera.size),
        weight,
    )


def compared(views: Sequence[DeviceView], projector: DeviceProjector, poses: Poses) -> Comparisons:
    """As `compare_all`: all views together, each by its weight."""
    parts = [view.compare(projector, poses) for view in views]
    total = sum(view.weight for view in views)
    # Weights of mean 1: without any they change nothing.
    weights = [view.weight * len(views) / total for view in views]

    def added(values: Sequence[torch.Tensor]) -> torch.Tensor:
        return torch.stack([weight * value for weight, value in zip(weights, values, strict=True)]).sum(dim=0)

    def mean(values: Sequence[torch.Tensor]) -> torch.Tensor:
        return added(values) / len(views)

    return Comparisons(
        added([part.cost for part in parts]),
        added([part.gradient for part in parts]),
        added([part.hessian for part in parts]),
        mean([part.score for part in parts]),
        mean([part.residual**2 for part in parts]).sqrt(),
        mean([part.samples for part in parts]),
        mean([part.agreement for part in parts]),
    )
