"""A network of the small head that has learnt nothing, made in a moment."""

from __future__ import annotations

from pathlib import Path

from LandmarkDetectionLib.atlas.definitions import COUNT
from LandmarkDetectionLib.atlas.head import phantom_head


def untrained(path: Path, fingerprint: str | None = None, *, plain: bool = False) -> Path:
    import torch
    from DiffRegistrationLib.pose_network.ct_fingerprint import ct_fingerprint
    from LandmarkDetectionLib.network.landmark_network import NetworkForm
    from LandmarkDetectionLib.network.landmark_networks import LandmarkNetworks
    from LandmarkDetectionLib.network.model_file import write_detector
    from LandmarkDetectionLib.shape_prior.landmark_shape import patient_shape

    torch.manual_seed(1)
    form = NetworkForm(64, COUNT, 4)
    networks = LandmarkNetworks((form, form), list(0.3 * torch.randn(2, 4, COUNT, 3)))
    known = phantom_head(4.0)
    about = {
        "ct_fingerprint": fingerprint or ct_fingerprint(known.ct),
        "views": {"name": "frontal", "field": [0.14, 0.45]},
        "recipe": {"plain": plain},
    }
    write_detector(path, networks, patient_shape(known), known.landmarks, about)
    return path
