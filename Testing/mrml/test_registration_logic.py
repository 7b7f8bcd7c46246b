"""The logic on nodes, with the real worker: what files give, nodes give, and nothing is left behind."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from DiffRegistrationLib.mrml import registration_logic
from DiffRegistrationLib.mrml.attributes import SESSION
from DiffRegistrationLib.mrml.ct_node import world_from_ct
from DiffRegistrationLib.mrml.drr_node import drr_of, show_drr
from DiffRegistrationLib.mrml.given_geometry import use_camera_file
from DiffRegistrationLib.mrml.job_results import Listener
from DiffRegistrationLib.mrml.pose_node import PoseRecord, put_under_pose, read_result, report_of, undo_pose
from DiffRegistrationLib.mrml.pose_sequence import pose_sequence, poses_of_frames
from DiffRegistrationLib.mrml.registration_logic import RegistrationLogic
from DiffRegistrationLib.mrml.sequence_items import set_attribute
from DiffRegistrationLib.mrml.xray_node import add_radiograph
from DiffRegistrationLib.mrml.xray_sequence import add_radiograph_sequence, add_xray_file, browser_of
from DiffRegistrationLib.registration.result import RegistrationResult
from DiffRegistrationLib.registration.workflow import register_files
from DiffRegistrationLib.tracking.track_files import read_track
from DiffRegistrationLib.worker.client import WorkerClient
from DiffRegistrationLib.xray.attenuation import hounsfield_from_attenuation
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.camera_files import write_camera
from DiffRegistrationLib.xray.files.radiograph_files import write_image
from DiffRegistrationLib.xray.files.transform_files import write_pose
from DiffRegistrationLib.xray.files.xray_with_geometry import XrayFile
from DiffRegistrationLib.xray.geometry import rigid
from DiffRegistrationLib.xray.projector import Projector
from DiffRegistrationLib.xray.radiograph import Radiograph, WorldFrame
from made_up_xrays import transform, volume, world_of_pixel

sys.path.append(str(Path(__file__).parents[1] / "unit"))

from child_processes import worker_trees
from fluororeg_runs import Case, camera, head, intensity, truth, write_case

pytestmark = pytest.mark.mrml

# For a machine that is busy with other things.
PATIENCE = 300.0
CENTRE = rigid.transform_points(truth(), [head().centre])[0]
OFF = rigid.move_about(CENTRE, [0.05, -0.04, 0.03, 5.0, -4.0, 8.0], truth())


@pytest.fixture(scope="module")
def shared() -> Iterator[RegistrationLogic]:
    with RegistrationLogic(WorkerClient(sys.executable)) as made:
        yield made


@pytest.fixture
def logic(scene: Any, shared: RegistrationLogic) -> Iterator[RegistrationLogic]:
    """One logic for all tests, as for all scenes of a session; idle again after each."""
    yield shared
    shared.cancel()


def loaded(path: Path) -> Any:
    """The CT as Slicer's own reader loads it."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT")
    storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(str(path))
    node.SetAndObserveStorageNodeID(storage.GetID())
    assert storage.ReadData(node)
    return node


def added(xray: XrayFile) -> Any:
    """An X-ray and its camera as the window adds them."""
    node = add_xray_file(xray.path)
    assert xray.camera is not None
    use_camera_file(node, xray.camera)
    return node


def hounsfield() -> np.ndarray:
    """The head in HU."""
    return hounsfield_from_attenuation(head().attenuation).astype(np.float32)


def head_node() -> Any:
    """The head, from no file."""
    return volume(hounsfield(), head().ct_from_voxel)


def seen(pose: np.ndarray | None = None, primary_deg: float = 180.0) -> Radiograph:
    """The head under a pose, with noise."""
    view = camera(primary_deg)
    image = Projector(head()).render(view.rays(), truth() if pose is None else pose)[0].reshape(view.size)
    image = image + np.random.default_rng(2).normal(scale=0.02, size=image.shape)
    return Radiograph(image.astype(np.float32), np.ones(view.size, dtype=bool), view)


