"""X-ray imaging: geometry, CT, radiograph, projector and every file format."""
