"""Errors of poses that are off in a known way."""

from __future__ import annotations

import numpy as np
import pytest
from DiffRegistrationLib.registration.metrics import pose_error
from DiffRegistrationLib.xray.geometry import rigid
from DiffRegistrationLib.xray.geometry.c_arm import c_arm_camera

# The head's centre lies off the beam's axis, so that depth is not just one coordinate.
CENTRE = np.array([30.0, 10.0, -20.0])
TARGETS = CENTRE + 40.0 * np.array([[-1, -1, -1], [-1, 1, 1], [1, -1, 1], [1, 1, -1]], dtype=float)
CAMERA = c_arm_camera(
    source_detector_distance=1000.0, source_object_distance=600.0, pixel_spacing=(0.5, 0.25), size=(600, 1200)
)
RAY = (CENTRE - CAMERA.source) / np.linalg.norm(CENTRE - CAMERA.source)


def test_errors_in_depth_and_in_plane_are_told_apart() -> None:
    deep = pose_error(rigid.rigid(np.eye(3), 5.0 * RAY), np.eye(4), TARGETS, CENTRE, CAMERA)
    assert deep.depth_mm == pytest.approx(5.0) and deep.in_plane_mm == pytest.approx(0.0, abs=1e-9)
    assert deep.mtre_mm == pytest.approx(5.0) and deep.rotation_deg == pytest.approx(0.0, abs=1e-9)
    # On the detector 5 mm of depth are next to nothing.
    assert deep.mpe_mm is not None and deep.mpe_mm < 1.0 and deep.mrpe_mm < 0.6

    across = np.cross(RAY, [0.0, 0.0, 1.0]) / np.linalg.norm(RAY[:2])
    aside = pose_error(rigid.rigid(np.eye(3), 3.0 * across), np.eye(4), TARGETS, CENTRE, CAMERA)
    assert aside.in_plane_mm == pytest.approx(3.0) and aside.depth_mm == pytest.approx(0.0, abs=1e-9)
    assert aside.mtre_mm == pytest.approx(3.0) and aside.mrpe_mm == pytest.approx(3.0, rel=0.02)
    assert aside.mpe_mm == pytest.approx(3.0 * 1000 / 610, rel=0.02)


def test_a_turn_about_the_centre_moves_targets_by_their_arc() -> None:
    turned = rigid.move_about(CENTRE, [0.0, 0.0, np.radians(2.0), 0.0, 0.0, 0.0], np.eye(4))
    error = pose_error(turned, np.eye(4), TARGETS, CENTRE, CAMERA)
    assert error.rotation_deg == pytest.approx(2.0)
    assert error.in_plane_mm == pytest.approx(0.0, abs=1e-9) and error.depth_mm == pytest.approx(0.0, abs=1e-9)
    # All targets are 40·√2 mm from the axis.
    assert error.mtre_mm == pytest.approx(2 * 40 * np.sqrt(2) * np.sin(np.radians(1.0)))


def test_more_than_a_centimetre_is_a_gross_failure() -> None:
    errors = [pose_error(rigid.rigid(np.eye(3), mm * RAY), np.eye(4), TARGETS, CENTRE, CAMERA) for mm in (9.9, 10.1)]
    assert [error.gross_failure for error in errors] == [False, True]
