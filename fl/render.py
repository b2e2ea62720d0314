"""What the demonstration looks like in a terminal: small functions from results to rich objects.

It computes nothing but the bins of a histogram, and imports no TensorFlow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from fl.demo import Comparison, Row, Settings

BINS = 15
BAR_WIDTH = 24
_EIGHTHS = " ▏▎▍▌▋▊▉"


def round_table(settings: Settings) -> Table:
    """The live table, before its first row."""
    table = Table(
        title=f"Federated averaging of digits: {settings.clients} clients, secure beside plain",
        title_justify="left",
    )
    for name in ("round", "loss", "accuracy", "test secure", "test plain"):
        table.add_column(name, justify="right")
    table.add_column("dropped: client@protocol round")
    for name in ("kB up", "train s", "protocol s"):
        table.add_column(name, justify="right")
    return table


def add_round(table: Table, row: Row) -> None:
    """One more round in the table."""
    train, aggregator = row.metrics["client_work"]["train"], row.metrics["aggregator"]
    seconds = row.metrics["seconds"]
    table.add_row(
        str(row.metrics["round"]),
        f"{train['loss']:.4f}",
        f"{train['accuracy']:.4f}",
        f"{row.secure_accuracy:.4f}",
        f"{row.plain_accuracy:.4f}",
        dropped(aggregator["dropped"]),
        f"{aggregator['bytes_up'] / 1000:.1f}",
        f"{seconds['train']:.3f}",
        f"{seconds['protocol']:.3f}",
    )


def dropped(entries: list[dict[str, Any]]) -> str:
    """Who was gone from which protocol round on; the sign says whose input is still in the sum."""
    parts = [f"{e['client']}@{e['round']}{'+' if e['round'] > 2 else ''}" for e in entries]
    return ", ".join(parts) or "nobody"


def comparison(result: Comparison) -> RenderableType:
    """The two sides' differences and, beside each other, what one client has and what it sent."""
    return Group(
        Text("+ dropped after its input was in: it counts in the sum", style="dim"),
        Text(),
        _differences(result),
        Text(),
        Columns(
            [
                histogram(
                    f"client {result.client}: its true update (stays with it)",
                    result.true_update,
                    _span(result.true_update),
                ),
                histogram(
                    f"client {result.client}: what it sent (all the server sees)",
                    result.masked,
                    (0.0, 2.0**result.bits),
                ),
            ],
            padding=(0, 4),
        ),
    )


def histogram(title: str, values: NDArray[Any], span: tuple[float, float]) -> Table:
    """Equal bins over the span, a bar for each."""
    counts, edges = np.histogram(values.astype(np.float64), BINS, span)
    table = Table(title=title, title_justify="left", box=None, show_header=False, padding=(0, 1))
    table.add_column(justify="right", style="cyan")
    table.add_column(width=BAR_WIDTH, no_wrap=True)
    table.add_column(justify="right")
    for low, count in zip(edges[:-1], counts, strict=True):
        table.add_row(f"{low:+.2g}", bar(int(count), int(counts.max())), str(count))
    return table


def bar(count: int, largest: int) -> str:
    """A bar in eighths of a character, `BAR_WIDTH` characters for the largest count."""
    eighths = round(8 * BAR_WIDTH * count / max(largest, 1))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _differences(result: Comparison) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 1))
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


def _span(values: NDArray[Any]) -> tuple[float, float]:
    largest = float(np.abs(values).max(initial=0.0)) or 1.0
    return -largest, largest
