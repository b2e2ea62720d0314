"""Each package opens with what it is for, what may be imported from it, and which rooms it uses."""

import ast
import re
from pathlib import Path

import grimp
import pytest
from importlinter.api import read_configuration

ROOT = Path(__file__).parents[2]
ROOMS = sorted(
    path.parent for name in ("secagg", "fl") for path in (ROOT / name).rglob("__init__.py")
)


def docstring(room: Path) -> str:
    """On one line."""
    text = ast.get_docstring(ast.parse((room / "__init__.py").read_text())) or ""
    return " ".join(text.split())


def names(text: str) -> set[str]:
    return set(re.findall(r"`(\w+)`", text))


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: str(room.relative_to(ROOT)))
def test_a_room_names_each_of_its_modules(room: Path) -> None:
    parts = {path.stem for path in room.iterdir() if (path / "__init__.py").exists()}
    parts |= {path.stem for path in room.glob("*.py") if not path.stem.startswith("__")}
    assert parts - names(docstring(room)) == set()


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: str(room.relative_to(ROOT)))
def test_a_room_says_what_may_be_imported_from_it(room: Path) -> None:
    assert "ay be imported" in docstring(room)


def ignored() -> set[tuple[str, str]]:
    """The imports that the rules of pyproject.toml except for now."""
    contracts = read_configuration(str(ROOT / "pyproject.toml"))["contracts_options"]
    layers = [contract for contract in contracts if contract["type"] == "layers"]
    imports = (line for contract in layers for line in contract.get("ignore_imports", ()))
    return {(importer, imported) for importer, _, imported in map(str.split, imports)}


def rooms_used(graph: grimp.ImportGraph, room: str) -> set[str]:
    """The other rooms of the same package that a room imports from; of a room that it stands in,
    the modules."""
    package, around = room.partition(".")[0], room.rpartition(".")[0]
    used = {
        imported.removeprefix(f"{around if imported.startswith(f'{around}.') else package}.")
        for module in {room} | graph.find_descendants(room)
        for imported in graph.find_modules_directly_imported_by(module)
        if imported.startswith(f"{package}.") and (module, imported) not in ignored()
    }
    return {name.partition(".")[0] for name in used} - {room.rpartition(".")[2]}


@pytest.mark.parametrize(
    "room",
    [room for room in ROOMS if room.parent != ROOT],
    ids=lambda r: f"{r.parent.name}/{r.name}",
)
def test_a_room_names_the_rooms_that_it_uses(room: Path, graph: grimp.ImportGraph) -> None:
    """`It uses ...` names exactly those it imports from; `It may use everything ...` is free."""
    sentence = re.search(r"It (?:uses|may use) .*?\.(?:\s|$)", docstring(room))
    assert sentence, "expected a sentence that begins with 'It uses'"
    if "It may use everything" not in sentence[0]:
        name = ".".join(room.relative_to(ROOT).parts)
        assert names(sentence[0]) == rooms_used(graph, name)
