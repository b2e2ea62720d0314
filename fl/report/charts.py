"""What all charts of the page have in common: a layout for plotly.js, colours, and names."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, TypedDict

from fl.progress.bars import PROTOCOL
from fl.report import numbers

# Okabe and Ito's colours, which people who see fewer of them tell apart too.
RUNS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "star", "cross")
PHASES = {
    numbers.TRAIN: "#8a929e",
    **dict(zip(PROTOCOL, ("#0072b2", "#56b4e9", "#009e73", "#e69f00", "#d55e00"), strict=True)),
    numbers.WHOLE: "#cc79a7",
    numbers.REST: "#b9bec6",
}
OUTLINE = {"color": "#8a929e", "width": 0.5}  # around bars, of which some are pale
MARKED = 300
"""A line of more rounds has no mark for each, and bars stand for several rounds: a browser draws
each mark and bar by itself."""
_FEW = 10  # rounds for which each has its number on the axis


class Figure(TypedDict):
    """A chart: its heading, a sentence below it, and what plotly.js is given."""

    title: str
    note: str
    data: list[dict[str, Any]]
    layout: dict[str, Any]


def text(name: str) -> str:
    """A name for plotly.js, which reads a little HTML, but no quotation marks of it."""
    return escape(name, quote=False)


def phase(name: str) -> str:
    """A round of the protocol by its number and name; another part of a round by its name."""
    return f"{PROTOCOL.index(name)} {name}" if name in PROTOCOL else name


def upright(x_title: str, **changes: Any) -> dict[str, Any]:
    """The layout of a chart whose values go up."""
    made = _layout(x_title, 300)
    made["yaxis"] |= {"rangemode": "tozero"}
    return made | changes


def by_round(rounds: Sequence[int], **changes: Any) -> dict[str, Any]:
    """The layout of a chart over all these rounds, whether it has values for them or not."""
    made = upright("round", **changes)
    made["xaxis"] |= {"range": [min(rounds) - 0.5, max(rounds) + 0.5]}
    if max(rounds) - min(rounds) < _FEW:
        made["xaxis"] |= {"dtick": 1, "tick0": 0}
    return made


def lying(x_title: str, names: Sequence[str]) -> dict[str, Any]:
    """The layout of a chart with a bar for each name, at the heights 0, 1, ... downwards."""
    made = _layout(x_title, 150 + 42 * len(names))
    made["yaxis"] |= {
        "autorange": "reversed",
        "tickvals": list(range(len(names))),
        "ticktext": [text(_short(name)) for name in names],
    }
    return made | {"barmode": "stack"}


def _layout(x_title: str, height: int) -> dict[str, Any]:
    return {
        "height": height,
        "margin": {"l": 48, "r": 12, "t": 8, "b": 44},
        "xaxis": {"title": {"text": x_title}, "automargin": True},
        "yaxis": {"automargin": True},
        "legend": {
            "orientation": "h",
            "y": 1.02,
            "yanchor": "bottom",
            "x": 0,
            "traceorder": "normal",
        },
        "hovermode": "closest",
    }


_LONGEST = 16  # characters of a name beside an axis, where a phone has little room


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[:7]}…{name[-8:]}"
