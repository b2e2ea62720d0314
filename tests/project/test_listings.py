"""The outputs that the pages show are written by a command, and the pages can be read by it."""

import shlex
from pathlib import Path

import pytest

pytest.importorskip("typer")
from benchmarks.listings import LISTING, PAGES, PROGRAMS, ROOT, SOURCE, rewritten, source, sources


def test_a_listing_is_replaced_and_the_rest_stays(tmp_path: Path) -> None:
    page = (
        "Before.\n\n<!-- printed by: secagg params --n 10 --corrupt 1 --dropout 0.2 --json -->\n"
        "```\nas it was\n```\n\n```\nanother block\n```\n"
    )
    new = rewritten(page, tmp_path)
    assert new.startswith("Before.\n\n<!-- printed by: secagg params")
    assert '"min_survivors": 6' in new
    assert "as it was" not in new
    assert new.endswith("```\n\n```\nanother block\n```\n")


def test_a_difference_is_replaced(tmp_path: Path) -> None:
    head = "<!-- difference of: LICENSE Makefile -->\n```diff\n"
    new = rewritten(f"Before.\n{head}as it was\n```\nAfter.\n", tmp_path)
    assert new.startswith(f"Before.\n{head}--- LICENSE\n+++ Makefile\n")
    assert new.endswith("```\nAfter.\n")
    assert "as it was" not in new


def test_a_part_of_a_script_is_replaced(tmp_path: Path) -> None:
    mark = "<!-- from: examples/tutorials/personal.py: NUM_CLIENTS KEEPERS halves -->\n```python\n"
    new = rewritten(f"Before.\n{mark}as it was\n```\nAfter.\n", tmp_path)
    assert new.startswith(f"Before.\n{mark}NUM_CLIENTS = 10\nKEEPERS = 100  # the clients of ")
    assert "\n\n\ndef halves(client_data, client):\n" in new
    assert new.endswith("y[1::2])\n```\nAfter.\n")
    with pytest.raises(KeyError, match="nowhere"):
        source("examples/tutorials/personal.py", ["nowhere"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_shows_its_scripts_as_they_are(page: Path) -> None:
    text = page.read_text("utf-8")
    assert sources(text) == text
    assert text.count("<!-- from: ") == len(SOURCE.findall(text))


def test_a_listing_that_needs_data_stays_without_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = "<!-- printed by: fl train --data-dir data -->\n```\nas it was\n```\n"
    assert rewritten(page, tmp_path) == page
    assert "left as it is" in capsys.readouterr().err


def test_every_listing_of_the_pages_is_of_a_command_of_ours() -> None:
    commands = [found[2] for page in PAGES for found in LISTING.finditer(page.read_text("utf-8"))]
    assert len(commands) >= 5
    assert {shlex.split(command)[0] for command in commands} <= {*PROGRAMS, "python"}
    for script in (shlex.split(each)[1] for each in commands if each.startswith("python ")):
        assert (ROOT / script).is_file()
    marks = sum(page.read_text("utf-8").count("<!-- printed by:") for page in PAGES)
    assert marks == len(commands)
