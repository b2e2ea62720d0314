"""A federated process: initialize, then one `next` a round.

    contributions of the clients -> Σ by the aggregator -> the server's step

What a client does locally is the trainer's; `fedavg` and the modules of the other algorithms build
processes. This module sees the contributions of clients only to hand them to the aggregator: it is
the simulation, not a server to trust.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from fl import plan
from fl.contribution import Aggregated, Aggregator, Contribution, Session, check_dropouts
from fl.errors import DataError
from fl.examples import count_clients, read_examples
from fl.local import LocalTrainer
from fl.models import ordinary_model
from fl.parallel import TrainerPool
from fl.plan import Terms
from fl.progress import current, watching
from fl.server import ServerOptimizer, ServerState
from fl.vector import ModelWeights

LearningRate = Callable[[int], float]


class RoundResult(NamedTuple):
    """What a round gives: the next state, and its metrics as a plain dict."""

    state: ServerState
    metrics: dict[str, Any]


class FedAvg:
    """A federated averaging process: build it with `build_weighted_fed_avg`."""

    def __init__(
        self,
        trainer: LocalTrainer,
        server: ServerOptimizer,
        aggregator: Aggregator,
        terms: Terms,
        make_model: Callable[[], Any],
        client_learning_rate: LearningRate | None,
    ) -> None:
        self._own_trainer = trainer
        self._trainer: LocalTrainer | TrainerPool = trainer
        self._server = server
        self._aggregator = aggregator
        self._terms = terms
        self._make_model = make_model
        self._learning_rate = client_learning_rate

    def initialize(self, weights: ModelWeights | None = None) -> ServerState:
        """The state before the first round, with `weights` or those that `model_fn` made.

        Raises ModelError where the shapes differ.
        """
        if weights is None:
            weights = self._trainer.initial_weights
        self._server.check_weights(weights)
        return self._server.initialize(weights)

    def next(
        self,
        state: ServerState,
        client_data: Sequence[Any],
        *,
        dropouts: Mapping[int, int] | None = None,
    ) -> RoundResult:
        """One round with these clients; `state` is left as it is, whatever happens.

        client_data: one entry a client: (x, y[, sample_weight]) arrays, a finite tf.data.Dataset,
            or a list of batches.
        dropouts: client index -> the protocol round (0..4) from which that client is gone. Gone at
            round 0, 1 or 2 it is not in the sum; at 3 or 4 it is.

        A client whose update is not finite, or whose weight is beyond `max_weight`, counts for
        nothing, and a metric that is not finite does not; both are counted in the metrics. Warns
        (SumWarning) of weights beyond `max_weight`, and of a part of the coordinates being clipped.

        Raises DataError for data of the wrong form, AggregationError for input that cannot be
        summed, ImplausibleSum for a sum that no honest clients give, secagg.TooFewClients when
        fewer clients finish than the threshold.
        """
        self._server.check(state)
        dropouts = check_dropouts(dropouts or {}, count_clients(client_data))
        started = time.perf_counter()
        terms = self._terms_of(state.round)
        message = plan.write(terms, state.weights.to_vector())
        # Each client reads and hashes the bytes that it was sent; here all are sent the same.
        received = [plan.read(message) for _ in range(len(client_data))]
        with watching():  # no decorator: a warning counts the frames to whoever asked
            contributions = for_each_client(
                client_data,
                lambda client, data: self._train(received[client], client, data),
                self._trainer.workers,
            )
            trained = time.perf_counter()
            contexts = [told.digest for told in received]
            session = Session(
                terms.round,
                terms.seed,
                contexts,
                dropouts,
                terms.weighted,
                state.aggregator,
                self._trainer.metrics.parts,
            )
            total = self._aggregator.aggregate(contributions, session)
        total.warn()
        metrics = self._report(state, total, trained - started)
        return RoundResult(self._finish(state, total), metrics)

    def share_with(self, others: Sequence[FedAvg]) -> None:
        """Train clients in parallel, with the trainers of processes that were built alike."""
        if others:
            trainers = [process._own_trainer for process in (self, *others)]
            self._trainer = TrainerPool(trainers)

    def get_model(self, state: ServerState) -> Any:
        """An ordinary Keras model with the weights of a state, as `model_fn` compiled it.

        Compiled without an optimizer, it has plain SGD now, for whoever trains it on. It is the
        caller's own: later rounds do not change it.
        """
        self._server.check(state)
        model = self._make_model()
        # In use where model_fn gives the same model whenever it is called.
        model = ordinary_model(model, in_use=model is self._trainer.model)
        state.weights.assign_weights_to(model)
        return model

    def get_model_weights(self, state: ServerState) -> ModelWeights:
        """The weights of a state."""
        return state.weights

    def set_model_weights(self, state: ServerState, weights: ModelWeights) -> ServerState:
        """The same state with other weights. Raises ModelError where the shapes differ."""
        self._server.check_weights(weights)
        return replace(state, weights=weights)

    def _terms_of(self, round_number: int) -> Terms:
        rate = None if self._learning_rate is None else float(self._learning_rate(round_number))
        return replace(self._terms, round=round_number, learning_rate=rate)

    def _train(self, received: plan.RoundPlan, client: int, data: Any) -> Contribution:
        return self._trainer.train(received, client, read_examples(data))

    def _finish(self, state: ServerState, total: Aggregated) -> ServerState:
        state = replace(state, aggregator=total.state)
        if total.weight == 0:  # no finite update at all: nothing to learn from, no optimizer step
            return replace(state, round=state.round + 1)
        return self._server.apply(state, self._trainer.layout.expand(total.mean))

    def _report(self, state: ServerState, total: Aggregated, train: float) -> dict[str, Any]:
        return {
            "round": state.round + 1,
            "client_work": {"train": self._trainer.metrics.report(total.metrics)},
            "aggregator": total.report(),
            "finalizer": {
                "update_norm": math.sqrt(np.square(total.mean).sum()),
                "update_non_finite": total.non_finite,
            },
            "seconds": {"train": train, "protocol": total.seconds},
        }


def for_each_client(
    client_data: Sequence[Any], work: Callable[[int, Any], Contribution], workers: int = 1
) -> list[Contribution]:
    """Run every client's work, `workers` at a time; an error in its data names the client.

    A client's data are taken out of `client_data` only when its turn comes.
    """
    watch, begun = current(), itertools.count(1)

    def one(client: int) -> Contribution:
        watch.trained(next(begun), len(client_data))
        try:
            return work(client, client_data[client])
        except DataError as error:
            raise DataError(f"client {client}: {error}") from error

    if workers == 1:
        return [one(client) for client in range(len(client_data))]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(one, range(len(client_data))))
