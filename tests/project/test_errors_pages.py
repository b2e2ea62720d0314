"""Each error has a page, and the messages on it are those that the packages have, whole."""

import ast
import importlib
import re
from functools import cache

import pytest

import fl
import secagg
from docs.website import errors
from tests.helpers.pages import ROOT

ENDS = re.compile(r"$|[.:;] | \(")
"""What may follow in the source: nothing, another sentence, or what belongs to this one no more."""


@cache
def texts() -> frozenset[str]:
    """Every string of the packages, `…` for what is filled in."""
    found = set()
    for path in [*(ROOT / "secagg").rglob("*.py"), *(ROOT / "fl").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = node.values
                found.add("".join(p.value if isinstance(p, ast.Constant) else "…" for p in parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return frozenset(found)


def whole(says: str, known: frozenset[str]) -> bool:
    """Whether it is one of the texts, perhaps with others filled in, or the first of its parts."""
    begun = (text[len(says) :] for text in known if text.startswith(says))
    return any(map(ENDS.match, begun)) or any(_fills(says, text, known) for text in known)


def _fills(says: str, text: str, known: frozenset[str]) -> bool:
    if "…" not in text or len(text.replace("…", "").strip()) < 10:
        return False  # nearly all of it is filled in, and it would be any message
    found = re.fullmatch(re.escape(text).replace("…", "(.+?)"), says)
    return found is not None and all(part == "…" or part in known for part in found.groups())


def test_each_error_has_a_page() -> None:
    for home, (found, _) in errors.defined(ROOT).items():
        assert issubclass(getattr(importlib.import_module(found), home), Exception)
    exported = {
        *fl.errors.__all__,
        *(e for e in secagg.__all__ if e.endswith(("Error", "Clients"))),
    }
    assert exported <= errors.pages(ROOT).keys()


def test_each_message_is_one_of_the_packages_and_whole() -> None:
    wrong = [
        f"{error}: {says}"
        for error, words in errors.words().items()
        for says, _, _ in words.messages
        if not whole(says, texts())
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("says", "is_whole"),
    [
        ("… rows, expected … of them: the first", True),
        ("… rows, expected … of them", True),
        ("… rows were lost, expected … of them: the first", True),
        ("… rows, expected", False),
        ("… rows, expected … of them:", False),
        ("… rows were eaten, expected … of them: the first", False),
        ("expected … of them: the first", False),
    ],
)
def test_a_message_that_is_cut_or_nobody_s_is_found(says: str, is_whole: bool) -> None:
    known = frozenset(
        {
            "… rows…, expected … of them: the first",
            "… rows, expected … of them: the first",
            " were lost",
        }
    )
    assert whole(says, known) == is_whole


def test_a_message_with_backticks_is_one_piece_of_code() -> None:
    page = errors.pages(ROOT)["ReportError"]
    assert "| `` …: no …, expected the directory of a run of `fl train` `` |" in page
