"""What the docstrings show is what happens, and every public name shows something."""

import doctest
import importlib
import pkgutil
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

import secagg

MODULES = [
    "secagg",
    *(found.name for found in pkgutil.walk_packages(secagg.__path__, "secagg.")),
]


@pytest.fixture
def names(tmp_path: Path) -> dict[str, Any]:
    """What the examples may use without having made it."""
    private_key = X25519PrivateKey.generate()
    public = private_key.public_key().public_bytes_raw()
    keys = {u: Ed25519PrivateKey.generate() for u in (4, 7, 9)}
    return {
        "secagg": secagg,
        "np": np,
        "params": secagg.Params(3, [secagg.VectorSpec("x", 2, 32)], server_key=public),
        "keys": keys,
        "directory": {u: key.public_key().public_bytes_raw() for u, key in keys.items()},
        "private_key": private_key,
        "tmp_path": tmp_path,
    }


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings(name: str, names: dict[str, Any]) -> None:
    module, options = importlib.import_module(name), doctest.ELLIPSIS
    assert doctest.testmod(module, extraglobs=names, optionflags=options).failed == 0


@pytest.mark.parametrize("name", secagg.__all__)
def test_every_public_name_has_an_example(name: str) -> None:
    # A type that is a choice of words has no docstring of its own: that of its module has it.
    thing = secagg.masks.suites if name == "Suite" else getattr(secagg, name)
    examples = doctest.DocTestParser().get_examples(thing.__doc__)
    assert examples, name
    shown = [f"{each.source}{each.want}{each.exc_msg}" for each in examples]
    assert re.search(rf"\b{name}\b", "".join(shown))
