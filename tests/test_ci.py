"""What is promised of interpreters and of versions is what continuous integration tries."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
NOT_IN_THE_SUITE = {"secagg", "ruff", "mypy"}  # itself, and what `make lint` runs


def lowest(requirement: Requirement) -> str:
    """The version of `>=`, 8 as 8.0.0."""
    (version,) = (s.version for s in requirement.specifier if s.operator == ">=")
    return ".".join([*version.split("."), "0", "0"][:3])


def test_the_lowest_versions_tried_are_the_lowest_allowed() -> None:
    needed = [*PROJECT["dependencies"], *EXTRAS["cli"], *EXTRAS["fl"], *EXTRAS["dev"]]
    requirements = [Requirement(text) for text in needed]
    allowed = {r.name: lowest(r) for r in requirements if r.name not in NOT_IN_THE_SUITE}
    lines = (ROOT / ".ci" / "lowest.txt").read_text().splitlines()
    tried = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert allowed == tried


def test_the_pythons_tried_are_those_of_the_readme() -> None:
    makefile, readme = (ROOT / "Makefile").read_text(), (ROOT / "README.md").read_text()
    (tried,) = re.findall(r"^PYTHONS := (.*)$", makefile, re.MULTILINE)
    first, *_, last = tried.split()
    assert f"({first} to {last}, which TensorFlow supports)" in readme
    assert PROJECT["requires-python"] == f">={first}"
    assert [f"3.{minor}" for minor in range(int(first[2:]), int(last[2:]) + 1)] == tried.split()
