"""Numbers and the engine as the window says them."""

from __future__ import annotations

import importlib.util
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from importlib import metadata
from pathlib import Path

from slicer.i18n import tr as _

from ..xray.provenance import Provenance

# Readable on light and dark panels.
_KNOWN, _ASSUMED = "#808080", "#c77700"

# The engine names what can be given as options of its command, which nobody can give in a window.
_OPTIONS = (
    (re.compile(r"; --[a-z-]+\b|\s*\((?:--[a-z-]+,? ?)+(?:; [^)]*)?\)"), ""),
    (re.compile(r"--out\b"), "file for the network"),
    (re.compile(r"--sdd\b"), "SDD"),
    (re.compile(r"--sod\b"), "SOD"),
    (re.compile(r"--([a-z]+)\b"), r"\1"),
    (re.compile(r" with fluororeg train\b"), " under Train"),
)


def without_options(text: str) -> str:
    """A message of the engine without the names of its command's options."""
    for pattern, word in _OPTIONS:
        text = pattern.sub(word, text)
    return text


def as_table(lines: Iterable[Provenance]) -> str:
    """Quantities, values and origins as rich text, a row each; what was assumed stands out."""
    rows = (
        f"<tr><td><b>{escape(line.quantity)}</b></td><td>{escape(line.value)}<br>{_origin(line)}</td></tr>"
        for line in lines
    )
    return f'<table cellspacing="0" cellpadding="3">{"".join(rows)}</table>'


def _origin(line: Provenance) -> str:
    colour, word = (_ASSUMED, _("assumed: {origin}")) if line.assumed else (_KNOWN, "{origin}")
    return f'<span style="color: {colour}">{escape(word.format(origin=line.origin))}</span>'


def minutes_and_seconds(seconds: float) -> str:
    """Whole seconds below a minute, else minutes and seconds."""
    whole = max(0, round(seconds))
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"


@dataclass(frozen=True)
class EngineWords:
    """What a window says of the device: without PyTorch, on a GPU, on the CPU. The latter two end without a stop."""

    without_torch: str
    on_gpu: str
    on_cpu: str


def engine_in_words(words: EngineWords) -> str:
    """What networks will run on, told without importing torch, which takes seconds."""
    found = importlib.util.find_spec("torch")
    if found is None or found.origin is None:
        return words.without_torch
    version = Path(found.origin).with_name("version.py")
    text = version.read_text(encoding="utf-8") if version.is_file() else ""
    on_cuda = re.search(r"^cuda[^=]*=\s*['\"]([\d.]+)['\"]", text, re.MULTILINE)
    build = f"PyTorch {metadata.version('torch')}"
    if on_cuda:
        return f"{words.on_gpu} ({build}, CUDA {on_cuda[1]})."
    if shutil.which("nvidia-smi"):
        unused = _(
            "This machine seems to have a GPU, but {build} is a build without CUDA: to use it, install another build "
            "by the module PyTorch Utils."
        )
        return f"{words.on_cpu}. {unused.format(build=build)}"
    return f"{words.on_cpu} ({build})."
