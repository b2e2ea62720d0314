"""What the demonstration looks like: small functions from results to lines and to rich objects.

It computes nothing but the bins of a histogram, and imports no TensorFlow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich import columns
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from fl.cli.number_columns import Columns, folded

if TYPE_CHECKING:
    from fl.aggregators.observed import Observed
    from fl.aggregators.totals import DroppedClient
    from fl.cli.demo_settings import Settings
    from fl.cli.demo_side_by_side import Comparison, Row

BINS = 15
BAR_WIDTH = 18
_EIGHTHS = " ▏▎▍▌▋▊▉"


_ROUNDS = Columns(
    (
        *(("round", 5), ("loss", 6), ("accuracy", 8), ("test\nsecure", 6), ("test\nplain", 6)),
        *(("kB up", 6), ("train\nseconds", 7), ("protocol\nseconds", 8)),
    ),
    words="dropped",
)


def head(settings: Settings, room: int | None = None) -> str:
    """What is above the rounds, in lines of this room; None for any."""
    title = f"Federated averaging of digits: {settings.clients} clients, secure beside plain"
    return f"{folded(title, room, indent='')}\n\n{_ROUNDS.head(room)}"


def line(row: Row, room: int | None = None) -> str:
    """One round in one line, where there is room."""
    train, aggregator = row.metrics["client_work"]["train"], row.metrics["aggregator"]
    seconds = row.metrics["seconds"]
    cells = (
        row.metrics["round"],
        f"{train['loss']:.4f}",
        f"{train['accuracy']:.4f}",
        f"{row.secure_accuracy:.4f}",
        f"{row.plain_accuracy:.4f}",
        f"{aggregator['bytes_up'] / 1000:.1f}",
        f"{seconds['train']:.3f}",
        f"{seconds['protocol']:.3f}",
    )
    return _ROUNDS.row(cells, dropped(aggregator["dropped"]), room)


def dropped(entries: Sequence[DroppedClient]) -> str:
    """Who was gone from which protocol round on; the sign says whose input is still in the sum."""
    parts = [f"{e['client']}@{e['round']}{'+' if e['round'] > 2 else ''}" for e in entries]
    return ", ".join(parts) or "nobody"


def comparison(result: Comparison) -> RenderableType:
    """The two sides' differences and, beside each other, what one client has and what it sent."""
    return Group(
        Text(),
        Text("3@2: client 3 gone from protocol round 2 on; +: its input is in the sum"),
        Text(),
        _differences(result),
        Text(),
        *([] if result.observed is None else [_vectors(result.observed)]),
    )


def _vectors(seen: Observed) -> RenderableType:
    true = histogram(
        f"true update of client {seen.client}", seen.true_update, span(seen.true_update)
    )
    ring = (0.0, 2.0**seen.bits)
    sent = histogram(f"masked vector of client {seen.client}", seen.masked, ring)
    return columns.Columns([true, sent], padding=(0, 3))


def histogram(title: str, values: NDArray[Any], span: tuple[float, float]) -> Table:
    """Equal bins over the span, a bar for each."""
    counts, edges = np.histogram(values.astype(np.float64), BINS, span)
    table = Table(title=title, title_justify="left", box=None, show_header=False, padding=(0, 1))
    table.add_column(justify="right", style="cyan", no_wrap=True)
    table.add_column(width=BAR_WIDTH, no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    for low, count in zip(edges[:-1], counts, strict=True):
        table.add_row(f"{low:.2g}", bar(int(count), int(counts.max())), str(count))
    return table


def bar(count: int, largest: int) -> str:
    """A bar in eighths of a character, `BAR_WIDTH` characters for the largest count."""
    eighths = round(8 * BAR_WIDTH * count / max(largest, 1))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _differences(result: Comparison) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 1))
    table.add_column()
    table.add_column(no_wrap=True)
    table.add_row("test accuracy", f"secure {result.secure_accuracy:.4f}")
    table.add_row("", f"plain  {result.plain_accuracy:.4f}")
    bound = "no bound: clipped" if result.bound is None else f"bound {result.bound:.3g}"
    table.add_row(
        "largest weight difference after round 1", f"{result.first_difference:.3g}  ({bound})"
    )
    table.add_row(
        f"largest weight difference after round {result.rounds}", f"{result.final_difference:.3g}"
    )
    return table


def span(values: NDArray[Any]) -> tuple[float, float]:
    """An interval around zero that holds all values."""
    largest = float(np.abs(values).max(initial=0.0)) or 1.0
    return -largest, largest
