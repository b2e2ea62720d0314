"""Tables of HTML for notebooks, by the standard library: whatever stands in a cell is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

SHOWN = 20
"""Of a list, so many are named; the others are counted."""


def html_table(title: str, rows: Iterable[Sequence[object]], head: Sequence[object] = ()) -> str:
    """A table; the first cell of a row is its name."""
    body = "".join(f"<tr>{_cell('th', row[0])}{_cells('td', row[1:])}</tr>" for row in rows)
    top = f"<thead><tr>{_cells('th', head)}</tr></thead>" if head else ""
    return f"<table><caption>{escape(title)}</caption>{top}<tbody>{body}</tbody></table>"


def listed(things: Iterable[object]) -> str:
    """The first of some things, and how many there are."""
    every = [str(thing) for thing in things]
    if not every:
        return "none"
    rest = f", … ({len(every)} in all)" if len(every) > SHOWN else ""
    return ", ".join(every[:SHOWN]) + rest


def _cells(tag: str, cells: Iterable[object]) -> str:
    return "".join(_cell(tag, cell) for cell in cells)


def _cell(tag: str, cell: object) -> str:
    return f'<{tag} style="text-align:left">{escape(str(cell))}</{tag}>'
