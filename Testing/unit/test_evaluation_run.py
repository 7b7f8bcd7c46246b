"""A suite is run case by case: interrupted and gone on with, refused when it does not fit, the same for every row."""

import json

import numpy as np
import pytest
from DiffRegistrationLib.evaluation import run as run_module
from DiffRegistrationLib.evaluation import suites, views
from DiffRegistrationLib.evaluation.case import Case
from DiffRegistrationLib.evaluation.disturbances import DISTURBANCES, disturbed
from DiffRegistrationLib.evaluation.record import Record
from DiffRegistrationLib.evaluation.run import evaluate
from DiffRegistrationLib.evaluation.subjects import Subject, resampled
from DiffRegistrationLib.registration.starts import start_from_pose
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import rigid
from DiffRegistrationLib.xray.phantom import head_phantom
from DiffRegistrationLib.xray.projector import Projector
from DiffRegistrationLib.xray.radiograph import Radiograph
from DiffRegistrationLib.xray.simulator.ranges import EVALUATION, PHYSICS, drawn_settings
from fluororeg_runs import run as fluororeg

HEAD = head_phantom(4.0)


class _SmallBench:
    """Small DRRs of a coarse phantom in place of simulated X-rays: what is tested is the run, not the accuracy."""

    def __init__(self):
        self.projector = Projector(HEAD.ct)
        self.targets = np.array([HEAD.landmarks["sella"], HEAD.landmarks["menton"]])

    def case(self, number):
        drawn = views.ap(HEAD.ct, np.random.default_rng(number))
        camera = drawn.cameras[0].binned(8)
        image = self.projector.render(camera.rays(), drawn.truth)[0].reshape(camera.size)
        start = views.start_near(drawn, HEAD.ct.centre, np.random.default_rng(number))
        return Case(number, (Radiograph(image, np.ones(camera.size, bool), camera),), drawn.truth, start)

    def start_from(self, pose):
        return start_from_pose(pose)


@pytest.fixture
def small_suite(monkeypatch):
    monkeypatch.setattr(suites.Suite, "bench", lambda self, subject, disturbance: _SmallBench())


def _evaluate(folder, cases=3, **options):
    return evaluate("head-ap", folder, subject="phantom", cases=cases, starts=["near"], **options)


def test_an_interrupted_run_keeps_what_it_finished_and_goes_on_from_there(tmp_path, small_suite, monkeypatch):
    once = run_module._registered
    ran = []

    def until_the_second(bench, case, method, start, network):
        if len(ran) == 2:
            raise KeyboardInterrupt
        ran.append(case.number)
        return once(bench, case, method, start, network)

    monkeypatch.setattr(run_module, "_registered", until_the_second)
    with pytest.raises(KeyboardInterrupt):
        _evaluate(tmp_path / "out")
    # The interruption tore the line that was being written.
    lines = tmp_path / "out" / "cases.jsonl"
    lines.write_text(lines.read_text() + '{"case": 3, "meth')
    monkeypatch.setattr(run_module, "_registered", lambda *given: ran.append(given[1].number) or once(*given))
    found = _evaluate(tmp_path / "out")
    assert ran == [1, 2, 3]
    assert [outcome.case for outcome in found.outcomes] == [1, 2, 3]
    assert len(lines.read_text().splitlines()) == 3
    assert _evaluate(tmp_path / "out").as_dict()["summary"] == found.as_dict()["summary"]
    assert ran == [1, 2, 3]


def test_a_network_is_trained_first_and_shown_alone_and_before_the_solver(tmp_path, small_suite):
    options = {"subject": "phantom", "cases": 2, "starts": ["network"], "network_minutes": 0.02}
    found = evaluate("head-ap", tmp_path / "out", **options)
    assert set(found.summaries) == {"ours, network", "network alone, network"}
    assert found.summaries["network alone, network"]["accepted"] is None
    solved, alone = found.outcomes[0], found.outcomes[2]
    # The solver's start is the network's pose.
    assert solved.start_mtre_mm == pytest.approx(alone.mtre_mm)
    assert any(target.name == "median mTRE of the network alone" for target in found.targets)
    model = tmp_path / "out" / "network.pt"
    trained = model.stat().st_mtime_ns
    assert evaluate("head-ap", tmp_path / "out", **options).summaries == found.summaries
    assert model.stat().st_mtime_ns == trained
    # The same network from its file gives the same poses; a changed one is another run.
    given = {"subject": "phantom", "cases": 1, "starts": ["network"], "network_file": model}
    again = evaluate("head-ap", tmp_path / "of-file", **given).outcomes
    np.testing.assert_allclose(again[0].pose, solved.pose)
    model.write_bytes(model.read_bytes() + b" ")
    with pytest.raises(InputError, match="another network"):
        evaluate("head-ap", tmp_path / "of-file", **given)
    with pytest.raises(InputError, match="Leave one of them out"):
        evaluate("head-ap", tmp_path / "both", **options, network_file=model)


def test_the_sum_has_the_figures_by_name_and_the_cases_their_errors(tmp_path, small_suite):
    content = json.loads(json.dumps(_evaluate(tmp_path / "out", cases=2).as_dict()))
    names = {"median_mtre_mm", "p95_mtre_mm", "under_1mm", "under_2mm", "gross_failure_rate", "median_in_plane_mm"}
    assert names | {"median_seconds"} <= content["summary"].keys()
    case = content["cases"][0]
    pose, truth = np.array(case["pose"]), np.array(case["truth"])
    targets = [HEAD.landmarks["sella"], HEAD.landmarks["menton"]]
    apart = rigid.transform_points(pose, targets) - rigid.transform_points(truth, targets)
    assert case["mtre_mm"] == pytest.approx(np.linalg.norm(apart, axis=1).mean())
    assert case["start_rotation_deg"] <= 15 and abs(case["start_depth_mm"]) < 70


