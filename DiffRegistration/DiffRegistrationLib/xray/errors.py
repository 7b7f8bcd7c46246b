"""The one error that bad input raises: what is wrong, with what, and what to do about it."""

from __future__ import annotations

import errno
import shutil


class InputError(ValueError):
    """Input that cannot be used as it is.

    The message reads "<subject>: <problem>. <remedy>": the subject names the file, tag or value, the problem says what
    was found and what was expected, the remedy says what the user can do.
    """

    def __init__(self, subject: object, problem: str, remedy: str) -> None:
        self.subject = str(subject)
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{self.subject}: {problem.rstrip('.')}. {remedy}")


# What no programmer could mend: bad input, and a full disk, a file that may not be opened, a lack of memory.
UNUSABLE = (InputError, OSError, MemoryError)

DISK_REMEDY = "Make room on the disk, or choose another folder."
MEMORY_REMEDY = "Use a smaller image or CT, a smaller batch or size of the network, or close other programs."


def as_input_error(error: InputError | OSError | MemoryError) -> InputError:
    """The same in the words of an InputError."""
    if isinstance(error, InputError):
        return error
    if isinstance(error, MemoryError):
        return InputError("memory", "there is not enough of it for this", MEMORY_REMEDY)
    subject, said = str(error.filename or "a file"), str(error.strerror or error)
    # Copying a folder gives all that went wrong as a list in its only argument.
    several = error.args[0] if isinstance(error, shutil.Error) and error.args else None
    if isinstance(several, list) and several:
        said = str(several[0][-1])
    if error.errno == errno.ENOSPC:
        return InputError(subject, f"cannot be written: {said}", DISK_REMEDY)
    remedy = "Check the path, the right to read and write there, and the space left on the disk."
    return InputError(subject, f"cannot be used: {said}", remedy)
