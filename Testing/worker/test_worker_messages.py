"""Lines between client and worker: exact both ways, and nothing that is no message breaks them."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from DiffRegistrationLib.training.preset import DEFAULT_PRESET
from DiffRegistrationLib.training.recipe import DEFAULT_RECIPE
from DiffRegistrationLib.worker.job import Job, PreviewJob, RegisterJob, TrackJob, TrainJob, job_from_dict
from DiffRegistrationLib.worker.messages import (
    Crashed,
    Ended,
    Finished,
    Frame,
    Heartbeat,
    Message,
    Noise,
    Progress,
    Ready,
    Refused,
    Started,
    message_from_line,
)
from DiffRegistrationLib.xray.errors import InputError

POSE = tuple(tuple(row) for row in (np.eye(4) + 1 / 3).tolist())


@pytest.mark.parametrize(
    "message",
    [
        Ready("0.1", "3.12", "2.5", "", "CPU"),
        Heartbeat(1.5),
        Started("a"),
        Progress("a", 0.5, None, "Köpf\n頭 \u2028 \udcff", {"loss": 1 / 3}),
        Frame("a", 1, "C:\\Köpf\\frame-1.npy", 7, POSE, 2, 3),
        Finished("a", {"pose": [[1.0]], "text": "ü", "nothing": None}),
        Refused("a", "b", "c", "d"),
        Crashed("a", "b", "c", "d", ("x", "y"), -9),
        Ended("a"),
        Noise("…"),
    ],
)
def test_a_message_is_one_line_of_ascii_and_comes_back_as_it_was(message: Message) -> None:
    line = message.to_line()
    assert line.isascii() and len(line.splitlines()) == 1
    assert message_from_line(line) == message


def test_numbers_that_json_does_not_have_are_left_out() -> None:
    progress = Progress("a", 0.0, math.inf, "", {"loss": math.nan, "step": 1})
    assert message_from_line(progress.to_line()) == Progress("a", 0.0, None, "", {"step": 1.0})
    finished = message_from_line(Finished("a", {"std": np.array([np.nan, 1.0])}).to_line())
    assert finished == Finished("a", {"std": [None, 1.0]})


@pytest.mark.parametrize(
    "line",
    [
        "",
        "loading…",
        "{",
        "[" * 100_000,
        "null",
        "7",
        "[]",
        "{}",
        '{"message": "unheard"}',
        '{"message": ["ready"]}',
        '{"message": "started"}',
        '{"message": "started", "job": 3}',
        '{"message": "started", "job": "a", "more": 1}',
        '{"message": "heartbeat", "seconds": NaN}',
        '{"message": "heartbeat", "seconds": true}',
        '{"message": "frame", "job": "a", "view": 0, "path": "p", "number": 1, "pose": [1, 2]}',
        '{"message": "progress", "job": "a", "part": 0.5, "numbers": {"loss": "high"}}',
        Progress("a", 0.5, 3.0, "words").to_line()[:-7],
    ],
)
def test_any_other_line_is_noise(line: str) -> None:
    assert message_from_line(line + "\r\n") == Noise(line)


@pytest.mark.parametrize(
    "job",
    [
        PreviewJob(folder=Path("a"), out=Path("b.png")),
        TrainJob(folder=Path("a b"), out=Path("ü.pt"), minutes=3, batch=4),
        RegisterJob(folder=Path("a"), start=POSE, out=Path("o"), names=("AP", "lateral")),
        RegisterJob(folder=Path("a"), ct_folder=Path("b"), start="ap", live=False),
        TrackJob(folder=Path("a"), views=2, start="network.pt"),
        TrackJob(folder=Path("a"), key_frame=3, numbers=(4, 6, 9, 10), frames_per_second=7.5),
    ],
)
def test_a_job_is_json_and_comes_back_as_it_was(job: Job) -> None:
    assert job_from_dict(json.loads(json.dumps(job.to_dict(), allow_nan=False))) == job


def test_a_job_takes_arrays_and_text_for_what_they_stand_for() -> None:
    job = RegisterJob(folder="a", out="o", start=np.eye(4), names=["AP"])  # type: ignore[arg-type]
    assert job.start == tuple(tuple(row) for row in np.eye(4).tolist()) and job.out == Path("o")
    assert (job.name_of(0), job.name_of(1)) == ("AP", "X-ray 2")
    assert RegisterJob(folder=Path("a")).id != RegisterJob(folder=Path("a")).id


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (None, "known kind"),
        ({"kind": "cook"}, "known kind"),
        ({"kind": "train"}, "folder"),
        ({"kind": "track", "folder": "a", "views": "two"}, "views"),
        ({"kind": "register", "folder": "a", "colour": 1}, "colour"),
    ],
)
def test_what_is_no_job_is_refused(content: object, word: str) -> None:
    with pytest.raises(InputError, match=word):
        job_from_dict(content)


def test_what_is_not_said_is_what_the_engine_takes() -> None:
    from DiffRegistrationLib.registration.registration import DEFAULT_SIMILARITY

    train, register = TrainJob(folder=Path(), out=Path()), RegisterJob(folder=Path())
    assert (train.preset, train.recipe) == (DEFAULT_PRESET, DEFAULT_RECIPE)
    assert (register.similarity, register.start) == (DEFAULT_SIMILARITY, "auto")
