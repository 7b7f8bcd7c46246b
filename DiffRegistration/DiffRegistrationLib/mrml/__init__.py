"""Slicer's nodes to the engine's objects and back; beside the window the only package that imports slicer or vtk."""
