"""The engine's report on the frame that a study shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from DiffRegistrationLib.mrml.xray_sequence import index_values_of
from DiffRegistrationLib.pose_network.torch_needed import torch_needed
from DiffRegistrationLib.xray.errors import InputError
from slicer.i18n import tr as _

from ..mrml.planar_xray import take_frames_to_look_at
from ..mrml.study_node import index_value_of, run_of, shown_frame, xrays_of


def write_report(path: Path, study: Any, network: Path) -> None:
    """Write the report on the frame that is shown, found by the network in this file.

    Its X-rays are numbered: their names may name the patient. InputError where no X-ray of the frame has landmarks,
    for a network's file that cannot be read or that did not find them, and where torch is absent.
    """
    with torch_needed():
        from ..detection.landmark_report import write_landmark_report
        from ..detection.workflow import DetectedView
        from ..network.model_file import read_detector
    run, number = run_of(study), shown_frame(study)
    views = []
    for view, xray in enumerate(xrays_of(study)):
        found = run.at(number, view)
        if xray is None or found is None:
            continue
        value = index_value_of(xray, number)
        place = 0 if value is None else index_values_of(xray).index(value)
        (radiograph,) = take_frames_to_look_at(xray, [place])()
        name = _("View {number}").format(number=view + 1)
        if run.planar[view]:
            name += " " + _("(2D only: its geometry was assumed, so mm and depths mean nothing)")
        views.append(DetectedView(name, radiograph, found))
    if not views:
        raise InputError(
            study.GetName(),
            _("has no X-ray with landmarks in this frame"),
            _("Go to another frame, or find landmarks anew."),
        )
    trained = read_detector(network)
    if trained.words != run.model:
        raise InputError(
            network,
            _("is not what found these landmarks: it is a {this}, that was a {other}").format(
                this=trained.words, other=run.model
            ),
            _("Choose that network under Find landmarks."),
        )
    write_landmark_report(path, views, trained)