def distance_mm(pose: np.ndarray, true: np.ndarray | None = None) -> float:
    """Mean distance of the corners of the head's inner box from where they truly are."""
    corners = np.column_stack([head().corners(0.5), np.ones(8)])
    return float(np.linalg.norm((corners @ (pose - (truth() if true is None else true)).T)[:, :3], axis=1).mean())


def until(logic: RegistrationLogic, condition: Callable[[], Any]) -> None:
    """Poll as a window's timer does."""
    ends = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < ends
        logic.poll()
        time.sleep(0.01)


def folder_of(logic: RegistrationLogic) -> Path:
    """Its temporary folder."""
    assert logic._inputs.folder is not None
    return logic._inputs.folder


def jobs_on_disk(logic: RegistrationLogic) -> set[Path]:
    """What lies there for jobs, or is left of them."""
    if logic._inputs.folder is None:
        return set()
    return set(folder_of(logic).iterdir()) - set(folder_of(logic).glob("ct-*"))


def two_views(folder: Path) -> tuple[Case, list[XrayFile]]:
    """The head, from the front and from the side."""
    case = write_case(folder / "Köpfe")
    write_image(folder / "lateral.nrrd", intensity(90.0), camera(90.0))
    write_camera(folder / "lateral.json", camera(90.0))
    return case, [XrayFile(case.xray, case.camera), XrayFile(folder / "lateral.nrrd", folder / "lateral.json")]


def assert_as_by_files(
    logic: RegistrationLogic, found: Any, ct: Any, xrays: list[Any], by: RegistrationResult
) -> None:
    np.testing.assert_allclose(found.summary.pose, by.pose, rtol=0, atol=1e-6)
    assert (found.summary.verdict, found.summary.reason) == (by.verdict.value, by.reason)
    assert ct.GetParentTransformNode() is found.transform and read_result(found.transform) == found.summary
    np.testing.assert_allclose(world_from_ct(ct), by.pose, rtol=0, atol=1e-6)
    assert report_of(found.transform) == found.report and found.report.is_file()
    for node, drr in zip(xrays, by.drrs, strict=True):
        np.testing.assert_allclose(slicer.util.arrayFromVolume(drr_of(node))[0], drr, rtol=0, atol=1e-6)
        np.testing.assert_allclose(world_of_pixel(drr_of(node), 7, 90), world_of_pixel(node, 7, 90), atol=1e-6)
    assert not logic.busy


@pytest.mark.parametrize("views", [1, 2])
def test_files_loaded_as_nodes_register_as_the_files_do(logic: RegistrationLogic, tmp_path: Path, views: int) -> None:
    case, files = two_views(tmp_path)
    before = jobs_on_disk(logic)
    by = register_files(case.ct, files[:views], output=tmp_path / "by files", start="frontal")
    ct, xrays = loaded(case.ct), [added(file) for file in files[:views]]
    found = logic.register(ct, xrays, start="frontal", output=tmp_path / "out")
    assert_as_by_files(logic, found, ct, xrays, by)
    names = [sorted(path.name for path in (tmp_path / folder).iterdir()) for folder in ("by files", "out")]
    assert names[0] == names[1] and found.folder == tmp_path / "out"
    # What the worker needed is gone, but for the CT, which the next registration may need.
    assert jobs_on_disk(logic) == before and len(list(folder_of(logic).glob("ct-*"))) == 1
    assert undo_pose(ct) and ct.GetParentTransformNode() is None


def test_where_the_ct_lies_a_pose_and_its_file_are_the_same_start(logic: RegistrationLogic, tmp_path: Path) -> None:
    case, files = two_views(tmp_path)
    write_pose(tmp_path / "start.json", OFF)
    by = register_files(case.ct, files[:1], output=tmp_path / "by files", start=str(tmp_path / "start.json"))
    ct, xray = loaded(case.ct), added(files[0])
    transform(np.eye(4), transform(OFF, ct))
    for start in ("current", OFF, OFF.tolist(), tmp_path / "start.json"):
        found = logic.register(ct, [xray], start=start)
        assert_as_by_files(logic, found, ct, [xray], by)
        assert undo_pose(ct)
        np.testing.assert_allclose(world_from_ct(ct), OFF, atol=1e-9)


