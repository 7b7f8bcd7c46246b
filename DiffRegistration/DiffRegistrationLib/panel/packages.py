"""Packages that Slicer's Python lacks, installed at the moment of use, and what the engine runs on."""

from __future__ import annotations

import importlib.util
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory

from slicer.i18n import tr as _

from ..xray.errors import InputError

# The oldest torch that the networks were tested with.
_TORCH = ">=2.4"
# Packages that Slicer brings, and that must stay as they are.
_OF_SLICER = ("numpy", "SimpleITK", "pydicom")
_REMEDY = _("Connect to a network, or install them by hand in Slicer's Python console, then try again.")


def ensure_packages(requirements: Path, network: bool, interactive: bool, requester: str = "DiffRegistration") -> None:
    """Install what is missing of `requirements`, and PyTorch if a `network` is wanted; ask first when `interactive`.

    InputError, which says what to do, where the user declines or the installation fails.
    """
    from slicer.packaging import load_requirements, pip_check, pip_ensure

    wanted = load_requirements(requirements)
    if not pip_check(wanted):
        try:
            with TemporaryDirectory(prefix="fluororeg-") as folder:
                constraints = _as_they_are(Path(folder))
                pip_ensure(wanted, constraints=constraints, prompt_install=interactive, requester=requester)
        except Exception as error:  # pip's and Slicer's own kinds differ between versions
            raise InputError(_("Python packages"), _not_installed(error), _REMEDY) from error
    if network and importlib.util.find_spec("torch") is None:
        _install_torch(interactive)


def _as_they_are(folder: Path) -> Path:
    """A file that forbids pip to replace what Slicer itself is built on."""
    versions = {}
    for package in _OF_SLICER:
        with suppress(PackageNotFoundError):
            versions[package] = version(package)
    path = folder / "constraints.txt"
    path.write_text("".join(f"{package}=={number}\n" for package, number in versions.items()), encoding="utf-8")
    return path


def _install_torch(interactive: bool) -> None:
    try:
        from PyTorchUtils import PyTorchUtilsLogic
    except ImportError:
        raise InputError(
            "PyTorch",
            _("is not installed, and neither is Slicer's extension that installs it"),
            _("Install the extension PyTorch by Slicer's Extensions Manager and start Slicer again."),
        ) from None
    try:
        torch = PyTorchUtilsLogic().installTorch(askConfirmation=interactive, torchVersionRequirement=_TORCH)
    except Exception as error:
        raise InputError("PyTorch", _not_installed(error), _REMEDY) from error
    if torch is None:
        raise InputError("PyTorch", _("was not installed"), _("Registration without a network needs none of it."))


def _not_installed(error: Exception) -> str:
    if isinstance(error, RuntimeError):
        return _("were not installed, because that was declined")
    return f"{_('could not be installed')} ({type(error).__name__})"
