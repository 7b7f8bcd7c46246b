"""Networks, their poses and their files; what is not one of our files is refused and never run."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from DiffRegistrationLib.pose_network.close_up import turn_toward
from DiffRegistrationLib.pose_network.ct_fingerprint import ct_fingerprint
from DiffRegistrationLib.pose_network.model_file import read_model, write_model
from DiffRegistrationLib.pose_network.network import FEATURES, NetworkForm, PoseNetwork
from DiffRegistrationLib.pose_network.network_camera import NetworkCamera
from DiffRegistrationLib.pose_network.pose_estimate import PoseHypotheses, aspect_of
from DiffRegistrationLib.pose_network.pose_networks import PoseNetworks
from DiffRegistrationLib.pose_network.pose_prediction import predict
from DiffRegistrationLib.pose_network.rotations import rotation_from_six, rotation_vector
from DiffRegistrationLib.training.preset import preset_named
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.ct_files import read_ct
from DiffRegistrationLib.xray.files.ct_writing import write_ct
from DiffRegistrationLib.xray.geometry import rigid
from DiffRegistrationLib.xray.radiograph import Radiograph
from fluororeg_runs import camera, head, intensity, truth

FORM = NetworkForm("compact", NetworkCamera(64, 0.4), rigid.rotation_exp([0.1, 0.2, 0.3])[None], 700.0)


CLOSE_UP = NetworkForm("compact", NetworkCamera(64, 0.3), FORM.rotations, 700.0)


def network(kind: str = "compact") -> PoseNetwork:
    torch.manual_seed(1)
    return PoseNetwork(NetworkForm(kind, FORM.camera, FORM.rotations, FORM.depth_mm))


def networks() -> PoseNetworks:
    torch.manual_seed(1)
    return PoseNetworks(FORM, CLOSE_UP)


def test_six_numbers_always_make_a_rotation() -> None:
    R = rotation_from_six(torch.randn(50, 6, generator=torch.Generator().manual_seed(0)).double())
    torch.testing.assert_close(R @ R.mT, torch.eye(3).double().expand(50, 3, 3))
    torch.testing.assert_close(torch.linalg.det(R), torch.ones(50).double())


@pytest.mark.parametrize("angle", [0.0, 1e-4, 0.5, 2.0, 3.0])
def test_rotation_vectors_are_the_logarithm_and_have_gradients(angle: float) -> None:
    vector = angle * np.array([0.6, -0.64, 0.48])
    R = torch.tensor(rigid.rotation_exp(vector), requires_grad=True)
    found = rotation_vector(R[None])
    np.testing.assert_allclose(found[0].detach().numpy(), vector, atol=1e-6)
    found.sum().backward()
    assert R.grad is not None and torch.isfinite(R.grad).all()


@pytest.mark.parametrize("kind", FEATURES)
def test_an_untrained_network_says_the_middle_pose(kind: str) -> None:
    image = torch.randn(2, 64, 64)
    with torch.no_grad():
        estimate = network(kind)(image, torch.ones(2, 64, 64, dtype=torch.bool)).likeliest()
    off = rotation_vector(estimate.rotation @ torch.tensor(FORM.rotations[0]).float().T).norm(dim=1)
    assert float(off.max()) < 0.3
    assert float((estimate.centre - torch.tensor([0.0, 0, 700])).norm(dim=1).max()) < 150
    assert (estimate.log_scale.exp()[:, 5] > 10).all()


def test_exposure_gain_and_what_is_masked_do_not_reach_the_network() -> None:
    image, mask = torch.rand(1, 64, 64), torch.ones(1, 64, 64, dtype=torch.bool)
    mask[:, :, :20] = False
    changed = 3 * image + 5
    changed[:, :, :20] = 99
    with torch.no_grad():
        first, second = network()(image, mask), network()(changed, mask)
    torch.testing.assert_close(first.centre, second.centre, atol=0.01, rtol=1e-4)


def says(*poses: np.ndarray, probability: tuple[float, ...] = (1.0,)) -> object:
    """A network that says a pose of the CT for each aspect, whatever it is shown."""
    centres = [rigid.transform_points(pose, [head().centre])[0] for pose in poses]
    hypotheses = PoseHypotheses(
        torch.tensor(np.array([[pose[:3, :3] for pose in poses]])),
        torch.tensor(np.array([centres])),
        torch.tensor([[[0.01, 0.02, 0.03, 1.0, 2.0, 3.0]] * len(poses)], dtype=torch.float64).log(),
        torch.tensor([probability], dtype=torch.float64).log(),
    )
    return lambda attenuation, mask: hypotheses


def test_poses_before_the_networks_cameras_become_one_in_the_world(monkeypatch: pytest.MonkeyPatch) -> None:
    radiograph = Radiograph(-np.log(intensity() / 3000), np.ones(camera().size, dtype=bool), camera())
    beam = FORM.camera.image_of(radiograph).camera_from_world
    both = networks()
    rough = rigid.move_about(rigid.transform_points(truth(), [head().centre])[0], [0.1, 0, 0.1, 5, 9, -20], truth())
    turn = rigid.rigid(turn_toward(beam @ rough, head().centre), np.zeros(3))
    monkeypatch.setattr(both.overview, "forward", says(beam @ rough))
    monkeypatch.setattr("DiffRegistrationLib.pose_network.pose_prediction._CLOSE_LOOKS", 1)
    monkeypatch.setattr(both.close_up, "forward", says(turn @ beam @ truth()))
    (found,) = predict(both, radiograph, head().centre)
    np.testing.assert_allclose(found.pose, truth(), atol=1e-6)
    np.testing.assert_allclose(found.scale, [0.01, 0.02, 0.03, 1, 2, 3], rtol=1e-6)
    random = np.random.default_rng(0)
    off = [rigid.increment_between(found.centre, found.sample(random), found.pose) for _ in range(2000)]
    before_camera = np.array(off).reshape(-1, 2, 3) @ found.axes.T
    np.testing.assert_allclose(np.abs(before_camera).mean(axis=0).ravel(), found.scale, rtol=0.1)


def test_every_aspect_that_is_likely_enough_is_looked_at_closely(monkeypatch: pytest.MonkeyPatch) -> None:
    radiograph = Radiograph(-np.log(intensity() / 3000), np.ones(camera().size, dtype=bool), camera())
    beam = FORM.camera.image_of(radiograph).camera_from_world
    turned = rigid.move_about(rigid.transform_points(truth(), [head().centre])[0], [0, 0, 3.0, 0, 0, 0], truth())
    both = networks()
    seen = [beam @ turned, beam @ truth(), beam @ truth()]
    monkeypatch.setattr(both.overview, "forward", says(*seen, probability=(0.55, 0.4, 0.05)))
    monkeypatch.setattr("DiffRegistrationLib.pose_network.pose_prediction._CLOSE_LOOKS", 0)
    found = predict(both, radiograph, head().centre)
    assert [round(one.probability, 2) for one in found] == [0.55, 0.4]
    np.testing.assert_allclose(found[1].pose, truth(), atol=1e-6)


def test_each_pose_has_the_aspect_whose_middle_is_nearest() -> None:
    sides = torch.tensor(preset_named("head-lateral").poses.aspects)
    around = torch.tensor(preset_named("head-wide").poses.aspects)
    assert len(sides) == 2 and len(around) == 3 and len(preset_named("head-ap").poses.aspects) == 1
    off = torch.tensor(rigid.rotation_exp([0.2, -0.3, 0.25]))
    assert aspect_of(off @ sides, sides).tolist() == [0, 1]
    assert aspect_of(off @ around, around).tolist() == [0, 1, 2]


def test_a_camera_turned_toward_a_ct_has_it_in_the_middle_with_its_head_up() -> None:
    pose = rigid.rigid(rigid.rotation_exp([1.4, 0.3, -0.2]), [40.0, -60.0, 650.0])
    turned = rigid.rigid(turn_toward(pose, head().centre), np.zeros(3)) @ pose
    assert rigid.is_rigid(turned, 1e-9)
    centre = rigid.transform_points(turned, [head().centre])[0]
    np.testing.assert_allclose(centre[:2], 0, atol=1e-9)
    up = turned[:3, 2]
    assert abs(up[0]) < 1e-9 and up[1] < 0


def test_networks_come_back_from_their_file(tmp_path: Path) -> None:
    written = networks()
    write_model(tmp_path / "head.pt", written, {"ct_fingerprint": ct_fingerprint(head()), "seed": 3})
    read = read_model(tmp_path / "head.pt")
    assert read.metadata["seed"] == 3
    image, mask = torch.rand(1, 64, 64), torch.ones(1, 64, 64, dtype=torch.bool)
    with torch.no_grad():
        both = [(image, mask)] * 2
        for before, after in zip(written(both), read.networks(both), strict=True):
            torch.testing.assert_close(before.centre, after.centre)
            torch.testing.assert_close(before.rotation, after.rotation)
    read.check_knows(head(), "head.pt")


def test_a_network_of_another_ct_is_refused_with_both_fingerprints(tmp_path: Path) -> None:
    write_model(tmp_path / "head.pt", networks(), {"ct_fingerprint": ct_fingerprint(head())})
    other = CT(head().attenuation * 1.02, head().ct_from_voxel)
    with pytest.raises(InputError) as caught:
        read_model(tmp_path / "head.pt").check_knows(other, "head.pt")
    assert ct_fingerprint(head()) in str(caught.value) and ct_fingerprint(other) in str(caught.value)


class _Harm:
    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (Path.touch, (Path("harm-was-done"),))


def test_what_is_no_network_is_refused_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_model(tmp_path / "whole.pt", networks(), {"ct_fingerprint": "0" * 16})
    whole = (tmp_path / "whole.pt").read_bytes()
    contents = {
        "cut.pt": whole[: len(whole) // 2],
        "empty.pt": b"",
        "text.pt": b"no network\n",
        "pickle.pt": pickle.dumps(_Harm()),
        "spoilt.pt": whole[:1000] + bytes(200) + whole[1200:],
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    torch.save({"metadata": _Harm(), "weights": {}}, tmp_path / "harmful.pt")
    torch.save({"state_dict": {}}, tmp_path / "foreign.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    for name in [*contents, "harmful.pt", "foreign.pt", "list.pt", "absent.pt"]:
        with pytest.raises(InputError, match=name):
            read_model(tmp_path / name)
    assert not Path("harm-was-done").exists()


def test_a_fingerprint_is_of_the_ct_and_not_of_its_file(tmp_path: Path) -> None:
    names = set()
    for suffix in (".nrrd", ".nii.gz", ".mha"):
        write_ct(tmp_path / f"head{suffix}", head())
        names.add(ct_fingerprint(read_ct(tmp_path / f"head{suffix}")))
    assert len(names) == 1
    moved = head().ct_from_voxel.copy()
    moved[0, 3] += 0.1
    assert ct_fingerprint(CT(head().attenuation, moved)) not in names
    reversed_slices = head().ct_from_voxel @ np.diag([1.0, 1, -1, 1])
    reversed_slices[:3, 3] += (head().size[2] - 1) * head().ct_from_voxel[:3, 2]
    assert ct_fingerprint(CT(head().attenuation[::-1], reversed_slices)) == ct_fingerprint(head())