@pytest.mark.slow
def test_a_network_that_nodes_trained_registers_nodes_and_files_alike(
    logic: RegistrationLogic, tmp_path: Path
) -> None:
    case, files = two_views(tmp_path)
    ct, xray = loaded(case.ct), added(files[0])
    model = tmp_path / "größe.pt"
    told: list[str] = []
    trained = logic.train(ct, model, minutes=0.02, listener=Listener(progressed=lambda p: told.append(p.words)))
    assert trained is not None and trained.model == model and not trained.stopped and told
    assert logic.engine is not None and logic.engine.torch and logic.engine.device
    by = register_files(case.ct, files[:1], output=tmp_path / "by files", start=str(model))
    found = logic.register(ct, [xray], start=model)
    assert_as_by_files(logic, found, ct, [xray], by)
    assert found is not None and "network" in found.summary.start


@pytest.mark.parametrize("session", ["session", "another session", None, "a NRRD file, which tells none"])
def test_a_localizer_lies_in_the_frame_of_a_ct_only_where_that_is_said(
    logic: RegistrationLogic, tmp_path: Path, session: str | None
) -> None:
    of_file = session is not None and "NRRD" in session
    ct = loaded(write_case(tmp_path).ct) if of_file else head_node()
    plain = seen()
    xray = add_radiograph(Radiograph(plain.attenuation, plain.mask, plain.camera, (), WorldFrame.SCANNER))
    set_attribute(xray, SESSION, "session")
    if not of_file:
        set_attribute(ct, SESSION, session)
    found = logic.register(ct, [xray])
    assert found is not None
    assert found.summary.start.startswith("shared frame of CT and X-ray" if session == "session" else "C-arm angles")


def test_the_drr_is_the_projector_s_and_lies_on_the_x_ray(logic: RegistrationLogic) -> None:
    ct, plain = head_node(), seen()
    xray = add_radiograph(plain)
    projector = Projector(CT.from_hounsfield(hounsfield(), head().ct_from_voxel))
    of_projector = projector.render(camera().rays(), truth())[0].reshape(96, 96)
    drr = logic.compute_drr(ct, xray, pose=truth())
    np.testing.assert_allclose(drr, of_projector, rtol=0, atol=1e-6)
    assert np.abs(drr - plain.attenuation).mean() < 0.02
    transform(truth(), ct)
    np.testing.assert_allclose(logic.compute_drr(ct, xray), drr, rtol=0, atol=1e-6)
    small = logic.compute_drr(ct, xray, size=40)
    assert small.shape == (32, 32)
    means = drr.reshape(32, 3, 32, 3).mean(axis=(1, 3))
    assert np.corrcoef(small.ravel(), means.ravel())[0, 1] > 0.995
    node = show_drr(xray, small)
    np.testing.assert_allclose(world_of_pixel(node, 10, 20), world_of_pixel(xray, 31, 61), atol=1e-6)
    # Other voxels, another DRR, from the same node.
    slicer.util.arrayFromVolume(ct)[:] = -1000
    slicer.util.arrayFromVolume(ct)[0, 0, 0] = 0
    slicer.util.arrayFromVolumeModified(ct)
    assert np.abs(logic.compute_drr(ct, xray)).max() < 0.1


