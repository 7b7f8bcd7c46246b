"""The file of a translation: networks that load as mere numbers, and how they were learnt as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from DiffRegistrationLib.pose_network.model_file import read_tensors, write_tensors
from DiffRegistrationLib.xray.errors import InputError

from .generator import Generator, GeneratorForm

FORMAT = "fluororeg style 1"
_AGAIN = "Train it again with fluororeg style train."
_MOST_CHANNELS, _MOST_BLOCKS, _SIZES = 256, 32, (32, 1024)


@dataclass(frozen=True, eq=False)
class Translation:
    """Networks from X-rays to DRRs and, where it was learnt, back; `size` is that of the images learnt from (px)."""

    to_drr: Generator
    to_xray: Generator | None
    size: int
    metadata: Mapping[str, Any]


def write_translation(
    path: Path, to_drr: Generator, to_xray: Generator | None, size: int, metadata: Mapping[str, Any]
) -> None:
    """Write it, whole or not at all."""
    content = {"format": FORMAT, "form": asdict(to_drr.form), "size": size, **metadata}

    def weights(network: Generator | None) -> dict[str, torch.Tensor]:
        return {} if network is None else {n: v.detach().cpu().clone() for n, v in network.state_dict().items()}

    write_tensors(path, {"metadata": json.dumps(content), "to_drr": weights(to_drr), "to_xray": weights(to_xray)})


def read_translation(path: Path) -> Translation:
    """The translation in `path`. InputError for a damaged file, and for one of another program."""
    content = read_tensors(path)
    try:
        metadata = json.loads(content["metadata"])
        if metadata["format"] != FORMAT:
            raise InputError(
                path, f"holds something else: {metadata['format']}", "Give a file of fluororeg style train."
            )
        form = GeneratorForm(**{name: int(value) for name, value in metadata["form"].items()})
        size = int(metadata["size"])
        fits = 0 < form.channels <= _MOST_CHANNELS and 0 < form.blocks <= _MOST_BLOCKS
        if not fits or not _SIZES[0] <= size <= _SIZES[1]:
            raise ValueError(f"networks of form {form} for {size} px")
        networks = [_network(form, content[name]) for name in ("to_drr", "to_xray")]
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise InputError(path, "lacks a part of a translation, or holds one that does not fit", _AGAIN) from error
    to_drr, to_xray = networks
    if to_drr is None:
        raise InputError(path, "lacks the network from X-rays to DRRs", _AGAIN)
    return Translation(to_drr, to_xray, size, metadata)


def _network(form: GeneratorForm, weights: Mapping[str, torch.Tensor]) -> Generator | None:
    if not weights:
        return None
    network = Generator(form)
    network.load_state_dict(weights)
    return network.eval()
