"""Why a worker died, from its last words and its exit code, in words for a person."""

from __future__ import annotations

import errno

import pytest
from DiffRegistrationLib.worker.causes import likely_cause
from DiffRegistrationLib.xray.errors import as_input_error

TRACEBACK = ["Traceback (most recent call last):", '  File "a.py", line 1, in <module>']
NO_DRIVER = "a.py:1: UserWarning: CUDA initialization: Found no NVIDIA driver on your system."


@pytest.mark.parametrize(
    ("lines", "returncode", "subject", "words"),
    [
        ([*TRACEBACK, "MemoryError"], 1, "memory", "not enough"),
        ([*TRACEBACK, "numpy._core._exceptions._ArrayMemoryError: Unable to allocate 9 TiB"], 1, "memory", "smaller"),
        (
            [*TRACEBACK, "RuntimeError: [enforce] DefaultCPUAllocator: can't allocate memory: you"],
            1,
            "memory",
            "smaller",
        ),
        (["terminate called after throwing an instance of 'std::bad_alloc'"], -6, "memory", "not enough"),
        ([], -9, "memory", "someone else ended it"),
        ([NO_DRIVER], -9, "memory", "as it does when memory runs out"),
        ([], 137, "memory", "as it does when memory runs out"),
        ([], 0xC0000017, "memory", "not enough"),
        ([*TRACEBACK, "torch.OutOfMemoryError: CUDA out of memory. Tried to"], 1, "memory of the GPU", "batch"),
        ([*TRACEBACK, "ModuleNotFoundError: No module named 'numba.core'"], 1, "package numba", "pip install numba"),
        ([*TRACEBACK, "ImportError: libcudart.so.12: cannot open shared object file"], 1, "package", "libcudart"),
        ([*TRACEBACK, "AssertionError: Torch not compiled with CUDA enabled"], 1, "device", "Torch not compiled"),
        ([*TRACEBACK, "RuntimeError: Found no NVIDIA driver on your system."], 1, "device", "the CPU"),
        ([*TRACEBACK, "RuntimeError: CUDA error: no kernel image is available"], 1, "device", "no kernel image"),
        ([*TRACEBACK, "OSError: [Errno 28] No space left on device: 'a'"], 1, "disk", "room"),
        ([], -15, "the computation", "by another program"),
        ([], -11, "package", "SIGSEGV"),
        ([], 139, "package", "SIGSEGV"),
        ([], 0xC0000005, "package", "SIGSEGV"),
        ([], -1073741819, "package", "SIGSEGV"),
        ([], -4, "processor", "instruction"),
        ([], 1, "the computation", "another program"),
        ([NO_DRIVER, *TRACEBACK, "KeyError: 'pose'"], 1, "the computation", "KeyError: 'pose'"),
        ([*TRACEBACK, "MemoryError", *TRACEBACK, "ValueError: later"], 1, "the computation", "ValueError: later"),
        (["python: can't open file", ""], 2, "the computation", "exit code 2; its last words: python: can't"),
        ([], None, "the computation", "without a word"),
    ],
)
def test_the_likely_cause_is_named(lines: list[str], returncode: int | None, subject: str, words: str) -> None:
    cause = likely_cause(lines, returncode)
    assert subject in cause.subject and words in str(cause)
    assert cause.problem and cause.remedy


def test_errors_that_are_no_fault_of_the_program_say_what_to_do() -> None:
    full = as_input_error(OSError(errno.ENOSPC, "No space left on device", "a.pt"))
    assert (full.subject, "No space left" in full.problem, "room" in full.remedy) == ("a.pt", True, True)
    assert "right to read" in as_input_error(PermissionError(errno.EACCES, "Permission denied", "b")).remedy
    assert as_input_error(MemoryError()).subject == "memory"