def test_tracking_moves_the_ct_with_the_x_rays_also_after_saving(logic: RegistrationLogic, reopened: Callable) -> None:
    step = np.array([0.02, -0.01, 0.015, 2.0, 1.0, -1.0])
    poses = [rigid.move_about(CENTRE, step * n, truth()) for n in range(5)]
    ct = head_node()
    proxy, browser = add_radiograph_sequence([seen(pose) for pose in poses], range(10, 15), "Cine")
    found = logic.track(ct, [proxy], key_frame=1, start=OFF, frames_per_second=4.0)
    assert found is not None and found.browser is browser and found.transform is ct.GetParentTransformNode()
    assert [record.verdict for record in found.records] == ["accepted"] * 5 and not found.stopped
    assert [record.start for record in found.records] == ["frames after", "given pose", *["frames before"] * 3]
    assert found.frames == ("10", "11", "12", "13", "14")
    assert not [path for path in folder_of(logic).iterdir() if path.name.startswith("track")]
    successor = reopened()
    for find in (lambda node: node, successor):
        there, slider, image = find(ct), find(browser), find(proxy)
        slicer.mrmlScene = there.GetScene()
        assert browser_of(there.GetParentTransformNode()) is slider
        for n in (3, 0, 4):
            slider.SetSelectedItemNumber(n)
            assert distance_mm(world_from_ct(there), poses[n]) < 1.0
            np.testing.assert_array_equal(slicer.util.arrayFromVolume(image)[0], seen(poses[n]).attenuation)
        kept = poses_of_frames(there)
        assert kept is not None and kept.numbers == [10, 11, 12, 13, 14] and kept.frames_per_second == 4.0
        assert tuple(kept.records.values()) == found.records


def test_frames_that_are_done_again_replace_their_own_poses_and_no_others(
    logic: RegistrationLogic, tmp_path: Path
) -> None:
    step = np.array([0.02, -0.01, 0.015, 2.0, 1.0, -1.0])
    # Frame 12 was dropped.
    frames = (10, 11, 13, 14, 15)
    poses = [rigid.move_about(CENTRE, step * (n - 10), truth()) for n in frames]
    ct = head_node()
    proxy, browser = add_radiograph_sequence([seen(pose) for pose in poses], frames, "Cine")
    wrong = [PoseRecord.from_dict({"pose": OFF.tolist(), "verdict": "failed", "reason": "made up"})] * 5
    pose_sequence(ct, wrong, frames, browser, frames_per_second=3.0)
    browser.SetSelectedItemNumber(3)
    put_under_pose(ct, rigid.move_about(CENTRE, [0.04, 0.02, -0.03, 3.0, 2.0, -4.0], poses[3]))
    found = logic.track(
        ct, [proxy], frames=[2, 3], key_frame=3, start="current", keep_others=True, smoothed=True, output=tmp_path
    )
    assert found is not None and found.frames == ("13", "14")
    kept = poses_of_frames(ct)
    assert (
        kept is not None
        and kept.smoothed
        and kept.frames_per_second == 3.0
        and list(kept.records) == [str(number) for number in frames]
    )
    verdicts = [record.verdict for record in kept.records.values()]
    assert verdicts == ["failed", "failed", "accepted", "accepted", "failed"]
    for number, true in (("13", poses[2]), ("14", poses[3])):
        assert distance_mm(kept.records[number].matrix, true) < 1.0
        assert distance_mm(np.array(kept.records[number].smoothed), true) < 1.0
    assert kept.records["10"].pose == wrong[0].pose and kept.records["10"].smoothed is None
    assert read_track(tmp_path).times == (13, 14)
    # Frames that no tracking knows what to do with.
    with pytest.raises(InputError, match="none of the frames that are to be followed"):
        logic.track(ct, [proxy], frames=[2, 3], key_frame=0)
    with pytest.raises(InputError, match="frame 9 was asked for"):
        logic.track(ct, [proxy], frames=[2, 9])


