"""What wrong landmarks cost."""

from __future__ import annotations

import torch
from jaxtyping import Float

from ..network.heat_map import target_maps
from ..network.landmark_network import NetworkAnswer
from .training_views import LandmarkBatch

# How much each part counts.
_PLACED, _DISTANCE, _ASPECT, _HEAT, _VISIBLE = 0.2, 4.0, 1.0, 1.0, 0.3


def landmark_loss(answer: NetworkAnswer, batch: LandmarkBatch) -> Float[torch.Tensor, ""]:
    """Mean over the batch: errors of the true aspect's places under their stated scales (Laplace), the same errors as
    such, the aspect's and the visibility's cross-entropies, and the heat maps' against blobs where landmarks are seen.
    """
    places, log_error = answer.of_aspect(batch.aspect)
    known = batch.known.float()
    count = known.sum().clamp(min=1)
    off = (places - batch.places).abs()
    scales = torch.stack([log_error[..., 0], log_error[..., 0], log_error[..., 1]], dim=-1)
    stated = (off * torch.exp(-scales) + scales).sum(-1)
    loss = _PLACED * (stated * known).sum() / count + _DISTANCE * (off.mean(-1) * known).sum() / count
    loss = loss - _ASPECT * answer.aspect.gather(1, batch.aspect[:, None]).mean()
    seen = torch.nn.functional.binary_cross_entropy_with_logits(
        answer.visibility, batch.visible.float(), reduction="none"
    )
    loss = loss + _VISIBLE * (seen * known).sum() / count
    visible = batch.visible.float()
    target = target_maps(batch.places[..., :2], answer.heat.shape[-1])
    logits = torch.log_softmax(answer.heat.flatten(2), dim=-1)
    crossed = -(target.flatten(2) * logits).sum(-1)
    return loss + _HEAT * (crossed * visible).sum() / visible.sum().clamp(min=1)
