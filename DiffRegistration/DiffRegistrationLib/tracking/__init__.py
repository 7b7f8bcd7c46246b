"""Bodies followed through frames: poses over time from any number of views, and the motion between bodies."""
