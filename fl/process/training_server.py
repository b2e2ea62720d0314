"""What the server does in a round of training: the plan to send, and what it makes of the sum."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple, Protocol

import numpy as np

from fl import plan
from fl.aggregators.contribution import State
from fl.aggregators.interface import Announced
from fl.aggregators.totals import Aggregated
from fl.client.metrics import MetricSums
from fl.model.layout import Layout
from fl.plan import Terms
from fl.process.reports import (
    ClientWork,
    MetricValues,
    RoundMetrics,
    Seconds,
    Update,
    html,
    summary,
)
from fl.process.server_optimizer import ServerOptimizer, ServerState

LearningRate = Callable[[int], float]


class RoundResult(NamedTuple):
    """What a round gives: the next state, and its metrics as a plain dict.

    >>> process = fl.build_weighted_fed_avg(model_fn)
    >>> result = process.next(process.initialize(), clients)
    >>> result
    RoundResult(round 1, 4 of 4 clients, loss=..., state=ServerState(round=1, ...))
    >>> state, metrics = result
    """

    state: ServerState
    metrics: RoundMetrics

    def __repr__(self) -> str:
        return f"RoundResult({summary(self.metrics)}, state={self.state!r})"

    def _repr_html_(self) -> str:
        return html(self.metrics)


class TracedModel(Protocol):
    """What a server knows of its own copy of the model once a step of it was traced."""

    @property
    def layout(self) -> Layout:
        """Which weights an update covers."""

    @property
    def metrics(self) -> MetricSums:
        """Reads summed metrics."""


class TrainingServer:
    """Sends the state's weights with the terms of training, and applies the mean update."""

    def __init__(
        self,
        server: ServerOptimizer,
        model: TracedModel,
        terms: Terms,
        client_learning_rate: LearningRate | None,
    ) -> None:
        self._server = server
        self._model = model
        self._terms = terms
        self._learning_rate = client_learning_rate

    def message(self, state: ServerState, announced: Announced) -> bytes:
        """The plan of the next round."""
        rate = None if self._learning_rate is None else float(self._learning_rate(state.round))
        terms = replace(self._terms, round=state.round, learning_rate=rate)
        return plan.write(terms, state.weights.to_vector(), announced)

    def carried(self, state: ServerState) -> State:
        """What the aggregator carries from round to round."""
        return state.aggregator

    def finish(self, state: ServerState, total: Aggregated, worked: float) -> RoundResult:
        """The next state and the metrics; warns of what counts otherwise than clients had it."""
        total.warn()
        metrics = self._report(state, total, worked)
        return RoundResult(self._next(state, total), metrics)

    def _next(self, state: ServerState, total: Aggregated) -> ServerState:
        state = replace(state, aggregator=total.state)
        if total.weight == 0:  # no finite update at all: nothing to learn from, no optimizer step
            return replace(state, round=state.round + 1)
        mean = self._model.layout.expand(total.mean, state.weights.to_vector())
        return self._server.apply(state, mean)

    def _report(self, state: ServerState, total: Aggregated, worked: float) -> RoundMetrics:
        deltas = total.mean[: self._model.layout.trained]
        norm = math.sqrt(np.square(deltas).sum())
        return RoundMetrics(
            round=state.round + 1,
            client_work=ClientWork(train=self._measured(total)),
            aggregator=total.report(),
            finalizer=Update(update_norm=norm, update_non_finite=total.non_finite),
            seconds=Seconds(train=worked, protocol=total.seconds),
        )

    def _measured(self, total: Aggregated) -> MetricValues:
        """What the clients measured; nothing where only the noisy sum may be known."""
        return self._model.metrics.report(total.metrics) if total.measured else {}
