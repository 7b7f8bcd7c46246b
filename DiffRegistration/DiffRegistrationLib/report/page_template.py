"""Templates of pages that are one file and need nothing but a browser."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..xray.errors import InputError

if TYPE_CHECKING:
    import jinja2


def page_template(folder: Path, name: str, subject: object, extra: str = "report") -> jinja2.Template:
    """The template `name` in `folder`, which may include what all pages share from the folder of this file.

    InputError about `subject`, which names the `extra` to install, if jinja2 is missing.
    """
    try:
        import jinja2  # noqa: F401
    except ImportError as missing:
        raise InputError(
            subject, "the package jinja2 is not installed", f"Install it: pip install 'fluororegistration[{extra}]'."
        ) from missing
    return _environment(folder).get_template(name)


@cache
def _environment(folder: Path) -> jinja2.Environment:
    """Kept, because compiling a template takes as long as filling it in."""
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, Path(__file__).parent]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
