"""One compiled function per model: a whole pass over a client's batches runs inside it.

    (weights, seeds, examples, order, bounds) -> (new weights - weights, metric state)

Assign the weights, reset everything else that a step can change (optimizer, metrics, seeds, local
weights), then the model's own step for every batch, rows gathered by index. It is traced once for
all numbers of examples, never pads a batch, and is bitwise the model's steps taken one by one. A
loop holds a stateful model: use one from one thread at a time.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from fl.errors import DataError, FLError, ModelError
from fl.examples import Examples, Indices, check_against
from fl.layout import Layout
from fl.metrics import MetricSums, Numbers
from fl.vector import Vector, aggregated_variables, local_variables, values

# What Keras and TensorFlow raise for examples of a wrong shape, dtype or range.
_UNSUITABLE = (
    ValueError,
    TypeError,
    tf.errors.InvalidArgumentError,
    tf.errors.UnimplementedError,
)
_TRACE_LINES = (
    *("Graph execution error", "Detected at node", "File ", "[["),
    "Exception encountered when calling",
)
# What of an error is no data: the range of labels, and shapes but for their first axis.
_PUBLIC = re.compile(r"\[\d+, \d+\)|(?<=\()\d+(?P<rest>(?:, \d+)*,?\))|b'.*?'|b\".*?\"|\d+")
_TERMINAL = re.compile(r"\x1b\[\d*m|\{\{.*?\}\}")

Step = Callable[[Any], Any]
Seeds = np.random.SeedSequence


class BatchLoop:
    """Runs `step` (the model's `train_step` or `test_step`) over the batches of one client.

    optimizer_variables: reset before every pass, besides the model's own state.
    layout: which weights the change covers; None is all of them.
    begin: called after the reset, inside the compiled function.
    """

    def __init__(
        self,
        model: Any,
        step: Step,
        optimizer_variables: list[Any],
        layout: Layout | None = None,
        begin: Callable[[], None] = lambda: None,
    ) -> None:
        self._model = model
        self._step = step
        self._begin = begin
        trainable, non_trainable = aggregated_variables(model)
        self._weights = trainable + non_trainable
        self._layout = layout or Layout.of(model)
        self._reset_to = _snapshot(local_variables(model) + optimizer_variables)
        self._seeds = [v for v in model.variables if v.path.endswith("seed_generator_state")]
        self._metrics: MetricSums | None = None
        self._function = tf.function(self._pass, autograph=False, reduce_retracing=True)

    @property
    def trace_count(self) -> int:
        """How often the function was traced: once for examples of one kind, however many."""
        return int(self._function.experimental_get_tracing_count())

    @property
    def metrics(self) -> MetricSums:
        """Reads summed metrics. Raises ModelError before the first pass."""
        if self._metrics is None:
            raise ModelError("the model's metrics exist only after its first step")
        return self._metrics

    def run(
        self, weights: Vector, seeds: Seeds, examples: Examples, order: Indices, bounds: Indices
    ) -> tuple[Vector, Numbers]:
        """One pass; (change float32[sent], numbers float64[m] with the two counts in front).

        Raises DataError where the model cannot take the examples, MetricError for a metric that
        does not add up.
        """
        check_against(self._model, examples)
        words = seeds.generate_state(len(self._seeds)).astype(np.int64)
        delta, state = self._guarded(weights, words, examples.arrays, order, bounds)
        counts = [examples.count, len(bounds) - 1]
        return delta, np.concatenate([counts, state])

    def _guarded(self, weights: Vector, *arguments: Any) -> tuple[Vector, Numbers]:
        failure = ""
        try:
            if self._metrics is None:
                self._metrics = self._first_step(*arguments)
            delta, state = self._call(weights, *arguments)
        except FLError:
            raise
        except _UNSUITABLE as error:
            failure = _one_line(error)
        if failure:  # outside of the handler: what TensorFlow says quotes the examples
            raise DataError(f"the model cannot take these examples: {failure}")
        return delta.numpy(), state.numpy()

    def _step_on(self, batch: Any) -> None:
        self._step(batch)

    def _first_step(self, seeds: Any, data: Any, order: Any, bounds: Any) -> MetricSums:
        # Keras creates metric variables in the first step, and none can be created in a loop.
        # What this step changes is reset at the start of every pass.
        self._step_on(_rows(data, order[bounds[0] : bounds[1]]))
        return MetricSums(self._model)

    def _call(self, *arguments: Any) -> Any:
        tensors = keras.tree.map_structure(tf.convert_to_tensor, arguments)
        if self.trace_count == 0:
            # Traced for any number of examples from the start; otherwise TensorFlow would trace
            # for the first client's number, and again when it sees another.
            specs = keras.tree.map_structure(_any_length, tensors)
            self._function.get_concrete_function(*specs)
        return self._function(*tensors)

    def _pass(self, weights: Any, seeds: Any, data: Any, order: Any, bounds: Any) -> Any:
        _assign_vector(self._weights, weights)
        for variable, value in self._reset_to:
            variable.assign(value)
        for index, variable in enumerate(self._seeds):
            variable.assign(tf.cast(tf.stack([seeds[index], 0]), variable.dtype))
        self.metrics.reset()
        self._begin()
        self._for_each_batch(data, order, bounds)
        return self._change(weights), tf.concat(self.metrics.state(), 0)

    def _change(self, weights: Any) -> Any:
        """What the pass gives: the change of the weights that the layout sends."""
        sent = [v for v, sent in zip(self._weights, self._layout.sent, strict=True) if sent]
        before = [weights[start:stop] for start, stop in self._layout.spans]
        return _read_vector(sent) - tf.concat(before, 0)

    def _for_each_batch(self, data: Any, order: Any, bounds: Any) -> None:
        def body(i: Any) -> tuple[Any]:
            self._step_on(_rows(data, order[bounds[i] : bounds[i + 1]]))
            return (i + 1,)

        tf.while_loop(lambda i: i < tf.shape(bounds)[0] - 1, body, [tf.constant(0)])


def _rows(data: Any, rows: Any) -> Any:
    return keras.tree.map_structure(lambda array: tf.gather(array, rows), data)


def _assign_vector(variables: list[Any], vector: Any) -> None:
    start = 0
    for variable in variables:
        size = int(np.prod(variable.shape))
        part = tf.reshape(vector[start : start + size], variable.shape)
        variable.assign(tf.cast(part, variable.dtype))
        start += size


def _read_vector(variables: list[Any]) -> Any:
    parts = [tf.reshape(tf.cast(v.value, tf.float32), [-1]) for v in variables]
    return tf.concat(parts, 0)


def _snapshot(variables: list[Any]) -> list[tuple[Any, NDArray[Any]]]:
    # Tensors, not arrays: the compiled function refers to them, where it would copy arrays.
    return [(v, tf.constant(a)) for v, a in zip(variables, values(variables), strict=True)]


def _any_length(tensor: Any) -> Any:
    return tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype)


def _one_line(error: BaseException) -> str:
    """The line of an error that says what is wrong, without the data that it may quote.

    TensorFlow's come after a stack trace. Numbers are left out, and what an operation says after a
    colon.
    """
    lines = [_TERMINAL.sub("", line).strip() for line in str(error).splitlines()]
    telling = (line for line in lines if line and not line.startswith(_TRACE_LINES))
    line = next(telling, "")
    if isinstance(error, tf.errors.OpError):
        line = re.split(r"\.? *(?:Label values)?:|\[Op:", line)[0].strip()
    return _PUBLIC.sub(_shown, line) or type(error).__name__


def _shown(found: re.Match[str]) -> str:
    if found["rest"] is not None:
        return f"?{found['rest']}"
    return found[0] if found[0].startswith("[") else "?"
