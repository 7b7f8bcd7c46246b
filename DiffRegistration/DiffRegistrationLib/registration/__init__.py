"""From a CT and its X-ray views to a pose with a verdict."""
