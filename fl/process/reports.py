"""What a round reports: plain dicts, of these types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

from fl.aggregators.totals import SumReport

MetricValues = dict[str, Any]
"""A model's metrics by name: a float, a list of floats for a metric with one value a class, or an
int for what is counted, such as "num_examples"."""


class ClientWork(TypedDict, total=False):
    """What the clients measured, over all their examples; of a training, or of an evaluation."""

    train: MetricValues
    eval: MetricValues


class Seconds(TypedDict, total=False):
    """How long the clients worked, and the protocol after that."""

    train: float
    eval: float
    protocol: float


class Update(TypedDict):
    """The length of the mean of the clients' deltas, and how many clients' were not finite."""

    update_norm: float
    update_non_finite: int


class RoundMetrics(TypedDict):
    """The metrics of a round. finalizer: of a training."""

    round: int
    client_work: ClientWork
    aggregator: SumReport
    finalizer: NotRequired[Update]
    seconds: Seconds


class EvaluationMetrics(TypedDict):
    """The metrics of an evaluation that is no round of a process."""

    client_work: ClientWork
    aggregator: SumReport
    seconds: Seconds


def summary(metrics: Mapping[str, Any]) -> str:
    """What came of a round, in one line: for a `repr`."""
    report = metrics["aggregator"]
    (measured,) = metrics["client_work"].values()
    numbers = [f"{name}={value:.4g}" for name, value in measured.items() if _is_number(value)]
    clients = f"{len(report['survivors'])} of {len(report['clients'])} clients"
    return ", ".join([f"round {metrics['round']}", clients, *numbers])


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)
