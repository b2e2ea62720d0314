"""Each argument in a public docstring begins a line, so that the reference makes an item of it."""

import inspect
import re
from collections.abc import Iterator
from types import ModuleType

import pytest

from docs.website import reference
from tests.helpers.pages import ROOT
from tests.helpers.reference import shown


def public(room: str) -> Iterator[tuple[str, object]]:
    """The names of a room's page, and what is public in them."""
    for name in reference.names(room, ROOT):
        thing = shown(room, name)
        yield f"{room}.{name}", thing
        if inspect.isclass(thing) or isinstance(thing, ModuleType):
            yield from members(f"{room}.{name}", thing)


def members(path: str, thing: object) -> Iterator[tuple[str, object]]:
    """What is defined in a class or a module, and in its classes."""
    for name, member in vars(thing).items():
        inner = member.__func__ if isinstance(member, classmethod | staticmethod) else member
        if name.startswith("_") or not (inspect.isfunction(inner) or inspect.isclass(inner)):
            continue
        if isinstance(thing, ModuleType) and inner.__module__ != thing.__name__:
            continue
        yield f"{path}.{name}", inner
        if inspect.isclass(inner):
            yield from members(f"{path}.{name}", inner)


def arguments(thing: object) -> set[str]:
    """Its parameters, and a class's fields."""
    try:
        found = set(inspect.signature(thing).parameters)  # type: ignore[arg-type]
    except (TypeError, ValueError):  # a module, or a class made in C
        found = set()
    return found | set(getattr(thing, "__annotations__", {}) if inspect.isclass(thing) else ())


def glued(docstring: str, names: set[str]) -> list[str]:
    """Lines in which an argument, or what is raised, follows a sentence about another one."""
    if not names:
        return []
    item = rf"\*{{0,2}}(?:{'|'.join(sorted(map(re.escape, names)))})(?:, \*{{0,2}}\w+)*: "
    first, later = re.compile(rf"^ *{item}"), re.compile(rf"[.,;)\]] +{item}")
    found = []
    for paragraph in docstring.split("\n\n"):
        lines = [line for line in paragraph.splitlines() if not line.startswith((">>>", "..."))]
        items = [line for line in lines if first.match(line)]
        found += [line for line in lines if later.search(first.sub("", line))]
        found += [line for line in lines if items and re.search(r"\S Raises ", line)]
        if items and items[0] != lines[0] and not lines[0].endswith(":"):
            found.append(items[0])  # a sentence before it, and no empty line
    return found


@pytest.mark.parametrize("room", reference.ROOMS)
def test_each_argument_begins_a_line(room: str) -> None:
    wrong = {
        path: lines
        for path, thing in public(room)
        if (lines := glued(inspect.getdoc(thing) or "", arguments(thing)))
    }
    assert wrong == {}


@pytest.mark.parametrize(
    "docstring",
    [
        "a: one. b: two.",
        "a: one\n    of them; b: two.",
        "a: one.  b, c: two.",
        "a: one. Raises LookupError.",
        "What is summed.\na: one.",
    ],
)
def test_arguments_in_one_line_are_found(docstring: str) -> None:
    assert len(glued(docstring, {"a", "b", "c"})) == 1


def test_an_argument_a_line_is_well() -> None:
    docstring = "Sums a: all of it.\n\na, b: one.\nc: two: (b, a): pairs.\nRaises LookupError."
    assert glued(docstring, {"a", "b", "c"}) == []
