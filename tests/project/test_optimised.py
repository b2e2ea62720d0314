"""What `make test-O` proves: under `python -O` the packages still refuse all they refuse.

`-O` removes every `assert` that Python compiles.  pytest compiles test_*.py and conftest.py itself
and writes their asserts as ifs, so that they are executed all the same; helpers are compiled by
Python, and so must have none.  (If a release of pytest no longer did so, the first test here
would fail under `-O`.)
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = sorted([*(ROOT / "secagg").rglob("*.py"), *(ROOT / "fl").rglob("*.py")])
HELPERS = [
    path
    for path in sorted((ROOT / "tests").rglob("*.py"))
    if not path.name.startswith("test_") and path.name != "conftest.py"
]


def test_the_asserts_of_tests_are_executed() -> None:
    with pytest.raises(AssertionError):
        assert PACKAGES == []


@pytest.mark.parametrize("path", [*PACKAGES, *HELPERS], ids=lambda path: path.name)
def test_nothing_that_o_removes_is_in_a_package_or_a_helper(path: Path) -> None:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    assert not [node.lineno for node in nodes if isinstance(node, ast.Assert)]
    assert not [n.lineno for n in nodes if isinstance(n, ast.Name) and n.id == "__debug__"]


def test_a_lie_is_refused_under_o() -> None:
    """Without pytest: a fresh interpreter with -O, and the smallest lie."""
    story = (
        "import secagg\n"
        "from secagg.messages import Survivors\n"
        "from tests.helpers.party import Party\n"
        "party = Party(5).after(2)\n"
        "try:\n"
        "    party.clients[30].receive(Survivors((10, 20, 30)))\n"
        "except secagg.RemoteProtocolError as error:\n"
        "    print(__debug__, error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-O", "-c", story], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert run.stdout == "False U3 has 3 clients, expected at least 4\n"
