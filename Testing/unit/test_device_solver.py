"""The solver on a device beside the processor's, on torch's own operations; where there is a GPU, on that."""

from __future__ import annotations

import pickle
from dataclasses import fields
from functools import cache
from typing import Any

import numpy as np
import pytest
from DiffRegistrationLib.benchmarks.registration_on_gpu import registered
from DiffRegistrationLib.evaluation.head_motion_frames import HeadMotion
from DiffRegistrationLib.evaluation.head_motions import ACTIVITIES
from DiffRegistrationLib.registration.level_refinement import is_solved_on_device, refined_at_level
from DiffRegistrationLib.registration.metrics import pose_error
from DiffRegistrationLib.registration.registration import register
from DiffRegistrationLib.registration.result import Verdict
from DiffRegistrationLib.registration.scene import PlacedBody
from DiffRegistrationLib.registration.starts import start_from_pose
from DiffRegistrationLib.registration.task import Task
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import rigid
from DiffRegistrationLib.xray.projector import Projector
from DiffRegistrationLib.xray.projector.accelerated_projector import AcceleratedProjector, projector_on
from DiffRegistrationLib.xray.radiograph import Radiograph
from test_registration import c_arm, error_of, head, truth, wrong_start, xray

torch = pytest.importorskip("torch")
from DiffRegistrationLib.registration.on_device.device_solver import DeviceSolver, Standing  # noqa: E402
from DiffRegistrationLib.registration.on_device.device_view import compared, device_view  # noqa: E402
from DiffRegistrationLib.registration.on_device.repeated_steps import repeat  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


@cache
def projectors() -> tuple[Projector, AcceleratedProjector]:
    return Projector(head()), AcceleratedProjector(head(), DEVICE)


@cache
def views() -> tuple[Radiograph, Radiograph]:
    """From behind, its upper part shut out, and from the side."""
    frontal, lateral = (xray(c_arm(angle, 80), truth()) for angle in (180.0, 90.0))
    open_field = frontal.mask.copy()
    open_field[:13] = False
    return Radiograph(frontal.attenuation, open_field, frontal.camera, world=frontal.world), lateral


def refined(projector: Projector, similarity: str, starts: list[np.ndarray], radiographs: Any, **more: Any) -> Any:
    task = Task.of(projector, radiographs, similarity, more.get("weights"), more.get("others", ()))
    assert is_solved_on_device(task) == (projector is projectors()[1])
    told: list[np.ndarray] = []
    found = refined_at_level(
        task, [2] * len(radiographs), starts, most_iterations=10, watch=lambda _, pose: told.append(pose)
    )
    assert len(told) == sum(len(one.iterations) for one in found)
    return found


def assert_same(ours: Any, theirs: Any, mm: float) -> None:
    # Rounding may cost or spare a step at the end, no more.
    for one, other in zip(ours, theirs, strict=True):
        error = pose_error(one.pose, other.pose, head().corners(0.5), head().centre, views()[0].camera)
        assert error.mtre_mm < mm
        assert one.converged == other.converged
        assert abs(len(one.iterations) - len(other.iterations)) <= 1
        assert one.iterations[0].rotation_step_deg == pytest.approx(other.iterations[0].rotation_step_deg, rel=0.01)
        for name, tolerance in (("cost", 0.02), ("score", 0.002), ("agreement", 0.01), ("samples", 0.02)):
            ours_is, theirs_is = getattr(one.comparison, name), getattr(other.comparison, name)
            assert ours_is == pytest.approx(theirs_is, rel=tolerance), name
        scale = np.sqrt(np.diag(other.comparison.hessian))
        off = (one.comparison.hessian - other.comparison.hessian) / np.outer(scale, scale)
        assert abs(off).max() < 0.02


@pytest.mark.parametrize("similarity", ["gradient-ncc", "local-ncc", "global-ncc"])
def test_poses_are_refined_as_on_the_processor(similarity: str) -> None:
    host, device = projectors()
    starts = [wrong_start(truth(), 5.0, 6.0, seed=seed) for seed in (1, 2)]
    theirs, ours = (refined(one, similarity, starts, views()[:1]) for one in (host, device))
    assert_same(ours, theirs, 0.1)
    moved = [np.abs(one.pose - start).max() for one, start in zip(ours, starts, strict=True)]
    assert min(moved) > 1.0


def test_views_add_up_by_their_weights_and_bodies_beside_stay() -> None:
    host, device = projectors()
    beside = PlacedBody(host, rigid.move_about(np.zeros(3), [0.3, 0, 0, 60.0, 0, 0], truth()))
    start = [wrong_start(truth(), 3.0, 4.0)]
    more: dict[str, Any] = {"weights": [1.0, 3.0], "others": (beside,)}
    theirs, ours = (refined(one, "gradient-ncc", start, views(), **more) for one in (host, device))
    assert_same(ours, theirs, 0.1)
    alike = refined(device, "gradient-ncc", start, views())
    assert not np.allclose(alike[0].comparison.hessian, ours[0].comparison.hessian, rtol=0.05)


