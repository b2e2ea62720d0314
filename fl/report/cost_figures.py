"""The charts of what a round cost: seconds and bytes, by what they went to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fl.report import numbers
from fl.report.charts import OUTLINE, PHASES, Figure, lying, phase, text
from fl.report.runs import Run


def seconds(runs: Sequence[Run]) -> Figure:
    """Seconds of a round by what they went to."""
    return {
        "title": "Seconds of a round",
        "note": "Median of the rounds that gave a sum, each part by itself; all clients and the "
        "server, in one process. The rest is evaluation, files, and choosing clients.",
        "data": _stacked(runs, lambda cost: cost.seconds, "%{x:.3g} s"),
        "layout": lying("seconds", [run.name for run in runs]),
    }


def sizes(runs: Sequence[Run]) -> Figure:
    """Bytes of a client by round of the protocol, both ways."""
    return {
        "title": "Bytes of a client in a round",
        "note": "Sent and received, mean of the rounds that gave a sum. Under masks the vector "
        "itself travels, and the mean is over all clients, lost ones too, who may have sent "
        "little; of a plain sum it is one vector, and nothing is lost of it.",
        "data": _stacked(runs, _kilobytes, "%{x:.3g} kB"),
        "layout": lying("kB", [run.name for run in runs]),
    }


def _stacked(
    runs: Sequence[Run], size: Callable[[numbers.PhaseCost], float | None], shown: str
) -> list[dict[str, Any]]:
    """A bar for each run, of the parts of a round."""
    costs = [{cost.name: size(cost) for cost in numbers.phases(run)} for run in runs]
    return [
        {
            "type": "bar",
            "orientation": "h",
            "name": phase(name),
            "y": list(range(len(runs))),
            "x": [of.get(name) for of in costs],
            "customdata": [text(run.name) for run in runs],
            "marker": {"color": colour, "line": OUTLINE},
            "hovertemplate": f"%{{customdata}}: {shown}<extra>%{{fullData.name}}</extra>",
        }
        for name, colour in PHASES.items()
        if any(of.get(name) for of in costs)
    ]


def _kilobytes(cost: numbers.PhaseCost) -> float | None:
    if cost.bytes_up is None:
        return None
    return (cost.bytes_up + (cost.bytes_down or 0.0)) / 1000
