"""What a model's step uses besides the model's weights: found by tracing it, put back for a pass.

    every variable that the traced step refers to = weights, optimizer, metrics, seeds, and strays

A stray is a variable that neither the model nor its optimizer lists: of a second optimizer, of a
SeedGenerator in a plain object, a `tf.Variable`. Left alone, it would carry one client's data into
the update of the next. A trace refers to all of them, and finding them takes no data. What cannot
be put back is refused by name. This module does not see what Python code keeps for itself, nor what
a `tf.py_function` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import keras
import tensorflow as tf
from keras.src.backend.common import global_state
from tensorflow.python.framework.auto_control_deps_utils import (
    get_read_only_resource_input_indices_graph,
)

from fl.errors import ModelError
from fl.model.vector import values
from fl.warn import warn

_SEED_STATE = "seed_generator_state"
# Keras's name of the generator that `keras.random` without a seed draws from.
GLOBAL_SEED_GENERATOR = "global_seed_generator"
# Kernels with a generator of their own inside, which no assignment reaches.
_GENERATORS = (
    *("Rng", "NonDeterministicInts", "StatefulRandom"),
    *("StatefulStandardNormal", "StatefulTruncatedNormal", "StatefulUniform"),
)
_CONTAINERS = (
    *("LookupTableInsert", "LookupTableRemove", "LookupTableImport"),
    *("Queue", "IteratorGetNext", "Barrier"),
)


@dataclass(frozen=True, eq=False)
class Stray:
    """A variable by its handle.

    trainable: TensorFlow's word for it, which optimizers unset. first: the value that it is put
    back to; None for weights, optimizers' and metrics' variables, and seeds.
    """

    handle: Any = field(repr=False)
    name: str
    dtype: Any
    trainable: bool
    first: Any = field(default=None, repr=False)

    @property
    def seed(self) -> bool:
        """Whether it is the state of a seed generator of Keras."""
        return self.name.endswith(_SEED_STATE)

    def read(self) -> Any:
        """Its present value as a tensor."""
        return tf.raw_ops.ReadVariableOp(resource=self.handle, dtype=self.dtype)

    def assign(self, value: Any) -> None:
        """Set its value."""
        tf.raw_ops.AssignVariableOp(resource=self.handle, value=value)


class PassState:
    """What is put back before a pass: variables to their first value, seeds to new words."""

    def __init__(self, model: keras.Model, variables: list[keras.Variable]) -> None:
        # Tensors, not arrays: the compiled function refers to them, where it would copy arrays.
        first = [tf.constant(array) for array in values(variables)]
        self._reset_to: list[tuple[Any, Any]] = list(zip(variables, first, strict=True))
        self._seeds = [v for v in model.variables if v.path.endswith(_SEED_STATE)]
        self._generator = keras.random.SeedGenerator(0)
        self._seeds.append(self._generator.state)
        self._strays: list[Stray] = []

    @contextmanager
    def tracing(self) -> Iterator[None]:
        """While a step is traced, `keras.random` without a seed draws from a generator of this
        state. Keras has one a thread for it, which all models that are traced there would share."""
        own = global_state.get_global_attribute(GLOBAL_SEED_GENERATOR)
        global_state.set_global_attribute(GLOBAL_SEED_GENERATOR, self._generator)
        try:
            yield
        finally:
            global_state.set_global_attribute(GLOBAL_SEED_GENERATOR, own)

    @property
    def variables(self) -> list[keras.Variable]:
        """All that is put back."""
        return [*(variable for variable, _ in self._reset_to), *self._seeds]

    @property
    def seeds(self) -> int:
        """How many seed words a pass needs."""
        return len(self._seeds)

    def add(self, strays: Iterable[Stray]) -> None:
        """Put these back too: a generator's state is a seed, others keep their present value."""
        for stray in strays:
            if stray.seed:
                self._seeds.append(stray)
            else:
                self._reset_to.append((stray, tf.constant(stray.first)))
                self._strays.append(stray)

    def reset(self, words: Any) -> None:
        """Put everything back; works inside a compiled function."""
        for variable, value in self._reset_to:
            variable.assign(value)
        for index, variable in enumerate(self._seeds):
            variable.assign(tf.cast(tf.stack([words[index], 0]), variable.dtype))

    def leave(self) -> None:
        """After a pass, also one that failed: strays, which others may use, are as before."""
        for stray in self._strays:
            stray.assign(stray.first)


