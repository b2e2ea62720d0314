"""What a round reports: plain dicts, of these types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

from fl.aggregators.totals import SumReport
from secagg.html_table import html_table, listed

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
    return ", ".join([f"round {metrics['round']}", _clients(report), *numbers])


def html(metrics: Mapping[str, Any]) -> str:
    """What came of a round, as a table for a notebook."""
    report = metrics["aggregator"]
    (measured,) = metrics["client_work"].values()
    numbers = [(name, f"{value:.4g}") for name, value in measured.items() if _is_number(value)]
    gone = (f"{entry['client']} @ {entry['round']}" for entry in report["dropped"])
    seconds = (f"{value:.3f} {name}" for name, value in metrics["seconds"].items())
    rows = [
        *numbers,
        (f"in the {report['kind']} sum", _clients(report)),
        ("dropped, from round", listed(gone)),
        ("bytes up, down", f"{report['bytes_up']:,}, {report['bytes_down']:,}"),
        ("seconds", ", ".join(seconds)),
    ]
    return html_table(f"Round {metrics['round']}", rows)


def _clients(report: SumReport) -> str:
    return f"{len(report['survivors'])} of {len(report['clients'])} clients"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)
