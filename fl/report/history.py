"""The rounds of a training as a notebook shows them: curves, and a table.

The curves need matplotlib, of the extra `report`; without it there is the table alone.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import overload

from fl.experiment.metrics import RunLine, line_of
from fl.process.reports import EvaluationMetrics, RoundMetrics
from fl.report import numbers
from fl.report.charts import MARKED, RUNS
from fl.report.numbers import Part
from fl.report.runs import Run
from secagg.html_table import html_table, listed

SHOWN = 10
"""The table has the last rounds, at most so many; the curves have all."""
_INK = "#757a83"  # legible on light and on dark
_LINES: dict[Part, tuple[str, str]] = {"test": ("-", RUNS[0]), "train": (":", RUNS[1])}


class History(Sequence[RunLine]):
    """The rounds of a training, in the order of `append`; shown by a notebook.

    A `Run` takes one for its rounds: fl.report.write_page([fl.report.Run("mine", {}, history)],
    "page.html").

    >>> process, history = fl.build_weighted_fed_avg(model_fn), fl.History()
    >>> state = process.initialize()
    >>> for _ in range(2):
    ...     state, metrics = process.next(state, clients)
    ...     history.append(metrics)
    >>> history
    History(2 rounds, last: loss=..., accuracy=...)
    """

    def __init__(self) -> None:
        self._rounds: list[RunLine] = []

    def append(self, metrics: RoundMetrics, evaluation: EvaluationMetrics | None = None) -> None:
        """Add a round: what `process.next` says of it, and what an evaluation of its weights
        says."""
        line = line_of(metrics)
        if evaluation is not None:
            line["eval"] = evaluation["client_work"]["eval"]
        self._rounds.append(line)

    @overload
    def __getitem__(self, index: int) -> RunLine: ...
    @overload
    def __getitem__(self, index: slice) -> list[RunLine]: ...
    def __getitem__(self, index: int | slice) -> RunLine | list[RunLine]:
        return self._rounds[index]

    def __len__(self) -> int:
        return len(self._rounds)

    def __repr__(self) -> str:
        if not self._rounds:
            return "History(0 rounds)"
        run = Run("", {}, self._rounds)
        found = ((name, numbers.last(run, "train", name)) for name in _names(self._rounds))
        text = ", ".join(f"{name}={value:.4g}" for name, value in found if value is not None)
        return f"History({len(self)} rounds, last: {text})"

    def _repr_html_(self) -> str:
        if not self._rounds:
            return html_table("History", [("rounds", 0)])
        curves = _curves(self._rounds) if find_spec("matplotlib") is not None else ""
        return curves + _table(self._rounds)


def _table(rounds: Sequence[RunLine]) -> str:
    names = _names(rounds)
    tested = any("eval" in line for line in rounds)
    head = ["round", *names, *(f"test {name}" for name in names if tested)]
    title = ("1 round" if len(rounds) == 1 else f"{len(rounds)} rounds") + (
        f", the last {SHOWN}" if len(rounds) > SHOWN else ""
    )
    rows = (_row(line, names, tested) for line in rounds[-SHOWN:])
    return html_table(title, rows, [*head, "in the sum", "dropped, from round", "kB up", "seconds"])


def _row(line: RunLine, names: Sequence[str], tested: bool) -> list[object]:
    report = line["aggregator"]
    parts: tuple[Part, ...] = ("train", "test") if tested else ("train",)
    values = (numbers.value(line, part, name) for part in parts for name in names)
    gone = (f"{entry['client']} @ {entry['round']}" for entry in report["dropped"])
    return [
        line["round"],
        *("–" if value is None else f"{value:.4f}" for value in values),
        f"{len(report['survivors'])} of {len(report['clients'])}",
        listed(gone),
        f"{report['bytes_up'] / 1000:.1f}",
        f"{numbers.duration(line):.3f}",
    ]


def _curves(rounds: Sequence[RunLine]) -> str:
    """SVG: a plot for the loss, and one for the accuracy or another metric."""
    names, mark = _names(rounds), "." if len(rounds) <= MARKED else ""
    ticker = import_module("matplotlib.ticker")
    figure = import_module("matplotlib.figure").Figure((4.2 * len(names), 2.8), layout="tight")
    for axis, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        for part, (style, colour) in _LINES.items():
            points = list(_points(rounds, part, name))
            if points:
                axis.plot(*zip(*points, strict=True), style, color=colour, label=part, marker=mark)
        axis.set_title(name, color=_INK)
        axis.set_xlabel("round", color=_INK)
        axis.tick_params(colors=_INK)
        axis.spines[:].set_color(_INK)
        axis.xaxis.set_major_locator(ticker.MaxNLocator(integer=True, min_n_ticks=1))
        if axis.lines:
            axis.legend(labelcolor=_INK, frameon=False)
    file = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(file, format="svg", transparent=True, metadata=nothing)
    text = file.getvalue()
    return text[text.index("<svg") :]


def _points(rounds: Sequence[RunLine], part: Part, name: str) -> Iterator[tuple[int, float]]:
    for line in rounds:
        value = numbers.value(line, part, name)
        if value is not None:
            yield line["round"], value


def _names(rounds: Sequence[RunLine]) -> list[str]:
    """The metrics that are shown."""
    metric = numbers.metric_of([Run("", {}, rounds)])
    return ["loss", *([metric] if metric else [])]
