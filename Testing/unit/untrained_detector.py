"""A network of the small head that has learnt nothing, made in a moment."""

from __future__ import annotations

from pathlib import Path

from LandmarkDetectionLib.atlas.definitions import COUNT
from LandmarkDetectionLib.atlas.head import phantom_head


def untrained(path: Path, fingerprint: str | None = None, *, plain: bool = False, size: int | None = None) -> Path:
    """Of a form of its own, or, with a `size`, as trainings of images of that size make them."""
    import torch
    from DiffRegistrationLib.pose_network.ct_fingerprint import ct_fingerprint
    from LandmarkDetectionLib.network.landmark_network import NetworkForm
    from LandmarkDetectionLib.network.landmark_networks import LandmarkNetworks
    from LandmarkDetectionLib.network.model_file import write_detector
    from LandmarkDetectionLib.shape_prior.landmark_shape import patient_shape
    from LandmarkDetectionLib.training.trainer import Recipe, forms_of

    torch.manual_seed(1)
    forms = (NetworkForm(64, COUNT, 4),) * 2 if size is None else forms_of(Recipe(size=size), COUNT)
    networks = LandmarkNetworks(forms, list(0.3 * torch.randn(2, 4, COUNT, 3)))
    known = phantom_head(4.0)
    about = {
        "ct_fingerprint": fingerprint or ct_fingerprint(known.ct),
        "views": {"name": "frontal", "field": [0.14, 0.45]},
        "recipe": {"plain": plain},
    }
    write_detector(path, networks, patient_shape(known), known.landmarks, about)
    return path
