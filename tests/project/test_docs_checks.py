"""docs/checks.md names functions and tests: each exists, and no file of attacks is missing."""

import ast
import pkgutil
import re
from pathlib import Path

import pytest

from tests.helpers.removed import checks

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "checks.md").read_text()
THREATS = re.sub(r"## What the wire can change\n.*?(?=\n## )", "", TEXT, flags=re.DOTALL)
"""All tables but the one that goes through the messages of the server, not through threats."""
ROWS = [
    [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
    for line in THREATS.splitlines()
    if line.startswith("| ") and not line.startswith(("| threat |", "| fault |"))
]


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_there_are_rows() -> None:
    assert len(ROWS) > 60


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_the_functions_of_a_row_exist(row: list[str]) -> None:
    names = quoted(row[-2])
    assert names or row[-2].startswith("nothing: ")
    for name in names:
        assert "." in name, f"{name} names no function"
        pkgutil.resolve_name(f"secagg.{name}")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_the_tests_of_a_row_exist(row: list[str]) -> None:
    names = quoted(row[-1])
    assert names
    for name in names:
        path, _, function = name.partition("::")
        file = ROOT / (path if path.startswith("tests/") else f"tests/attacks/{path}")
        tree = ast.parse(file.read_text())
        defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert not function or function in defined, name


def test_every_file_of_attacks_is_named() -> None:
    named = {name.partition("::")[0] for name in quoted(TEXT)}
    attacks = ROOT / "tests" / "attacks"
    files = {str(file.relative_to(attacks)) for file in attacks.rglob("test_*.py")}
    assert files <= named


def test_the_number_of_checks_is_the_number_there_is() -> None:
    assert f"({len(checks())} of them" in TEXT
