"""What a job that trains says as it goes on, and how it ends when asked to; the same whatever is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .job import Job
from .messages import Progress, Tell

if TYPE_CHECKING:
    from ..training import training_loop

V = TypeVar("V")


class TrainingTalk(Generic[V]):
    """The `tell`, `say` and `stopped` of a training, for a job; it begins with the words `preparing`.

    `error_in_words` tells of a validation how far off it is.
    """

    def __init__(self, job: Job, tell: Tell, error_in_words: Callable[[V], str], preparing: str) -> None:
        self._job, self._tell, self._error_in_words = job, tell, error_in_words
        self._last = Progress(job.id, 0.0, words=preparing)
        self._begun = False
        tell(self._last)

    def told(self, progress: training_loop.Progress[V]) -> None:
        """Say where the training is."""
        v: Any = progress.validation
        error = "" if v is None else f", off by {self._error_in_words(v)}"
        words = f"Step {progress.step}, loss {progress.loss:.2f}{error}; {progress.images_per_second:.0f} images/s"
        numbers = {
            "step": float(progress.step),
            "seconds": progress.seconds,
            "loss": progress.loss,
            "images_per_second": progress.images_per_second,
        }
        numbers |= {} if v is None else asdict(v)
        self._last = Progress(self._job.id, progress.part, progress.seconds_left, words, numbers)
        self._tell(self._last)

    def said(self, words: str) -> None:
        """Say something else; how far it is stays as it was."""
        self._tell(Progress(self._job.id, self._last.part, self._last.seconds_left, words, self._last.numbers))

    def stopped(self) -> bool:
        """Whether to end, asked before each step."""
        # A network of no steps at all would be none.
        begun, self._begun = self._begun, True
        return begun and self._job.is_asked_to_stop()
