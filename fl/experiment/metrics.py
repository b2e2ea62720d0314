"""What is known of a training and of an evaluation, as the commands write it in JSON."""

from __future__ import annotations

import math
from typing import NotRequired, Required, TypedDict

from fl.aggregators.totals import SumReport
from fl.experiment.privacy_account import Spent
from fl.process.reports import ClientWork, MetricValues, RoundMetrics, Seconds, Update


class Selected(TypedDict):
    """Who took part in a round, in the order they were ready, of how many."""

    cohort: tuple[str, ...]
    asked: int
    eligible: int


class RunSeconds(Seconds, total=False):
    """How long the parts of a round took, and all of it."""

    round: float


class RunLine(TypedDict, total=False):
    """A line of `metrics.jsonl`: a round's metrics, and what the run adds to them.

    privacy: what was spent, up to this round and with it; of a run with a budget.
    failed: why the round gave no new weights; then of the metrics only `seconds` is there.
    """

    round: Required[int]
    client_work: ClientWork
    aggregator: SumReport
    finalizer: Update
    seconds: Required[RunSeconds]
    selection: Selected
    eval: MetricValues
    privacy: Spent
    failed: str


class TrainResult(TypedDict):
    """What `fl train --json` prints.

    test: the metrics of the last weights on the test examples. report: with --report, the page.
    """

    rounds: int
    new_rounds: int
    clients: int
    weights: int
    test: MetricValues
    run_dir: str
    model: str
    report: NotRequired[str]


def line_of(metrics: RoundMetrics) -> RunLine:
    """A round's metrics, to which the run adds its own."""
    return {
        "round": metrics["round"],
        "client_work": metrics["client_work"],
        "aggregator": metrics["aggregator"],
        "finalizer": metrics["finalizer"],
        "seconds": {
            "train": metrics["seconds"]["train"],
            "protocol": metrics["seconds"]["protocol"],
        },
    }


def as_json_has_it(value: object) -> object:
    """The value with null for every number that is not finite, which JSON has no word for.

    >>> as_json_has_it({"loss": math.nan, "all": (1.5, math.inf)})
    {'loss': None, 'all': [1.5, None]}
    """
    match value:
        case dict():
            return {key: as_json_has_it(item) for key, item in value.items()}
        case list() | tuple():
            return [as_json_has_it(item) for item in value]
        case float():
            return value if math.isfinite(value) else None
    return value
