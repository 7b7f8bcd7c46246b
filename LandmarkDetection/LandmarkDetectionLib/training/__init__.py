"""Training of landmark networks, for a population of heads or for one patient."""
