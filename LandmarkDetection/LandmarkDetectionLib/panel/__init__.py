"""The window of the module SkullLandmarkDetection, one file a section, each with a Designer file in Resources/UI.

Made as DiffRegistrationLib.panel is, and of its parts: sections know the session and nothing of each other.
"""
