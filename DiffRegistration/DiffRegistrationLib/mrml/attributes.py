"""The names under which nodes carry what MRML has no field for. All of it is saved with the scene."""

from __future__ import annotations

import json
from typing import Any

PREFIX = "FluoroRegistration."

# On an X-ray: its camera (JSON), what the camera's world axes mean, every origin of its numbers (JSON), what its pixel
# values are, how the stored image was turned to fit the camera (JSON), and what its file said of the C-arm (JSON).
CAMERA = PREFIX + "Camera"
WORLD = PREFIX + "World"
PROVENANCE = PREFIX + "Provenance"
PIXELS = PREFIX + "Pixels"
LAYOUT = PREFIX + "Layout"
C_ARM = PREFIX + "CArm"
# The place of an X-ray among the views of a registration, from 1.
VIEW = PREFIX + "View"
# What a node that we made is for, so that selectors can leave it out.
ROLE = PREFIX + "Role"

# The session (digest of the frame of reference) in whose axes a localizer was taken.
SESSION = PREFIX + "Session"

# On a pose node: what a registration found.
RESULT_POSE = PREFIX + "ResultPose"
VERDICT = PREFIX + "Verdict"
REASON = PREFIX + "Reason"
SIMILARITY = PREFIX + "Similarity"
STD = PREFIX + "Std"
CENTRE = PREFIX + "Centre"
START = PREFIX + "Start"
SECONDS = PREFIX + "Seconds"
REPORT = PREFIX + "Report"
# On a frame of a tracking beside those: covariance (JSON), the smoothed pose (JSON), the views that were used (JSON).
COVARIANCE = PREFIX + "Covariance"
SMOOTHED = PREFIX + "Smoothed"
VIEWS_USED = PREFIX + "ViewsUsed"
# On the sequence of a CT's poses: which of its poses are shown, and the frames a second (JSON) where somebody said it.
SHOWN = PREFIX + "Shown"
FRAMES_PER_SECOND = PREFIX + "FramesPerSecond"
# On a CT: where it lay before (JSON).
POSE_HISTORY = PREFIX + "PoseHistory"

# References from an X-ray to the nodes that belong to it.
MASK = PREFIX + "Mask"
DETECTOR = PREFIX + "Detector"
BEAM = PREFIX + "Beam"
DRR = PREFIX + "DRR"
OVERLAY = PREFIX + "Overlay"
# From a view of a registration to itself, which tells it from its clones.
SELF = PREFIX + "Self"
# Back from such a node to the one that it belongs to, which tells it from that of a clone's original.
OWNER = PREFIX + "Owner"
# References from a CT to its pose node and to the sequence of its poses.
POSE = PREFIX + "Pose"
POSE_SEQUENCE = PREFIX + "PoseSequence"


def write_json(node: Any, name: str, content: Any) -> None:
    """Write an attribute of a node as JSON; None takes it away."""
    node.SetAttribute(name, None if content is None else json.dumps(content))


def read_json(node: Any, name: str) -> Any:
    """What `write_json` wrote, None where there is nothing."""
    text = node.GetAttribute(name)
    return None if text is None else json.loads(text)
