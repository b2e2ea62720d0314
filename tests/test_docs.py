"""What the docstrings show is what happens."""

import doctest
import importlib
import pkgutil

import pytest

import secagg

MODULES = [
    "secagg",
    *(found.name for found in pkgutil.walk_packages(secagg.__path__, "secagg.")),
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_the_example_of_masks_is_one_of_them() -> None:
    module = importlib.import_module("secagg.masks")
    assert doctest.testmod(module).attempted >= 5
