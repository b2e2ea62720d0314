"""What is known of a training and of an evaluation, as the commands write it in JSON."""

from __future__ import annotations

from typing import Any, Required, TypedDict

MetricValues = dict[str, Any]
"""A model's metrics by name: a float, a list of floats for a metric with one value a class, or an
int for what is counted, such as "num_examples"."""

SumReport = dict[str, Any]
"""What a round says of its sum under "aggregator"."""


class DroppedClient(TypedDict):
    """A client that is not in the sum, or missed its end: from which protocol round, and why."""

    client: int
    round: int
    reason: str


class ClientWork(TypedDict, total=False):
    """What the clients measured; of a training, or of an evaluation."""

    train: MetricValues
    eval: MetricValues


class Evaluated(TypedDict):
    """The metrics of an evaluation."""

    client_work: ClientWork
    aggregator: SumReport
    seconds: dict[str, float]


class Selected(TypedDict):
    """Who took part in a round, in the order they were ready, of how many."""

    cohort: tuple[str, ...]
    asked: int
    eligible: int


class RunLine(TypedDict, total=False):
    """A line of `metrics.jsonl`: a round's metrics, and what the run adds to them.

    failed: why the round gave no new weights; then of the metrics only `seconds` is there.
    """

    round: Required[int]
    client_work: ClientWork
    aggregator: SumReport
    finalizer: dict[str, float]
    seconds: Required[dict[str, float]]
    selection: Selected
    eval: MetricValues
    failed: str


class TrainResult(TypedDict):
    """What `fl train --json` prints. test: the metrics of the last weights on the test examples."""

    rounds: int
    new_rounds: int
    clients: int
    weights: int
    test: MetricValues
    run_dir: str
    model: str