def test_bad_input_is_raised_or_told_and_leaves_all_as_it_was(
    logic: RegistrationLogic, unchanged: Callable, tmp_path: Path
) -> None:
    ct, xray = head_node(), add_radiograph(seen())
    skewed = np.diag([1.0, 1.0, 1.2, 1.0])
    cine, _browser = add_radiograph_sequence([seen(), seen()], range(2))
    unchanged()
    before = jobs_on_disk(logic)
    for words, call in (
        ("none was given", lambda: logic.register(ct, [])),
        ("no volume was given", lambda: logic.register(None, [xray], start="current")),
        ("one slice", lambda: logic.register(xray, [xray])),
        ("no volume was given", lambda: logic.train(None, tmp_path / "a.pt")),
        ("is not rigid", lambda: logic.register(ct, [xray], start=skewed)),
        ("finite", lambda: logic.register(ct, [xray], start=np.full((4, 4), np.nan))),
        ("neither the name of a start nor a file", lambda: logic.register(ct, [xray], start="sideways")),
        ("likeness", lambda: logic.register(ct, [xray], similarity="likeness")),
        ("ends in nothing", lambda: logic.train(ct, tmp_path / "network")),
        ("no folder", lambda: logic.preview(ct, tmp_path / "gone" / "a.png")),
        ("out of step with .* lacks frame 1", lambda: logic.track(ct, [cine, xray])),
        ("none was given", lambda: logic.track(ct, [])),
        ("none was given", lambda: logic.track(ct, [cine], frames=[])),
    ):
        with pytest.raises(InputError, match=words):
            call()
    told: list[Any] = []
    listener = Listener(finished=told.append, refused=told.append)
    assert logic.register(ct, [xray], start="sideways", wait=False, listener=listener) is None and not told
    until(logic, lambda: told)
    assert isinstance(told[0], InputError) and "sideways" in told[0].subject and not logic.busy
    assert unchanged() and ct.GetParentTransformNode() is None
    assert jobs_on_disk(logic) == before
    assert not list(tmp_path.glob("*.pt"))


def test_an_x_ray_is_not_overwritten_by_its_own_drr(logic: RegistrationLogic, tmp_path: Path) -> None:
    write_image(tmp_path / "drr-1.nrrd", intensity(), camera())
    write_camera(tmp_path / "camera.json", camera())
    xray = loaded(tmp_path / "drr-1.nrrd")
    use_camera_file(xray, tmp_path / "camera.json")
    with pytest.raises(InputError, match="one of the inputs"):
        logic.register(head_node(), [xray], start="ap", output=tmp_path)


def test_cancelling_leaves_the_scene_as_it_was_and_the_next_job_runs(
    logic: RegistrationLogic, unchanged: Callable
) -> None:
    ct, xrays = head_node(), [add_radiograph(seen()), add_radiograph(seen(primary_deg=90.0))]
    place = transform(OFF, ct)
    unchanged()
    before = jobs_on_disk(logic)
    told: list[Any] = []
    frames: list[tuple[int, np.ndarray]] = []
    listener = Listener(
        progressed=told.append, frame_came=lambda view, drr, pose: frames.append((view, drr)), refused=told.append
    )
    logic.register(ct, xrays, start="any", wait=False, listener=listener)
    logic.register(ct, xrays, start="ap", wait=False, listener=listener)
    until(logic, lambda: {view for view, _drr in frames} == {0, 1})
    assert frames[0][1].shape == (96, 96) and told[0].words
    (worker,) = worker_trees()
    told.clear()
    began = time.monotonic()
    logic.cancel()
    assert time.monotonic() - began < 2.5
    assert not logic.busy and not worker.is_running()
    logic.poll()
    assert unchanged() and ct.GetParentTransformNode() is place and not told
    np.testing.assert_array_equal(world_from_ct(ct), OFF)
    assert jobs_on_disk(logic) == before
    found = logic.register(ct, xrays, start="current")
    assert found is not None and distance_mm(world_from_ct(ct)) < 1.0


def test_whoever_waits_is_not_left_waiting(logic: RegistrationLogic) -> None:
    ct, xray = head_node(), add_radiograph(seen())

    def interrupt(_progress: Any) -> None:
        raise KeyboardInterrupt

    for act, error in ((lambda _progress: logic.cancel(), InputError), (interrupt, KeyboardInterrupt)):
        with pytest.raises(error):
            logic.register(ct, [xray], start="any", listener=Listener(progressed=act))
        assert not logic.busy and not worker_trees()
    assert ct.GetParentTransformNode() is None


