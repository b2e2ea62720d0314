"""One version, in one place."""

import tomllib
from pathlib import Path

import pytest

import secagg
from secagg.cli.app import run

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())


def test_the_package_is_built_with_the_version_that_it_names() -> None:
    assert "version" in PROJECT["project"]["dynamic"]
    where = PROJECT["tool"]["setuptools"]["dynamic"]["version"]
    assert where == {"attr": "secagg.__version__"}
    changes = (Path(__file__).parents[2] / "CHANGELOG.md").read_text()
    assert f"\n## {secagg.__version__}" in changes


def test_the_command_says_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"secagg {secagg.__version__}\n"


def test_the_citation_names_it() -> None:
    citation = (Path(__file__).parents[2] / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {secagg.__version__}\n" in citation
    assert f"\nlicense: {PROJECT['project']['license']}\n" in citation
