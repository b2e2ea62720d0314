"""The charts of the page, as plotly.js takes them: plain data and layout.

Text goes through `html.escape`: plotly.js reads a little HTML in names.  Colours of text, grid and
ground are the page's, which follow light and dark; those of the marks are legible on both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any, TypedDict

from fl.experiment.seen import Histogram, Seen
from fl.progress.bars import PROTOCOL
from fl.report import numbers
from fl.report.numbers import Part
from fl.report.runs import Run

RUNS = ("#2f86d1", "#e08a00", "#1a9e77", "#c65d9b", "#7a6fd0", "#d1563b")
PHASES = {
    numbers.TRAIN: "#8a929e",
    **dict(zip(PROTOCOL, ("#2f86d1", "#45b0c9", "#1a9e77", "#e0a800", "#d1563b"), strict=True)),
    numbers.WHOLE: "#7a6fd0",
    numbers.REST: "#b9bec6",
}
_LONGEST = 16  # characters of a name beside an axis, where a phone has little room


class Figure(TypedDict):
    """A chart: its heading, a sentence below it, and what plotly.js is given."""

    title: str
    note: str
    data: list[dict[str, Any]]
    layout: dict[str, Any]


def curves(runs: Sequence[Run], metric: str) -> Figure:
    """A metric by round: on the test examples, and dotted that of local training."""
    data = [
        _line(run, part, metric, RUNS[i % len(RUNS)])
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
        "layout": _layout("round"),
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
    layout = _layout("round", showlegend=False)
    layout["yaxis"] |= {"exponentformat": "e"}
    return {
        "title": f"{metric.replace('_', ' ')}, secure minus plain",
        "note": "On the test examples. The two differ by the quantisation of the secure sum, which "
        "training makes larger or smaller, as it does any rounding.",
        "data": [bars],
        "layout": layout,
    }


def drops(run: Run) -> Figure:
    """How many clients were lost in each round of training, by the round of the protocol."""
    rounds = run.summed
    lost = [numbers.who_dropped(line) for line in rounds]
    data = [
        {
            "type": "bar",
            "name": _phase(i),
            "x": [line["round"] for line in rounds],
            "y": [len(gone.get(i, ())) for gone in lost],
            "text": [escape(", ".join(gone.get(i, ()))) for gone in lost],
            "textposition": "none",
            "marker": {"color": PHASES[name]},
            "hovertemplate": "round %{x}: %{text}<extra>%{fullData.name}</extra>",
        }
        for i, name in enumerate(PROTOCOL)
        if any(i in gone for gone in lost)
    ]
    layout = _layout("round", barmode="stack")
    most = max(sum(map(len, gone.values())) for gone in lost)
    layout["yaxis"] |= {"dtick": 1} if most < 8 else {}
    return {
        "title": f"Clients lost, {run.name}",
        "note": "By the round of the protocol from which a client was gone. Who is gone at check "
        "or unmask has sent its vector and is in the sum.",
        "data": data,
        "layout": layout,
    }


def seconds(runs: Sequence[Run]) -> Figure:
    """Seconds of a round by what they went to."""
    data = _stacked(runs, lambda cost: cost.seconds, "%{x:.3g} s")
    return {
        "title": "Seconds of a round",
        "note": "Mean over the rounds; all clients and the server, in one process. The rest is "
        "evaluation, files, and choosing clients.",
        "data": data,
        "layout": _layout("seconds", bars=len(runs)),
    }


def sizes(runs: Sequence[Run]) -> Figure:
    """Bytes of a client by round of the protocol, both ways."""
    data = _stacked(runs, _kilobytes, "%{x:.3g} kB")
    return {
        "title": "Bytes of a client in a round",
        "note": "Sent and received, mean over clients and rounds. Under masks the vector itself "
        "travels; a plain sum is counted as its numbers alone.",
        "data": data,
        "layout": _layout("kB", bars=len(runs)),
    }


def seen(of: Seen) -> Iterator[Figure]:
    """The histograms of a true update, of what was sent for it, and of the mean."""
    client = of["client"]
    yield _histogram(
        f"What client {client} learned", "its update; only a simulation can show it", "#8a929e",
        of["true_update"],
    )  # fmt: skip
    yield _histogram(
        f"What client {client} sent", f"words of {of['bits']} bits under masks: flat", "#d1563b",
        of["masked"],
    )  # fmt: skip
    yield _histogram(
        "What the server reads", "the mean over all clients of the sum", "#1a9e77", of["mean"]
    )


def _line(run: Run, part: Part, metric: str, colour: str) -> dict[str, Any]:
    points = [(line["round"], numbers.value(line, part, metric)) for line in run.rounds]
    points = [(x, y) for x, y in points if y is not None] if part == "test" else points
    return {
        "type": "scatter",
        "mode": "lines+markers" if part == "test" else "lines",
        "name": escape(run.name if part == "test" else f"{run.name}, training"),
        "x": [x for x, _ in points],
        "y": [y for _, y in points],
        "line": {
            "color": colour,
            "dash": "solid" if part == "test" else "dot",
            "width": 5 if run.kind == "secure" and part == "test" else 2,
        },
        "marker": {"size": 5},
        "hovertemplate": "%{y:.4f}",
    }


def _stacked(runs: Sequence[Run], size: Any, shown: str) -> list[dict[str, Any]]:
    """A bar for each run, of the parts of a round."""
    costs = [{cost.name: size(cost) for cost in numbers.phases(run)} for run in runs]
    return [
        {
            "type": "bar",
            "orientation": "h",
            "name": _phase(name),
            "y": [_short(run.name) for run in runs],
            "x": [of.get(name) for of in costs],
            "customdata": [escape(run.name) for run in runs],
            "marker": {"color": colour},
            "hovertemplate": f"%{{customdata}}: {shown}<extra>%{{fullData.name}}</extra>",
        }
        for name, colour in PHASES.items()
        if any(of.get(name) for of in costs)
    ]


def _kilobytes(cost: numbers.PhaseCost) -> float | None:
    if cost.bytes_up is None:
        return None
    return (cost.bytes_up + (cost.bytes_down or 0.0)) / 1000


def _histogram(title: str, note: str, colour: str, of: Histogram) -> Figure:
    width = (of["high"] - of["low"]) / len(of["counts"])
    bars = {
        "type": "bar",
        "x": [of["low"] + (i + 0.5) * width for i in range(len(of["counts"]))],
        "y": of["counts"],
        "width": width,
        "marker": {"color": colour},
        "hovertemplate": "%{x:.3g}: %{y} coordinates<extra></extra>",
    }
    layout = _layout("", showlegend=False)
    layout["xaxis"] |= {"range": [of["low"], of["high"]], "nticks": 5}
    return {"title": title, "note": note, "data": [bars], "layout": layout}


def _phase(phase: int | str) -> str:
    """A round of the protocol by its number and name; another part of a round by its name."""
    if phase in PROTOCOL:
        phase = PROTOCOL.index(str(phase))
    return f"{phase} {PROTOCOL[phase]}" if isinstance(phase, int) else phase


def _short(name: str) -> str:
    # zero-width spaces would do for other charts: here two names that begin alike must stay apart
    return escape(name if len(name) <= _LONGEST else f"{name[:7]}…{name[-8:]}")


def _layout(x_title: str, bars: int = 0, **changes: Any) -> dict[str, Any]:
    """bars: how many bars lie beneath each other; 0 for an upright chart."""
    layout: dict[str, Any] = {
        "height": 150 + 42 * bars if bars else 300,
        "margin": {"l": 48, "r": 12, "t": 8, "b": 44},
        "xaxis": {"title": {"text": x_title}, "automargin": True},
        "yaxis": {"automargin": True, "rangemode": "tozero" if not bars else "normal"},
        "legend": {
            "orientation": "h",
            "y": 1.02,
            "yanchor": "bottom",
            "x": 0,
            "traceorder": "normal",
        },
        "hovermode": "closest",
    }
    if bars:
        layout |= {"barmode": "stack"}
        layout["yaxis"] |= {"autorange": "reversed", "type": "category"}
    return layout | changes
