"""A model's Keras metrics as numbers that add up across clients.

    numbers = num_examples ‖ num_batches ‖ state of every metric, float64[m]

The state of a mean is (total, count), of a confusion matrix its counts: the sum over clients of
such states is the state over all examples, and Keras's own `result()` reads it. A metric whose
state does not add up is refused by name. This module does not sum and does not see a client.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from fl.contribution import Metric
from fl.errors import MetricError

Numbers = NDArray[np.float64]

_ADDITIVE = (
    keras.metrics.Mean,
    keras.metrics.Sum,
    keras.metrics.TruePositives,
    keras.metrics.TrueNegatives,
    keras.metrics.FalsePositives,
    keras.metrics.FalseNegatives,
    keras.metrics.Precision,
    keras.metrics.Recall,
    keras.metrics.AUC,
    keras.metrics.SensitivityAtSpecificity,
    keras.metrics.SpecificityAtSensitivity,
    keras.metrics.PrecisionAtRecall,
    keras.metrics.RecallAtPrecision,
    keras.metrics.IoU,
    keras.metrics.FBetaScore,
    keras.metrics.R2Score,
)


class MetricSums:
    """The metrics of one compiled model that has taken at least one step.

    Before its first step Keras has not yet created every metric variable. Raises MetricError,
    naming each metric whose state does not add up.
    """

    def __init__(self, model: Any) -> None:
        refused = [m.name for m in _leaves(model.metrics) if not isinstance(m, _ADDITIVE)]
        if refused:
            raise MetricError(
                f"metric {', '.join(map(repr, refused))} does not add up across clients: "
                "use a metric that is a mean, a sum or a count (for your own: keras.metrics.Mean)"
            )
        self._model = model
        self._variables = [v for metric in model.metrics for v in metric.variables]

    @cached_property
    def parts(self) -> tuple[Metric, ...]:
        """What `numbers` consist of, under the names of `report`."""
        parts = {"examples": Metric("examples", 2, math.inf)}
        for metric in self._model.metrics:
            leaves = list(_leaves([metric]))
            # A container reports each of its metrics under a name of its own, in their order.
            names = [metric.name] if leaves == [metric] else list(metric.result())
            for name, leaf in zip(names, leaves, strict=True):
                name = name if name not in parts else f"{name}_{len(parts)}"
                parts[name] = Metric(name, _size(leaf))
        return tuple(parts.values())

    def reset(self) -> None:
        """Put every metric to its start; works inside a compiled function."""
        for metric in self._model.metrics:
            metric.reset_state()

    def state(self) -> list[Any]:
        """The state as flat tensors, one a variable; works inside a compiled function."""
        return [
            keras.ops.reshape(keras.ops.cast(variable, "float64"), (-1,))
            for variable in self._variables
        ]

    def report(self, numbers: Numbers) -> dict[str, Any]:
        """Summed numbers -> {metric name: value, ..., "num_examples", "num_batches"}.

        Every metric is NaN when no example was counted.
        """
        self._assign(numbers[2:])
        results = {name: _plain(v) for name, v in self._model.get_metrics_result().items()}
        if numbers[0] == 0:
            results = dict.fromkeys(results, float("nan"))
        counts = {"num_examples": round(numbers[0]), "num_batches": round(numbers[1])}
        return {**results, **counts}

    def _assign(self, state: Numbers) -> None:
        start = 0
        for variable in self._variables:
            size = int(np.prod(variable.shape))
            part = state[start : start + size].reshape(tuple(variable.shape))
            variable.assign(part.astype(variable.dtype))
            start += size


def _leaves(metrics: list[Any]) -> Iterator[Any]:
    """The metrics themselves: `compile` wraps those it is given in containers."""
    for metric in metrics:
        if type(metric).__name__ == "CompileMetrics":
            yield from _leaves(metric.metrics)
        else:
            yield metric


def _size(metric: Any) -> int:
    return sum(int(np.prod(variable.shape)) for variable in metric.variables)


def _plain(value: Any) -> Any:
    """A Python float, or a list of floats for a metric with one value a class."""
    return np.asarray(value, np.float64).tolist()
