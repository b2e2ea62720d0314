"""Data sets for federated learning, and ways to split them among clients."""
