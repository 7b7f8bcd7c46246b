"""Training: it learns, ends when it should, goes on after a kill, and is the same on one process and on two."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from DiffRegistrationLib.benchmarks.training import minutes_to
from DiffRegistrationLib.pose_network.model_file import read_model
from DiffRegistrationLib.training.preset import preset_named
from DiffRegistrationLib.training.recipe import RECIPES
from DiffRegistrationLib.training.trainer import Trainer
from DiffRegistrationLib.training.training_loop import Budget
from DiffRegistrationLib.training.training_state import Milestone, TrainingState, read_state, state_path, write_state
from DiffRegistrationLib.training.validation import Validation
from DiffRegistrationLib.training.workflow import train
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.ct_files import read_ct
from fluororeg_runs import head, refused, run, write_case

SMALL = replace(RECIPES["compact"], size=32, close_up=32, batch=8)
PRESET = preset_named("head-ap")
ENGINE = Path(__file__).parents[2] / "DiffRegistration"


def trainer(state: TrainingState | None = None, **other: object) -> Trainer:
    return Trainer(head(), PRESET, SMALL, state or TrainingState({}), **other)  # type: ignore[arg-type]


def weights(one: Trainer) -> torch.Tensor:
    return torch.cat([value.flatten() for value in one.averaged.state_dict().values()])


@pytest.mark.slow
def test_a_network_learns_where_the_head_is() -> None:
    learning = trainer()
    before, after = (learning.train(Budget(steps=steps)).validation for steps in (1, 300))
    assert before is not None and after is not None
    assert after.distance_mm < 0.75 * before.distance_mm


def test_a_training_that_was_put_away_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole = trainer()
    whole.train(Budget(steps=12))
    kept: list[TrainingState] = []
    calls = iter(range(100))
    # Stopped half way; the pace still is that of twelve steps.
    trainer().train(Budget(steps=12), save=kept.append, stopped=lambda: next(calls) >= 6)
    assert kept[-1].step == 6
    write_state(tmp_path / "head.training.pt", kept[-1])
    resumed = trainer(read_state(tmp_path / "head.training.pt", {}, Validation))
    resumed.train(Budget(steps=12))
    assert resumed.state.step == 12
    torch.testing.assert_close(weights(resumed), weights(whole), atol=1e-5, rtol=1e-4)


def test_time_is_kept() -> None:
    began = time.perf_counter()
    progress = trainer().train(Budget(seconds=1.0))
    assert progress.seconds >= 1.0 and progress.part == 1
    assert time.perf_counter() - began < 30


TWO = """
    import sys
    import torch
    from DiffRegistrationLib.training.trainer import Trainer
    from DiffRegistrationLib.training.training_loop import Budget
    from DiffRegistrationLib.training.training_state import TrainingState
    from DiffRegistrationLib.training.workers import workers
    from test_trainer import PRESET, SMALL, head, weights

    torch.set_num_threads(1)
    with workers(torch.device("cpu")) as together:
        one = Trainer(head(), PRESET, SMALL, TrainingState({}), workers=together)
        one.train(Budget(steps=5))
        if together.is_first:
            torch.save(weights(one), sys.argv[1])
