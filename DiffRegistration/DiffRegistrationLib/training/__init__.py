"""From a patient's CT to a pose network that knows it: views, images, losses, and the loop."""
