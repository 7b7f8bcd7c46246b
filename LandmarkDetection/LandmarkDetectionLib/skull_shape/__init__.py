"""The skull's surface: cut out of a CT, and carried from a template to a patient of whom only landmarks are known."""
