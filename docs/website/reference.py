"""The pages of the public names, a room each: mkdocstrings fills them from the docstrings.

    names(room) -> page with one `::: name` for each of them, in `GROUPS` where the room has some

Names are read from the source, without an import: `__all__` of a room, of `fl` what
`fl/__init__.pyi` names, and of a room in `MODULES` what is listed there.
"""

import ast
from collections.abc import Iterator
from fnmatch import fnmatch
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
    "fl.flower": "rounds across machines, over Flower",
    "fl.leak": "pictures rebuilt from updates",
    "fl.population": "who takes part in a round",
    "fl.privacy": "noise and accounting",
    "fl.report": "the page of some runs",
}
"""Each has a page; what it is for, in a few words."""
GROUPS: dict[str, dict[str, tuple[str, ...]]] = {
    "secagg": {
        "A session": ("run", "Params", "VectorSpec", "Client", "Server", "Aggregate", "*Store"),
        "Who is who": ("Directory", "Pinned", "Authority", "load_directory"),
        "Graphs and masks": ("Complete", "Harary", "Suite"),
        "Floats as words": ("Quantizer", "ExactFloats"),
        "Errors": ("*Error", "TooFewClients"),
    },
    "fl": {
        "Builders": (
            "build_weighted_fed_avg",
            "build_unweighted_fed_avg",
            "build_*_fed_prox",
            "build_fed_sgd",
            "build_fed_eval",
            "build_personalization*",
            "build_*",
        ),
        "Sums": ("SecureSum", "PlainSum"),
        "Processes, states and results": (
            "FederatedProcess",
            "ServerState",
            "RoundResult",
            "ModelWeights",
            "KMeansState",
        ),
        "Models and optimizers": ("from_keras_model", "FineTune", "Fed*"),
        "While it runs, and after": ("show_progress", "History"),
    },
}
"""Of rooms with many names: headings, and which names stand below them, in this order."""
MODULES = {
    "fl.flower": {
        "server_app": ("server_app",),
        "client_app": ("client_app",),
        "questions": ("Survey", "Answers"),
        "enrolment": ("found",),
        "federation": ("Terms", "Consent", "Federation", "read", "NotAgreed", "NotReady"),
    },
}
"""Of rooms without names of their own: their modules for users, and what these show."""


def names(room: str, root: Path) -> list[str]:
    """The public names of a room, sorted, those aside that are rooms themselves."""
    found = list(_listed(room, root))
    found = found if room in MODULES else sorted(found)
    return [name for name in found if f"{room}.{name}" not in ROOMS]


def grouped(room: str, root: Path) -> dict[str, list[str]]:
    """The names below each heading; "" is none, and has what fits no pattern."""
    rest, made = names(room, root), {}
    for group, patterns in GROUPS.get(room, {}).items():
        made[group] = [
            name for pattern in patterns for name in rest if _first(name, patterns) == pattern
        ]
        rest = [name for name in rest if name not in made[group]]
    return {**made, "": rest}


def _first(name: str, patterns: tuple[str, ...]) -> str | None:
    return next((pattern for pattern in patterns if fnmatch(name, pattern)), None)


def page(room: str, root: Path) -> str:
    """Markdown with a directive for the room and one for each of its names."""
    lines = [
        f"# {room}",
        "",
        f"::: {room}",
        *_options(members="false", show_root_heading="false", show_root_toc_entry="false"),
    ]
    for group, found in grouped(room, root).items():
        lines += ["", f"## {group}"] if group else []
        for name in found:
            shown = MODULES.get(room, {}).get(name)
            only = {"members": str(list(shown))} if shown else {}
            level = "3" if group else "2"
            lines += ["", f"::: {room}.{name}", *_options(heading_level=level, **only)]
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
    if room in MODULES:
        yield from MODULES[room]
        return
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
