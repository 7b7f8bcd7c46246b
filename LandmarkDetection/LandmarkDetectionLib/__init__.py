"""Skull landmarks on X-rays; builds on `DiffRegistrationLib.xray` and `DiffRegistrationLib.registration`."""
