"""Both modules' self-tests in a running Slicer, and what they need: `Slicer … --python-script THIS_FILE STEP`.

STEP is `extension` (installs the extension PyTorch; Slicer has to start again after it), `packages` (installs Python
packages and PyTorch, by the module itself) or `tests`. Slicer's exit code does not always tell what became of a
script, so a step that succeeded ends with a line that says so.
"""

import sys
import traceback

import slicer

MODULES = ("DiffRegistration", "SkullLandmarkDetection")


def extension():
    """Install the extension PyTorch from Slicer's server, with no window that asks."""
    manager = slicer.app.extensionsManagerModel()
    manager.interactive = False
    if not manager.installExtensionFromServer("PyTorch", False):
        raise RuntimeError("the extension PyTorch could not be installed")


def packages():
    """Install Python packages as the modules' button does, with no question."""
    slicer.util.getModuleLogic("DiffRegistration").installRequirements(network=True, interactive=False)


def tests():
    """Run all self-tests; a test that is skipped for lack of packages is a failure here."""
    import torch

    print("PyTorch", torch.__version__, flush=True)
    for module in MODULES:
        if slicer.util.getModuleLogic(module).packagesMissing():
            raise RuntimeError(f"{module} lacks packages")
        slicer.util.selectModule(module)
        slicer.selfTests[module]()
        print("Self-test of", module, "passed", flush=True)


step = sys.argv[-1]
try:
    {"extension": extension, "packages": packages, "tests": tests}[step]()
    print("STEP SUCCEEDED:", step, flush=True)
    slicer.util.exit(0)
except Exception:
    traceback.print_exc()
    sys.stderr.flush()
    slicer.util.exit(1)
