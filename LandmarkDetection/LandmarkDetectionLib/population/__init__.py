"""Heads that nobody has: deformed from known ones with their landmarks; views of them, and data sets of both."""
