"""How the `secagg` command begins and ends: Ctrl-C, errors, exit codes, completion."""

import errno
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

pytest.importorskip("typer")

from secagg.cli import app, params
from secagg.errors import LocalProtocolError, RemoteProtocolError
from tests.helpers.command_line import command, completed, environment, interrupted_at

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("module", ["numpy", "cryptography", "typer", "secagg.cli.params"])
def test_ctrl_c_while_python_imports_is_one_line(module: str) -> None:
    assert interrupted_at(module, "secagg", "params") == (130, "", "secagg: interrupted\n")


def test_ctrl_c_while_a_passphrase_is_read_is_one_line(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def getpass(*_: object, **__: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("getpass.getpass", getpass)
    monkeypatch.delenv("SECAGG_PASSPHRASE", raising=False)
    assert app.run(["keygen", "none.pem", "--passphrase"]) == 130
    assert capfd.readouterr().err.splitlines()[-1] == "secagg: interrupted"


def test_ctrl_c_at_a_prompt_shows_again_what_is_typed(tmp_path: Path) -> None:
    outer, terminal = pty.openpty()
    begun = subprocess.Popen(
        command("secagg", "keygen", str(tmp_path / "17.pem"), "--passphrase"),
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        start_new_session=True,
    )
    while termios.tcgetattr(terminal)[3] & termios.ECHO:
        assert begun.poll() is None
        time.sleep(0.01)
    begun.send_signal(signal.SIGINT)
    _, said = begun.communicate()
    assert begun.returncode == 130
    assert said.splitlines()[-1] == b"secagg: interrupted"
    assert termios.tcgetattr(terminal)[3] & termios.ECHO
    os.close(outer)
    os.close(terminal)


def test_a_process_that_ignores_ctrl_c_goes_on() -> None:
    code = (
        "import os, signal; from secagg.cli import command\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "command.ENDING.begin('secagg')\n"
        "os.kill(os.getpid(), signal.SIGINT)\n"
        "print('on')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout == "on\n"


@pytest.mark.parametrize("width", ["60", "100"])
@pytest.mark.parametrize("words", [(), ("directory",)])
def test_a_bare_command_shows_what_help_shows(
    words: tuple[str, ...],
    width: str,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    assert app.run(words) == 0
    bare = capfd.readouterr()
    assert app.run([*words, "--help"]) == 0
    assert bare == capfd.readouterr()
    assert bare.out.lstrip().startswith("Usage: secagg")
    assert bare.err == ""


CODES = {
    "the user": (LocalProtocolError("n=1"), 2, "n=1"),
    "a peer": (RemoteProtocolError("a tally"), 1, "a tally"),
    "no file": (FileNotFoundError(errno.ENOENT, "No such file", "x.toml"), 2, "x.toml: No such"),
    "no file but a socket": (
        OSError(errno.ENXIO, "No such device or address", "x"),
        2,
        "x: No such",
    ),
    "no right": (PermissionError(errno.EACCES, "Permission denied", "x"), 2, "x: Permission"),
    "a full disk": (OSError(errno.ENOSPC, "No space left on device"), 1, "No space left"),
}


@pytest.mark.parametrize(("error", "code", "line"), CODES.values(), ids=CODES)
def test_one_rule_of_exit_codes(
    error: Exception,
    code: int,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(params, "choose", failing)
    words = ["params", "--n", "10", "--corrupt", "1", "--dropout", "0"]
    assert app.run(words) == code
    seen = capfd.readouterr().err
    assert seen.startswith(f"secagg: {line}")
    assert seen.count("\n") == 1


def test_a_missing_directory_and_a_negative_id_are_told_what_is_expected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert app.run(["directory", "check", "missing.toml"]) == 2
    assert "missing.toml is not there, expected a directory file" in capfd.readouterr().err
    assert app.run(["enroll", "f.toml", "-5", "key"]) == 2
    assert (
        capfd.readouterr().err == "secagg: client -5, expected an id that is an int in [0, 2^63)\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "expected"), [("par", "params"), ("params --suite ", "aegis128x2")]
)
def test_a_shell_completes(words: str, expected: str) -> None:
    assert expected in completed("secagg", words)


def test_in_a_narrow_terminal_no_number_and_no_name_is_cut(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    words = ["params", "--n", "1000", "--corrupt", "0.05", "--dropout", "0.1"]
    assert app.run([*words, "--length", "1000000000"]) == 0
    out = capfd.readouterr().out
    assert max(map(len, out.splitlines())) <= 60
    assert "…" not in out
    for number in ("2^-108.8", "4,000,000,076 B", "168,000 B", "1,000,000,000"):
        assert number in out
    assert app.run(["params", "--help"]) == 0
    out = capfd.readouterr().out
    assert "--correctness-bits" in out
    assert "…" not in out


def test_json_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    words = ["params", "--n", "10", "--corrupt", "1", "--dropout", "0", "--json"]
    assert app.run(words) == 0
    assert capfd.readouterr().out.count("\n") == 1
