"""Local training of one client: a round's plan and the client's examples -> its contribution.

    delta = weights after `epochs` passes of the client's optimizer - the plan's weights

It does not decide who trains, does not check that the result is finite, and sums nothing.
"""

from __future__ import annotations

import json
from typing import Any

import keras
import numpy as np

from fl.contribution import Contribution
from fl.errors import ModelError
from fl.examples import Examples
from fl.loop import BatchLoop
from fl.metrics import MetricSums
from fl.plan import RoundPlan, seed_sequence
from fl.vector import ModelWeights


class LocalTrainer:
    """Trains clients one after another on one built, compiled Keras model.

    `initial_weights` are the model's weights before the first training, `optimizer` is the client
    optimizer's configuration as JSON, for the round's plan.
    """

    def __init__(self, model: Any) -> None:
        self.initial_weights = ModelWeights.from_model(model)
        self.optimizer = _optimizer_config(model.optimizer)
        # Taken from the model: `compile` may have wrapped the optimizer it was given.
        model.optimizer.build(model.trainable_variables)
        self._loop = BatchLoop(model, model.train_step, list(model.optimizer.variables))

    @property
    def trace_count(self) -> int:
        """How often the training function was traced."""
        return self._loop.trace_count

    @property
    def metrics(self) -> MetricSums:
        """Reads summed metrics. Raises ModelError before the first training."""
        return self._loop.metrics

    def train(self, plan: RoundPlan, client: int, examples: Examples) -> Contribution:
        """Train client number `client`; its delta, its weight and its metrics' state.

        Raises DataError where the model cannot take the examples, ModelError where the plan names
        another optimizer than the model's.
        """
        terms = plan.terms
        if terms.optimizer != self.optimizer:
            raise ModelError("the round's plan names another client optimizer than this model's")
        shuffling = seed_sequence(terms.seed, terms.round, client, "shuffle")
        order, bounds = examples.schedule(
            batch_size=terms.batch_size,
            epochs=terms.epochs,
            shuffle=terms.shuffle,
            rng=np.random.default_rng(shuffling),
        )
        layers = seed_sequence(terms.seed, terms.round, client, "layers")
        delta, numbers = self._loop.run(plan.weights, layers, examples, order, bounds)
        return Contribution(delta, examples.count if terms.weighted else 1, numbers)


def _optimizer_config(optimizer: Any) -> str:
    config = keras.saving.serialize_keras_object(optimizer)
    config["config"].pop("name", None)  # "sgd", "sgd_1", ...: the count of what a process made
    return json.dumps(config, sort_keys=True, default=str)
