"""Pages of the documentation whose numbers a command writes into blocks."""

import re
from pathlib import Path


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def fill(path: Path, blocks: dict[str, str]) -> None:
    """Put each text into the block of a page that has its name."""
    page = path.read_text()
    for name, content in blocks.items():
        text = f"<!-- {name} -->\n{content}\n<!-- end -->"
        page = re.sub(rf"<!-- {name} -->.*?<!-- end -->", lambda _, t=text: t, page, flags=re.S)
    path.write_text(page)