def test_a_fault_in_what_comes_after_the_worker_is_raised_and_told(
    logic: RegistrationLogic, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    listener = Listener(finished=told.append, refused=told.append)
    logic.register(head_node(), [add_radiograph(seen())], start=OFF, wait=False, listener=listener)
    monkeypatch.setattr(registration_logic, "write_result", lambda *_: [][0])
    with pytest.raises(IndexError):
        until(logic, lambda: told)
    assert isinstance(told[0], InputError) and "IndexError" in told[0].problem and not logic.busy


def test_a_result_goes_to_no_other_patient(logic: RegistrationLogic, tmp_path: Path) -> None:
    ct, xray = head_node(), add_radiograph(seen())
    told: list[Any] = []
    listener = Listener(finished=told.append, refused=told.append)
    logic.register(ct, [xray], start=OFF, output=tmp_path / "out", wait=False, listener=listener)
    slicer.mrmlScene.Clear(0)
    other = head_node()
    assert other.GetID() == ct.GetID()
    until(logic, lambda: told)
    assert isinstance(told[0], InputError) and "was deleted" in told[0].problem
    assert str(tmp_path / "out") in told[0].remedy and (tmp_path / "out" / "report.html").is_file()
    assert other.GetParentTransformNode() is None and not logic.busy


def test_the_ct_is_written_once_and_again_when_it_changes(logic: RegistrationLogic) -> None:
    written: list[tuple[Path, int]] = []
    ct, xray = head_node(), add_radiograph(seen())

    def places() -> np.ndarray:
        found = logic.register(ct, [xray], start=OFF)
        assert found is not None
        (file,) = folder_of(logic).glob("ct-*/ct.npz")
        written.append((file, file.stat().st_mtime_ns))
        return np.array(found.summary.pose)

    first = places()
    transform(OFF, ct)
    np.testing.assert_array_equal(places(), first)
    ct.CreateDefaultDisplayNodes()
    ct.SetName("Another name")
    np.testing.assert_array_equal(places(), first)
    assert len(set(written)) == 1
    voxels = slicer.util.arrayFromVolume(ct)
    voxels[:] = np.roll(voxels, 1, axis=0)
    slicer.util.arrayFromVolumeModified(ct)
    # One voxel of 4 mm higher in its grid, the head lies as much lower; depth, the second axis, one view hardly shows.
    moved = places()
    np.testing.assert_allclose((moved - first)[[0, 2], 3], -4 * first[[0, 2], 2], atol=0.3)
    assert len(set(written)) == 2
    ct.SetOrigin(*(np.array(ct.GetOrigin()) - [0, 0, 4]))
    np.testing.assert_allclose((places() - first)[[0, 2], 3], 0, atol=0.3)
    assert len(set(written)) == 3 and not written[0][0].exists() and not written[3][0].exists()


def test_a_ct_stays_on_disk_for_those_that_wait_for_their_turn(logic: RegistrationLogic) -> None:
    xray, told = add_radiograph(seen()), []
    listener = Listener(finished=told.append, refused=told.append)
    cts = [head_node(), head_node(), head_node()]
    for ct in cts:
        logic.register(ct, [xray], start="ap", wait=False, listener=listener)
    until(logic, lambda: len(told) == 3)
    assert [one.transform for one in told] == [ct.GetParentTransformNode() for ct in cts]
    assert max(distance_mm(world_from_ct(ct)) for ct in cts) < 1.0
    (left,) = folder_of(logic).glob("ct-*")
    assert (left / "ct.npz").exists()


@pytest.mark.parametrize("way", ["close", "with", "forgotten"])
def test_nothing_is_left_of_a_logic_that_ends(scene: Any, way: str) -> None:
    before = {process.pid for process in worker_trees()}
    logic: RegistrationLogic | None = RegistrationLogic(WorkerClient(sys.executable))
    assert logic is not None
    ct, xray = head_node(), add_radiograph(seen())
    told: list[Any] = []
    logic.register(ct, [xray], start="any", wait=False, listener=Listener(progressed=told.append))
    until(logic, lambda: told)
    folder = folder_of(logic)
    (mine,) = [process for process in worker_trees() if process.pid not in before]
    if way == "close":
        logic.close()
        logic.close()
    elif way == "with":
        with logic:
            pass
    logic = None
    gc.collect()
    assert not folder.exists() and not mine.is_running()