def test_a_pose_that_no_ray_meets_stays_and_costs_the_most() -> None:
    _, device = projectors()
    far = rigid.move_about(np.zeros(3), [0, 0, 0, 0, 0, 900.0], truth())
    gone, here = refined(device, "gradient-ncc", [far, wrong_start(truth(), 3.0, 4.0)], views()[:1])
    assert gone.comparison.cost == 1 and gone.comparison.agreement == -1
    np.testing.assert_allclose(gone.pose, far)
    assert here.comparison.cost < 0.1


def test_a_registration_from_search_to_verdict_is_the_processor_s() -> None:
    host, device = projectors()
    camera, pose = c_arm(180.0, 80), truth()
    start = start_from_pose(wrong_start(pose, 10.0, 15.0))
    theirs, ours = (register(one, [xray(camera, pose)], start) for one in (host, device))
    assert ours.verdict == theirs.verdict == Verdict.ACCEPTED
    assert error_of(ours, pose, camera).rotation_deg < 0.3
    np.testing.assert_allclose(ours.pose, theirs.pose, atol=0.05)
    np.testing.assert_allclose(ours.std, theirs.std, rtol=0.03)
    np.testing.assert_allclose(ours.drrs[0], theirs.drrs[0], atol=0.05)


class _NoWaiting(TorchDispatchMode):
    """Refuses what on a GPU waits for it: values that Python looks at, sizes that depend on them, copies to it."""

    def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), keywords: Any = None) -> Any:
        name = str(function)
        waits = ("_local_scalar_dense", "nonzero", "masked_select", "lift_fresh", "solve", "cholesky", "svd")
        assert not any(word in name for word in waits), f"{name} waits for the device"
        if "index.Tensor" in name:
            assert all(index is None or index.dtype != torch.bool for index in arguments[1]), f"{name} by a mask waits"
        return function(*arguments, **(keywords or {}))


@pytest.mark.parametrize("similarity", ["gradient-ncc", "local-ncc", "global-ncc"])
def test_a_step_waits_for_nothing(similarity: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, projector = projectors()
    start = wrong_start(truth(), 3.0, 4.0)
    view = device_view(views()[0], 2, projector, [start], similarity)
    poses = torch.tensor(start[None], device=DEVICE)
    assert projector.on_device is not None
    view.begin(projector.on_device, poses)
    rendered = projector.on_device.render_with_jacobian(view.rays, poses, binning=view.ct_binning)

    class Rendered:
        """Casting rays is the fused kernel's, which never waits; this stands in for it."""

        def render_with_jacobian(self, *_: Any, **__: Any) -> Any:
            return rendered

    stand_in: Any = Rendered()
    solver = DeviceSolver(
        head(),
        lambda poses: compared([view], stand_in, poses),
        [view.camera.projection_matrix],
        projector.on_device.device,
    )
    standing = Standing.at(poses, compared([view], stand_in, poses))
    for name in ("cpu", "numpy", "tolist", "item"):
        monkeypatch.setattr(torch.Tensor, name, lambda *_: pytest.fail("a value is fetched"))
    with _NoWaiting():
        for _ in range(2):
            standing, _ = solver.stepped(standing)
        with pytest.raises(AssertionError, match="waits"):
            bool(standing.active.any())
    monkeypatch.undo()
    assert all(getattr(standing, field.name).isfinite().all() for field in fields(standing))


def test_steps_end_when_all_have_arrived() -> None:
    count, done = torch.zeros((), device=DEVICE), torch.zeros((), dtype=torch.bool, device=DEVICE)

    def step() -> None:
        count.add_(1)
        done.copy_(count >= 3)

    repeat(step, 100, done)
    # A GPU is asked without waiting for the answer: there it may be all of them.
    assert float(count) == 3 or DEVICE == "cuda"
    done.zero_()
    count.zero_()
    repeat(lambda: count.add_(1), 7, done)  # type: ignore[arg-type,return-value]
    assert float(count) == 7


def test_the_benchmark_of_registrations_compares_both() -> None:
    host, device = projectors()
    motion = HeadMotion(ACTIVITIES["walking"], (views(),), truth()[None], np.ones(1))
    found = registered({"cpu": host, "gpu": device}, motion, 2, lambda _: None)
    assert set(found["seconds"]) == set(found["off_mm"]) == {"cpu", "gpu"}
    assert found["apart_mm"] < 0.1 and max(found["off_mm"].values()) < 1.0


def test_another_process_puts_its_projector_on_the_device_itself() -> None:
    _, device = projectors()
    sent = pickle.loads(pickle.dumps(device))
    assert isinstance(sent, AcceleratedProjector) and sent.on_device is not device.on_device
    rays, pose = c_arm(180.0, 10).rays(), truth()
    np.testing.assert_array_equal(sent.render(rays, pose, binning=4), device.render(rays, pose, binning=4))


def test_where_rays_can_be_cast_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert type(projector_on("cpu")(head())) is Projector
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert type(projector_on("auto")(head())) is Projector
    for device, words in (("cuda", "NVIDIA"), ("mps", "Leave --device out"), ("tpu", "cpu, cuda, auto")):
        with pytest.raises(InputError, match="device"):
            projector_on(device)
        try:
            projector_on(device)
        except InputError as error:
            assert words in error.remedy
