"""Real X-rays do not look like rendered ones: translation of the one look into the other, learnt without pairs."""
