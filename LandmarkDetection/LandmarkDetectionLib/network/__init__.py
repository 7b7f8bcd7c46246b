"""The network that says where the landmarks of a head are, seen in one X-ray."""
