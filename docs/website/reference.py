"""The pages of the public names, a room each: mkdocstrings fills them from the docstrings.

    names(room) -> page with one `::: name` for each of them

Names are read from the source, without an import: `__all__` of a room, and of `fl` what
`fl/__init__.pyi` names.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOMS = {
    "secagg": "the protocol",
    "secagg.identity": "keys, directories, authorities",
    "secagg.masks": "the masking alone",
    "secagg.parameters": "choosing the graph, k and t",
    "secagg.simulation": "clients in several processes",
    "secagg.wire": "messages and bytes",
    "fl": "federated learning",
    "fl.aggregators": "sums, plain and secure",
    "fl.analytics": "sums, means, histograms, quantiles",
    "fl.data": "data sets and partitions",
    "fl.errors": "the errors of the learning side",
    "fl.experiment": "checkpoints of a training",
    "fl.leak": "pictures rebuilt from updates",
    "fl.population": "who takes part in a round",
    "fl.privacy": "noise and accounting",
    "fl.report": "the page of some runs",
}
"""Each has a page; what it is for, in a few words."""


def names(room: str, root: Path) -> list[str]:
    """The public names of a room, sorted, those aside that are rooms themselves."""
    found = sorted(_listed(room, root))
    return [name for name in found if f"{room}.{name}" not in ROOMS]


def page(room: str, root: Path) -> str:
    """Markdown with a directive for the room and one for each of its names."""
    lines = [
        f"# {room}",
        "",
        f"::: {room}",
        *_options(members="false", show_root_heading="false", show_root_toc_entry="false"),
    ]
    for name in names(room, root):
        lines += ["", f"::: {room}.{name}", *_options(heading_level="2")]
    return "\n".join(lines) + "\n"


def index() -> str:
    """The page that lists the others."""
    rows = "\n".join(f"| [`{room}`]({room}.md) | {what} |" for room, what in ROOMS.items())
    return (
        "# Reference\n\nEvery public name, from its docstring; the tests run the examples in them. "
        "[Every error has a page](../errors/index.md).\n\n"
        f"| room | what |\n|---|---|\n{rows}\n"
    )


def _options(**options: str) -> list[str]:
    return ["    options:", *(f"      {key}: {value}" for key, value in options.items())]


def _listed(room: str, root: Path) -> Iterator[str]:
    folder = root.joinpath(*room.split("."))
    stub, package = folder / "__init__.pyi", folder / "__init__.py"
    if stub.exists():
        nodes = ast.parse(stub.read_text(encoding="utf-8")).body
        yield from (a.name for n in nodes if isinstance(n, ast.ImportFrom) for a in n.names)
        return
    source = package if package.exists() else folder.with_suffix(".py")
    tree = ast.parse(source.read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            yield from ast.literal_eval(node.value)
            return
    yield from (  # a room without __all__ exports what it defines
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    )
