"""The tests: a package, so that its files can share `strategies` and `make_vectors`."""
