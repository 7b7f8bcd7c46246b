"""From an X-ray and a trained network to landmarks in the image and in space."""
