"""Landmarks and what follows from them as nodes of Slicer; the only package here that imports slicer."""
