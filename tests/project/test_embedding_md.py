"""The snippets of docs/embedding.md run as they stand, one after the other."""

import re
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "embedding.md").read_text(encoding="utf-8")


def test_the_snippets_run() -> None:
    snippets = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, object] = {"__name__": "__main__"}
    for snippet in snippets:
        exec(compile(snippet, "embedding.md", "exec"), names)
    assert len(snippets) == 7
