"""The snippets of docs/data.md and docs/running.md run as they stand, each after the one before."""

import re
from pathlib import Path

import pytest

from fl.cli import app

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("page", ["data.md", "running.md"])
def test_the_snippets_run(page):
    names = {}
    snippets = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    assert len(snippets) > 1
    for snippet in snippets:
        exec(compile(snippet, page, "exec"), names)


def test_the_first_command_works_in_a_fresh_clone(tmp_path, monkeypatch, capsys):
    page = (DOCS / "running.md").read_text()
    command = re.search(r"^fl (train .*)$", page, re.MULTILINE)[1]
    monkeypatch.chdir(tmp_path)
    assert app.run(command.split()) == 0
    assert "saved runs/first/model.keras" in capsys.readouterr().out
