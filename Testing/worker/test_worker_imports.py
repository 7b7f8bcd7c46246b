"""What each side loads: the side that asks must not make a window wait, and neither knows of Slicer."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from worker_runs import ENGINE

LOADING = """
import importlib, pkgutil, sys
for name in {absent!r}:
    sys.modules[name] = None
import DiffRegistrationLib.worker as worker
names = {names!r} or [module.name for module in pkgutil.iter_modules(worker.__path__)]
for name in names:
    importlib.import_module("DiffRegistrationLib.worker." + name)
loaded = [name for name in {heavy!r} if sys.modules.get(name)]
assert not loaded, loaded
"""


@pytest.mark.parametrize(
    ("names", "absent", "heavy"),
    [
        # All of it, where there is neither Slicer nor torch nor the command's packages.
        ((), ("slicer", "vtk", "qt", "ctk", "torch", "typer", "rich"), ()),
        (("client", "job", "job_files", "frames"), (), ("torch", "numba", "scipy", "SimpleITK", "pydicom", "gdcm")),
        (("__main__",), (), ("torch", "numba", "scipy", "SimpleITK", "numpy")),
    ],
)
def test_each_side_loads_only_what_it_needs(
    names: tuple[str, ...], absent: tuple[str, ...], heavy: tuple[str, ...]
) -> None:
    code = LOADING.format(names=names, absent=absent, heavy=heavy)
    environment = {**os.environ, "PYTHONPATH": str(ENGINE)}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
