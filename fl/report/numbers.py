"""What is shown of rounds, as plain numbers: None for what is not there, or not finite."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from fl.experiment.metrics import RunLine
from fl.progress.bars import PROTOCOL
from fl.report.runs import Run

TRAIN, REST, WHOLE = "training", "the rest", "the sum"
IN_THE_SUM = 3
"""Who is gone from this round of the protocol on, or a later one, is in the sum."""

Part = Literal["train", "test"]


@dataclass(frozen=True)
class PhaseCost:
    """A part of a round: bytes of one client, mean over the rounds of a run, and seconds, of which
    it is the median, as the first round compiles the training."""

    name: str
    bytes_up: float | None
    bytes_down: float | None
    seconds: float | None


def metric_of(runs: Sequence[Run]) -> str | None:
    """The name of a metric beside the loss: the first that is an accuracy, or the first at all."""
    names = [name for run in runs for line in run.rounds for name in _metrics(line)]
    return next((name for name in names if "accuracy" in name), next(iter(names), None))


def value(line: RunLine, part: Part, metric: str) -> float | None:
    """A metric of a round, of training or on the test examples."""
    trained = line.get("client_work", {}).get("train", {})
    return finite((trained if part == "train" else line.get("eval", {})).get(metric))


def last(run: Run, part: Part, metric: str) -> float | None:
    """The latest value of a metric."""
    values = (value(line, part, metric) for line in reversed(run.rounds))
    return next((v for v in values if v is not None), None)


def last_of_both(one: Run, other: Run, metric: str) -> tuple[int, float, float] | None:
    """The last round in which both were tested, and their values; None where there is none."""
    theirs = {line["round"]: value(line, "test", metric) for line in other.rounds}
    for line in reversed(one.rounds):
        mine, same_round = value(line, "test", metric), theirs.get(line["round"])
        if mine is not None and same_round is not None:
            return line["round"], mine, same_round
    return None


def who_dropped(line: RunLine) -> dict[int, list[str]]:
    """Protocol round -> the clients that were gone from it on; by name where the run has names."""
    cohort = line["selection"]["cohort"] if "selection" in line else ()
    gone: dict[int, list[str]] = {}
    for entry in line["aggregator"]["dropped"] if "aggregator" in line else ():
        client = entry["client"]
        name = cohort[client] if client < len(cohort) else str(client)
        gone.setdefault(entry["round"], []).append(name)
    return gone


def phases(run: Run) -> list[PhaseCost]:
    """Training, the rounds of the protocol, and the rest of a round."""
    lines = run.summed
    train = PhaseCost(TRAIN, None, None, median(line["seconds"].get("train") for line in lines))
    costs = [train, *_of_the_sum(lines)]
    rest = median(_rest(line) for line in lines)
    return costs if rest is None else [*costs, PhaseCost(REST, None, None, rest)]


def duration(line: RunLine) -> float:
    """Seconds of a round: all of it where it was measured, or what was."""
    seconds = line["seconds"]
    return seconds.get("round", seconds.get("train", 0.0) + seconds.get("protocol", 0.0))


def mean(values: Iterable[float | None]) -> float | None:
    """Of those that are there; None for none."""
    there = _there(values)
    return statistics.fmean(there) if there else None


def median(values: Iterable[float | None]) -> float | None:
    """Of those that are there; None for none."""
    there = _there(values)
    return statistics.median(there) if there else None


def finite(number: object) -> float | None:
    """The number; None for what is none, or not finite."""
    is_number = isinstance(number, int | float) and not isinstance(number, bool)
    return float(number) if is_number and math.isfinite(number) else None  # type: ignore[arg-type]


def _there(values: Iterable[float | None]) -> list[float]:
    return [v for v in map(finite, values) if v is not None]


def _metrics(line: RunLine) -> list[str]:
    names = [*line.get("client_work", {}).get("train", {}), *line.get("eval", {})]
    return [name for name in names if name != "loss" and not name.startswith("num_")]


def _of_the_sum(lines: Sequence[RunLine]) -> list[PhaseCost]:
    reports = [line["aggregator"] for line in lines]
    detailed = [report["phases"] for report in reports if "phases" in report]
    if not detailed:  # a plain sum has no rounds, and a sum over a network was not measured
        up = mean(report["bytes_up"] for report in reports)
        down = mean(report["bytes_down"] for report in reports)
        return [PhaseCost(WHOLE, up, down, median(_protocol(line) for line in lines))]
    return [
        PhaseCost(
            name,
            mean(of[i]["bytes_up"] for of in detailed if i < len(of)),
            mean(of[i]["bytes_down"] for of in detailed if i < len(of)),
            median(of[i]["seconds"] for of in detailed if i < len(of)),
        )
        for i, name in enumerate(PROTOCOL)
    ]


def _protocol(line: RunLine) -> float | None:
    return line["seconds"].get("protocol")


def _rest(line: RunLine) -> float | None:
    seconds = line["seconds"]
    if "round" not in seconds:
        return None
    return seconds["round"] - seconds.get("train", 0.0) - seconds.get("protocol", 0.0)
