"""examples/from_r.R runs where R is, and docs/from-r.md shows it and what it prints."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.helpers.pages import ROOT, blocks

SCRIPT = ROOT / "examples" / "from_r.R"
SHOWN = blocks((ROOT / "docs" / "from-r.md").read_text(encoding="utf-8"))


def statements(text: str) -> list[str]:
    """The lines, without those that are empty or a comment."""
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_the_page_shows_the_script() -> None:
    shown = "".join(block.code for block in SHOWN if block.language == "r")
    assert statements(shown) == statements(SCRIPT.read_text(encoding="utf-8"))


@pytest.mark.slow
def test_it_prints_what_the_page_shows() -> None:
    has = "quit(status = !requireNamespace('reticulate', quietly = TRUE))"
    if not shutil.which("Rscript") or subprocess.run(["Rscript", "-e", has]).returncode:
        pytest.skip("needs Rscript and its package reticulate")
    ours = {"RETICULATE_PYTHON": sys.executable, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["Rscript", str(SCRIPT)], env=os.environ | ours, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    (shown,) = (block.code for block in SHOWN if block.language == "text")
    assert len(done.stdout.splitlines()) == len(shown.splitlines()) == 7
    assert done.stdout.splitlines()[:3] == shown.splitlines()[:3]
    for line, printed in zip(shown.splitlines()[3:], done.stdout.splitlines()[3:], strict=True):
        seen, now = (list(map(float, re.findall(r"[\d.]+", each))) for each in (line, printed))
        assert now == pytest.approx(seen, abs=0.02)
