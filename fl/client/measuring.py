"""Evaluating a model on one client's examples: the states of its metrics, nothing trained."""

from __future__ import annotations

import keras
import numpy as np

from fl import seeds
from fl.client.compiled_loop import BatchLoop
from fl.client.examples import Examples
from fl.client.metrics import MetricSums, Numbers
from fl.model.vector import Vector


class Measuring:
    """Runs a built, compiled model's `test_step`."""

    def __init__(self, model: keras.Model) -> None:
        self.model = model
        self._loop = BatchLoop(model, model.test_step)

    def trace(self, examples: Examples) -> None:
        """Know the metrics from examples of the clients' form, without an evaluation."""
        self._loop.trace(examples)

    @property
    def metrics(self) -> MetricSums:
        """Reads summed metrics. Raises ModelError before the first evaluation."""
        return self._loop.metrics

    def measure(self, weights: Vector, client: int, examples: Examples, batch_size: int) -> Numbers:
        """The states of the metrics of client number `client`. Raises DataError."""
        order, bounds = examples.schedule(
            batch_size=batch_size,
            epochs=1,
            shuffle=False,
            rng=np.random.default_rng(0),  # asked for nothing: evaluation does not shuffle
        )
        layers = seeds.of_client(0, 0, client, "evaluation")
        return self._loop.run(weights, layers, examples, order, bounds)[1]
