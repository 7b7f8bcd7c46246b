"""Registers a folder of patients, one folder a patient, in 3D Slicer without a window or on slicer-core alone.

    Slicer --no-splash --no-main-window --python-script /abs/batch_register.py -- INPUT OUTPUT [--start NAME] [--again]
    python batch_register.py INPUT OUTPUT [--start NAME] [--again]

On a server without a screen put `xvfb-run` before the first. The `--` keeps Slicer from taking options for its own.

INPUT/PATIENT holds
    the CT      a folder `ct` of DICOM slices, or ct.nrrd (.nii.gz, .mha ...), or else the only volume file there is;
    X-rays      every file whose name begins with xray, in the order of their names; they share one pose;
    cameras     where the X-rays do not tell their geometry themselves: xray-ap.camera.json or camera-ap.json is that
                of xray-ap.png; with one X-ray and one camera any camera*.json will do.

OUTPUT/PATIENT gets pose.tfm, pose.h5, pose.json, drr-1.nrrd ..., result.json and report.html; OUTPUT/results.csv has
a line for each patient, also while the batch runs. A patient that cannot be registered is an error in the table and
never stops the rest. A second run does only what is not done, or was done from other files or another start.

Exit code: 0 if all patients were registered and no verdict is "failed", 1 if some were not, 2 for a wrong call.
"""

# Slicer reads this file in the system's own encoding: it is plain ASCII, and the words of users are in the engine.

import argparse
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

WELL, SOME_FAILED, WRONG_CALL = 0, 1, 2


def main(arguments: list[str]) -> int:
    """Run the batch; the exit code."""
    parser = argparse.ArgumentParser(prog="batch_register.py", description="Register a folder of patients.")
    parser.add_argument("input", type=Path, help="folder that holds one folder a patient")
    parser.add_argument("output", type=Path, help="folder for results.csv and one folder a patient")
    parser.add_argument("--start", default="auto", help="a start, or a pose or network file of each patient's folder")
    parser.add_argument("--again", action="store_true", help="register also what is done already")
    # Python gets the dashes that Slicer would have kept for itself.
    options = parser.parse_args(arguments[1:] if arguments[:1] == ["--"] else arguments)
    try:
        import slicer  # noqa: F401

        find_the_engine()
        from DiffRegistrationLib.mrml.batch import Batch
        from DiffRegistrationLib.mrml.registration_logic import RegistrationLogic
    except ModuleNotFoundError as error:
        say(f"Error: the package {error.name} is not installed. In Slicer, open the module DiffRegistration and press "
            "Install; in Python, pip install it.")  # fmt: skip
        return WRONG_CALL
    from DiffRegistrationLib.xray.errors import InputError

    with a_scene(), RegistrationLogic() as logic:
        try:
            batch = Batch(logic, options.input.absolute(), options.output.absolute(), start=options.start, say=say)
        except InputError as error:
            say(f"Error: {error}")
            return WRONG_CALL
        return WELL if batch.run(again=options.again) else SOME_FAILED


def say(text: str) -> None:
    """Write a line at once: Slicer's own stdout would keep it until much later."""
    stream = sys.__stdout__ or sys.stdout
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")
    print(text, file=stream, flush=True)


def find_the_engine() -> None:
    """Let DiffRegistrationLib be importable, from this checkout where no module or package brings it."""
    try:
        import DiffRegistrationLib  # noqa: F401
    except ModuleNotFoundError:
        sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "DiffRegistration"))


@contextlib.contextmanager
def a_scene() -> Iterator[None]:
    """The application's scene; slicer-core has no application, and gets one for the time being."""
    import slicer
    import slicer.util

    if getattr(slicer, "mrmlScene", None) is not None:
        yield
        return
    slicer.mrmlScene = slicer.vtkMRMLScene()
    colours = slicer.vtkMRMLColorLogic()
    colours.SetMRMLScene(slicer.mrmlScene)
    try:
        yield
    finally:
        colours.SetMRMLScene(None)
        slicer.mrmlScene = None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
