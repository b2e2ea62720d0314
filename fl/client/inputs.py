"""Whether examples are what a model takes, as far as the model says what that is.

Keras's own errors, where there are any, come after a trace and quote what they refuse; a dict with
names that the model does not know, or an input too many, it takes with a warning. What a model does
not say is left to Keras.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from fl.client.examples import Examples
from fl.errors import DataError


def check_against(model: keras.Model, examples: Examples) -> None:
    """Raise DataError for x that does not fit the model's inputs: names, number and shapes."""
    if not examples.count:
        raise DataError("no examples, expected at least one")
    inputs = getattr(model, "inputs", None)
    if not inputs:
        return
    struct = getattr(model, "_inputs_struct", inputs)
    for name, wanted, x in _pairs(struct, inputs, examples.parts[0]):
        _check_shape(name, tuple(wanted.shape[1:]), x)


def check_targets(model: keras.Model, examples: Examples) -> None:
    """Raise DataError where there is no y, for a loss or a metric that compares with it, and for
    sample weights of which Keras finds no output's.

    For Keras's own steps: one of the user's own may do without.
    """
    _check_weights(model, examples)
    compared = [name for name in ("loss", "metrics") if getattr(model, f"_compile_{name}", None)]
    if examples.parts[1] is None and compared:
        raise DataError(f"x without y, expected y for the model's {' and '.join(compared)}")


def _check_weights(model: keras.Model, examples: Examples) -> None:
    _, y, sample_weight = examples.parts
    outputs = getattr(model, "_outputs_struct", None)
    several = isinstance(outputs, Mapping | list | tuple) and not isinstance(y, np.ndarray)
    if sample_weight is None or not several:
        return
    given, wanted = (
        "by name" if isinstance(each, Mapping) else "in order" for each in (y, outputs)
    )
    if given != wanted:
        raise DataError(
            f"y {given} with sample weights, expected y and sample_weight {wanted}, as the model's "
            "outputs"
        )


def _pairs(struct: Any, inputs: list[Any], x: Any) -> list[tuple[str, Any, Any]]:
    """(what it is called in an error, the input, its array) for each input."""
    if isinstance(x, Mapping):
        named = struct if isinstance(struct, Mapping) else {each.name: each for each in inputs}
        if not set(named) <= set(x):
            seen, expected = (", ".join(sorted(map(str, names))) for names in (x, named))
            raise DataError(f"x has the names {seen}, expected {expected}")
        if not all(isinstance(each, np.ndarray) for each in x.values()):
            return []
        return [(f"x[{name!r}]", each, x[name]) for name, each in named.items()]
    arrays = keras.tree.flatten(x)
    if len(arrays) != len(inputs):
        counts = (f"{n} array{'s' if n != 1 else ''}" for n in (len(arrays), len(inputs)))
        raise DataError(f"x has {next(counts)}, expected {next(counts)}")
    if isinstance(struct, Mapping):
        return []  # in which order, is Keras's to say
    names = ["x"] if len(arrays) == 1 else [f"x[{i}]" for i in range(len(arrays))]
    return list(zip(names, inputs, arrays, strict=True))


def _check_shape(name: str, wanted: tuple[int | None, ...], x: Any) -> None:
    # Keras adds, and takes away, a last axis of length one by itself.
    given = [x.shape[1:], (*x.shape[1:], 1), *([x.shape[1:-1]] if x.shape[1:][-1:] == (1,) else [])]
    if not any(_fits(shape, wanted) for shape in given):
        expected = ", ".join(["examples", *("any" if n is None else str(n) for n in wanted)])
        seen = ", ".join(["examples", *map(str, x.shape[1:])])
        raise DataError(f"{name} has shape ({seen}), expected ({expected})")


def _fits(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    return len(shape) == len(wanted) and all(
        want is None or have == want for have, want in zip(shape, wanted, strict=True)
    )