@contextmanager
def lent(variables: Iterable[keras.Variable]) -> Iterator[None]:
    """Keras variables may be assigned to inside, and have their present values afterwards."""
    kept = [(variable, keras.ops.copy(variable)) for variable in variables]
    try:
        yield
    finally:
        for variable, value in kept:
            variable.assign(value)


def variables_of(graph: Any) -> list[Stray]:
    """Every variable that a traced function refers to, known or stray."""
    named = {id(variable.handle): variable for variable in getattr(graph, "variables", ())}
    return [_stray(handle, named.get(id(handle))) for handle in _handles(graph)]


def changed_in(graph: Any, variables: Iterable[keras.Variable]) -> list[bool]:
    """Which of the variables a traced function may assign to."""
    read = {id(graph.inputs[i]) for i in get_read_only_resource_input_indices_graph(graph)}
    written = {id(outer) for outer, inner in graph.captures if id(inner) not in read}
    return [id(variable.handle) in written for variable in variables]


def apart_from(found: list[Stray], known: Iterable[Any]) -> list[Stray]:
    """Those of them that are not among the known variables."""
    handles = {id(variable.handle) for variable in known}
    return [variable for variable in found if id(variable.handle) not in handles]


def strays_among(found: list[Stray], known: Iterable[Any]) -> list[Stray]:
    """Those that are not among the known variables, with the values to put them back to."""
    strays = apart_from(found, known)
    return [s if s.seed else replace(s, first=s.read().numpy()) for s in strays]


def warn_of(strays: Iterable[Stray]) -> None:
    """Say that what a client makes of these is lost, where somebody may have meant to train it."""
    names = [stray.name for stray in strays if stray.trainable]
    if names:
        warn(
            f"the model's step uses variables that are not its weights: {', '.join(names)}. Every "
            "client begins with their values as of now, and what it makes of them is not sent "
            "(trainable=False says that this is meant)",
            UserWarning,
        )


def warn_if_eager(model: keras.Model) -> None:
    """Say that Python code in the model's step runs once, where `fit` would run it every time."""
    if model.run_eagerly:
        warn(
            f"model {model.name!r} has run_eagerly=True, and its step is compiled here: Python "
            "code in it runs once, when it is traced (run_eagerly=False says that this is meant)",
            UserWarning,
        )


def check_graph(graph: Any) -> None:
    """Raise ModelError for a step with state that cannot be put back before a pass."""
    ops = {node.op for node in _nodes(graph) if _draws(node)}
    if ops:
        raise ModelError(
            f"the model's step draws with tf.random ({', '.join(sorted(ops))}), whose state runs "
            "on from client to client, expected keras.random, with a SeedGenerator"
        )
    ops = {node.op for node in _nodes(graph) if node.op.startswith(_CONTAINERS)}
    if ops:
        raise ModelError(
            f"the model's step keeps state by {', '.join(sorted(ops))}, which runs on from client "
            "to client, expected variables"
        )


def _draws(node: Any) -> bool:
    own_seed = "seed2" in node.attr and not node.op.startswith("CudnnRNN")
    return own_seed or node.op.startswith(_GENERATORS)


def _nodes(graph: Any) -> Iterator[Any]:
    """The operations of a function, and of all functions that it calls."""
    definition = graph.as_graph_def()
    yield from definition.node
    for function in definition.library.function:
        yield from function.node_def


def _handles(graph: Any) -> Iterator[Any]:
    for external, _ in getattr(graph, "captures", ()):
        if external.dtype == tf.resource and _typed(external) is not None:
            yield external


def _typed(handle: Any) -> Any:
    """What a variable's handle says of its value; None for resources of other kinds."""
    data = getattr(handle, "_handle_data", None)
    return data.shape_and_type[0] if data is not None and data.is_set else None


def _stray(handle: Any, variable: keras.Variable) -> Stray:
    dtype = tf.as_dtype(_typed(handle).dtype)
    if variable is None:  # assigned to, and never read
        return Stray(handle, "one that is only assigned to", dtype, trainable=False)
    return Stray(handle, variable.name.partition(":")[0], dtype, bool(variable.trainable))
