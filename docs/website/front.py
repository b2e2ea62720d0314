"""What a page says of itself above its text: its title and description, and whether search has it.

    front(text) + text

A browser shows the title on its tab, and other search engines the description below their results.
"""

import json
import re

LONGEST = 160
"""Characters of a description: what search engines show of it."""
HEADING = re.compile(r"^# (.+)$", re.MULTILINE)
PROSE = re.compile(r"[^\W_]|[`*\[(\"]")
"""How a paragraph begins that is no table, list, picture, comment or code."""


class NoTitle(ValueError):
    """A page has no heading."""


def title(text: str, name: str) -> str:
    """The first heading of a page. NoTitle, which has the page's name, where there is none.

    >>> title("<!-- x -->\\n# `fl`, in short\\n", "docs/x.md")
    'fl, in short'
    """
    found = HEADING.search(text)
    if found is None:
        raise NoTitle(f"{name}: no heading, expected a line with # and the page's title")
    return found[1].replace("`", "")


def description(text: str) -> str:
    """The first paragraph of prose, in as many whole words as there is room for; "" without one.

    >>> description("# Data\\n\\n- a list\\n\\nWhat [`fl`](x.md) **reads**,\\nand how.\\n")
    'What fl reads, and how.'
    """
    body = re.sub(r"^(`{3,}).*?^\1", "", text, flags=re.MULTILINE | re.DOTALL)
    prose = (each.strip() for each in body.split("\n\n") if PROSE.match(each.strip()))
    plain = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", next(prose, ""))
    plain = " ".join(re.sub(r"\*\*|`", "", plain).split())
    if len(plain) <= LONGEST:
        return plain
    return plain[: LONGEST - 1].rpartition(" ")[0].rstrip(",;:. ") + "…"


def front(text: str, *, title: str = "", said: str = "", searched: bool = True) -> str:
    """The lines above a page.

    text: the page; its first paragraph is the description where none is given.
    title: where the heading is not to be the title.
    said: the description.
    searched: whether the site's own search finds it.
    """
    lines = [f"description: {_yaml(said or description(text) or 'A page of secagg.')}"]
    if title:
        lines.append(f"title: {_yaml(title)}")
    if not searched:
        lines.append("search: {exclude: true}")
    return "---\n" + "\n".join(lines) + "\n---\n\n"


def _yaml(text: str) -> str:
    """JSON is YAML."""
    return json.dumps(text, ensure_ascii=False)
