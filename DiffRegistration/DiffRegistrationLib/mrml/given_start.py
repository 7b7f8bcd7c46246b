"""Where a registration or tracking begins, as a script or a window names it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from ..registration.starts import START_NAMES
from ..xray.files.rigid_values import rigid_from_file
from .ct_node import world_from_ct

# Where the CT lies now, as a start beside those of `registration.starts`.
CURRENT = "current"

# A name, a file, or a pose (4×4 world_from_ct, RAS mm).
GivenStart = str | Path | ArrayLike


def start_of_job(start: GivenStart, ct_node: Any) -> str | tuple[tuple[float, ...], ...]:
    """A start as a job takes it. InputError for a pose that is not rigid."""
    if isinstance(start, str | Path) and str(start) != CURRENT:
        path = Path(start).expanduser()
        # The worker may have begun in another folder.
        return str(path.absolute()) if str(start) not in START_NAMES and path.exists() else str(start)
    pose = world_from_ct(ct_node) if isinstance(start, str | Path) else rigid_from_file("start", "the pose", start)
    return tuple(tuple(float(x) for x in row) for row in pose)
