"""The projector beside nanodrr's: same rays, same volume, same samples, in one run, and the memory that each takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..evaluation.peers import check_peers_installed
from ..xray.ct import CT
from ..xray.errors import InputError
from ..xray.geometry import PinholeCamera, rigid
from ..xray.geometry.c_arm import c_arm_camera
from ..xray.projector import Projector
from .machine import machine

SAMPLES = 400
SIZES = (200, 512)
_REPEATS = 5


def benchmark_ct() -> tuple[CT, str]:
    """The real CT of a skull (512×512×140) where it is at hand, else an ellipsoid head of 512×512×133 voxels."""
    try:
        from ..xray.files.ct_files import read_ct
        from ..xray.files.sample_data import sample

        return read_ct(sample("skull-phantom-ct")), "skull-phantom-ct"
    except InputError:
        k, j, i = np.ogrid[-1:1:133j, -1:1:512j, -1:1:512j]
        radius = np.sqrt((i / 0.8) ** 2 + (j / 0.9) ** 2 + (k / 1.2) ** 2)
        hounsfield = np.where(radius < 0.9, 40.0, np.where(radius < 1.0, 1200.0, -1000.0)).astype(np.float32)
        matrix = rigid.rigid(np.diag([0.45, 0.45, 1.0]), [-115.0, -115.0, -66.0])
        return CT.from_hounsfield(hounsfield, matrix), "ellipsoid head"


def benchmark_camera(ct: CT, size: int) -> PinholeCamera:
    """A C-arm beside the CT, 300 mm of detector, turned a little so that no ray follows the grid."""
    return c_arm_camera(
        source_detector_distance=1020.0,
        source_object_distance=620.0,
        pixel_spacing=(300 / size, 300 / size),
        size=(size, size),
        primary_angle_deg=75.0,
        secondary_angle_deg=10.0,
        isocentre=tuple(ct.centre),
    )


class _Ours:
    """Our renderer; like the peer's, it makes its rays anew for every image."""

    def __init__(self, ct: CT, camera: PinholeCamera) -> None:
        self._projector, self._camera = Projector(ct), camera
        self._projector.volume()

    def forward(self) -> np.ndarray:
        return self._projector.render(self._camera.rays(), np.eye(4), samples=SAMPLES)[0]

    def gradient(self) -> np.ndarray:
        image, jacobian = self._projector.render_with_jacobian(self._camera.rays(), np.eye(4), samples=SAMPLES)
        return image[0] @ jacobian[0]


class _Nanodrr:
    """nanodrr's renderer on the attenuation that ours uses, with its pose as the only leaf of the graph."""

    def __init__(self, ct: CT, camera: PinholeCamera) -> None:
        from ..evaluation.peers.nanodrr_renderer import NanodrrRenderer, camera_in_ct, nanodrr_subject

        self._renderer = NanodrrRenderer(nanodrr_subject(ct), camera, SAMPLES)
        self._ct_from_camera = camera_in_ct(camera, np.eye(4))

    def forward(self) -> np.ndarray:
        import torch

        with torch.no_grad():
            return self._renderer.render(self._ct_from_camera)[0, 0].numpy().ravel()

    def gradient(self) -> np.ndarray:
        pose = self._ct_from_camera.clone().requires_grad_(True)
        (0.5 * (self._renderer.render(pose) ** 2).sum()).backward()
        assert pose.grad is not None
        return pose.grad.numpy()


_RENDERERS: dict[str, Callable[[CT, PinholeCamera], Any]] = {"ours": _Ours, "nanodrr": _Nanodrr}


def run(tell: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Time both, alternating, at 200² and 512²; InputError where nanodrr is not installed.

    `forward_ratio` and `gradient_ratio` are nanodrr's median over ours, the smaller of both sizes; memory is the peak
    that image and gradient add to a process that holds the volume, at 512².
    """
    check_peers_installed()
    ct, name = benchmark_ct()
    sizes: dict[str, dict[str, float]] = {}
    for size in SIZES:
        camera = benchmark_camera(ct, size)
        ours, peer = _Ours(ct, camera), _Nanodrr(ct, camera)
        mine, theirs = ours.forward(), peer.forward()
        ours.gradient()
        times: dict[str, list[float]] = {"ours_f": [], "peer_f": [], "ours_g": [], "peer_g": []}
        for _ in range(_REPEATS):
            for key, work in (
                ("ours_f", ours.forward),
                ("peer_f", peer.forward),
                ("ours_g", ours.gradient),
                ("peer_g", peer.gradient),
            ):
                began = time.perf_counter()
                work()
                times[key].append(time.perf_counter() - began)
        median = {key: float(np.median(values)) for key, values in times.items()}
        sizes[str(size)] = {
            "forward_seconds": median["ours_f"],
            "peer_forward_seconds": median["peer_f"],
            "gradient_seconds": median["ours_g"],
            "peer_gradient_seconds": median["peer_g"],
            "forward_ratio": median["peer_f"] / median["ours_f"],
            "gradient_ratio": median["peer_g"] / median["ours_g"],
            "image_difference": float(np.sqrt(np.mean((mine - theirs) ** 2)) / np.sqrt(np.mean(theirs**2))),
        }
        tell(
            f"{size}²: forward {sizes[str(size)]['forward_ratio']:.1f}×, "
            f"with gradient {sizes[str(size)]['gradient_ratio']:.1f}× as fast"
        )
    memory = {renderer: _extra_memory_mb(renderer) for renderer in _RENDERERS}
    return {
        "forward_ratio": min(entry["forward_ratio"] for entry in sizes.values()),
        "gradient_ratio": min(entry["gradient_ratio"] for entry in sizes.values()),
        "extra_memory_mb": memory["ours"],
        "peer_extra_memory_mb": memory["nanodrr"],
        "image_difference": max(entry["image_difference"] for entry in sizes.values()),
        "samples": SAMPLES,
        "volume": name,
        "volume_size": list(ct.size),
        "sizes": sizes,
        "machine": machine("fluororegistration", "nanodrr", "torch", "numpy", "numba"),
    }


def _extra_memory_mb(renderer: str) -> float:
    """Peak memory of image and gradient at 512², in a process of its own."""
    command = [sys.executable, "-m", __name__, renderer]
    # Arrays freed earlier would hide new ones in their place; above this size each gets memory of its own (glibc).
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}
    answer = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return float(json.loads(answer.stdout)["extra_memory_mb"])


def _resident_mb(key: str) -> float:
    """VmRSS (now) or VmHWM (peak) of this process in MB; Linux only."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) / 1024
    raise InputError("/proc/self/status", f"has no {key}", "Measure memory on Linux.")


def _measure_memory(renderer: str) -> float:
    ct, _ = benchmark_ct()
    # What compiling, importing and first calls leave behind is not the render's: a small image takes it all up front.
    small = _RENDERERS[renderer](ct, benchmark_camera(ct, 16))
    small.forward(), small.gradient()
    del small
    work = _RENDERERS[renderer](ct, benchmark_camera(ct, SIZES[-1]))
    before = _resident_mb("VmRSS")
    # Resets the peak to what is resident now.
    Path("/proc/self/clear_refs").write_text("5")
    work.forward(), work.gradient()
    return _resident_mb("VmHWM") - before


if __name__ == "__main__":
    print(json.dumps({"extra_memory_mb": _measure_memory(sys.argv[1])}))
