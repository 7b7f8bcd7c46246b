"""The file of a trained network: weights that load as mere numbers, and what they belong to as JSON."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..xray.ct import CT
from ..xray.errors import InputError
from ..xray.files.atomic import atomic_write
from .ct_fingerprint import ct_fingerprint
from .network import NetworkForm
from .network_camera import NetworkCamera
from .pose_networks import PoseNetworks

FORMAT = "fluororeg pose network 2"
# A file that claims more is no file of ours, and would fill the memory.
_LARGEST, _MOST_ASPECTS = 1024, 64
_AGAIN = "Train it again with fluororeg train."


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """A patient's networks and what is known of them: the CT's fingerprint, preset, seed, versions, figures."""

    networks: PoseNetworks
    metadata: Mapping[str, Any]

    def check_knows(self, ct: CT, path: object) -> None:
        """InputError, with both fingerprints, unless it was trained on this CT."""
        trained, given = self.metadata["ct_fingerprint"], ct_fingerprint(ct)
        if trained != given:
            raise InputError(
                path,
                f"was trained on another CT: {trained}, this one is {given}",
                "Give the CT that it was trained on, unchanged, or train a network on this one with fluororeg train.",
            )


def write_model(path: Path, networks: PoseNetworks, metadata: Mapping[str, Any]) -> None:
    """Write the networks, whole or not at all."""
    content = {
        "format": FORMAT,
        "networks": [_described(network.form) for network in networks.all],
        **metadata,
    }
    weights = {name: value.detach().cpu().clone() for name, value in networks.state_dict().items()}
    write_tensors(path, {"metadata": json.dumps(content), "weights": weights})


def write_tensors(path: Path, content: Mapping[str, Any]) -> None:
    """Numbers, text and tensors in a file, whole or not at all. InputError where it cannot be written."""
    # By way of memory: torch's own writer tells of a full disk in words of its own.
    buffer = io.BytesIO()
    torch.save(dict(content), buffer)
    with atomic_write(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def read_tensors(path: Path) -> dict[str, Any]:
    """A file of torch.save that holds numbers, text and tensors alone. InputError for any other; nothing is run."""
    if not path.is_file():
        raise InputError(path, "does not exist or is no file", "Check the path.")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # Its reader may stumble over anything; a whole file of torch raises nothing.
        raise InputError(
            path, "is no file of a network, or a damaged one; nothing of it was executed", _AGAIN
        ) from error
    if not isinstance(content, dict):
        raise InputError(path, "is of another program", _AGAIN)
    return content


def format_of(path: Path) -> str:
    """What kind of network a file says that it holds, empty if it says nothing. InputError for what is no network."""
    try:
        return str(json.loads(read_tensors(path)["metadata"])["format"])
    except (KeyError, TypeError, ValueError):
        return ""


def read_model(path: Path) -> TrainedNetwork:
    """The network in `path`, ready for use on the CPU. InputError for a damaged file or one of another program."""
    content = read_tensors(path)
    try:
        metadata = json.loads(content["metadata"])
        if metadata["format"] != FORMAT:
            raise InputError(path, f"is of another format: {metadata['format']}", _AGAIN)
        forms = [_form(described) for described in metadata["networks"]]
        networks = PoseNetworks(forms[0], forms[1] if len(forms) > 1 else None)
        networks.load_state_dict(content["weights"])
        str(metadata["ct_fingerprint"])
    except InputError:
        raise
    except (KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(path, "lacks a part of a network, or holds one that does not fit", _AGAIN) from error
    networks.eval()
    return TrainedNetwork(networks, metadata)


def _described(form: NetworkForm) -> dict[str, Any]:
    return {
        "kind": form.kind,
        "size": form.camera.size,
        "field": form.camera.field,
        "rotations": np.asarray(form.rotations).tolist(),
        "depth_mm": form.depth_mm,
    }


def _form(described: Mapping[str, Any]) -> NetworkForm:
    size = int(described["size"])
    if not 0 < size <= _LARGEST:
        raise ValueError(f"images of {size} pixels")
    return NetworkForm(
        described["kind"],
        NetworkCamera(size, float(described["field"])),
        _rotations(described["rotations"]),
        float(described["depth_mm"]),
    )


def _rotations(described: Any) -> np.ndarray:
    rotations = np.array(described, dtype=np.float64)
    if rotations.ndim != 3 or rotations.shape[1:] != (3, 3) or not 0 < len(rotations) <= _MOST_ASPECTS:
        raise ValueError(f"middles of shape {rotations.shape}")
    return rotations
