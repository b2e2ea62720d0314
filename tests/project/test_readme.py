"""The README's snippets run as they stand."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SNIPPETS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=["protocol", "fedavg", "property"])
def test_the_snippet_runs(snippet: str, tmp_path: Path) -> None:
    file = tmp_path / "snippet.py"  # Hypothesis reads the source of the tests it runs
    file.write_text(snippet)
    names: dict[str, object] = {}
    exec(compile(snippet, str(file), "exec"), names)
    for name, value in names.items():
        if name.startswith("test_") and callable(value):
            value()
