"""Local training of one client: a round's plan and the client's examples -> its contribution.

    delta = trained weights after `epochs` passes of the client's optimizer - the plan's
    statistics = their values after that

It does not decide who trains, does not check that the result is finite, and sums nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fl import seeds
from fl.aggregators.contribution import Contribution
from fl.client.compiled_loop import BatchLoop
from fl.client.examples import Examples
from fl.client.metrics import MetricSums
from fl.errors import ModelError
from fl.model.layout import Layout, NonTrainable
from fl.model.optimizers import configuration, in_pass
from fl.model.step_state import Stray
from fl.model.vector import ModelWeights
from fl.plan import RoundPlan
from fl.warn import warn

if TYPE_CHECKING:
    import keras

NO_RATE = (
    "a client optimizer that has no one learning rate to set, but a schedule of its own, or "
    "several optimizers, expected one whose learning rate is a number"
)


class LocalTrainer:
    """Trains clients one after another on one built, compiled Keras model.

    `initial_weights` are the model's weights before the first training, `optimizer` is the client
    optimizer's configuration as JSON, for the round's plan. `loop` is the compiled function:
    another for another kind of training. The client optimizer is the one given, by default the
    model's own.
    """

    workers = 1

    def __init__(
        self,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer | None = None,
        non_trainable: NonTrainable = "average",
        loop: type[BatchLoop] = BatchLoop,
    ) -> None:
        self.model = model
        self.initial_weights = ModelWeights.from_model(model)
        optimizer = model.optimizer if optimizer is None else optimizer
        self.optimizer = configuration(optimizer)
        used = in_pass(optimizer, model)
        self._own = [*model.variables, *used.variables, *used.assigned]
        self._rate = used.rate
        self._configured_rate = None if self._rate is None else float(self._rate.numpy())
        self._loop = loop(model, model.train_step, Layout.of(model, non_trainable), used)

    @property
    def has_learning_rate(self) -> bool:
        """Whether the client optimizer has one learning rate to set: no schedule, no several."""
        return self._rate is not None

    @property
    def layout(self) -> Layout:
        """Which weights an update covers; all of it is known after a training."""
        return self._loop.layout

    @property
    def trace_count(self) -> int:
        """How often the training function was traced."""
        return self._loop.trace_count

    @property
    def strays(self) -> list[Stray]:
        """Variables that its step uses and the model does not list; known after a training."""
        return self._loop.strays

    @property
    def variables(self) -> list[keras.Variable]:
        """Its model's and its optimizer's, and after a training all others that its step uses."""
        return [*self._own, *self._loop.touched]

    @property
    def metrics(self) -> MetricSums:
        """Reads summed metrics. Raises ModelError before the first training."""
        return self._loop.metrics

    def trace(self, examples: Examples) -> None:
        """Learn from examples of the clients' form what a step uses, without running one. Raises
        DataError, MetricError and ModelError as `train`."""
        self._loop.trace(examples)

    def train(self, plan: RoundPlan, client: int, examples: Examples) -> Contribution:
        """Train client number `client`; what it gives, its weight, its metrics' state.

        Raises DataError where the model cannot take the examples, ModelError where the plan names
        another optimizer than the model's, or a learning rate for one that has none to set.
        """
        terms = plan.terms
        if terms.optimizer != self.optimizer:
            raise ModelError("another client optimizer in the round's plan, expected this model's")
        self._set_learning_rate(terms.learning_rate)
        if terms.epochs > 1 and examples.bounds is not None:
            warn(
                f"epochs={terms.epochs} with batches that are fixed, of a data set or a list: they "
                "are taken once, as given (epochs=1 says that this is meant)",
                UserWarning,
            )
        shuffling = seeds.of_client(terms.seed, terms.round, client, "shuffle")
        order, bounds = examples.schedule(
            batch_size=terms.batch_size,
            epochs=terms.epochs,
            shuffle=terms.shuffle,
            rng=np.random.default_rng(shuffling),
        )
        layers = seeds.of_client(terms.seed, terms.round, client, "layers")
        update, numbers = self._loop.run(plan.weights, layers, examples, order, bounds)
        weight, trained = examples.count if terms.weighted else 1, self._loop.layout.trained
        return Contribution(update[:trained], weight, numbers, statistics=update[trained:])

    def _set_learning_rate(self, rate: float | None) -> None:
        if self._rate is not None:
            self._rate.assign(self._configured_rate if rate is None else rate)
        elif rate is not None:
            raise ModelError(f"learning rate {rate} for {NO_RATE}")
