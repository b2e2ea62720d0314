"""The snippet of docs/privacy.md runs, and the page says first of all what does not use it."""

import re
from pathlib import Path

import fl

PAGE = (Path(__file__).parents[3] / "docs" / "privacy.md").read_text(encoding="utf-8")


def test_the_snippet_runs():
    (snippet,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(snippet, "privacy.md", "exec"), {})


def test_the_names_of_the_table_exist():
    names = [name for row in re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE)
             for name in re.findall(r"`(\w+)`", row)]  # fmt: skip
    assert len(names) >= 9
    for name in names:
        assert name in fl.privacy.__all__


def test_it_begins_with_what_does_not_use_it():
    assert PAGE.splitlines()[2].startswith("**Nothing in `fl train`")
