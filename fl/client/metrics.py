"""A model's Keras metrics as numbers that add up across clients.

    numbers = num_examples ‖ num_batches ‖ other counts ‖ state of every metric, float64[m]

A metric adds up where one batch always adds the same to its state, whatever the state was, and the
state begins at zero: then the sum over clients of their states is the state over all examples, and
Keras's own `result()` reads it, and no other variable. That is tested on the first batch, not told
from a metric's class; a metric that fails is refused by name. This module does not sum and does not
see a client.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from fl.aggregators.contribution import Metric
from fl.errors import MetricError
from fl.model.step_state import apart_from, variables_of

Numbers = NDArray[np.float64]

_COUNTS = ("num_examples", "num_batches")


class MetricSums:
    """The metrics of one compiled model whose step was traced once.

    Before that Keras has not yet created every metric variable. counts: what else is counted, by
    the names that it is reported under.
    """

    def __init__(self, model: keras.Model, counts: Sequence[str] = ()) -> None:
        self._model = model
        self._counts = (*_COUNTS, *counts)
        leaves = list(_leaves(model.metrics))
        self._owners = [metric.name for metric in leaves for _ in metric.variables]
        self.variables = [v for metric in leaves for v in metric.variables]
        self._sizes = [int(np.prod(v.shape)) for v in self.variables]
        compiled_loss = getattr(model, "_compile_loss", None)
        self._of_outputs = list(compiled_loss.metrics) if compiled_loss is not None else []
        self._check_start()
        for metric in leaves:
            self._check_result(metric)

    @cached_property
    def parts(self) -> tuple[Metric, ...]:
        """What `numbers` consist of, under the names of `report`."""
        parts = {"examples": Metric("examples", len(self._counts), math.inf)}
        for metric in self._model.metrics:
            leaves = list(_leaves([metric]))
            # A container reports each of its metrics under a name of its own, in their order.
            names = [metric.name] if leaves == [metric] else list(metric.result())
            for name, leaf in zip(names, leaves, strict=True):
                name = name if name not in parts else f"{name}_{len(parts)}"
                parts[name] = Metric(name, _size(leaf))
        return tuple(parts.values())

    @property
    def zeros(self) -> Numbers:
        """Where the state of every metric begins."""
        return np.zeros(sum(self._sizes))

    def assign(self, state: tf.Tensor) -> None:
        """Set the state of all metrics; works inside a compiled function."""
        start = 0
        for variable, size in zip(self.variables, self._sizes, strict=True):
            part = tf.reshape(state[start : start + size], variable.shape)
            variable.assign(tf.cast(part, variable.dtype))
            start += size

    def state(self) -> list[tf.Tensor]:
        """The state as flat tensors, one a variable; works inside a compiled function."""
        return [
            keras.ops.reshape(keras.ops.cast(variable, "float64"), (-1,))
            for variable in self.variables
        ]

    @contextmanager
    def by_examples(self, rows: tf.Tensor) -> Iterator[None]:
        """Around a step on so many rows: the loss of each of several outputs counts by examples.

        Keras counts it once a batch where the size of a batch is not known before.
        """
        before = [(m, tf.identity(m.total), tf.identity(m.count)) for m in self._of_outputs]
        for metric, _, _ in before:
            metric.reset_state()
        yield
        for metric, total, count in before:
            mean = tf.math.divide_no_nan(tf.identity(metric.total), tf.identity(metric.count))
            counted = tf.where(tf.identity(metric.count) > 0, tf.cast(rows, count.dtype), 0)
            metric.total.assign(total + mean * tf.cast(counted, total.dtype))
            metric.count.assign(count + counted)

    def check_additive(self, after: Callable[[Numbers], Numbers]) -> bool:
        """Raise MetricError, naming them, for metrics that do not add up.

        after: the state after one batch, always the same one, from a given state. False where the
        batch leaves it open, because a state is not finite after it, or so large that adding to it
        may overflow.
        """
        added = after(self.zeros)
        usable = np.abs(added) <= self._largest()  # NaN compares false
        known = np.where(usable, added, 0.0)
        for start in self._elsewhere(known):
            moved = np.where(usable, after(start) - start, 0.0)
            allowed = self._tolerance() * (np.abs(start) + np.abs(known))
            self._refuse(~(np.abs(moved - known) <= allowed))  # NaN is refused
        return bool(usable.all())

    def _check_start(self) -> None:
        for metric in self._model.metrics:
            metric.reset_state()
        state = [np.ravel(variable.numpy()) for variable in self.variables]
        self._refuse(np.concatenate([*state, np.zeros(0)]) != 0)

    def _check_result(self, metric: keras.Metric) -> None:
        """Raise MetricError where what a metric says depends on more than the metrics' states."""
        try:
            traced = tf.function(metric.result, autograph=False).get_concrete_function()
        except (TypeError, ValueError, AttributeError, NotImplementedError) as error:
            raise MetricError(
                f"metric {str(metric.name)!r}: its result() cannot be traced by TensorFlow, which "
                f"raises {type(error).__name__}, expected one of tensors alone"
            ) from error
        if read := apart_from(variables_of(traced.graph), self.variables):
            names = ", ".join(repr(variable.name) for variable in read)
            raise MetricError(
                f"metric {str(metric.name)!r}: its result() reads {names}, which is none of its "
                "variables and not summed across clients, expected state made by `add_variable`"
            )

    def _refuse(self, fails: NDArray[np.bool_]) -> None:
        if fails.any():
            owners = np.repeat(self._owners, self._sizes)
            names = ", ".join(repr(str(name)) for name in dict.fromkeys(owners[fails]))
            raise MetricError(
                f"metric {names} does not add up across clients, expected a metric to whose state, "
                "zero at first, a batch always adds the same, such as a mean, a sum or a count"
            )

    def _elsewhere(self, added: Numbers) -> tuple[Numbers, Numbers]:
        """Two states unlike the one at the start, of the size of what was added."""
        size = np.where(added != 0, np.abs(added), 1.0)
        state = size * (1 + np.arange(added.size) * 0.618 % 1)
        state = np.where(self._tolerance() == 0, np.ceil(state), state)  # whole, for integers
        return state, -state

    def _largest(self) -> Numbers:
        """The most that can be added to a state of `_elsewhere` without overflow."""
        dtypes = [variable.dtype for variable in self.variables]
        each = [float(np.finfo(d).max) / 4 if "float" in d else math.inf for d in dtypes]
        return np.repeat(each, np.array(self._sizes, int))

    def _tolerance(self) -> Numbers:
        """A part of the numbers that rounding explains, far below what depends on the state."""
        dtypes = [variable.dtype for variable in self.variables]
        each = [64 * float(np.finfo(d).eps) if "float" in d else 0.0 for d in dtypes]
        return np.repeat(each, np.array(self._sizes, int))

    def report(self, numbers: Numbers) -> dict[str, Any]:
        """Summed numbers -> {metric name: value, ..., "num_examples", "num_batches", ...}.

        Every metric is NaN when no example was counted.
        """
        counts, state = numbers[: len(self._counts)], numbers[len(self._counts) :]
        self.assign(state)
        results = {name: _plain(v) for name, v in self._model.get_metrics_result().items()}
        if numbers[0] == 0:
            results = dict.fromkeys(results, float("nan"))
        named = zip(self._counts, counts, strict=True)
        return {**results, **{name: round(count) for name, count in named}}


def _leaves(metrics: list[keras.Metric]) -> Iterator[keras.Metric]:
    """The metrics themselves: `compile` wraps those it is given in containers."""
    for metric in metrics:
        if type(metric).__name__ == "CompileMetrics":
            yield from _leaves(metric.metrics)
        else:
            yield metric


def _size(metric: keras.Metric) -> int:
    return sum(int(np.prod(variable.shape)) for variable in metric.variables)


def _plain(value: Any) -> Any:
    """A Python float, or a list of floats for a metric with one value a class."""
    return np.asarray(value, np.float64).tolist()
