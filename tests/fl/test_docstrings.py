"""Every public name has an example in its docstring, and what it shows is what happens."""

import doctest
import re
import warnings

import keras
import numpy as np
import pytest

import fl
import secagg

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.REPORT_ONLY_FIRST_FAILURE


def model_fn():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1), loss, metrics=["accuracy"], jit_compile=False)
    return model


@pytest.fixture
def names(tmp_path):
    """What the docstring of `fl` says that examples have."""
    rng = np.random.default_rng(0)
    clients = [(rng.normal(size=(m, 4)).astype("f4"), np.arange(m) % 3) for m in (20, 30, 40, 50)]
    modules = {"fl": fl, "secagg": secagg, "keras": keras, "np": np, "warnings": warnings}
    return {**modules, "model_fn": model_fn, "clients": clients, "tmp_path": tmp_path}


@pytest.mark.parametrize("name", fl.__all__)
def test_the_example_of_a_public_name(name, names):
    examples = doctest.DocTestParser().get_doctest(getattr(fl, name).__doc__, names, name, None, 0)
    shown = "".join(f"{e.source}{e.want}{e.exc_msg}" for e in examples.examples)
    assert re.search(rf"\b{name}\b", shown)
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    said = []
    assert runner.run(examples, out=said.append).failed == 0, "".join(said)


def test_names_are_where_people_look():
    listed = dir(fl)
    for name in (*fl.__all__, "__version__"):
        assert name in listed
        assert getattr(fl, name) is not None
    assert fl.__version__ == secagg.__version__
    rooms = ("aggregators", "analytics", "data", "errors", "experiment", "leak", "population")
    for room in (*rooms, "privacy", "report"):
        assert getattr(fl, room).__name__ == f"fl.{room}"
