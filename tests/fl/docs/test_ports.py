"""The ported tutorials: the pages show what changed, and that nothing did in the numbers."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks.listings import DIFFERENCE, difference

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "docs" / name for name in ("from-tff.md", "from-flower.md")]
BLOCKS = re.compile(r"<!-- printed by.*? -->\n```\n(.*?)```\n", re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_difference_is_that_of_the_two_scripts(page):
    (block,) = DIFFERENCE.finditer(page.read_text("utf-8"))
    _, before, after, shown, _ = block.groups()
    assert shown == difference(before, after)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_both_sides_printed_the_same_numbers_to_the_third_digit(page):
    theirs, ours = BLOCKS.findall(page.read_text("utf-8"))
    numbers = [np.array(re.findall(r"\d+\.\d+", block), float) for block in (theirs, ours)]
    assert len(numbers[0]) >= 10
    np.testing.assert_allclose(*numbers, atol=5e-4)


def test_the_port_from_flower_prints_what_the_page_shows(capsys):
    path = ROOT / "examples" / "from_flower" / "digits.py"
    spec = importlib.util.spec_from_file_location("digits_from_flower", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    script.main(["--rounds", "2"])
    shown = BLOCKS.findall(PAGES[1].read_text("utf-8"))[1].splitlines()[:2]
    pairs = zip(capsys.readouterr().out.splitlines(), shown, strict=True)
    for printed, line in pairs:
        seen, expected = (np.array(re.findall(r"\d+\.\d+", t), float) for t in (printed, line))
        np.testing.assert_allclose(seen, expected, atol=2e-3)


def test_what_the_page_on_flower_names_is_there():
    import fl
    import fl.flower.client_app
    import fl.flower.server_app

    names = set(re.findall(r"`(fl(?:\.\w+)+)", PAGES[1].read_text("utf-8")))
    assert len(names) > 15
    for name in names - {"fl.flower"}:
        found = fl
        for part in name.split(".")[1:]:
            found = getattr(found, part)
