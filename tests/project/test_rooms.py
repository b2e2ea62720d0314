"""The rooms of the packages: which may import which.

The rules are the contracts in pyproject.toml; a new arrow that breaks one is named in the failure
with the name of the rule.
"""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("secagg", "fl", "tests")
COLOURS = re.compile(r"\x1b\[[0-9;]*m")  # of versions below 2.7, whatever reads them
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"

ARROWS = {
    "secagg/graph.py": (
        "import secagg.run",
        "The rooms of secagg import downwards only",
        "secagg.graph -> secagg.run",
    ),
    "secagg/keys.py": (
        "import secagg",  # the front page, which imports every room
        "The rooms of secagg import downwards only",
        "secagg.keys -> secagg (l.",
    ),
    "secagg/client/inputs.py": (
        "import secagg.server.rounds",
        "The rooms of secagg import downwards only",
        "secagg.client.inputs -> secagg.server.rounds",
    ),
    "secagg/server/unmasking.py": (
        "import secagg.client.states",
        "The rooms of secagg import downwards only",
        "secagg.server.unmasking -> secagg.client.states",
    ),
    "fl/model/vector.py": (
        "import fl.process.server_optimizer",
        "The rooms of fl import downwards only",
        "fl.model.vector -> fl.process.server_optimizer",
    ),
    "fl/algorithms/mean_loss.py": (
        "import fl.evaluation.fed_eval",
        "The rooms of fl import downwards only",
        "fl.algorithms.mean_loss -> fl.evaluation.fed_eval",
    ),
    "secagg/masks/prg.py": (
        "import secagg.masks.pairwise",
        "No circle of rooms, nor of modules in a room",
        "secagg.masks",
    ),
    "secagg/packing.py": (
        "import fl.seeds",
        "The protocol knows nothing of federated learning, nor of the tests",
        "secagg.packing -> fl.seeds",
    ),
    "fl/plan.py": ("import tests.helpers", "fl knows nothing of the tests", "fl.plan -> tests"),
    "fl/process/server_optimizer.py": (
        "import secagg.keys",
        "Of fl, the aggregators and flower use the protocol; the others only what stands here",
        "fl.process.server_optimizer -> secagg.keys",
    ),
    "secagg/wire.py": (
        "import socket",
        "Of secagg, only identity and the command read files or a clock; nobody opens a socket",
        "secagg.wire -> socket",
    ),
}
"""For each rule an import that breaks it: where it stands, what the failure names."""


def linted(directory: Path) -> subprocess.CompletedProcess[str]:
    """The contracts of a tree, checked."""
    command = [sys.executable, "-c", LINT, "--no-cache"]
    environment = {"PYTHONPATH": str(directory), "COLUMNS": "200"}
    return subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, check=False
    )


def test_every_import_is_allowed() -> None:
    result = linted(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture(scope="module")
def with_arrows(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the linter says of the packages with one forbidden import for each rule."""
    tree = tmp_path_factory.mktemp("tree")
    shutil.copy(ROOT / "pyproject.toml", tree)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tree / package)
    for file, (line, _, _) in ARROWS.items():
        with (tree / file).open("a") as source:
            source.write(f"\n{line}\n")
    result = linted(tree)
    assert result.returncode == 1, result.stderr
    return COLOURS.sub("", result.stdout)


@pytest.mark.parametrize("file", ARROWS)
def test_a_forbidden_import_is_named_with_the_rule_that_it_breaks(
    file: str, with_arrows: str
) -> None:
    _, rule, arrow = ARROWS[file]
    assert f"{rule} BROKEN" in with_arrows
    _, _, of_the_rule = with_arrows.partition("Broken contracts")[2].partition(f"\n{rule}\n-")
    assert arrow in of_the_rule


def test_no_rule_is_without_an_import_that_breaks_it(with_arrows: str) -> None:
    assert "KEPT" not in with_arrows


def circles(graph: grimp.ImportGraph) -> set[tuple[str, ...]]:
    """The modules of each shortest circle of imports."""
    found = set()
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            back = graph.find_shortest_chain(importer=imported, imported=module)
            if back is not None:
                found.add(tuple(sorted(back)))
    return found


def test_no_modules_import_each_other_in_a_circle(graph: grimp.ImportGraph) -> None:
    assert circles(graph) == set()


def test_a_circle_is_found() -> None:
    graph = grimp.build_graph("secagg", cache_dir=None)
    assert circles(graph) == set()
    graph.add_import(importer="secagg.errors", imported="secagg")
    assert ("secagg", "secagg.errors") in circles(graph)


def test_no_test_module_is_imported(graph: grimp.ImportGraph) -> None:
    """What several tests use stands in tests/helpers, or in a module that is no test."""
    tests = [m for m in graph.modules if m.rpartition(".")[2].startswith("test_")]
    imported = {m: graph.find_modules_that_directly_import(m) for m in tests}
    assert {m: by for m, by in imported.items() if by} == {}


def test_files_are_opened_in_identity_and_by_the_command_only() -> None:
    opened = {
        path.relative_to(ROOT).parts[1]
        for path in (ROOT / "secagg").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("open", "io.open")
    }
    assert opened <= {"identity", "cli"}


def modules_named(page: str) -> set[str]:
    """The modules that a page of `fl` imports, those in a string for `import_module` included."""
    named = set()
    for node in ast.walk(ast.parse(page)):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = f"fl.{node.module or ''}".rstrip(".") if node.level else node.module or ""
            named |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            named.add(node.value)
    return named


def of_the_command(page: str) -> set[str]:
    return {name for name in modules_named(page) if f"{name}.".startswith("fl.cli.")}


@pytest.mark.parametrize("page", ["__init__.py", "__init__.pyi"])
def test_the_front_page_of_fl_imports_no_command(page: str) -> None:
    """The contract of the layers leaves the root package out."""
    assert of_the_command((ROOT / "fl" / page).read_text()) == set()


@pytest.mark.parametrize(
    "line",
    [
        "import fl.cli.app",
        "from fl import cli",
        "from fl.cli.app import run",
        "from .cli import app",
        "importlib.import_module('fl.cli')",
    ],
)
def test_an_import_of_the_command_is_found(line: str) -> None:
    assert of_the_command(line)


OF_NO_ROOM = {
    "docs",  # the snippets of pages, which run as they stand
    "equal",  # whole processes against Keras
    "refusals",  # what no check may let into a sum: a file for each room
}


@pytest.mark.parametrize("package", ["secagg", "fl"])
def test_the_folders_of_tests_are_the_rooms_of_the_package(package: str) -> None:
    folders = {path.parent.name for path in (ROOT / "tests" / package).glob("*/__init__.py")}
    rooms = {path.parent.name for path in (ROOT / package).glob("*/__init__.py")}
    assert folders - OF_NO_ROOM <= rooms
