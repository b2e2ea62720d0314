"""The tests: a package, so that its files can share what is in `tests.helpers`."""
