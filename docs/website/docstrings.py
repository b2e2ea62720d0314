"""Docstrings as Markdown: arguments become lists, examples become code, as they read in the source.

An extension of griffe, which mkdocstrings reads the source with.
"""

import re
from itertools import groupby

import griffe

RULES = re.compile(r"(?:^|(?<=\s))(?:Modules|Rooms):\s.*|^(?:It uses|A new) .*", re.DOTALL)
"""In the docstring of a module: how the package is built, for who works on it."""
ARGUMENT = re.compile(r"^(\*{0,2}[a-z_]\w*(?:, \*{0,2}[a-z_]\w*)*): ")


class AsMarkdown(griffe.Extension):
    """Rewrites each docstring before it is parsed."""

    def on_package(self, *, pkg: griffe.Module, **_: object) -> None:
        """Called for the whole, which is no object of another one."""
        self.on_object(obj=pkg)

    def on_object(self, *, obj: griffe.Object, **_: object) -> None:
        """Called for each module, class, function and attribute."""
        if obj.docstring is not None:
            text = obj.docstring.value
            obj.docstring.value = as_markdown(without_rules(text) if obj.is_module else text)


def without_rules(docstring: str) -> str:
    """A module's docstring without what it says of its own modules and of what it may import."""
    kept = (RULES.sub("", paragraph).rstrip() for paragraph in docstring.split("\n\n"))
    return "\n\n".join(paragraph for paragraph in kept if paragraph)


def as_markdown(docstring: str) -> str:
    """A paragraph of `name: text` as items, which `Raises ...` ends; an example as code."""
    paragraphs = [
        list(lines) for blank, lines in groupby(docstring.splitlines(), lambda x: not x.strip())
        if not blank
    ]  # fmt: skip
    return "\n\n".join("\n".join(_paragraph(lines)) for lines in paragraphs)


def _paragraph(lines: list[str]) -> list[str]:
    if lines[0].startswith(">>>"):
        return ["```pycon", *lines, "```"]
    if not ARGUMENT.match(lines[0]):
        return lines  # prose, in which a line may begin with a word and a colon
    made: list[str] = []
    for line in lines:
        if line.startswith("Raises "):
            made.append("")  # it ends the last argument's item
        made.append(ARGUMENT.sub(r"- `\1`: ", line))
    return made
