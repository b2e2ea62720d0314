"""The snippets of docs/algorithms.md run as they stand, each after the first."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "algorithms.md").read_text()
SETUP, *SNIPPETS = [
    (heading.strip(), code)
    for heading, body in re.findall(r"^#+ (.*?)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    for code in re.findall(r"```python\n(.*?)```", body, re.DOTALL)
]


@pytest.mark.parametrize(
    ("heading", "code"), SNIPPETS, ids=[heading.lower() for heading, _ in SNIPPETS]
)
def test_the_snippet_runs(heading, code):
    names = {}
    for snippet in (SETUP[1], code):
        exec(compile(snippet, "algorithms.md", "exec"), names)


def test_every_section_has_a_snippet():
    headings = re.findall(r"^## (.*)$", PAGE, re.MULTILINE)
    assert set(headings) - {h for h, _ in SNIPPETS} == {"Common to all", "Left out"}
