"""The snippets of docs/data.md run as they stand, one after the other."""

import re
from pathlib import Path

PAGE = (Path(__file__).parents[3] / "docs" / "data.md").read_text(encoding="utf-8")


def test_the_snippets_run():
    names = {}
    snippets = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(snippets) == 3
    for snippet in snippets:
        exec(compile(snippet, "data.md", "exec"), names)
