"""A network that knows one patient's CT and tells the pose of an X-ray of it: its form, its file and its use."""
