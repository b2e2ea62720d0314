"""Other packages, run on the same work."""
