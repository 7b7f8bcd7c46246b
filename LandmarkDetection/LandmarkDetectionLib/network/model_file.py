"""The file of a detector's networks: weights and shape that load as mere numbers, and what they belong to as JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from DiffRegistrationLib.pose_network.ct_fingerprint import ct_fingerprint
from DiffRegistrationLib.pose_network.model_file import read_tensors, write_tensors
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.errors import InputError

from ..atlas.definitions import skull_landmarks
from ..atlas.landmark_set import LandmarkSet, LandmarkStatus
from ..shape_prior.landmark_shape import LandmarkShape
from .landmark_network import NetworkForm
from .landmark_networks import LandmarkNetworks

FORMAT = "fluororeg landmark networks 2"
_AGAIN = "Train it again with fluororeg landmarks train."
_LARGEST, _MOST_ASPECTS = 1024, 64


@dataclass(frozen=True, eq=False)
class TrainedDetector:
    """Networks, how their heads' landmarks lie together, and what is known of both.

    `landmarks` are those of the patient's CT; a population's network has none.
    `metadata` holds the definitions' fingerprint, the views (with `field`, their least and largest width over
    source-detector distance), and for one patient's network the CT's fingerprint.
    """

    networks: LandmarkNetworks
    shape: LandmarkShape
    landmarks: LandmarkSet | None
    metadata: Mapping[str, Any]

    @property
    def field(self) -> tuple[float, float]:
        """Least and largest field that was trained on."""
        low, high = self.metadata["views"]["field"]
        return float(low), float(high)

    @property
    def is_of_patient(self) -> bool:
        """Whether it knows one patient's head alone."""
        return self.metadata["ct_fingerprint"] is not None

    @property
    def knows_drrs_alone(self) -> bool:
        """Whether it was trained, or trained last, on clean DRRs alone."""
        return bool(self.metadata.get("recipe", {}).get("plain", False))

    @property
    def words(self) -> str:
        """What people call it, which tells it from most others; its file's name may hold a patient's."""
        whose = "one patient's head" if self.is_of_patient else "the heads of a population"
        views = self.metadata["views"].get("name", "not recorded")
        return f"network of {whose}, views {views}, {self.metadata.get('steps', 0)} steps"

    @property
    def fingerprint(self) -> str:
        """Tells its weights from all others."""
        digest = hashlib.sha256()
        for name, value in self.networks.state_dict().items():
            digest.update(name.encode())
            digest.update(value.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]

    def check_knows(self, ct: CT, path: object) -> None:
        """InputError where it was trained on another patient's CT; a population's network knows all."""
        trained, given = self.metadata["ct_fingerprint"], ct_fingerprint(ct)
        if trained is not None and trained != given:
            raise InputError(
                path,
                f"was trained on another CT: {trained}, this one is {given}",
                "Give the CT that it was trained on, unchanged, or a network of a population.",
            )


def write_detector(
    path: Path,
    networks: LandmarkNetworks,
    shape: LandmarkShape,
    landmarks: LandmarkSet | None,
    metadata: Mapping[str, Any],
) -> None:
    """Write them, whole or not at all."""
    content = {
        "format": FORMAT,
        "definitions": skull_landmarks().fingerprint,
        "forms": [asdict(form) for form in networks.forms],
        **metadata,
    }
    write_tensors(
        path,
        {
            "metadata": json.dumps(content),
            "weights": {name: value.detach().cpu().clone() for name, value in networks.state_dict().items()},
            "shape": {name: torch.from_numpy(np.array(value)) for name, value in shape.__dict__.items()},
            "landmarks": {} if landmarks is None else _as_tensors(landmarks),
        },
    )


def read_detector(path: Path) -> TrainedDetector:
    """The network in `path`, ready for use on the CPU.

    InputError for a damaged file, one of another program, and a network of other landmark definitions.
    """
    content = read_tensors(path)
    try:
        metadata = json.loads(content["metadata"])
        if metadata["format"] != FORMAT:
            raise InputError(path, f"is of another format: {metadata['format']}", _AGAIN)
        known = skull_landmarks()
        if metadata["definitions"] != known.fingerprint:
            raise InputError(
                path,
                f"was trained on other landmark definitions: {metadata['definitions']}, these are {known.fingerprint}",
                _AGAIN,
            )
        forms = [NetworkForm(**{name: int(value) for name, value in form.items()}) for form in metadata["forms"]]
        count = len(known.names)
        for form in forms:
            sizes = ((form.size, _LARGEST), (form.aspects, _MOST_ASPECTS), (form.channels, _LARGEST), (form.blocks, 8))
            if form.landmarks != count or not all(0 < number <= most for number, most in sizes):
                raise ValueError(f"a network of form {form}")
        networks = LandmarkNetworks(forms, [torch.zeros(form.aspects, count, 3) for form in forms])
        networks.load_state_dict(content["weights"])
        shape = LandmarkShape(**{name: value.numpy() for name, value in content["shape"].items()})
        if shape.mean.shape != (count, 3) or shape.modes.shape[1:] != (count, 3):
            raise ValueError(f"a shape of {shape.mean.shape}")
        landmarks = _landmarks(content["landmarks"])
        if (metadata["ct_fingerprint"] is None) != (landmarks is None):
            raise ValueError("landmarks without a CT")
        _ = float(metadata["views"]["field"][1])
    except InputError:
        raise
    except (KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(path, "lacks a part of a network, or holds one that does not fit", _AGAIN) from error
    networks.eval()
    return TrainedDetector(networks, shape, landmarks, metadata)


def _as_tensors(landmarks: LandmarkSet) -> dict[str, Any]:
    return {
        "points": torch.from_numpy(np.array(landmarks.points)),
        "uncertainty_mm": torch.from_numpy(np.array(landmarks.uncertainty_mm)),
        "status": [status.value for status in landmarks.status],
    }


def _landmarks(content: Mapping[str, Any]) -> LandmarkSet | None:
    if not content:
        return None
    status = tuple(LandmarkStatus(value) for value in content["status"])
    points, uncertainty = (content[name].numpy() for name in ("points", "uncertainty_mm"))
    return LandmarkSet(skull_landmarks().names, points, uncertainty, status)
