"""The two halves of an evaluation: clients measure the weights, the server reports the sums."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np

from fl import plan
from fl.aggregators.contribution import Contribution, Metric, State
from fl.aggregators.interface import Announced
from fl.aggregators.totals import Aggregated
from fl.client.examples import read_examples
from fl.client.measuring import Measuring
from fl.plan import Terms
from fl.process.reports import ClientWork, RoundMetrics, Seconds
from fl.process.server_optimizer import ServerState
from fl.process.training_server import RoundResult
from fl.round_message import Received

KIND = "evaluation"


class EvaluationWork:
    """A client's half: the metrics of the weights on its examples."""

    kind = KIND
    workers = 1

    def __init__(self, measuring: Measuring) -> None:
        self._measuring = measuring

    @property
    def model(self) -> keras.Model:
        """What is evaluated."""
        return self._measuring.model

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What the metrics consist of; known after an evaluation."""
        return self._measuring.metrics.parts

    def contribution(self, received: Received, client: int, data: object) -> Contribution | None:
        """Evaluate on a client's examples. Raises FLError for a message without weights,
        DataError."""
        given = plan.plan_of(received)
        examples = read_examples(data)
        if not examples.count:
            return None
        numbers = self._measuring.measure(given.weights, client, examples, given.terms.batch_size)
        return Contribution(np.zeros(0, np.float32), 1, numbers)


class EvaluationServer:
    """The server's half: sends the weights, counts evaluations, reports the metrics."""

    def __init__(self, measuring: Measuring, batch_size: int) -> None:
        self._measuring = measuring
        # of an evaluation that is always the same for the same weights
        self._terms = Terms(0, 0, batch_size, 1, False, False, "")

    def message(self, state: ServerState, announced: Announced) -> bytes:
        """The weights of a state, and how to evaluate them."""
        return plan.write(self._terms, state.weights.to_vector(), announced, kind=KIND)

    def carried(self, state: ServerState) -> State:
        """What the aggregator carries from evaluation to evaluation."""
        return state.aggregator

    def finish(self, state: ServerState, total: Aggregated, worked: float) -> RoundResult:
        """The state after, and the metrics over all examples."""
        after = replace(state, round=state.round + 1, aggregator=total.state)
        metrics = RoundMetrics(
            round=after.round,
            client_work=ClientWork(eval=self._measuring.metrics.report(total.metrics)),
            aggregator=total.report(),
            seconds=Seconds(eval=worked, protocol=total.seconds),
        )
        return RoundResult(after, metrics)
