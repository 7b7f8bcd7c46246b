"""How landmarks of heads lie together: what is hidden follows what is seen."""
