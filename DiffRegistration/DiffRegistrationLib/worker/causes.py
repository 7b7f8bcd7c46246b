"""Why a worker died or gave up, as far as its last words and its exit code tell, in words for a person."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence

from ..xray.errors import DISK_REMEDY, MEMORY_REMEDY, InputError, as_input_error

_BEGIN_AGAIN = "Start it again."

# As shells and Windows tell of signals and of faults that Python calls by a signal's negative number.
_SHELL_SIGNAL = 128
_WINDOWS_FAULTS = {0xC0000005: "SIGSEGV", 0xC00000FD: "SIGSEGV", 0xC000001D: "SIGILL", 0xC0000409: "SIGABRT"}
_WINDOWS_NO_MEMORY, _WINDOWS_NO_LIBRARY, _WINDOWS_CONTROL_C = 0xC0000017, 0xC0000135, 0xC000013A
_FROM_OUTSIDE = ("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT")
_EXCEPTION = re.compile(r"^(?:\w+\.)*\w*(?:Error|Exception|Exit|Interrupt)\b")


def likely_cause(lines: Sequence[str], returncode: int | None) -> InputError:
    """Why a worker died that left these last `lines` on stderr and this exit code (None: unknown)."""
    text = "\n".join(lines[_start_of_last_error(lines) :])
    # What is ended from outside has not said why; what it did say are mere warnings.
    from_outside = _signalled(returncode) if _signal_name(returncode) in _FROM_OUTSIDE else None
    return from_outside or _said(text) or _signalled(returncode) or _last_words(lines, returncode)


def _start_of_last_error(lines: Sequence[str]) -> int:
    """Where the last traceback begins; what libraries said before it caused nothing."""
    starts = [number for number, line in enumerate(lines) if line.startswith("Traceback (most recent call last)")]
    return starts[-1] if starts else 0


def _said(text: str) -> InputError | None:
    """A cause that the words name."""
    if re.search(r"CUDA out of memory|CUDA error: out of memory|HIP out of memory|MPS backend out of memory", text):
        remedy = "Lower the batch or size of the network, close other programs that use the GPU, or use the CPU."
        return InputError("memory of the GPU", "there is not enough of it for this", remedy)
    if re.search(
        r"^(\w+\.)*_?(Array)?MemoryError\b|std::bad_alloc|(can't|cannot|not enough memory: you tried to) allocate",
        text,
        re.M,
    ):
        return as_input_error(MemoryError())
    if missing := re.search(r"ModuleNotFoundError: No module named '([^']+)'", text):
        name = missing[1].partition(".")[0]
        return InputError(
            f"package {name}", "is not installed for this Python", f"Install it (pip install {name}), then try again."
        )
    if broken := re.search(
        r"^(?:ImportError|OSError): (.*(?:DLL load failed|shared object|dlopen|\[WinError 1).*)", text, re.M
    ):
        return InputError("an installed package", f"cannot be loaded: {broken[1]}", "Install that package again.")
    if device := re.search(
        r"^.*(Torch not compiled with CUDA enabled|Found no NVIDIA driver|NVIDIA driver on your system is too old|"
        r"No CUDA GPUs are available|no kernel image is available|invalid device ordinal|CUDA driver version|"
        r"CUDA error: [^\n]*|cuDNN error: [^\n]*|Cannot initialize CUDA)",
        text,
        re.M,
    ):
        remedy = "Choose the CPU or automatic as device, or install a build of torch that fits the GPU and its driver."
        return InputError("the device for computing", f"cannot be used: {device[1]}", remedy)
    if re.search(r"No space left on device|\[Errno 28\]|There is not enough space on the disk|\[WinError 112\]", text):
        return InputError("the disk", "is full", DISK_REMEDY)
    return None


def _signalled(returncode: int | None) -> InputError | None:
    """A cause that the exit code names."""
    if returncode == _WINDOWS_NO_MEMORY:
        return as_input_error(MemoryError())
    if returncode == _WINDOWS_NO_LIBRARY:
        return InputError("an installed package", "lacks a library that it needs", "Install the packages again.")
    name = _signal_name(returncode)
    if name == "SIGKILL":
        return InputError(
            "memory",
            "the system ended the computation at once, as it does when memory runs out, or someone else ended it",
            f"If nobody did: {MEMORY_REMEDY[0].lower()}{MEMORY_REMEDY[1:]}",
        )
    if name in _FROM_OUTSIDE or returncode == _WINDOWS_CONTROL_C:
        return InputError("the computation", "was ended by another program or by the system", _BEGIN_AGAIN)
    if name == "SIGILL":
        return InputError(
            "the processor", "lacks an instruction that an installed package uses", "Install a build for older CPUs."
        )
    if name == "SIGBUS":
        return InputError("the disk or the memory", "ran out while a file was in use", DISK_REMEDY)
    if name:
        return InputError(
            "an installed package",
            f"failed in its compiled code ({name})",
            "Try again, on the CPU if it was on a GPU; if it fails again, report it with the last lines.",
        )
    return None


def _signal_name(returncode: int | None) -> str:
    if returncode is None:
        return ""
    code = returncode & 0xFFFFFFFF
    if code in _WINDOWS_FAULTS:
        return _WINDOWS_FAULTS[code]
    number = -returncode if returncode < 0 else returncode - _SHELL_SIGNAL
    try:
        return signal.Signals(number).name
    except ValueError:
        return ""


def _last_words(lines: Sequence[str], returncode: int | None) -> InputError:
    said = [line.strip() for line in lines if line.strip()]
    errors = [line for line in said if _EXCEPTION.match(line)]
    report = "Try again; if it fails again, report it with the last lines."
    if errors:
        return InputError("the computation", f"failed: {errors[-1]}", report)
    code = "" if returncode is None else f" with exit code {returncode}"
    if said:
        return InputError("the computation", f"ended{code}; its last words: {said[-1]}", report)
    if returncode in (0, 1):
        # Without a word: what the task manager of Windows does, and a launcher that passes an end on.
        return InputError(
            "the computation", f"ended without a word{code}, as if another program ended it", _BEGIN_AGAIN
        )
    return InputError("the computation", f"ended without a word{code}", report)
