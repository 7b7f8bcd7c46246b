"""The modules `slicer.packaging` and `PyTorchUtils`: nothing is installed; a test says what comes of it."""

# Names are Slicer's own.
# ruff: noqa: N802

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from packaging.requirements import Requirement

from .recorded_names import recorded
from .scripted_module import ScriptedLoadableModuleLogic
from .session import current


def load_requirements(path: str | Path) -> list[Requirement]:
    """The requirements of a file, without comments and empty lines."""
    lines = (line.split("#")[0].strip() for line in Path(path).read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line]


def _come_to(outcome: str, what: str) -> None:
    if outcome == "declined":
        raise RuntimeError(f"The user declined to install {what}")
    if outcome == "failed":
        raise subprocess.CalledProcessError(1, ["pip", "install", what], output="no such package (stand-in)")
    assert outcome == "installed", f"unknown outcome '{outcome}'"


def pip_ensure(
    requirements: Any,
    constraints: Any = None,
    skip_packages: list[str] | None = None,
    prompt_install: bool = True,
    prompt_restart: bool = True,
    requester: str | None = None,
    skip_in_testing: bool = True,
    show_progress: bool = True,
) -> list[str] | None:
    """Note what was asked for. RuntimeError if declined, CalledProcessError if failed; nothing with --testing."""
    wanted = requirements if isinstance(requirements, list) else [requirements]
    names = [str(one if isinstance(one, Requirement) else Requirement(one)) for one in wanted]
    current().packages.asked.append({"requirements": names, "requester": requester, "prompt_install": prompt_install})
    if not (current().testing and skip_in_testing):
        _come_to(current().packages.outcome, ", ".join(names))
    return None


def pip_install(
    requirements: str | list[str],
    constraints: Any = None,
    no_deps_requirements: Any = None,
    skip_packages: list[str] | None = None,
    blocking: bool = True,
    show_progress: bool = True,
    requester: str | None = None,
    logCallback: Callable[[str], None] | None = None,
    completedCallback: Callable[[int], None] | None = None,
) -> None:
    """As pip_ensure, without asking the user; always at once."""
    names = requirements.split() if isinstance(requirements, str) else [str(one) for one in requirements]
    current().packages.asked.append({"requirements": names, "requester": requester})
    _come_to(current().packages.outcome, ", ".join(names))
    if completedCallback is not None:
        completedCallback(0)


def pip_check(req: Any, _seen: Any = None) -> bool:
    """Whether everything is there: so if the outcome is 'installed'."""
    return current().packages.outcome == "installed"


class PyTorchUtilsLogic(ScriptedLoadableModuleLogic):
    """The logic of the PyTorch extension; torch itself is that of the environment."""

    def __init__(self) -> None:
        super().__init__()
        self._torch: Any = None

    @staticmethod
    def torchInstalled() -> bool:
        return current().torch.installed

    @property
    def torch(self) -> Any:
        if self._torch is None:
            self._torch = self.importTorch()
        return self._torch

    def importTorch(self) -> Any:
        if not self.torchInstalled():
            return self.installTorch()
        import torch

        return torch

    def installTorch(
        self,
        askConfirmation: bool = False,
        forceComputationBackend: str | None = None,
        torchVersionRequirement: str | None = None,
    ) -> Any:
        """torch, or None if the user said no (only asked with askConfirmation). CalledProcessError if it failed."""
        asked = {
            "askConfirmation": askConfirmation,
            "forceComputationBackend": forceComputationBackend,
            "torchVersionRequirement": torchVersionRequirement,
        }
        current().torch.asked.append(asked)
        if current().torch.outcome == "declined":
            return None
        _come_to(current().torch.outcome, "torch")
        current().torch.installed = True
        return self.importTorch()

    def uninstallTorch(self, askConfirmation: bool = False, forceComputationBackend: str | None = None) -> None:
        current().torch.installed = False

    @staticmethod
    def getCompatibleComputationBackends(
        forceComputationBackend: str | None = None, torchVersionRequirement: str | None = None
    ) -> list[str]:
        return ["cpu"]

    @property
    def torchVersionInformation(self) -> str:
        return f"installed version {self.torch.__version__}" if self.torchInstalled() else "not installed"

    @property
    def nvidiaDriverVersionInformation(self) -> str:
        return ""

    def getDevice(self) -> Any:
        return self.torch.device("cuda") if self.torch.cuda.is_available() else "cpu"

    @property
    def cuda(self) -> bool:
        return self.getDevice() != "cpu"


def make_modules() -> dict[str, ModuleType]:
    """The two modules, by name."""
    packaging = ModuleType("slicer.packaging", "Packages that nobody installs: a stand-in")
    packaging.__dict__.update(
        load_requirements=load_requirements,
        pip_ensure=pip_ensure,
        pip_install=pip_install,
        pip_check=pip_check,
        isPipInstallInProgress=lambda: False,
    )

    def refuse(name: str) -> Any:
        known = name in recorded()["python"]["slicer.packaging"]
        raise AttributeError(
            f"slicer.packaging.{name} is in Slicer; the stand-in does not offer it"
            if known
            else f"module 'slicer.packaging' has no attribute '{name}'"
        )

    packaging.__dict__["__getattr__"] = refuse
    torch = ModuleType("PyTorchUtils", "The PyTorch extension: a stand-in")
    torch.__dict__["PyTorchUtilsLogic"] = PyTorchUtilsLogic
    return {packaging.__name__: packaging, torch.__name__: torch}
