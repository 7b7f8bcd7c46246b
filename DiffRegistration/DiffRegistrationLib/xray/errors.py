"""The one error that bad input raises: what is wrong, with what, and what to do about it."""

from __future__ import annotations


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
