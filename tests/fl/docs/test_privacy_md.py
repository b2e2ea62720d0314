"""The table of pieces in docs/privacy.md names what there is; its blocks run in tests/project."""

import re
from pathlib import Path

import fl

PAGE = (Path(__file__).parents[3] / "docs" / "privacy.md").read_text(encoding="utf-8")


def test_the_names_of_the_table_of_pieces_exist():
    cells = re.findall(r"^\| (`[A-Za-z_]+`(?:, `[A-Za-z_]+`)*) \|", PAGE, re.MULTILINE)
    names = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
    assert len(names) >= 9
    for name in names:
        assert name in fl.privacy.__all__
