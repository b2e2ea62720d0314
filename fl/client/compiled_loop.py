"""One compiled function per model: a whole pass over a client's batches runs inside it.

    (weights, seeds, examples, order, bounds, start) -> (update, metric state)

    update = new trainable weights - those before ‖ new statistics

Assign the weights, put back everything else that a step uses (`state`), then the model's own step
for every batch, rows gathered by index. The metrics begin at `start`, zero but for the test whether
they add up. It is traced once for all numbers of examples, never pads a batch, and is bitwise the
model's steps taken one by one. A loop holds a stateful model: use one from one thread at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import keras
import numpy as np
import tensorflow as tf

from fl.client.examples import Examples, Indices
from fl.client.inputs import check_against, check_targets
from fl.client.metrics import MetricSums, Numbers
from fl.errors import DataError, FLError, ModelError
from fl.model.layout import Layout
from fl.model.optimizers import NoOptimizer
from fl.model.step_state import (
    PassState,
    Stray,
    apart_from,
    changed_in,
    check_graph,
    lent,
    strays_among,
    variables_of,
    warn_if_eager,
    warn_of,
)
from fl.model.vector import Vector, aggregated_variables, local_variables
from fl.one_line import one_line

# What Keras and TensorFlow raise for examples of a wrong shape, dtype or range.
_UNSUITABLE = (
    ValueError,
    TypeError,
    KeyError,
    tf.errors.InvalidArgumentError,
    tf.errors.UnimplementedError,
)
T = TypeVar("T")
Tensors = Any
"""A batch as a step takes it: a tensor, or tuples and dicts of them."""

Step = Callable[[Tensors], Any]
Seeds = np.random.SeedSequence

_KERAS_STEPS = (keras.Model.train_step, keras.Model.test_step)


class BatchLoop:
    """Runs `step` (the model's `train_step` or `test_step`) over the batches of one client.

    layout: which weights the update covers; None is all of them. After the first pass `layout` has
        also those that the optimizer does not train and the step changes nevertheless.
    optimizer: what the model trains with, as a pass uses it.
    """

    def __init__(
        self,
        model: keras.Model,
        step: Step,
        layout: Layout | None = None,
        optimizer: NoOptimizer | None = None,
    ) -> None:
        warn_if_eager(model)
        self._model = model
        self._step = step
        self._optimizer = optimizer or NoOptimizer()
        trainable, non_trainable = aggregated_variables(model)
        self._weights = trainable + non_trainable
        self.layout = layout or Layout.of(model)
        self._local = local_variables(model)
        self._state = PassState(model, [*self._local, *self._optimizer.variables])
        self._touched: list[Stray] = []
        self._strays: list[Stray] = []
        self._metrics: MetricSums | None = None
        self._tried = False
        self._functions: dict[Any, Any] = {}

    @property
    def trace_count(self) -> int:
        """How often the function was traced: once for examples of one kind, however many."""
        counts = (each.experimental_get_tracing_count() for each in self._functions.values())
        return int(sum(counts))

    @property
    def metrics(self) -> MetricSums:
        """Reads summed metrics. Raises ModelError before the first pass."""
        if self._metrics is None:
            raise ModelError("metrics before the model's first step, expected after it")
        return self._metrics

    @property
    def strays(self) -> list[Stray]:
        """The variables that the step uses and the model does not list; known after a pass."""
        return self._strays

    @property
    def touched(self) -> list[Stray]:
        """All variables that the step uses; known after a pass."""
        return self._touched

    def trace(self, examples: Examples) -> None:
        """Know layout and metrics without a pass, from examples of the form that clients have."""
        self._check(examples)
        if self._metrics is None:
            with lent([*self._weights, *self._local]):
                self._suited(lambda: self._look(examples, np.arange(examples.count)))

    def run(
        self, weights: Vector, seeds: Seeds, examples: Examples, order: Indices, bounds: Indices
    ) -> tuple[Vector, Numbers]:
        """One pass; (update float32[sent], numbers float64[m] with the counts in front).

        Raises DataError where the model cannot take the examples, MetricError for a metric that
        does not add up, ModelError for a step whose state cannot be put back. Afterwards, whatever
        happened, the model has the weights that it had.
        """
        self._check(examples)
        with lent([*self._weights, *self._local]):
            update, state = self._suited(lambda: self._run(weights, seeds, examples, order, bounds))
        counts = [examples.count, len(bounds) - 1]
        return update.numpy(), np.concatenate([counts, state.numpy()])

    def _check(self, examples: Examples) -> None:
        check_against(self._model, examples)
        if getattr(self._step, "__func__", None) in _KERAS_STEPS:
            check_targets(self._model, examples)

    def _suited(self, work: Callable[[], T]) -> T:
        """The result of work on examples. Raises DataError where the model cannot take them."""
        try:
            return work()
        except FLError:
            raise
        except _UNSUITABLE as error:
            failure = one_line(error)
        finally:
            self._state.leave()
        # outside of the handler: what TensorFlow says quotes the examples
        raise DataError(f"the model cannot take these examples: {failure}")

    def _run(
        self, weights: Vector, seeds: Seeds, examples: Examples, order: Indices, bounds: Indices
    ) -> tuple[tf.Tensor, tf.Tensor]:
        if self._metrics is None:
            self._look(examples, order)
        words = seeds.generate_state(self._state.seeds).astype(np.int64)
        if not self._tried:
            self._tried = self._try(weights, words, examples, order, bounds)
        start = self.metrics.zeros
        update, state = self._call(weights, words, examples.arrays, order, bounds, start)
        return update, state

    def _look(self, examples: Examples, order: Indices) -> None:
        """Trace one step without running it: Keras creates the metrics' variables in the first, and
        every variable that it uses comes to light before any of them changes."""

        def step(data: Tensors, rows: tf.Tensor) -> None:
            with self._state.tracing(), self._optimizer.of(self._model):
                self._step_on(_rows(data, rows))

        tensors = keras.tree.map_structure(tf.convert_to_tensor, (examples.arrays, order))
        specs = keras.tree.map_structure(_any_length, tensors)
        graph = tf.function(step, autograph=False).get_concrete_function(*specs).graph
        check_graph(graph)
        metrics = MetricSums(self._model, self._optimizer.counts)
        self.layout = self.layout.changed(changed_in(graph, self._weights))
        self._touched = variables_of(graph)
        self._strays = strays_among(self._touched, self._known(metrics))
        self._state.add(self._strays)
        warn_of(self._strays)
        self._metrics = metrics

    def _known(self, metrics: MetricSums) -> list[Any]:
        assigned = [*self._weights, *self._optimizer.assigned, *metrics.variables]
        return [*assigned, *self._state.variables]

    def _try(
        self, weights: Vector, words: Indices, examples: Examples, order: Indices, bounds: Indices
    ) -> bool:
        """On the first batch: raise MetricError unless the metrics add up. False: ask again."""

        def after(start: Numbers) -> Numbers:
            result = self._call(weights, words, examples.arrays, order, bounds[:2], start)[1]
            state: Numbers = result.numpy()[len(self._optimizer.counts) :]
            return state

        return self.metrics.check_additive(after)

    def _step_on(self, batch: Tensors) -> None:
        self._step(batch)

    def _call(self, *arguments: Any) -> Any:
        tensors = keras.tree.map_structure(tf.convert_to_tensor, arguments)
        kind = _kind(tensors)
        if kind not in self._functions:
            # Traced for any number of examples from the start; otherwise TensorFlow would trace
            # for the first client's number, and again when it sees another.
            function = tf.function(self._pass, autograph=False, reduce_retracing=True)
            function.get_concrete_function(*keras.tree.map_structure(_any_length, tensors))
            self._functions[kind] = function
        return self._functions[kind](*tensors)

    def _pass(
        self,
        weights: tf.Tensor,
        seeds: tf.Tensor,
        data: Tensors,
        order: tf.Tensor,
        bounds: tf.Tensor,
        start: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        with self._state.tracing(), self._optimizer.of(self._model):
            _assign_vector(self._weights, weights)
            self._state.reset(seeds)
            self.metrics.assign(start)
            self._optimizer.begin()
            skipped = self._for_each_batch(data, order, bounds) + self._optimizer.end()
        self._check_trace()
        counts = [tf.cast([skipped], tf.float64)] * len(self._optimizer.counts)
        return self._update(weights, skipped), tf.concat([*counts, *self.metrics.state(), []], 0)

    def _check_trace(self) -> None:
        """Python may choose other variables in every trace, and those would not be put back."""
        graph = tf.compat.v1.get_default_graph()
        check_graph(graph)
        new = apart_from(variables_of(graph), self._known(self.metrics))
        if new:
            names = ", ".join(variable.name for variable in new)
            raise ModelError(
                f"the step uses other variables when traced again, {names}, expected the same"
            )

    def _update(self, weights: tf.Tensor, skipped: tf.Tensor) -> tf.Tensor:
        """What the pass gives of the weights that the layout sends."""
        sent = [v for v, sent in zip(self._weights, self.layout.sent, strict=True) if sent]
        after, trained = read_vector(sent), self.layout.trained
        return tf.concat([after[:trained] - weights[:trained], after[trained:]], 0)

    def _for_each_batch(self, data: Tensors, order: tf.Tensor, bounds: tf.Tensor) -> tf.Tensor:
        def body(i: tf.Tensor, skipped: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            batch = _rows(data, order[bounds[i] : bounds[i + 1]])
            more = self._optimizer.take(lambda: self._counted_step(batch), self._touched)
            return i + 1, skipped + more

        start = [tf.constant(0), tf.constant(0)]
        return tf.while_loop(lambda i, _: i < tf.shape(bounds)[0] - 1, body, start)[1]

    def _counted_step(self, batch: Tensors) -> None:
        rows = tf.shape(keras.tree.flatten(batch)[0])[0]
        with self.metrics.by_examples(rows):
            self._step_on(batch)


def _rows(data: Tensors, rows: tf.Tensor) -> Tensors:
    return keras.tree.map_structure(lambda array: tf.gather(array, rows), data)


def _assign_vector(variables: list[keras.Variable], vector: tf.Tensor) -> None:
    start = 0
    for variable in variables:
        size = int(np.prod(variable.shape))
        part = tf.reshape(vector[start : start + size], variable.shape)
        variable.assign(tf.cast(part, variable.dtype))
        start += size


def read_vector(variables: list[keras.Variable]) -> tf.Tensor:
    """The values of variables as one flat float32 tensor; works inside a compiled function."""
    parts = [tf.reshape(tf.cast(v.value, tf.float32), [-1]) for v in variables]
    return tf.concat(parts, 0)


def _kind(tensors: Tensors) -> tuple[Any, ...]:
    """One function is compiled for each kind: one for (n,) and (n, 1) would know no rank."""
    leaves = keras.tree.flatten_with_path(tensors)
    return tuple((path, tensor.dtype, tensor.shape.rank) for path, tensor in leaves)


def _any_length(tensor: tf.Tensor) -> tf.TensorSpec:
    return tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype)
