"""What the docstrings of this room show is what happens, and every public name shows something."""

import doctest
import importlib
import pkgutil

import numpy as np
import pytest

import fl
from fl.analytics import halves

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
MODULES = [found.name for found in pkgutil.iter_modules(fl.analytics.__path__, "fl.analytics.")]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module(name):
    names = {"fl": fl, "np": np, "parts": halves.parts}
    module = importlib.import_module(name)
    assert doctest.testmod(module, extraglobs=names, optionflags=OPTIONS).failed == 0


@pytest.mark.parametrize("name", fl.analytics.__all__)
def test_a_public_name_has_an_example(name):
    examples = doctest.DocTestParser().get_examples(getattr(fl.analytics, name).__doc__)
    assert any(name in f"{each.source}{each.want}" for each in examples)
