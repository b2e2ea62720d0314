"""Local training of one client: a round's plan and the client's examples -> its contribution.

    delta = weights after `epochs` passes of the client's optimizer - the plan's weights

It does not decide who trains, does not check that the result is finite, and sums nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any, Protocol, runtime_checkable

import keras
import numpy as np

from fl.contribution import Contribution
from fl.errors import ModelError
from fl.examples import Examples
from fl.layout import Layout, NonTrainable
from fl.loop import BatchLoop
from fl.metrics import MetricSums
from fl.plan import RoundPlan, seed_sequence
from fl.vector import ModelWeights


@runtime_checkable
class BeginsPass(Protocol):
    """A client optimizer that is told when a pass begins, inside the compiled function."""

    def begin_pass(self) -> None: ...


class LocalTrainer:
    """Trains clients one after another on one built, compiled Keras model.

    `initial_weights` are the model's weights before the first training, `layout` says which of
    them a delta covers, `optimizer` is the client optimizer's configuration as JSON, for the
    round's plan. `loop` is the compiled function: another for another kind of training.
    """

    workers = 1

    def __init__(
        self,
        model: Any,
        non_trainable: NonTrainable = "average",
        loop: type[BatchLoop] = BatchLoop,
    ) -> None:
        self.model = model
        self.initial_weights = ModelWeights.from_model(model)
        self.layout = Layout.of(model, non_trainable)
        # Taken from the model: `compile` may have wrapped the optimizer it was given.
        self.optimizer = _optimizer_config(model.optimizer)
        model.optimizer.build(model.trainable_variables)
        self._rate = _learning_rate(model.optimizer)
        self._configured_rate = None if self._rate is None else float(self._rate.numpy())
        # Not the learning rate: it is assigned before each pass, for the plan may name another.
        variables = [v for v in model.optimizer.variables if v is not self._rate]
        begin = partial(_begin, model.optimizer)
        self._loop = loop(model, model.train_step, variables, self.layout, begin)

    @property
    def has_learning_rate(self) -> bool:
        """Whether the client optimizer has one learning rate, rather than a schedule of its own."""
        return self._rate is not None

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
        another optimizer than the model's, or a learning rate for one that has a schedule.
        """
        terms = plan.terms
        if terms.optimizer != self.optimizer:
            raise ModelError("the round's plan names another client optimizer than this model's")
        self._set_learning_rate(terms.learning_rate)
        shuffling = seed_sequence(terms.seed, terms.round, client, "shuffle")
        order, bounds = examples.schedule(
            batch_size=terms.batch_size,
            epochs=terms.epochs,
            shuffle=terms.shuffle,
            rng=np.random.default_rng(shuffling),
        )
        layers = seed_sequence(terms.seed, terms.round, client, "layers")
        delta, numbers = self._loop.run(plan.weights, layers, examples, order, bounds)
        weight, trained = examples.count if terms.weighted else 1, self.layout.trained
        return Contribution(delta[:trained], weight, numbers, statistics=delta[trained:])

    def _set_learning_rate(self, rate: float | None) -> None:
        if self._rate is not None:
            self._rate.assign(self._configured_rate if rate is None else rate)
        elif rate is not None:
            raise ModelError(
                f"learning rate {rate} for a client optimizer that has a schedule of its own"
            )


def wrapped(optimizer: Any) -> Iterator[Any]:
    """An optimizer, the one that it wraps, and so on."""
    while optimizer is not None:
        yield optimizer
        optimizer = getattr(optimizer, "inner_optimizer", None)


def _learning_rate(optimizer: Any) -> Any:
    """The variable that holds the learning rate; None where a schedule computes it."""
    rate = optimizer.learning_rate
    return rate if isinstance(rate, keras.Variable) else None


def _begin(optimizer: Any) -> None:
    """Tell those optimizers that care that the weights are those of the plan now."""
    for each in wrapped(optimizer):
        if isinstance(each, BeginsPass):
            each.begin_pass()


def _optimizer_config(optimizer: Any) -> str:
    config = keras.saving.serialize_keras_object(optimizer)
    return json.dumps(_without_names(config), sort_keys=True, default=str)


def _without_names(config: Any) -> Any:
    """Names of optimizers are "sgd", "sgd_1", ...: the count of what a process has made."""
    if not isinstance(config, dict):
        return config
    return {key: _without_names(value) for key, value in config.items() if key != "name"}
