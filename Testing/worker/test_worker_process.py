"""A real worker process that does what a test says: turns, ends, deaths, and what its client tells of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from DiffRegistrationLib.worker.job import RegisterJob
from DiffRegistrationLib.worker.messages import (
    Crashed,
    Ended,
    Finished,
    Heartbeat,
    Message,
    Noise,
    Progress,
    Ready,
    Refused,
    Started,
    message_from_line,
)
from DiffRegistrationLib.worker.worker_process import worker_python
from worker_runs import ENGINE, PATIENCE, acted, acting, alive, heard, of, seconds_until_gone, tree, worker

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals")

ECHO = """
import os
def run(job, tell):
    return {"pid": os.getpid(), "folder": str(job.folder)}
"""
# Works without end, with a child that has a child.
WORKING = """
import subprocess, sys, time
import psutil
from DiffRegistrationLib.worker.messages import Progress
def run(job, tell):
    print("about to work", file=sys.stderr, flush=True)
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])"
    subprocess.Popen([sys.executable, "-c", child])
    while len(psutil.Process().children(recursive=True)) < 2:
        time.sleep(0.01)
    tell(Progress(job.id, 0.5))
    while True:
        time.sleep(0.01)
"""


def is_progress(message: Message) -> bool:
    return isinstance(message, Progress)


def test_ready_comes_at_once_and_without_torch(tmp_path: Path) -> None:
    environment = acting(tmp_path, "import sys\ndef run(job, tell):\n    return {'loaded': sorted(sys.modules)}")
    fastest = PATIENCE
    # The best of three: the machine may have other things to do.
    for _ in range(3):
        with worker(environment=environment) as client:
            began = time.monotonic()
            client.start()
            while not (first := client.poll()):
                time.sleep(0.005)
            fastest = min(fastest, time.monotonic() - began)
            assert isinstance(first[0], Ready) and first[0].torch and "torch" in first[0].words
    assert fastest < 1.0
    with worker(environment=environment) as client:
        client.submit(acted(tmp_path))
        (finished,) = of(Finished, heard(client))
    assert isinstance(finished, Finished)
    assert not {"torch", "numba", "scipy", "SimpleITK"} & set(finished.content["loaded"])


def test_jobs_run_in_turn_in_one_process_in_folders_of_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "Köpfe der Übung 頭"
    with worker(environment=acting(folder, ECHO)) as client:
        jobs = [RegisterJob(folder=folder / f"Nummer {number}") for number in range(3)]
        assert client.idle
        for job in jobs:
            client.submit(job)
        assert client.busy and client.running == jobs[0]
        messages = heard(client)
        assert client.idle
        told = [(type(m), m.job) for m in messages if isinstance(m, Started | Finished)]
        assert told == [(form, job.id) for job in jobs for form in (Started, Finished)]
        contents = [message.content for message in of(Finished, messages)]  # type: ignore[attr-defined]
        assert {content["pid"] for content in contents} == {client.pid}
        assert [content["folder"] for content in contents] == [str(job.folder) for job in jobs]
        assert all(isinstance(message, Heartbeat) for message in client.poll())


def test_what_libraries_print_and_read_does_not_touch_the_messages(tmp_path: Path) -> None:
    source = """
        import ctypes, os, subprocess, sys
        from DiffRegistrationLib.worker.messages import Progress
        def run(job, tell):
            print("printed")
            sys.__stdout__.write("through the old name\\n")
            sys.__stdout__.flush()
            os.write(1, b"{\\"message\\": \\"finished\\", \\"job\\": \\"\\", \\"content\\": {}}\\n\\xff\\xfe")
            subprocess.run([sys.executable, "-c", "print('from a child')"])
            if os.name == "posix":
                libc = ctypes.CDLL(None)
                libc.puts(b"from C")
                libc.fflush(None)
            tell(Progress(job.id, 0.5))
            return {"read": sys.stdin.read(), "read by a child": subprocess.run(
                [sys.executable, "-c", "import sys; print(len(sys.stdin.read()))"], capture_output=True, text=True
            ).stdout}
    """
    with worker(environment=acting(tmp_path, source)) as client:
        job = acted(tmp_path)
        client.submit(job)
        messages = heard(client)
        assert not of(Noise, messages)
        assert [m.job for m in of(Finished, messages)] == [job.id]  # type: ignore[attr-defined]
        (finished,) = of(Finished, messages)
        assert finished == Finished(job.id, {"read": "", "read by a child": "0\n"})


def test_cancelling_ends_the_tree_and_the_next_job_has_a_new_process(tmp_path: Path) -> None:
    with worker(environment=acting(tmp_path, WORKING)) as client:
        job, waiting = acted(tmp_path), acted(tmp_path)
        client.submit(job)
        client.submit(waiting)
        heard(client, is_progress)
        assert client.pid is not None
        processes = tree(client.pid)
        assert len(processes) == 3
        began = time.monotonic()
        client.cancel()
        took = time.monotonic() - began
        assert not alive(processes) and took < 2.0
        assert [m for m in heard(client) if isinstance(m, Ended)] == [Ended(job.id), Ended(waiting.id)]
        assert client.idle and client.pid is None
        client.submit(acted(tmp_path))
        heard(client, is_progress)
        assert client.pid is not None and client.pid != processes[0].pid
        processes = tree(client.pid)
    assert not alive(processes)


def test_cancelling_nothing_keeps_the_process(tmp_path: Path) -> None:
    with worker(environment=acting(tmp_path, ECHO)) as client:
        client.submit(acted(tmp_path))
        heard(client)
        before = client.pid
        client.cancel()
        assert client.pid == before and not of(Ended, client.poll())


@posix
@pytest.mark.parametrize("number", ["SIGKILL", "SIGTERM", "SIGSEGV"])
def test_a_worker_killed_from_outside_is_told_with_its_last_lines(tmp_path: Path, number: str) -> None:
    with worker(environment=acting(tmp_path, WORKING)) as client:
        job = acted(tmp_path)
        client.submit(job)
        heard(client, is_progress)
        assert client.pid is not None
        processes = tree(client.pid)
        processes[0].send_signal(signal.Signals[number])
        (crashed,) = of(Crashed, heard(client))
        assert isinstance(crashed, Crashed) and crashed.job == job.id
        assert crashed.lines[0] == "about to work" and crashed.returncode == -signal.Signals[number]
        words = {"SIGKILL": "someone else ended it", "SIGTERM": "by another program", "SIGSEGV": "compiled code"}
        assert words[number] in crashed.cause
        assert seconds_until_gone(processes) < 1
        client.submit(acted(tmp_path))
        heard(client, is_progress)
        assert client.pid != processes[0].pid


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("raise KeyError('pose')", ("KeyError: 'pose'", "report it")),
        ("import no_such_package.part", ("package no_such_package", "pip install no_such_package")),
        ("raise RuntimeError('CUDA error: no kernel image is available')", ("device for computing", "the CPU")),
        ("raise RuntimeError('CUDA out of memory. Tried to allocate 2 GiB')", ("memory of the GPU", "batch")),
        ("raise SystemExit(3)", ("SystemExit: 3",)),
        ("import os; os._exit(7)", ("without a word with exit code 7",)),
        pytest.param("import os; os.abort()", ("SIGABRT",), marks=posix),
    ],
)
def test_a_fault_is_told_with_its_cause(tmp_path: Path, source: str, words: tuple[str, ...]) -> None:
    with worker(environment=acting(tmp_path, f"def run(job, tell):\n    {source}")) as client:
        client.submit(acted(tmp_path))
        client.submit(acted(tmp_path))
        messages = of(Crashed, heard(client))
        # The one that waited is tried in a process of its own.
        assert len(messages) == 2
        for crashed in messages:
            assert isinstance(crashed, Crashed)
            for word in words:
                assert word in crashed.cause, crashed
            if "KeyError" in source:
                assert any("acted_job.py" in line for line in crashed.lines) and crashed.returncode == 1


@pytest.mark.parametrize(
    ("source", "subject", "words"),
    [
        ("raise InputError('x-ray.png', 'is blank', 'Give another.')", "x-ray.png", ("is blank", "Give another.")),
        ("raise MemoryError", "memory", ("not enough", "smaller")),
        ("bytearray(10**17)", "memory", ("not enough", "smaller")),
        ("raise OSError(errno.ENOSPC, 'No space left on device', 'a.pt')", "a.pt", ("No space left", "room")),
        ("open('/no/such/file')", "/no/such/file", ("No such file", "Check the path")),
    ],
)
def test_what_nobody_could_program_away_is_refused_and_the_worker_lives_on(
    tmp_path: Path, source: str, subject: str, words: tuple[str, ...]
) -> None:
    code = f"import errno\nfrom DiffRegistrationLib.xray.errors import InputError\ndef run(job, tell):\n    {source}"
    with worker(environment=acting(tmp_path, code)) as client:
        pids = []
        for _ in range(2):
            job = acted(tmp_path)
            client.submit(job)
            (refused,) = of(Refused, heard(client))
            assert isinstance(refused, Refused) and (refused.job, refused.subject) == (job.id, subject)
            for word in words:
                assert word in str(refused.as_error())
            pids.append(client.pid)
        assert pids[0] == pids[1]


@posix
@pytest.mark.slow
def test_a_silent_worker_is_noticed_and_ended(tmp_path: Path) -> None:
    with worker(environment=acting(tmp_path, WORKING), silence_seconds=2.0) as client:
        client.submit(acted(tmp_path))
        heard(client, is_progress)
        assert client.pid is not None
        processes = tree(client.pid)
        # It is not taken for silent as long as it says that it lives.
        lively = time.monotonic()
        while time.monotonic() < lively + 3:
            assert not of(Crashed, client.poll())
            time.sleep(0.05)
        os.kill(client.pid, signal.SIGSTOP)
        began = time.monotonic()
        (crashed,) = of(Crashed, heard(client))
        assert 1.0 < time.monotonic() - began < 7.0
        assert isinstance(crashed, Crashed) and "no sign of life for 2 s" in crashed.cause
        assert not alive(processes)


@posix
@pytest.mark.slow
def test_a_client_that_looked_away_does_not_blame_the_worker(tmp_path: Path) -> None:
    with worker(environment=acting(tmp_path, WORKING), silence_seconds=3.0) as client:
        client.submit(acted(tmp_path))
        heard(client, is_progress)
        assert client.pid is not None
        # As if the whole machine had slept.
        os.kill(client.pid, signal.SIGSTOP)
        client.poll()
        time.sleep(3.3)
        assert not of(Crashed, client.poll())
        os.kill(client.pid, signal.SIGCONT)
        heard(client, lambda message: isinstance(message, Heartbeat))


PARENT = """
import sys, time
from pathlib import Path
from DiffRegistrationLib.worker.client import WorkerClient
from DiffRegistrationLib.worker.job import RegisterJob
from DiffRegistrationLib.worker.messages import Progress
client = WorkerClient(sys.executable)
client.submit(RegisterJob(folder=Path(sys.argv[1])))
while not any(isinstance(message, Progress) for message in client.poll()):
    time.sleep(0.01)
