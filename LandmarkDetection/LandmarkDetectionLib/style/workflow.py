"""A translation from a folder of X-rays to a file: what the command, the Slicer logic and scripts all call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from DiffRegistrationLib.pose_network.ct_fingerprint import ct_fingerprint
from DiffRegistrationLib.training.kept_training import Saving, state_to_go_on_from, told_of_training
from DiffRegistrationLib.training.training_device import training_device
from DiffRegistrationLib.training.training_loop import Budget, Progress, train_within
from DiffRegistrationLib.training.training_state import TrainingState
from DiffRegistrationLib.training.workflow import check_model_path, check_time, memory_errors_explained
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.errors import InputError

from ..population.view_ranges import ViewRanges
from .drr_looks import DrrLooks
from .generator import STRIDE
from .preview import write_preview
from .trainer import StyleRecipe, StyleTrainer
from .translation_file import write_translation
from .translators import METHODS
from .validation import StyleValidation
from .xray_folder import XrayLooks

_SMALLEST = 64


@dataclass(frozen=True)
class StyleTrainingResult:
    """What came out: the translation's file, the picture of what it does, and where the training ended."""

    model: Path
    preview: Path
    progress: Progress[StyleValidation]
    stopped: bool


def train_style(
    xrays: XrayLooks,
    cts: Sequence[CT],
    model: Path,
    *,
    views: ViewRanges,
    budget: Budget,
    recipe: StyleRecipe | None = None,
    seed: int = 0,
    device: str = "auto",
    tell: Callable[[Progress[StyleValidation]], None] = lambda _: None,
    say: Callable[[str], None] = lambda _: None,
    stopped: Callable[[], bool] = lambda: False,
) -> StyleTrainingResult:
    """Learn to translate `xrays` to the look of rendered images of `cts`, seen from `views`.

    Written are `model`, beside it what is needed to go on, and MODEL.preview.png, anew whenever it is saved. A file
    that exists is gone on with if it is of the same X-rays, CTs, views, recipe and seed, else InputError; as for a
    budget of no time, an unknown method, a size that cannot be and a lack of memory.
    """
    recipe = recipe or StyleRecipe()
    check_time(budget)
    check_model_path(model)
    if recipe.method not in METHODS:
        raise InputError(f"method {recipe.method!r}", "is not known", f"Use one of {', '.join(METHODS)}.")
    if recipe.size % STRIDE or recipe.size < _SMALLEST:
        raise InputError(
            "size", f"is {recipe.size}", f"Give a multiple of {STRIDE}, {_SMALLEST} or more; 128 to 192 are usual."
        )
    place = training_device(device)
    identity = _identity(xrays, cts, views, recipe, seed)
    state = state_to_go_on_from(model, identity, StyleValidation, say)
    preview = model.with_suffix(".preview.png")
    with memory_errors_explained(recipe.batch, recipe.size):
        say("Rendering what X-rays are to look like…")
        drrs = DrrLooks(cts, views, recipe.size, seed)
        trainer = StyleTrainer(xrays, drrs, recipe, state, seed=seed, device=place)

        def write(state: TrainingState[StyleValidation]) -> None:
            about = {"method": recipe.method, "views": views.name, "xray_images": len(xrays.xrays)}
            about |= told_of_training(recipe, seed, state)
            write_translation(model, trainer.to_drr, trainer.to_xray, recipe.size, about)
            write_preview(preview, trainer.to_drr, trainer.judged_by.to(place), trainer.beside.to(place))

        save = Saving(model, write, say)
        say(f"What it does is shown as it learns: {preview}")
        progress = train_within(trainer, budget, save=save, tell=tell, stopped=stopped)
    save.check()
    return StyleTrainingResult(model, preview, progress, progress.part < 1)


def _identity(
    xrays: XrayLooks, cts: Sequence[CT], views: ViewRanges, recipe: StyleRecipe, seed: int
) -> Mapping[str, Any]:
    """What makes two trainings the same. Of X-rays a digest of their pixels, which tells nothing of a patient."""
    digest = sha256()
    for xray in xrays.xrays:
        digest.update(xray.attenuation.tobytes())
    return {
        "X-rays": f"{len(xrays.xrays)} images, {digest.hexdigest()[:16]}",
        "CTs": [ct_fingerprint(ct) for ct in cts],
        "views": dict(views.content),
        "recipe": asdict(recipe),
        "seed": seed,
    }
