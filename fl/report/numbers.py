"""What is shown of rounds, as plain numbers: None for what is not there, or not finite."""

from __future__ import annotations

import math
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
    """A part of a round, mean over the rounds of a run; bytes are those of one client."""

    name: str
    bytes_up: float | None
    bytes_down: float | None
    seconds: float | None


def accuracy_of(runs: Sequence[Run]) -> str | None:
    """The name of the first metric that is an accuracy and that all runs have."""
    for name in _metrics(runs[0]):
        if "accuracy" in name and all(name in _metrics(run) for run in runs):
            return name
    return None


def value(line: RunLine, part: Part, metric: str) -> float | None:
    """A metric of a round, of training or on the test examples."""
    trained = line.get("client_work", {}).get("train", {})
    return finite((trained if part == "train" else line.get("eval", {})).get(metric))


def last(run: Run, part: Part, metric: str) -> float | None:
    """The latest value of a metric."""
    values = (value(line, part, metric) for line in reversed(run.rounds))
    return next((v for v in values if v is not None), None)


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
    """Training, the rounds of the protocol, and the rest of a round; mean over the rounds."""
    lines = run.summed
    train = PhaseCost(TRAIN, None, None, mean(line["seconds"].get("train") for line in lines))
    costs = [train, *_of_the_sum(lines)]
    rest = mean(_rest(line) for line in lines)
    return costs if rest is None else [*costs, PhaseCost(REST, None, None, rest)]


def duration(line: RunLine) -> float:
    """Seconds of a round: all of it where it was measured, or what was."""
    seconds = line["seconds"]
    return seconds.get("round", seconds.get("train", 0.0) + seconds.get("protocol", 0.0))


def mean(values: Iterable[float | None]) -> float | None:
    """Of those that are there; None for none."""
    there = [v for v in map(finite, values) if v is not None]
    return sum(there) / len(there) if there else None


def finite(number: object) -> float | None:
    """The number; None for what is none, or not finite."""
    is_number = isinstance(number, int | float) and not isinstance(number, bool)
    return float(number) if is_number and math.isfinite(number) else None  # type: ignore[arg-type]


def _metrics(run: Run) -> list[str]:
    return [name for line in run.summed[:1] for name in line["client_work"].get("train", {})]


def _of_the_sum(lines: Sequence[RunLine]) -> list[PhaseCost]:
    reports = [line["aggregator"] for line in lines]
    detailed = [report["phases"] for report in reports if "phases" in report]
    if not detailed:  # a plain sum has no rounds, and a sum over a network was not measured
        up = mean(report["bytes_up"] for report in reports)
        down = mean(report["bytes_down"] for report in reports)
        return [PhaseCost(WHOLE, up, down, mean(_protocol(line) for line in lines))]
    return [
        PhaseCost(
            name,
            mean(of[i]["bytes_up"] for of in detailed if i < len(of)),
            mean(of[i]["bytes_down"] for of in detailed if i < len(of)),
            mean(of[i]["seconds"] for of in detailed if i < len(of)),
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
