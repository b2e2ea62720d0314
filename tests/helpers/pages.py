"""The pages for readers, and the blocks of code in them.

A block that no test can run says so in the line above it: `<!-- not run: why -->`.  One that shows
a part of a script, `<!-- from: path: names -->`, is not run either: scripts have their own tests.
What the block before it prints stands below `<!-- printed by the code above -->`, and may differ in
last digits.
"""

import re
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
FENCED = re.compile(
    r"(?:^ *<!-- (?:(?:not run|from): (?P<why>[^\n]+)|(?P<printed>printed by the code above)) -->"
    r"\n\n?)?"
    r"^(?P<indent> *)(?P<fence>`{3,})(?P<language>[\w+-]*)[^\n]*\n"
    r"(?P<code>.*?)^(?P=indent)(?P=fence) *$",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    """One block: its line on the page, the word after the fence, and why it is not run, if so."""

    line: int
    language: str
    code: str
    why_not: str | None
    printed: bool = False


def blocks(text: str) -> list[Block]:
    """Those of a page, in their order."""
    return [
        Block(
            1 + text.count("\n", 0, found.start("fence")),
            found["language"],
            dedent(found["code"]),
            found["why"],
            found["printed"] is not None,
        )
        for found in FENCED.finditer(text)
    ]


def name(page: Path) -> str:
    """Its path from the root of the repository."""
    return str(page.relative_to(ROOT))


def python_of(page: Path) -> list[Block]:
    """The blocks of Python that are to be run, and what is printed by them."""
    found = blocks(page.read_text(encoding="utf-8"))
    run = [block for block in found if block.language == "python" and block.why_not is None]
    return sorted([*run, *(block for block in found if block.printed)])
