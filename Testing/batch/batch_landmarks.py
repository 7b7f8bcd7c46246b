"""Finds skull landmarks in the X-rays of a folder of patients, in 3D Slicer without a window or on slicer-core alone.

    Slicer --no-splash --no-main-window --python-script /abs/batch_landmarks.py -- INPUT NETWORK OUTPUT
    python batch_landmarks.py INPUT NETWORK OUTPUT

INPUT/PATIENT holds X-rays whose names begin with xray, in step; xray-ap.camera.json is the camera of xray-ap.png.
Where there is no geometry, landmarks are found in the image only. OUTPUT/PATIENT gets landmarks.csv (all frames) and,
where geometry is known, landmarks.mrk.json (points in space of the first frame). A patient that cannot be done never
stops the rest; one whose landmarks.csv is there already is left out.

Exit code: 0 if all were done, 1 if some were not, 2 for a wrong call.
"""

# Slicer reads this file in the system's own encoding: it is plain ASCII.

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from batch_register import SOME_FAILED, WELL, WRONG_CALL, a_scene, find_the_engine, say

TABLE, POINTS = "landmarks.csv", "landmarks.mrk.json"


def main(arguments: list[str]) -> int:
    """Run the batch; the exit code."""
    parser = argparse.ArgumentParser(prog="batch_landmarks.py", description="Find landmarks of a folder of patients.")
    parser.add_argument("input", type=Path, help="folder that holds one folder a patient")
    parser.add_argument("network", type=Path, help="network that finds landmarks (.pt)")
    parser.add_argument("output", type=Path, help="folder for one folder a patient")
    # Python gets the dashes that Slicer would have kept for itself.
    options = parser.parse_args(arguments[1:] if arguments[:1] == ["--"] else arguments)
    find_the_engine()
    sys.path.append(str(Path(__file__).resolve().parents[2] / "LandmarkDetection"))
    try:
        from LandmarkDetectionLib.mrml.landmark_logic import LandmarkLogic
    except ModuleNotFoundError as error:
        say(f"Error: the package {error.name} is not installed. Open the module and press Install, or pip install it.")
        return WRONG_CALL
    for given, kind in ((options.input, Path.is_dir), (options.network, Path.is_file)):
        if not kind(given):
            say(f"Error: {given} is not there. Give the folder of patients, and the file of a network.")
            return WRONG_CALL
    patients = sorted(path for path in options.input.iterdir() if path.is_dir())
    with a_scene(), LandmarkLogic() as logic:
        well = [treat(logic, patient, options.network, options.output / patient.name) for patient in patients]
    return WELL if all(well) else SOME_FAILED


def treat(logic, patient: Path, network: Path, output: Path) -> bool:
    """Find and write one patient's landmarks; whether that went well."""
    import slicer
    from DiffRegistrationLib.mrml.given_geometry import use_camera_file
    from DiffRegistrationLib.mrml.xray_sequence import add_xray_file
    from DiffRegistrationLib.xray.errors import InputError
    from LandmarkDetectionLib.mrml.landmark_study import run_of
    from LandmarkDetectionLib.mrml.landmark_table import write_csv
    from LandmarkDetectionLib.mrml.point_lists import write_point_list

    if (output / TABLE).exists():
        say(f"{patient.name}: done before")
        return True
    files = sorted(path for path in patient.glob("xray*") if path.suffix != ".json")
    try:
        if not files:
            raise InputError(patient, "holds no X-ray", "Call the X-rays xray.png, xray-lateral.dcm or the like.")
        nodes = []
        for number, file in enumerate(files, start=1):
            nodes.append(add_xray_file(file, name=f"X-ray {number}"))
            if (camera := file.with_suffix(".camera.json")).exists():
                use_camera_file(nodes[-1], camera)
        found = logic.detect(network, nodes)
        output.mkdir(parents=True, exist_ok=True)
        if not all(run_of(found.study).planar):
            write_point_list(output / POINTS, found.study)
        # Last, so that it tells that all is written.
        write_csv(output / TABLE, found.study)
    except (InputError, OSError) as error:
        say(f"{patient.name}: error: {error}")
        return False
    finally:
        slicer.mrmlScene.Clear()
    say(f"{patient.name}: done. {' '.join(found.words)}".rstrip())
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
