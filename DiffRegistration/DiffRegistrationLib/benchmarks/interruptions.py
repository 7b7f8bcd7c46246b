"""A training that is killed again and again, beside one that is left alone."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..evaluation.subjects import subject_named
from ..training.training_state import state_path
from ..xray.files.ct_writing import write_ct
from .machine import machine

_SEED = 17


def run(minutes: float, kills: int, *, subject: str, tell: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Train for `minutes`, killed (SIGKILL) `kills` times at random moments and begun again; then as long unbroken.

    Work that is lost is what the progress had reached before a kill, less what the next start goes on from.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_ct(folder / "ct.nrrd", subject_named(subject).registered)
        broken, whole = folder / "broken.pt", folder / "whole.pt"
        random = np.random.default_rng(_SEED)
        moments = np.sort(random.uniform(0.02, 0.98, kills)) * 60 * minutes
        lost = []
        for number, moment in enumerate(moments, start=1):
            tell(f"training, to be killed after {moment:.0f} s ({number} of {kills})")
            reached = _train_until(folder / "ct.nrrd", broken, minutes, float(moment))
            kept = _seconds(broken)
            lost.append(max(reached - kept, 0.0))
        tell("training to its end")
        end = _train_until(folder / "ct.nrrd", broken, minutes, None)
        tell("training without a break")
        alone = _train_until(folder / "ct.nrrd", whole, minutes, None)
        return {
            "minutes": minutes,
            "kills": kills,
            "most_seconds_lost": max(lost),
            "seconds_lost": lost,
            "seconds_in_all": [end, alone],
            "killed": _last_validation(broken),
            "unbroken": _last_validation(whole),
            "machine": machine("fluororegistration", "torch", "numba"),
        }


def _train_until(ct: Path, model: Path, minutes: float, moment: float | None) -> float:
    """Seconds of training that the last progress told of, before the process was killed at `moment` of them."""
    command = [str(Path(sys.executable).with_name("fluororeg")), "train", str(ct), "--out", str(model)]
    process = subprocess.Popen(
        [*command, "--minutes", f"{minutes}", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stderr is not None
    reached = 0.0
    for line in process.stdout:
        reached = float(json.loads(line)["seconds"])
        if moment is not None and reached >= moment:
            process.kill()
            break
    errors = process.stderr.read()
    process.wait()
    if moment is None and process.returncode != 0:
        raise RuntimeError(errors)
    return reached


def _seconds(model: Path) -> float:
    from ..training.training_state import read_state
    from ..training.validation import Validation

    return read_state(state_path(model), {}, Validation).seconds if state_path(model).exists() else 0.0


def _last_validation(model: Path) -> dict[str, float]:
    from ..pose_network.model_file import read_model

    found: dict[str, float] = read_model(model).metadata["milestones"][-1]["validation"]
    return found
