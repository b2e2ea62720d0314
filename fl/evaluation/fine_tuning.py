"""The two halves of a personalization evaluation.

client   fine-tune by every strategy in the message, measure before and after each
server   send weights and strategies; report the summed metrics by strategy
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fl import plan
from fl.aggregators.contribution import Contribution, Metric, State
from fl.aggregators.interface import Announced
from fl.aggregators.totals import Aggregated
from fl.client.examples import Examples, read_examples
from fl.client.measuring import Measuring
from fl.client.metrics import MetricSums, Numbers
from fl.errors import DataError, FLError
from fl.model.vector import ModelWeights, Vector
from fl.personal.tuning import Tuner
from fl.plan import RoundPlan, Terms
from fl.process.reports import ClientWork, EvaluationMetrics, MetricValues, Seconds
from fl.round_message import Received, RoundMessage

KIND = "personalization"
BASELINE = "baseline"


class StrategyMetrics:
    """How a contribution's metrics consist of those of the baseline and of every strategy."""

    def __init__(self, measuring: Measuring, strategies: list[str]) -> None:
        self._measuring = measuring
        self._strategies = strategies

    @property
    def _sums(self) -> MetricSums:
        return self._measuring.metrics

    @property
    def parts(self) -> tuple[Metric, ...]:
        """Each name after that of its strategy."""
        parts = self._sums.parts
        metrics = [part._replace(name=f"{BASELINE}/{part.name}") for part in parts]
        for name in self._strategies:
            metrics += [part._replace(name=f"{name}/{part.name}") for part in parts]
            metrics.append(Metric(f"{name}/improved", 1, 1))
        return tuple(metrics)

    def joined(self, before: Numbers, after: list[Numbers]) -> Numbers:
        """One client's numbers: the baseline's, and each strategy's with whether it improved."""
        loss = self._loss(before)
        numbers = [np.append(each, float(self._loss(each) < loss)) for each in after]
        return np.concatenate([before, *numbers])

    def report(self, sums: Numbers) -> MetricValues:
        """The metrics by strategy."""
        size = (len(sums) - len(self._strategies)) // (1 + len(self._strategies))
        report: MetricValues = {BASELINE: self._sums.report(sums[:size])}
        rest = sums[size:].reshape(len(self._strategies), size + 1)
        for name, numbers in zip(self._strategies, rest, strict=True):
            measured = self._sums.report(numbers[:-1])
            report[name] = {**measured, "improved": round(numbers[-1])}
        return report

    def _loss(self, numbers: Numbers) -> float:
        return float(self._sums.report(numbers).get("loss", np.nan))


class FineTuningWork:
    """A client's half: fine-tunes on its training data, measures on its test data."""

    kind = KIND
    workers = 1

    def __init__(self, measuring: Measuring, tuners: Mapping[str, Tuner]) -> None:
        self._measuring = measuring
        self._tuners = dict(tuners)
        self._numbers = StrategyMetrics(measuring, list(tuners))

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What the metrics consist of; known after a client's work."""
        return self._numbers.parts

    def contribution(self, received: Received, client: int, data: object) -> Contribution | None:
        """The metrics before and after every strategy. Raises FLError for a message with other
        strategies, DataError."""
        weights, baseline, strategies = self._read(received)
        train, test = _parts(data)
        if not (train.count and test.count):
            return None

        def measured(vector: Vector) -> Numbers:
            return self._measuring.measure(vector, client, test, baseline.batch_size)

        before, after = measured(weights), []
        for name, tuner in self._tuners.items():
            round_plan = RoundPlan(strategies[name], weights, received.digest)
            after.append(measured(tuner.tuned(round_plan, client, train)[0]))
        return Contribution(np.zeros(0, np.float32), 1, self._numbers.joined(before, after))

    def _read(self, received: Received) -> tuple[Vector, Terms, dict[str, Terms]]:
        """The weights, and the terms of the evaluation and of every strategy."""
        task = received.task
        strategies = task.get("strategies")
        if not isinstance(strategies, dict) or set(strategies) != set(self._tuners):
            raise FLError(f"a message with other strategies, expected {', '.join(self._tuners)}")
        terms = {name: plan.terms_in(received, each) for name, each in strategies.items()}
        weights = plan.weights_in(received, task.get("length"))
        return weights, plan.terms_in(received, task.get(BASELINE)), terms


class FineTuningServer:
    """The server's half: sends weights and strategies, reports the metrics by strategy."""

    def __init__(
        self, measuring: Measuring, strategies: Mapping[str, Terms], batch_size: int
    ) -> None:
        self._terms = dict(strategies)
        self._numbers = StrategyMetrics(measuring, list(strategies))
        self._seed = next(iter(self._terms.values())).seed
        self._baseline = Terms(0, self._seed, batch_size, 1, False, False, "")

    def message(self, state: ModelWeights, announced: Announced) -> bytes:
        """The weights, and how to train and to evaluate them."""
        weights = state.to_vector()
        return RoundMessage(
            kind=KIND,
            round=0,
            seed=self._seed,
            weighted=False,
            task={
                "length": weights.size,
                BASELINE: plan.task_of(self._baseline),
                "strategies": {name: plan.task_of(each) for name, each in self._terms.items()},
            },
            body=weights.astype("<f4").tobytes(),
            announced=announced,
        ).write()

    def carried(self, state: ModelWeights) -> State:
        """Nothing: one evaluation is all."""
        return ()

    def finish(self, state: ModelWeights, total: Aggregated, worked: float) -> EvaluationMetrics:
        """The metrics over all test examples, by strategy."""
        return EvaluationMetrics(
            client_work=ClientWork(eval=self._numbers.report(total.metrics)),
            aggregator=total.report(),
            seconds=Seconds(eval=worked, protocol=total.seconds),
        )


def _parts(data: object) -> tuple[Examples, Examples]:
    if not isinstance(data, Mapping) or set(data) != {"train", "test"}:
        raise DataError(
            'client data without two parts, expected a mapping {"train": ..., "test": ...}'
        )
    return read_examples(data["train"]), read_examples(data["test"])
