"""`fl federation init` makes the files that nodes and server read."""

import pytest

pytest.importorskip("typer")

from fl.cli import app
from fl.flower import federation


def test_the_files_of_a_federation(tmp_path, capsys):
    root = tmp_path / "f"
    words = ["--clients", "6", "--per-session", "5", "--threshold", "4", "--exact"]
    words += ["--sessions", "3"]
    assert app.run(["federation", "init", str(root), *words]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 7
    read = federation.read(root / "node-4")
    assert (read.consent.client, read.consent.sessions) == (4, 3)
    assert (read.terms.n, read.terms.threshold, read.terms.clip) == (5, 4, None)
    assert federation.read(root / "server").stated == read.stated
    assert (root / "node-4").stat().st_mode & 0o777 == 0o700


def test_what_cannot_be_is_one_line(tmp_path, capsys):
    words = ["--clients", "5", "--threshold", "1"]
    assert app.run(["federation", "init", str(tmp_path / "f"), *words]) != 0
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not (tmp_path / "f").exists()


def test_a_sum_in_the_clear_is_in_everybodys_file(tmp_path):
    assert app.run(["federation", "init", str(tmp_path / "f"), "--clients", "3", "--plain"]) == 0
    for party in ("server", "node-2"):
        assert federation.read(tmp_path / "f" / party).terms.sum == "plain"
