"""The names under which nodes of landmarks carry what MRML has no field for. All of it is saved with the scene."""

from __future__ import annotations

from DiffRegistrationLib.mrml.attributes import PREFIX

# What a node is for (the attribute ROLE), where `scene.belonging_to` does not say it by the reference.
STUDY_ROLE = "landmark-study"
CT_LANDMARKS_ROLE = "ct-landmarks"

# On a study: the number of the frame that its nodes show, and which points a person has switched off (JSON).
STUDY_FRAME = PREFIX + "StudyFrame"
SWITCHED_OFF = PREFIX + "LandmarksSwitchedOff"

# References from a study. Those that there is one of for each view have its number, from 1, at the end.
STUDY_XRAY = PREFIX + "StudyXray"
STUDY_CT = PREFIX + "StudyCT"
TABLE = PREFIX + "LandmarkTable"
POINTS_IN_SPACE = PREFIX + "LandmarksInSpace"
POINTS_IN_VIEW = PREFIX + "LandmarksInView"
ERRORS_IN_SPACE = PREFIX + "ErrorsInSpace"
ERRORS_IN_VIEW = PREFIX + "ErrorsInView"
RAYS = PREFIX + "LandmarkRays"
RESIDUALS = PREFIX + "LandmarkResiduals"
SKULL = PREFIX + "LandmarkSkull"

# References from a CT.
CT_LANDMARKS = PREFIX + "CTLandmarks"
EXPOSURE = PREFIX + "Exposure"
EXPOSURE_TABLE = PREFIX + "ExposureTable"
# From an X-ray to where a CT's landmarks fall in it.
CT_PROJECTION = PREFIX + "CTProjection"
