"""The heads that a training is given: one CT's, those of a folder, or the templates; and the templates' CTs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.ct_files import read_ct

from ..atlas.head import Head, phantom_head, template_head
from ..atlas.landmark_files import read_landmarks
from ..population.head_folder import heads_of_folder, landmarks_beside

# Computed heads that a population is made from beside the template.
_VARIANTS, _PHANTOM_MM = tuple(range(8)), 1.5


def heads_to_train_on(
    path: Path | None, landmarks: Path | None, *, is_population: bool, say: Callable[[str], None]
) -> list[Head]:
    """Heads with landmarks: of the CT at `path`, of a folder of CTs for a population, or the template's and computed
    ones where `path` is None.

    InputError where landmarks are missing, and says how to make them.
    """
    if path is None:
        if not is_population:
            raise InputError("CT", "none was given", "Give the patient's CT, or --population for heads in general.")
        template = template_head()
        others = [phantom_head(_PHANTOM_MM, variant) for variant in _VARIANTS]
        say(f"Heads are made from {template.name} and {len(others)} computed ones")
        if template.name.startswith("phantom"):
            return others
        # Half of all heads come from the real one.
        return [head for other in others for head in (template, other)]
    if is_population and landmarks is None:
        return heads_of_folder(path, tell=say)
    file = landmarks or landmarks_beside(path)
    if not file.is_file():
        raise InputError(
            path,
            f"has no landmarks beside it ({file.name})",
            f"Carry them over: fluororeg landmarks transfer {path} --out {file}",
        )
    return [Head("patient", read_ct(path), read_landmarks(file))]


def template_cts(say: Callable[[str], None]) -> list[CT]:
    """The CTs of the heads that there are without any CT given, each once."""
    heads = heads_to_train_on(None, None, is_population=True, say=say)
    # The real template comes up once for every computed one.
    return list({id(head.ct): head.ct for head in heads}.values())
