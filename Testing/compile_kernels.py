"""Every kernel called once, so that it is compiled, and later processes load it.

A kernel that a process has compiled itself differs in the last bit from the same kernel as another one loads it: numba
optimises it once more before it is kept. Tests that hold two processes to the same bits want both to have loaded it.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from DiffRegistrationLib.registration.starts import pose_of_view
from DiffRegistrationLib.xray.geometry.c_arm import c_arm_camera
from DiffRegistrationLib.xray.phantom import head_phantom
from DiffRegistrationLib.xray.projector import Projector
from DiffRegistrationLib.xray.simulator import Simulator
from DiffRegistrationLib.xray.simulator.effects import OBJECTS
from DiffRegistrationLib.xray.simulator.ranges import EVALUATION, drawn_settings
from LandmarkDetectionLib.atlas.head import phantom_head
from LandmarkDetectionLib.population.data_set_writing import write_data_set
from LandmarkDetectionLib.population.view_ranges import view_ranges


def call_all() -> None:
    """The projector's, the simulator's with objects in its beam, and those that deform heads and fill vessels."""
    ct = head_phantom(6.0).ct
    camera = c_arm_camera(
        source_detector_distance=1000.0,
        source_object_distance=700.0,
        pixel_spacing=(30.0, 30.0),
        size=(10, 10),
        primary_angle_deg=180.0,
    )
    pose, rays = pose_of_view("ap", ct, camera), camera.rays()
    for dtype in (np.float32, np.float64):
        Projector(ct, dtype=dtype).render_with_jacobian(rays, pose)
    projector = Projector(ct)
    projector.coverage(rays, pose)
    if ct.labels is not None:
        projector.render_structures(rays, pose)
    settings = next(
        found
        for found in (drawn_settings(EVALUATION, seed, (300.0, 300.0)) for seed in range(100))
        if any(getattr(found, name) for name in OBJECTS)
    )
    Simulator(ct, settings).expose(camera, pose)
    with tempfile.TemporaryDirectory() as folder:
        write_data_set(
            [phantom_head(6.0)],
            Path(folder) / "set",
            count=16,
            shard_size=16,
            image_size=16,
            seed=0,
            ranges=replace(view_ranges("any-view"), contrast_share=1.0),
        )


if __name__ == "__main__":
    call_all()
