"""The snippets of docs/algorithms.md run as they stand, each after the first."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[3] / "docs" / "algorithms.md").read_text()
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
    assert set(headings) - {h for h, _ in SNIPPETS} == {"Left out"}


def test_every_key_of_a_round_is_in_the_table():
    names = {}
    exec(compile(SETUP[1], "algorithms.md", "exec"), names)
    fl, data = names["fl"], names["clients"]
    aggregator = fl.aggregators.ByNorm(fl.SecureSum(), 1.0)
    process = fl.build_weighted_fed_avg(names["model_fn"], aggregator=aggregator)
    metrics = process.next(process.initialize(), data).metrics
    table = "".join(re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE))
    assert "`client_work.train.*`" in table
    for part in ("aggregator", "finalizer", "seconds"):
        for key in metrics[part]:
            assert re.search(rf"`({part}\.)?{key}`", table)