def test_a_folder_of_another_run_is_refused(tmp_path, small_suite):
    _evaluate(tmp_path / "out", cases=1)
    with pytest.raises(InputError, match="another disturbance: none, now wires"):
        _evaluate(tmp_path / "out", cases=1, disturbance="wires")


def test_a_line_that_is_no_outcome_is_refused(tmp_path):
    (tmp_path / "cases.jsonl").write_text('{"case": 1}\n')
    with pytest.raises(InputError, match="line 1 cannot be read"):
        Record(tmp_path, {"suite": "head-ap"})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["head-up"], "head-ap, head-lateral, head-wide, head-biplane, head-triplane, skull-scout, wrist"),
        (["head-ap", "--subject", "nobody"], "visible-human, phantom"),
        (["head-ap", "--disturbance", "fog"], "low-dose"),
        (["head-ap", "--start", "far"], "near, none"),
        (["head-ap", "--start", "network"], "--network-minutes"),
        (["head-biplane", "--network-minutes", "1"], "no preset"),
        (["head-ap", "--network-minutes", "0"], "more than 0"),
        (["head-biplane", "--peers"], "one cone-beam view"),
        (["head-ap", "--peers", "--start", "none"], "near the truth"),
        (["wrist", "--subject", "phantom"], "real X-rays"),
        (["wrist", "--robustness", "2"], "real X-rays"),
        (["skull-scout", "--disturbance", "wires"], "real X-rays"),
    ],
)
def test_what_a_suite_cannot_do_is_told_with_what_can_be_done(tmp_path, arguments, said):
    answer = fluororeg("evaluate", *arguments, "--out", tmp_path / "out", "--json")
    assert answer.code == 2
    assert said in " ".join(answer.json["error"].values())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("suite", ["head-ap", "skull-scout", "wrist"])
def test_missing_data_says_how_to_get_it(tmp_path, monkeypatch, suite):
    monkeypatch.setenv("FLUOROREG_DATA", str(tmp_path / "empty"))
    monkeypatch.setattr("DiffRegistrationLib.xray.files.sample_data._downloaded", _no_network)
    with pytest.raises(InputError) as refusal:
        evaluate(suite, tmp_path / "out")
    assert "FLUOROREG_DATA" in refusal.value.remedy
    assert suite != "head-ap" or "--subject phantom" in refusal.value.remedy


def _no_network(chosen):
    raise InputError(chosen.name, "cannot be reached", "Set FLUOROREG_DATA to a folder that holds it.")


def test_a_disturbance_adds_its_effects_and_leaves_the_physics():
    drawn = drawn_settings(EVALUATION, 5, (384.0, 384.0))
    plain = disturbed(drawn, "none")
    for name, disturbance in DISTURBANCES.items():
        settings = disturbed(drawn, name)
        for effect in disturbance.effects:
            assert getattr(settings, effect) == getattr(drawn, effect) is not None
        changed = {effect for effect in PHYSICS if getattr(settings, effect) != getattr(plain, effect)}
        assert bool(changed) == (name in ("low-dose", "strong-scatter", "strong-blur"))


@pytest.mark.parametrize("draw", [views.ap, views.lateral, views.biplane, views.wide])
def test_views_and_starts_lie_in_their_ranges(draw):
    for number in range(20):
        drawn = draw(HEAD.ct, np.random.default_rng(number))
        assert np.allclose(drawn.cameras[0].camera_from_world, np.eye(4))
        depth = (drawn.truth @ [*HEAD.ct.centre, 1])[2]
        assert 500 < depth < 960
        start = views.start_near(drawn, HEAD.ct.centre, np.random.default_rng(number))
        centre = rigid.transform_points(drawn.truth, [HEAD.ct.centre])[0]
        off = rigid.increment_between(centre, start, drawn.truth)
        assert np.degrees(np.linalg.norm(off[:3])) <= 15
        assert (np.abs(off[3:]) <= [30, 30, 60]).all()
    if draw is views.biplane:
        first, second = (camera.camera_from_world[2, :3] for camera in drawn.cameras)
        assert 65 < np.degrees(np.arccos(first @ second)) < 115


def test_the_registered_ct_lies_where_the_full_one_does():
    k, j, i = np.mgrid[0:50, 0:50, 0:50]
    ball = np.where((k - 20) ** 2 + (j - 26) ** 2 + (i - 31) ** 2 < 12**2, 0.0, -1000.0)
    matrix = rigid.about([3, 4, 5], rigid.exp([0.2, -0.3, 0.1, 0, 0, 0])) @ np.diag([1.0, 1.2, 0.8, 1.0])
    subject = Subject("ball", "a ball of water", CT.from_hounsfield(ball, matrix), {})
    assert np.allclose(subject.registered.voxel_size, 1.5)
    quiet = resampled(subject.full, 1.5, 0.0, np.random.default_rng(0))
    # The centre of mass stays: no half voxel is lost on a turned and uneven grid.
    np.testing.assert_allclose(_mass_centre(quiet), _mass_centre(subject.full), atol=0.03)
    assert np.allclose(subject.registered.ct_from_voxel, quiet.ct_from_voxel)


def _mass_centre(ct):
    k, j, i = np.indices(ct.attenuation.shape)
    mass = ct.attenuation / ct.attenuation.sum()
    return rigid.transform_points(ct.ct_from_voxel, [[(i * mass).sum(), (j * mass).sum(), (k * mass).sum()]])[0]
