"""Rows of numbers under one head, for a terminal of any width and for a pipe.

    columns = Columns((("round", 5), ("test\nloss", 8)), "dropped")
    print(columns.head(room)); print(columns.row(["1", "0.25"], "3@2, 7@4", room))

Each row is a line as soon as it is known. Where it has no room it goes on in the next line, which
is indented: no number is ever cut.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_INDENT = "      "


@dataclass(frozen=True)
class Columns:
    """heads: (head, width) of each column, aligned on the right; a head may have several lines.

    words: the head of what stands behind the numbers. room: characters of a line, None for any.
    """

    heads: tuple[tuple[str, int], ...]
    words: str = ""

    def head(self, room: int | None = None) -> str:
        """The head of the rows."""
        height = max(name.count("\n") for name, _ in self.heads) + 1
        names = [[""] * height + name.split("\n") for name, _ in self.heads]
        lines = [
            self._lines([name[i - height] for name in names], self.words * (i == height - 1), room)
            for i in range(height)
        ]
        folded = zip(*(_padded(part, max(map(len, lines))) for part in lines), strict=True)
        return "\n".join(line for group in folded for line in group if line)

    def row(self, cells: Sequence[object], words: str = "", room: int | None = None) -> str:
        """One row; `words` begin a line of their own where the numbers leave them no room."""
        return "\n".join(self._lines(cells, words, room))

    def _lines(self, cells: Sequence[object], words: str, room: int | None) -> list[str]:
        gap, groups = self._groups(room)
        lines = []
        for i, group in enumerate(groups):
            parts = [f"{cells[j]:>{self.heads[j][1]}}" for j in group]
            lines.append((_INDENT * (i > 0) + gap.join(parts)).rstrip())
        return lines if not words else list(_with_words(lines, gap, words, room))

    def _groups(self, room: int | None) -> tuple[str, list[list[int]]]:
        """What stands between columns, and the columns of each line."""
        widths = [width for _, width in self.heads]
        every = list(range(len(widths)))
        if room is None:
            return "  ", [every]
        for gap in ("  ", " "):
            if sum(widths) + len(gap) * (len(widths) - 1) <= room:
                return gap, [every]
        groups: list[list[int]] = [[]]
        length = 0
        for i, width in enumerate(widths):
            more = width + len(gap) * bool(groups[-1])
            if groups[-1] and length + more > room:
                groups.append([])
                length, more = len(_INDENT), width
            groups[-1].append(i)
            length += more
        return gap, groups


def folded(text: str, room: int | None, indent: str = _INDENT) -> str:
    """Text in lines of this room, broken between words alone."""
    if room is None:
        return text
    wrapper = textwrap.TextWrapper(room, subsequent_indent=indent)
    wrapper.break_long_words = wrapper.break_on_hyphens = False
    return "\n".join(wrapper.wrap(text))


def _with_words(lines: list[str], gap: str, words: str, room: int | None) -> Iterator[str]:
    joined = f"{lines[-1]}{gap}{words}"
    yield from lines[:-1]
    if room is None or len(joined) <= room:
        yield joined
    else:
        yield lines[-1]
        yield from (_INDENT + line for line in folded(words, room - len(_INDENT), "").split("\n"))


def _padded(lines: list[str], length: int) -> list[str]:
    return [*lines, *[""] * (length - len(lines))]
