"""The snippets of docs/data.md and docs/running.md run as they stand, each after the one before."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("page", ["data.md", "running.md"])
def test_the_snippets_run(page):
    names = {}
    snippets = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    assert len(snippets) > 1
    for snippet in snippets:
        exec(compile(snippet, page, "exec"), names)
