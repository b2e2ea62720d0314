"""A federated process: initialize, then one `next` a round.

    contributions of the clients -> Σ by the aggregator -> the server's step

What a client does locally is the trainer's; `fedavg` and the modules of the other algorithms build
processes. This module sees the contributions of clients only to hand them to the aggregator: it is
the simulation, not a server to trust.
"""

from __future__ import annotations

import itertools
import json
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import numpy as np

from fl import plan, tff
from fl.aggregators.contribution import (
    Aggregated,
    Aggregator,
    Contribution,
    Session,
    check_dropouts,
)
from fl.client.examples import count_clients, read_examples
from fl.client.local_training import LocalTrainer
from fl.client.trainer_pool import TrainerPool
from fl.errors import DataError, NoExamples, SumWarning
from fl.model.keras_models import ordinary_model, weights_of
from fl.model.vector import ModelWeights
from fl.plan import Terms
from fl.process.server_optimizer import ServerOptimizer, ServerState
from fl.progress.watch import current, watching
from fl.warn import warn

LearningRate = Callable[[int], float]

_NAMED = 10  # how many clients a warning names


class RoundResult(NamedTuple):
    """What a round gives: the next state, and its metrics as a plain dict.

    >>> process = fl.build_weighted_fed_avg(model_fn)
    >>> result = process.next(process.initialize(), clients)
    >>> result
    RoundResult(round 1, 4 of 4 clients, loss=..., state=ServerState(round=1, ...))
    >>> state, metrics = result
    """

    state: ServerState
    metrics: dict[str, Any]

    def __repr__(self) -> str:
        return f"RoundResult({summary(self.metrics)}, state={self.state!r})"


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

    def __repr__(self) -> str:
        model = self._trainer.model.name
        optimizer = json.loads(self._terms.optimizer)["class_name"]  # of FedProx: Proximal
        return (
            f"FedAvg(model={model!r}, {self._trainer.initial_weights!r}, client: {optimizer}, "
            f"batch_size={self._terms.batch_size}, epochs={self._terms.epochs}, "
            f"weighted={self._terms.weighted}, aggregator={self._aggregator!r})"
        )

    if not TYPE_CHECKING:  # a checker still finds what is misspelled

        def __getattr__(self, name: str) -> Any:
            raise tff.missing(type(self).__name__, name, tff.PROCESS)

    def initialize(self, weights: ModelWeights | keras.Model | None = None) -> ServerState:
        """The state before the first round, with `weights` or those that `model_fn` made.

        weights: those of a state, or a built Keras model that has them. Other layers may be frozen
            where they are from.

        Raises ModelError where the shapes differ.
        """
        given = self._trainer.initial_weights if weights is None else weights_of(weights)
        return self._server.initialize(given)

    def next(
        self,
        state: ServerState,
        client_data: Sequence[Any],
        *,
        dropouts: Mapping[int, int] | None = None,
    ) -> RoundResult:
        """One round with these clients; `state` is left as it is, whatever happens.

        client_data: one entry a client: (x, y[, sample_weight]) arrays, a finite tf.data.Dataset,
            a keras.utils.PyDataset, a list of batches, or a function that makes one of these or a
            generator of batches. x, y and sample_weight are what `fit` takes.
        dropouts: client index -> the protocol round (0..4) from which that client is gone. Gone at
            round 0, 1 or 2 it is not in the sum; at 3 or 4 it is.

        A client counts for nothing whose update is not finite, whose weight is beyond `max_weight`,
        who has no examples, or data of the wrong form, as long as most clients have data of the
        right one; and a metric that is not finite does not count. All are counted in the metrics.
        Warns (SumWarning) of data of the wrong form, of weights beyond `max_weight`, and of a part
        of the coordinates being clipped.

        Raises DataError where half of the clients or more have data of the wrong form, NoExamples
        where none has an example, AggregationError for input that cannot be
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
        with watching():  # not around the whole: the bars are gone when `total` warns
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

    def set_model_weights(
        self, state: ServerState, weights: ModelWeights | keras.Model
    ) -> ServerState:
        """The same state with other weights. Raises ModelError where the shapes differ."""
        return replace(state, weights=self._server.arranged(weights_of(weights)))

    def _terms_of(self, round_number: int) -> Terms:
        rate = None if self._learning_rate is None else float(self._learning_rate(round_number))
        return replace(self._terms, round=round_number, learning_rate=rate)

    def _train(self, received: plan.RoundPlan, client: int, data: Any) -> Contribution | None:
        examples = read_examples(data)
        return self._trainer.train(received, client, examples) if examples.count else None

    def _finish(self, state: ServerState, total: Aggregated) -> ServerState:
        state = replace(state, aggregator=total.state)
        if total.weight == 0:  # no finite update at all: nothing to learn from, no optimizer step
            return replace(state, round=state.round + 1)
        mean = self._trainer.layout.expand(total.mean, state.weights.to_vector())
        return self._server.apply(state, mean)

    def _report(self, state: ServerState, total: Aggregated, train: float) -> dict[str, Any]:
        deltas = total.mean[: self._trainer.layout.trained]
        return {
            "round": state.round + 1,
            "client_work": {"train": self._trainer.metrics.report(total.metrics)},
            "aggregator": total.report(),
            "finalizer": {
                "update_norm": math.sqrt(np.square(deltas).sum()),
                "update_non_finite": total.non_finite,
            },
            "seconds": {"train": train, "protocol": total.seconds},
        }


def summary(metrics: Mapping[str, Any]) -> str:
    """What came of a round, in one line: for a `repr`."""
    seen = metrics["aggregator"]
    (told,) = metrics["client_work"].values()
    numbers = [f"{name}={value:.4g}" for name, value in told.items() if _is_number(value)]
    clients = f"{len(seen['survivors'])} of {len(seen['clients'])} clients"
    return ", ".join([f"round {metrics['round']}", clients, *numbers])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def for_each_client(
    client_data: Sequence[Any], work: Callable[[int, Any], Contribution | None], workers: int = 1
) -> list[Contribution]:
    """Run every client's work, `workers` at a time; a client's data are taken out of `client_data`
    only when its turn comes.

    work: None for a client without examples; DataError where they are malformed. Such a client
    contributes zeros and is counted, with a SumWarning where they are malformed.

    Raises DataError where as many clients have malformed data as others have examples: that is a
    mistake of whoever gave the data, and no fault of one client. NoExamples where none has any.
    """
    watch, begun = current(), itertools.count(1)

    def one(client: int) -> Contribution | str | None:
        watch.trained(next(begun), len(client_data))
        try:
            return work(client, client_data[client])
        except DataError as error:
            return str(error)  # the error itself would keep the client's data

    n = len(client_data)
    if workers == 1:
        done = _usable(map(one, range(n)), n)
    else:
        with ThreadPoolExecutor(workers) as pool:
            done = _usable(pool.map(one, range(n)), n)
    given = next(each for each in done if isinstance(each, Contribution))
    return [
        each if isinstance(each, Contribution) else given.left_out(malformed=each is not None)
        for each in done
    ]


def _usable(
    results: Iterable[Contribution | str | None], n: int
) -> list[Contribution | str | None]:
    """The results of n clients: contributions, what is wrong with a client's data, None for none.

    Raises as soon as it is known that most are of no use.
    """
    done: list[Contribution | str | None] = []
    wrong: dict[int, str] = {}
    for client, result in enumerate(results):
        done.append(result)
        if isinstance(result, str):
            wrong[client] = result
            if 2 * len(wrong) >= n:
                break  # whatever the others have
    given = len(done) - len(wrong) - done.count(None)
    if wrong and len(wrong) >= given:
        raise DataError("client {}: {}".format(*next(iter(wrong.items()))))
    if not given:
        raise NoExamples(f"none of {n} clients has an example: at least one expected")
    if wrong:
        warn(_left_out(wrong, n), SumWarning)
    return done


def _left_out(wrong: Mapping[int, str], n: int) -> str:
    """A warning of clients by their positions, the reasons of the first ones."""
    positions = ", ".join(map(str, [*wrong][:_NAMED])) + (", ..." if len(wrong) > _NAMED else "")
    reasons = "; ".join(dict.fromkeys([*wrong.values()][:_NAMED]))
    return (
        f"{len(wrong)} of {n} clients count for nothing, because of their data: {reasons} "
        f"(client_data[i] for i = {positions})"
    )
