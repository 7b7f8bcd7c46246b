"""Simulated X-rays from physics that the solver does not know: the test of everything that is claimed."""
