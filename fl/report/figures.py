"""The charts of what was learned, who was lost, and what the server saw, as plotly.js takes them.

Plain data and layout.  Colours of text, grid and ground are the page's, which follow light and
dark; those of the marks are legible on both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from fl.experiment.seen import Histogram, Seen
from fl.progress.bars import PROTOCOL
from fl.report import numbers
from fl.report.charts import (
    MARKED,
    OUTLINE,
    PHASES,
    RUNS,
    SYMBOLS,
    Figure,
    by_round,
    phase,
    text,
    upright,
)
from fl.report.numbers import Part
from fl.report.runs import Run

T = TypeVar("T")


def curves(runs: Sequence[Run], metric: str) -> Figure:
    """A metric by round: on the test examples, and dotted that of local training."""
    data = [
        _line(run, part, metric, i)
        for i, run in enumerate(runs)
        for part in ("test", "train")
        if any(numbers.value(line, part, metric) is not None for line in run.rounds)
    ]
    return {
        "title": metric.replace("_", " "),
        "note": "Lines: on the test examples. Dots: of the clients' local training, before each "
        "step. Secure sums are broad, so that a plain one on top of it is seen. A name in the "
        "legend takes its line off.",
        "data": data,
        "layout": by_round([line["round"] for run in runs for line in run.rounds]),
    }


def difference(secure: Run, plain: Run, metric: str) -> Figure:
    """Secure minus plain by round, on the test examples."""
    other = {line["round"]: numbers.value(line, "test", metric) for line in plain.rounds}
    points = [
        (line["round"], mine - theirs)
        for line in secure.rounds
        if (mine := numbers.value(line, "test", metric)) is not None
        and (theirs := other.get(line["round"])) is not None
    ]
    bars = {
        "type": "bar",
        "x": [x for x, _ in points],
        "y": [y for _, y in points],
        "name": "secure − plain",
        "marker": {"color": RUNS[0]},
        "hovertemplate": "round %{x}: %{y:+.2g}<extra></extra>",
    }
    rounds = [line["round"] for run in (secure, plain) for line in run.rounds]
    layout = by_round(rounds, showlegend=False)
    layout["yaxis"] |= {"exponentformat": "e"}
    return {
        "title": f"{metric.replace('_', ' ')}, secure minus plain",
        "note": "On the test examples, in the rounds that both have. With the same first weights "
        "and data the two differ by the quantisation of the secure sum, which training makes "
        "larger or smaller, as it does any rounding.",
        "data": [bars],
        "layout": layout,
    }


def drops(run: Run) -> Figure:
    """How many clients were lost in each round of training, by the round of the protocol; rounds
    that gave no sum are marked, for who was lost in them is not known."""
    rounds = [line["round"] for line in run.rounds]
    lost = [numbers.who_dropped(line) for line in run.rounds]
    each = -(-len(rounds) // MARKED)
    data = [
        _lost(name, _groups(rounds, each), _groups([gone.get(i, []) for gone in lost], each))
        for i, name in enumerate(PROTOCOL)
        if any(i in gone for gone in lost)
    ]
    without = [line["round"] for line in run.rounds if "failed" in line]
    if without:
        data.append(_without_a_sum(without))
    changes = {"barmode": "stack"} | ({"bargap": 0} if each > 1 else {})
    layout = by_round(rounds, **changes)
    if max(sum(map(len, gone.values())) for gone in lost) < 8:
        layout["yaxis"] |= {"dtick": 1}
    several = f" A bar stands for {each} rounds, and is their mean." if each > 1 else ""
    return {
        "title": f"Clients lost, {run.name}",
        "note": "By the round of the protocol from which a client was gone. Who is gone at check "
        f"or unmask has sent its vector and is in the sum.{several}",
        "data": data,
        "layout": layout,
    }


def seen(of: Seen) -> Iterator[Figure]:
    """The histograms of a true update, of what was sent for it, and of the mean."""
    client = of["client"]
    yield _histogram(
        f"What client {client} learned", "its update; only a simulation can show it", "coordinate",
        "#8a929e", of["true_update"],
    )  # fmt: skip
    yield _histogram(
        f"What client {client} sent", f"words of {of['bits']} bits under masks: flat", "word",
        "#d55e00", of["masked"],
    )  # fmt: skip
    yield _histogram(
        "What the server reads", "the mean over all clients of the sum", "coordinate", "#009e73",
        of["mean"],
    )  # fmt: skip


def _line(run: Run, part: Part, metric: str, i: int) -> dict[str, Any]:
    points = [(line["round"], numbers.value(line, part, metric)) for line in run.rounds]
    points = [(x, y) for x, y in points if y is not None] if part == "test" else points
    tested = part == "test"
    return {
        "type": "scatter",
        "mode": "lines+markers" if len(run.rounds) <= MARKED else "lines",
        "name": text(run.name if tested else f"{run.name}, training"),
        "x": [x for x, _ in points],
        "y": [y for _, y in points],
        "line": {
            "color": RUNS[i % len(RUNS)],
            "dash": "solid" if tested else "dot",
            "width": 5 if run.kind == "secure" and tested else 2,
        },
        "marker": {"size": 7 if tested else 3, "symbol": SYMBOLS[i % len(SYMBOLS)]},
        "hovertemplate": "round %{x}: %{y:.4f}",
    }


def _lost(
    name: str, rounds: Sequence[Sequence[int]], gone: Sequence[Sequence[Sequence[str]]]
) -> dict[str, Any]:
    """The bars of those who were gone from a protocol round on, one for each group of rounds."""
    return {
        "type": "bar",
        "name": phase(name),
        "x": [(group[0] + group[-1]) / 2 for group in rounds],
        "y": [sum(map(len, names)) / len(names) for names in gone],
        "text": [_who(names) for names in gone],
        "textposition": "none",
        "marker": {"color": PHASES[name], "line": OUTLINE if len(gone[0]) == 1 else {}},
        "hovertemplate": "round %{x}: %{text}<extra>%{fullData.name}</extra>",
    }


def _groups(items: Sequence[T], each: int) -> list[Sequence[T]]:
    return [items[i : i + each] for i in range(0, len(items), each)]


def _who(names: Sequence[Sequence[str]]) -> str:
    if len(names) == 1:
        return text(", ".join(names[0]))
    return f"{sum(map(len, names))} in {len(names)} rounds"


def _without_a_sum(rounds: Sequence[int]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "no sum",
        "x": list(rounds),
        "y": [0] * len(rounds),
        "marker": {"symbol": "x", "size": 9, "color": "#d55e00"},
        "cliponaxis": False,
        "hovertemplate": "round %{x}: no sum<extra></extra>",
    }


def _histogram(title: str, note: str, of_what: str, colour: str, of: Histogram) -> Figure:
    width = (of["high"] - of["low"]) / len(of["counts"])
    bars = {
        "type": "bar",
        "x": [of["low"] + (i + 0.5) * width for i in range(len(of["counts"]))],
        "y": of["counts"],
        "width": width,
        "marker": {"color": colour},
        "hovertemplate": "%{x:.3g}: %{y} of them<extra></extra>",
    }
    layout = upright(of_what, showlegend=False)
    layout["xaxis"] |= {"range": [of["low"], of["high"]], "nticks": 5, "exponentformat": "e"}
    layout["yaxis"] |= {"title": {"text": "how many"}}
    return {"title": title, "note": note, "data": [bars], "layout": layout}
