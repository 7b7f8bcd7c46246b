"""In which session of a scanner CTs and localizers were taken: only within one do their coordinates agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..xray.files.ct_files import frame_of_reference
from .attributes import SESSION
from .sequence_items import set_attribute


def note_session(node: Any, path: Path) -> None:
    """Have a CT or X-ray node tell the session of the file or folder that it was read from, if that tells any."""
    set_attribute(node, SESSION, frame_of_reference(path))


def session_of(node: Any) -> str | None:
    """The session that was noted, or that the file tells from which Slicer read the node; None for neither."""
    storage = node.GetStorageNode()
    if node.GetAttribute(SESSION) is not None or storage is None or not storage.GetFileName():
        return node.GetAttribute(SESSION)
    return frame_of_reference(storage.GetFullNameFromFileName())