print(client.pid, flush=True)
time.sleep(600)
"""


def test_a_parent_that_is_gone_takes_the_worker_and_its_children_with_it(tmp_path: Path) -> None:
    environment = acting(tmp_path, WORKING)
    environment["PYTHONPATH"] += os.pathsep + str(ENGINE)
    command = [sys.executable, "-c", PARENT, str(acted(tmp_path).folder)]
    parent = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    processes = tree(int(parent.stdout.readline()))
    assert len(processes) == 3
    parent.kill()
    parent.wait()
    assert seconds_until_gone(processes) < 3


def run_by_hand(environment: dict[str, str], *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "DiffRegistrationLib.worker", *options],
        env={**environment, "PYTHONPATH": os.pathsep.join([environment["PYTHONPATH"], str(ENGINE)])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def wait_for(process: subprocess.Popen[str], form: type[Message]) -> Message:
    assert process.stdout is not None
    for line in process.stdout:
        if isinstance(message := message_from_line(line), form):
            return message
    raise AssertionError("it ended")


@pytest.mark.parametrize("way", ["stdin", "parent"])
def test_the_end_of_stdin_or_of_the_parent_ends_it_in_the_midst_of_a_job(tmp_path: Path, way: str) -> None:
    parent = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    with run_by_hand(acting(tmp_path, WORKING), "--parent", str(parent.pid)) as process:
        assert process.stdin is not None
        process.stdin.write(json.dumps(acted(tmp_path).to_dict()) + "\n")
        process.stdin.flush()
        wait_for(process, Progress)
        processes = tree(process.pid)
        if way == "stdin":
            process.stdin.close()
        else:
            # Dead and not buried, which is as good as gone.
            parent.kill()
        assert seconds_until_gone(processes) < 3
        assert process.wait(5) == 0
    parent.kill()
    parent.wait()


def test_lines_that_are_no_jobs_are_refused_one_by_one(tmp_path: Path) -> None:
    with run_by_hand(acting(tmp_path, ECHO)) as process:
        assert process.stdin is not None
        for line in ("no job\n", "\n", '{"kind": "cook"}\n', "[" * 5000 + "\n", json.dumps({"kind": "train"}) + "\n"):
            process.stdin.write(line)
        process.stdin.write(json.dumps(acted(tmp_path).to_dict()) + "\n")
        process.stdin.flush()
        problems = [wait_for(process, Refused) for _ in range(4)]
        assert all(isinstance(refused, Refused) and refused.job == "" for refused in problems)
        assert isinstance(wait_for(process, Finished), Finished)


def test_a_worker_that_died_at_rest_is_replaced_without_a_word(tmp_path: Path) -> None:
    with worker(environment=acting(tmp_path, ECHO)) as client:
        client.submit(acted(tmp_path))
        heard(client)
        first = client.pid
        assert first is not None
        psutil.Process(first).kill()
        time.sleep(0.3)
        client.submit(acted(tmp_path))
        messages = heard(client)
        assert of(Finished, messages) and not of(Crashed, messages) and client.pid != first


def test_a_python_that_is_not_there_is_told_and_does_not_raise(tmp_path: Path) -> None:
    from DiffRegistrationLib.worker.client import WorkerClient

    client = WorkerClient(tmp_path / "no python")
    client.submit(acted(tmp_path))
    assert client.busy
    (crashed,) = heard(client)
    assert isinstance(crashed, Crashed) and "no python" in crashed.subject and "cannot be started" in crashed.problem


def test_a_python_without_the_package_is_told(tmp_path: Path) -> None:
    environment = acting(tmp_path, "")
    stranger = tmp_path / "acting" / "sitecustomize.py"
    stranger.write_text("import sys\nsys.modules['psutil'] = None")
    with worker(environment=environment) as client:
        client.submit(acted(tmp_path))
        (crashed,) = of(Crashed, heard(client))
        assert isinstance(crashed, Crashed) and "psutil" in crashed.cause


@posix
def test_slicers_python_comes_first_and_without_its_launcher_where_it_can(tmp_path: Path) -> None:
    assert worker_python({"PATH": str(tmp_path)}) == sys.executable
    launcher, real = tmp_path / "PythonSlicer", tmp_path / "python-real"
    for path in (launcher, real):
        path.touch(mode=0o755)
    assert worker_python({"PATH": str(tmp_path)}) == str(launcher)
    assert worker_python({"PATH": str(tmp_path), "PYTHONHOME": "/slicer"}) == str(real)
    real.unlink()
    assert worker_python({"PATH": str(tmp_path), "PYTHONHOME": "/slicer"}) == str(launcher)
