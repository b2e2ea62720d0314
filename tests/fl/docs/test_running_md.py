"""The first command of docs/running.md; its snippets run in tests/project/test_code_blocks.py."""

import re
from pathlib import Path

from fl.cli import app

DOCS = Path(__file__).parents[3] / "docs"


def test_the_first_command_works_in_a_fresh_clone(tmp_path, monkeypatch, capsys):
    page = (DOCS / "running.md").read_text()
    command = re.search(r"^fl (train .*)$", page, re.MULTILINE)[1]
    monkeypatch.chdir(tmp_path)
    assert app.run(command.split()) == 0
    assert "saved runs/first/model.keras" in capsys.readouterr().out
