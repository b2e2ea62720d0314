"""Federated averaging (McMahan et al. 2017): initialize, then one `next` a round.

    Δᵤ = local training of client u - weights;   weights <- server optimizer(weights, Σ wᵤΔᵤ / Σ wᵤ)

The sum is `SecureSum` unless another aggregator is given. This module sees the contributions of
clients only to hand them to the aggregator: it is the simulation, not a server to trust.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import keras
import numpy as np

from fl import plan
from fl.contribution import Aggregated, Aggregator, Contribution, Session
from fl.errors import AggregationError, DataError
from fl.examples import read_examples
from fl.local import LocalTrainer
from fl.models import ModelFn, OptimizerFn, client_model, new_optimizer
from fl.plan import Terms
from fl.server import ServerOptimizer, ServerState
from fl.sums import SecureSum
from fl.vector import ModelWeights


class RoundResult(NamedTuple):
    """What a round gives: the next state, and its metrics as a plain dict."""

    state: ServerState
    metrics: dict[str, Any]


def server_sgd() -> keras.optimizers.Optimizer:
    """The default server optimizer: add the mean delta to the weights."""
    return keras.optimizers.SGD(1.0)


def build_weighted_fed_avg(
    model_fn: ModelFn,
    client_optimizer_fn: OptimizerFn | None = None,
    server_optimizer_fn: OptimizerFn = server_sgd,
    *,
    aggregator: Aggregator | None = None,
    batch_size: int = 32,
    epochs: int = 1,
    shuffle: bool = True,
    seed: int = 0,
    input_spec: Any = None,
) -> FedAvg:
    """Federated averaging in which a client counts by its number of examples.

    model_fn: returns a built, compiled `keras.Model`; its loss and metrics are the client's.
    client_optimizer_fn, server_optimizer_fn: return a new Keras optimizer. Without the first, the
        optimizer that the model was compiled with is the client's.
    aggregator: None is `SecureSum()`.
    batch_size, epochs, shuffle: for clients that hold arrays; data sets and lists of batches are
        taken once and as they are.
    seed: shuffling, dropout layers and quantisation rounding follow from it; no key does.
    input_spec: (x, y) in `tf.TensorSpec`s, for a model that is not built.

    Raises ModelError for a model or an optimizer that cannot be used.
    """
    terms = Terms(0, seed, batch_size, epochs, shuffle, True, "")
    return _build(model_fn, client_optimizer_fn, server_optimizer_fn, aggregator, terms, input_spec)


def build_unweighted_fed_avg(
    model_fn: ModelFn,
    client_optimizer_fn: OptimizerFn | None = None,
    server_optimizer_fn: OptimizerFn = server_sgd,
    *,
    aggregator: Aggregator | None = None,
    batch_size: int = 32,
    epochs: int = 1,
    shuffle: bool = True,
    seed: int = 0,
    input_spec: Any = None,
) -> FedAvg:
    """Federated averaging in which every client counts the same, however many examples it has.

    Arguments and errors are those of `build_weighted_fed_avg`.
    """
    terms = Terms(0, seed, batch_size, epochs, shuffle, False, "")
    return _build(model_fn, client_optimizer_fn, server_optimizer_fn, aggregator, terms, input_spec)


class FedAvg:
    """A federated averaging process: build it with `build_weighted_fed_avg`."""

    def __init__(
        self, trainer: LocalTrainer, server: ServerOptimizer, aggregator: Aggregator, terms: Terms
    ) -> None:
        self._trainer = trainer
        self._server = server
        self._aggregator = aggregator
        self._terms = replace(terms, optimizer=trainer.optimizer)

    def initialize(self) -> ServerState:
        """The state before the first round: the weights that `model_fn` made."""
        return self._server.initialize(self._trainer.initial_weights)

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

        Raises DataError for data of the wrong form, AggregationError for input that cannot be
        summed, secagg.TooFewClients when fewer clients finish than the threshold.
        """
        self._server.check(state)
        dropouts = check_dropouts(dropouts or {}, len(client_data))
        started = time.perf_counter()
        terms = replace(self._terms, round=state.round)
        message = plan.write(terms, state.weights.to_vector())
        # Each client reads and hashes the bytes that it was sent; here all are sent the same.
        received = [plan.read(message) for _ in client_data]
        contributions = for_each_client(
            client_data, lambda client, data: self._train(received[client], client, data)
        )
        trained = time.perf_counter()
        contexts = [told.digest for told in received]
        session = Session(terms.round, terms.seed, contexts, dropouts, terms.weighted)
        total = self._aggregator.aggregate(contributions, session)
        metrics = self._report(state, total, trained - started)
        return RoundResult(self._finish(state, total), metrics)

    def get_model_weights(self, state: ServerState) -> ModelWeights:
        """The weights of a state."""
        return state.weights

    def set_model_weights(self, state: ServerState, weights: ModelWeights) -> ServerState:
        """The same state with other weights. Raises ModelError where the shapes differ."""
        self._server.check_weights(weights)
        return replace(state, weights=weights)

    def _train(self, received: plan.RoundPlan, client: int, data: Any) -> Contribution:
        return self._trainer.train(received, client, read_examples(data))

    def _finish(self, state: ServerState, total: Aggregated) -> ServerState:
        if total.weight == 0:  # no finite update at all: nothing to learn from, no optimizer step
            return replace(state, round=state.round + 1)
        return self._server.apply(state, total.mean)

    def _report(self, state: ServerState, total: Aggregated, train: float) -> dict[str, Any]:
        return {
            "round": state.round + 1,
            "client_work": {"train": self._trainer.metrics.report(total.metrics)},
            "aggregator": total.report(),
            "finalizer": {
                "update_norm": float(np.linalg.norm(total.mean)),
                "update_non_finite": total.non_finite,
            },
            "seconds": {"train": train, "protocol": total.seconds},
        }


def for_each_client(
    client_data: Sequence[Any], work: Callable[[int, Any], Contribution]
) -> list[Contribution]:
    """Run every client's work in turn; an error in its data names the client."""
    contributions = []
    for client, data in enumerate(client_data):
        try:
            contributions.append(work(client, data))
        except DataError as error:
            raise DataError(f"client {client}: {error}") from error
    return contributions


def check_dropouts(dropouts: Mapping[int, int], n: int) -> dict[int, int]:
    """Raise AggregationError unless `dropouts` maps clients of 0..n-1 to protocol rounds 0..4."""
    if n == 0:
        raise AggregationError("no clients: a round needs at least one")
    for client, protocol_round in dropouts.items():
        if client not in range(n):
            raise AggregationError(f"dropouts name client {client!r}: 0 to {n - 1} expected")
        if protocol_round not in range(5):
            raise AggregationError(
                f"client {client} drops out in round {protocol_round!r}: 0 to 4 expected"
            )
    return dict(dropouts)


def _build(
    model_fn: ModelFn,
    client_optimizer_fn: OptimizerFn | None,
    server_optimizer_fn: OptimizerFn,
    aggregator: Aggregator | None,
    terms: Terms,
    input_spec: Any,
) -> FedAvg:
    trainer = LocalTrainer(client_model(model_fn, client_optimizer_fn, input_spec))
    optimizer = new_optimizer(server_optimizer_fn, "server_optimizer_fn")
    server = ServerOptimizer(optimizer, trainer.initial_weights)
    return FedAvg(trainer, server, SecureSum() if aggregator is None else aggregator, terms)