"""


@pytest.mark.slow
def test_two_processes_train_the_network_that_one_trains(tmp_path: Path) -> None:
    script = tmp_path / "two.py"
    script.write_text(textwrap.dedent(TWO))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    paths = os.pathsep.join([str(ENGINE), str(Path(__file__).parent)])
    ended = subprocess.run(
        [*command, str(script), str(tmp_path / "two.pt")],
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    alone = trainer()
    alone.train(Budget(steps=5))
    start = weights(trainer())
    moved = (weights(alone) - start).abs().max()
    difference = (torch.load(tmp_path / "two.pt", weights_only=True) - weights(alone)).abs().max()
    # Sums in another order, and Adam divides by small numbers.
    assert difference < 0.05 * moved


def test_when_an_error_was_first_reached_is_told() -> None:
    milestones = [
        Milestone(n, 60.0 * n, 0.0, Validation(mm, mm, 1.0, mm, mm)) for n, mm in ((1, 9.0), (2, 4.0), (3, 5.0))
    ]
    assert [minutes_to(mm, milestones) for mm in (9.0, 8.0, 4.5, 3.0)] == [1.0, 2.0, 2.0, None]


def test_a_batch_that_processes_cannot_share_is_refused() -> None:
    from DiffRegistrationLib.training.workers import Workers

    with pytest.raises(InputError, match="3 cannot share 8"):
        trainer(workers=Workers(0, 3))


def test_the_command_trains_shows_progress_and_goes_on(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    model = tmp_path / "head.pt"
    small = ("--out", model, "--size", 48, "--batch", 8)
    first = run("train", case.ct, *small, "--minutes", 0.04, "--json")
    assert first.code == 0, first.stderr
    lines = [json.loads(line) for line in first.stdout.splitlines()]
    assert [line["event"] for line in lines[:-1]] == ["progress"] * (len(lines) - 1)
    assert lines[-1]["event"] == "end" and lines[-1]["validation"]["distance_mm"] > 0
    assert (tmp_path / "head.views.png").exists() and state_path(model).exists()
    content = read_model(model).metadata
    assert content["preset"]["name"] == "head-ap" and content["milestones"]
    longer = run("train", case.ct, *small, "--minutes", 0.06)
    assert longer.code == 0 and "Going on after step" in longer.stderr
    assert int(read_model(model).metadata["steps"]) > lines[-1]["step"]


def test_a_network_is_a_start_and_only_for_its_own_ct(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    model = tmp_path / "head.pt"
    train(read_ct(case.ct), model, preset=PRESET, recipe=SMALL, budget=Budget(steps=2))
    arguments = ("register", case.ct, case.xray, "--camera", case.camera, "--start", model, "--out", case.out)
    found = run(*arguments, "--json")
    assert found.code in (0, 1), found.stderr
    assert "network" in found.json["start"]
    from DiffRegistrationLib.xray.files.ct_writing import write_ct

    write_ct(tmp_path / "other.nrrd", CT(head().attenuation * np.float32(1.05), head().ct_from_voxel))
    other = ("register", tmp_path / "other.nrrd", *arguments[2:-1], tmp_path / "elsewhere")
    refused(tmp_path, other, "head.pt", "was trained on another CT", read_model(model).metadata["ct_fingerprint"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--minutes", 0), ("--minutes",)),
        (("--minutes", -3), ("--minutes",)),
        (("--preset", "knee"), ("knee", "head-lateral")),
        (("--recipe", "huge"), ("huge", "compact")),
        (("--device", "tpu"), ("tpu", "cuda")),
    ],
)
def test_what_cannot_be_trained_is_refused(
    tmp_path: Path, options: tuple[object, ...], words: tuple[str, ...]
) -> None:
    case = write_case(tmp_path)
    result = run("train", case.ct, "--out", tmp_path / "head.pt", *options)
    assert result.code == 2
    for word in words:
        assert word in result.stderr, result.stderr
    assert not (tmp_path / "head.pt").exists()


def test_a_lack_of_memory_says_what_was_asked_for_and_what_to_lower(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trainer, "step", lambda *_: float(torch.empty(10**13).sum()))
    with pytest.raises(InputError, match=r"40000000000000 bytes.*--batch"):
        train(head(), tmp_path / "head.pt", preset=PRESET, recipe=SMALL, budget=Budget(steps=1))
    assert not (tmp_path / "head.pt").exists()


def test_a_file_of_another_training_is_not_gone_on_with(tmp_path: Path) -> None:
    model = tmp_path / "head.pt"
    train(head(), model, preset=PRESET, recipe=SMALL, budget=Budget(steps=1))
    written = model.read_bytes()
    other_ct = CT(head().attenuation * np.float32(1.05), head().ct_from_voxel)
    for ct, preset, recipe, seed, word in (
        (other_ct, PRESET, SMALL, 0, "another ct"),
        (
            head(),
            preset_named("head-lateral"),
            SMALL,
            0,
            "another preset: description was head from the front, now head from either side",
        ),
        (head(), PRESET, replace(SMALL, batch=4), 0, "another recipe"),
        (head(), PRESET, SMALL, 1, "another seed"),
    ):
        with pytest.raises(InputError, match=word):
            train(ct, model, preset=preset, recipe=recipe, budget=Budget(steps=2), seed=seed)
    assert model.read_bytes() == written
    state_path(model).write_bytes(b"spoilt")
    with pytest.raises(InputError, match="damaged"):
        train(head(), model, preset=PRESET, recipe=SMALL, budget=Budget(steps=2))
    state_path(model).unlink()
    with pytest.raises(InputError, match="exists"):
        train(head(), model, preset=PRESET, recipe=SMALL, budget=Budget(steps=2))
    with pytest.raises(InputError, match=r"\.pt"):
        train(head(), tmp_path / "head.bin", preset=PRESET, recipe=SMALL, budget=Budget(steps=2))


def test_a_full_disk_leaves_the_last_good_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tmp_path / "head.pt"
    train(head(), model, preset=PRESET, recipe=SMALL, budget=Budget(steps=1))
    good = model.read_bytes(), state_path(model).read_bytes()

    def full(path: Path, content: bytes) -> int:
        with path.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    said: list[str] = []
    with pytest.raises(InputError, match="No space left"):
        train(head(), model, preset=PRESET, recipe=SMALL, budget=Budget(steps=2), say=said.append)
    assert (model.read_bytes(), state_path(model).read_bytes()) == good
    assert any("No space left" in text for text in said)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["head.pt", "head.training.pt", "head.views.png"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_polite_kill_keeps_what_there_is_and_a_rude_one_loses_seconds(tmp_path: Path) -> None:
    import signal

    case = write_case(tmp_path)
    model = tmp_path / "head.pt"
    command = [str(Path(sys.executable).with_name("fluororeg")), "train", str(case.ct), "--out", str(model)]
    command += ["--size", "48", "--batch", "8", "--minutes", "5", "--json"]

    def begun() -> subprocess.Popen[str]:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout is not None
        line = json.loads(process.stdout.readline())
        assert line["event"] == "progress"
        return process

    polite = begun()
    polite.send_signal(signal.SIGTERM)
    out, err = polite.communicate(timeout=60)
    assert polite.returncode == 0, err
    last = json.loads(out.splitlines()[-1])
    assert last["event"] == "end" and last["stopped"]
    steps = read_model(model).metadata["steps"]
    assert steps == last["step"]
    rude = begun()
    rude.kill()
    rude.communicate(timeout=60)
    assert read_model(model).metadata["steps"] >= steps
    assert read_state(state_path(model), {}, Validation).step >= steps
