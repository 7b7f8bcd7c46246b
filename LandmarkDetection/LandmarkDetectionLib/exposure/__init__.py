"""What the beam shone on: which part of the head, from how far, for how long. Geometry, not dose."""
