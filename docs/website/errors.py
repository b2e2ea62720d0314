"""A page for each error: its docstring, what brings it about, its messages, what to do.

The words are in errors.toml; which errors there are is read from the modules that define them.
"""

import ast
import tomllib
from pathlib import Path
from typing import NamedTuple

HOMES = ("secagg.errors", "secagg.identity.directory", "fl.errors", "fl.flower.federation")
"""The modules that define errors of which users read."""


class Words(NamedTuple):
    """What errors.toml says of one error; a message: as in the source, its meaning, what helps."""

    cause: str
    do: str
    messages: list[list[str]]


def words() -> dict[str, Words]:
    """By the name of the error."""
    text = (Path(__file__).parent / "errors.toml").read_text(encoding="utf-8")
    return {name: Words(**table) for name, table in tomllib.loads(text).items()}


def defined(root: Path) -> dict[str, tuple[str, list[str]]]:
    """Each error: the module that defines it and the names of its bases, as in the source."""
    found = {}
    for home in HOMES:
        source = root.joinpath(*home.split(".")).with_suffix(".py").read_text(encoding="utf-8")
        for node in ast.parse(source).body:
            bases = [ast.unparse(base) for base in getattr(node, "bases", [])]
            if isinstance(node, ast.ClassDef) and _is_error(bases, found):
                found[node.name] = (home, bases)
    return found


def _is_error(bases: list[str], found: dict[str, tuple[str, list[str]]]) -> bool:
    return any(base in found or base in ("Exception", "UserWarning") for base in bases)


def pages(root: Path) -> dict[str, str]:
    """The pages by name, and the index; KeyError for an error without words, or the reverse."""
    errors, said = defined(root), words()
    if errors.keys() != said.keys():
        raise KeyError(
            f"{sorted(errors.keys() ^ said.keys())}: in errors.toml or in the source alone"
        )
    made = {name: _page(name, *errors[name], said) for name in errors}
    return {"index": _index(errors, said), **made}


def code(text: str) -> str:
    """The text as code in Markdown, whatever backticks are in it.

    >>> code("a run"), code("a run of `fl train`")
    ('`a run`', '`` a run of `fl train` ``')
    """
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def _page(name: str, home: str, bases: list[str], words: dict[str, Words]) -> str:
    said = words[name]
    kinds = ", ".join(f"[`{b}`]({b}.md)" if b in words else f"`{b}`" for b in bases)
    options = "\n".join(
        f"      {key}: false"
        for key in ("show_root_heading", "show_root_toc_entry", "show_bases", "members")
    )
    lines = [
        f"# {name}",
        f"`{home}.{name}`, a kind of {kinds}",
        f"::: {home}.{name}\n    options:\n{options}",
        f"## What brings it about\n\n{said.cause}",
        f"## What to do\n\n{said.do}",
    ]
    if said.messages:
        rows = "\n".join(
            f"| {code(says)} | {means} | {helps} |" for says, means, helps in said.messages
        )
        lines.append(f"## Messages\n\n| it says | for | what helps |\n|---|---|---|\n{rows}")
    return "\n\n".join(lines) + "\n"


def _index(errors: dict[str, tuple[str, list[str]]], said: dict[str, Words]) -> str:
    rows = "\n".join(
        f"- [`{home}.{name}`]({name}.md): {said[name].cause.partition('. ')[0].rstrip('.')}."
        for name, (home, _) in errors.items()
    )
    return (
        "# Errors\n\nEvery error is one line: what was seen, then what was expected. It holds "
        "nothing private: no data, no weight, no key of a client.\n\n"
        f"{rows}\n"
    )
