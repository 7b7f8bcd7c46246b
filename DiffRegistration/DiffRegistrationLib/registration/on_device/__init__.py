"""The solver on a GPU: all candidates of a level together, and nothing fetched before the level ends."""
