"""The `fl` command where what it needs is not there: one line, exit code 2, no traceback."""

import os
import subprocess
import sys

import pytest

import secagg
from fl import __main__ as command


def test_without_the_extra(monkeypatch, capsys):
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    with pytest.raises(SystemExit) as exit:
        command.main()
    assert exit.value.code == 2
    assert capsys.readouterr().err == "fl: typer is not installed: pip install 'secagg[fl]'\n"


def as_command(*arguments):
    code = f"import sys; sys.argv = ['fl', *{arguments}]; from fl.__main__ import main; main()"
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )


def test_with_another_backend_help_is_still_there_and_training_is_refused_in_one_line():
    assert as_command("--help").returncode == 0
    refused = as_command("demo")
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "Keras backend is 'jax'" in refused.stderr


def test_the_version_needs_no_tensorflow():
    code = (
        "import sys; sys.argv = ['fl', '--version']; from fl import cli; "
        "print(cli.run(['--version']), 'tensorflow' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == f"fl {secagg.__version__}\n0 False\n"
