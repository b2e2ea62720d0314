"""The rows that `fl train` prints, one a round, under one head.

It knows the metrics of a round and widths of columns; it prints nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from fl.aggregators.totals import SumReport
from fl.cli.number_columns import Columns, folded
from fl.experiment.metrics import RunLine

_COLUMNS = Columns(
    (
        ("round", 5),
        *(("train\nloss", 7), ("train\naccuracy", 8), ("test\nloss", 7), ("test\naccuracy", 8)),
        *(("in the\nsum", 7), ("clipped", 7), ("kB up", 8), ("train\ns", 6), ("protocol\ns", 8)),
    )  # with a space between them as wide as a terminal, 80
)


def head(room: int | None = None) -> str:
    """The head of the rows, in lines of this room; None for any."""
    return _COLUMNS.head(room)


def line(metrics: RunLine, room: int | None = None) -> str:
    """One round in one line, where there is room."""
    if "failed" in metrics:
        return folded(f"{metrics['round']:5}  failed: {metrics['failed']}", room)
    train, tested = metrics["client_work"]["train"], metrics.get("eval", {})
    seen, seconds = metrics["aggregator"], metrics["seconds"]
    cells = [
        metrics["round"],
        *(number(train.get(name, "")) for name in ("loss", "accuracy")),
        *(number(tested.get(name, "")) for name in ("loss", "accuracy")),
        f"{len(seen['survivors'])}/{len(seen['clients'])}",
        f"{seen['clipped_fraction']:.2%}",
        f"{seen['bytes_up'] / 1000:.1f}",
        f"{seconds['train']:.2f}",
        f"{seconds['protocol']:.2f}",
    ]
    return _COLUMNS.row(cells, "  ".join([*_spent(metrics), *_left_out(seen)]), room)


def _spent(metrics: RunLine) -> Iterator[str]:
    """What the rounds so far have cost of the budget of privacy, whoever sees how much."""
    if "privacy" in metrics:
        spent = metrics["privacy"]
        yield f"ε {spent['epsilon']:.3f}"
        if spent["epsilon_seen"] > spent["epsilon"]:
            yield f"(who sees the cohorts: {spent['epsilon_seen']:.3f})"


def _left_out(seen: SumReport) -> Iterator[str]:
    """What is not in the sum: clients whose update or weight cannot be, metrics by their name."""
    update, *metrics = seen["non_finite"].items()
    counts = {
        "not finite": update[1],
        "above max_weight": seen["bad_weights"],
        "without examples": seen["without_examples"],
        "with malformed data": seen["malformed"],
        **{f"without {name}": count for name, count in metrics},
    }
    return (f"{count} {what}" for what, count in counts.items() if count)


def number(value: object) -> str:
    """Four places of a float; anything else as it is."""
    return f"{value:.4f}" if isinstance(value, float) else str(value)
