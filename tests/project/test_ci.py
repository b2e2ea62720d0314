"""What is promised of interpreters and of versions is what continuous integration tries."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
NOT_IN_THE_SUITE = {"secagg", "ruff", "mypy"}  # itself, and what `make lint` runs


def lowest(requirement: Requirement) -> str:
    """The version of `>=`, 8 as 8.0.0."""
    (version,) = (s.version for s in requirement.specifier if s.operator == ">=")
    return ".".join([*version.split("."), "0", "0"][:3])


def test_the_lowest_versions_tried_are_the_lowest_allowed() -> None:
    of_extras = [text for name in ("cli", "fl", "privacy", "dev") for text in EXTRAS[name]]
    needed = [*PROJECT["dependencies"], *of_extras]
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


# The scripts, on a machine of our own making: `bin` is all that it has besides the system's tools.


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """It has a Python 3.12, and of 3.13 the shim of one that is not activated."""
    program(tmp_path / "python3.12", "exit 0")
    program(tmp_path / "python3.13", "exit 127")
    return tmp_path


def program(path: Path, does: str) -> None:
    path.write_text(f"#!/bin/sh\n{does}\n")
    path.chmod(0o755)


def script(machine: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    path = {"PATH": f"{machine}:/usr/bin:/bin"}
    return subprocess.run(
        [str(ROOT / ".ci" / words[0]), *words[1:]], env=path | env, capture_output=True, text=True
    )


def test_a_python_is_found_only_if_it_runs(machine: Path) -> None:
    assert script(machine, "find-python", "3.12").stdout == f"{machine}/python3.12\n"
    missing = script(machine, "find-python", "3.13")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "no Python 3.13 that runs, expected python3.13 on the path or in pyenv" in missing.stderr


def test_a_python_of_pyenv_is_found_though_it_is_not_activated(machine: Path) -> None:
    program(machine / "3.13.10", "exit 0")
    versions = "versions) printf '3.1.3\\n3.13.2\\n3.13.10\\n3.13.10/envs/a\\n';;"
    program(machine / "pyenv", f'case "$1" in {versions} *) echo {machine}/$PYENV_VERSION;; esac')
    assert script(machine, "find-python", "3.13").stdout == f"{machine}/3.13.10\n"


@pytest.mark.parametrize(
    ("make", "status", "said"), [("true", 0, "tested"), ("false", 1, "failed")]
)
def test_what_ran_is_said_and_what_was_not_found(
    machine: Path, make: str, status: int, said: str
) -> None:
    ran = script(machine, "test-pythons", "3.13", "3.12", MAKE=make)
    assert ran.returncode == status
    assert ran.stdout.splitlines() == [
        "Python 3.13: not found, not tested",
        f"Python 3.12: {said}",
    ]
