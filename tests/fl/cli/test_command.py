"""How the `fl` command begins and ends: what is missing, wrong names, Ctrl-C, a line of JSON."""

import errno
import json
import os
import signal
import subprocess
import sys
import time

import pytest
import typer

import secagg
from fl.cli import app, demo, demo_side_by_side, starting
from fl.errors import AggregationError, CheckpointError, ImplausibleSum, RunFailed, TooFewClients
from fl.experiment import training
from fl.experiment.metrics import as_json_has_it
from secagg.cli import command
from tests.helpers.command_line import command as process
from tests.helpers.command_line import completed, environment, interrupted_at


def test_without_the_extra(monkeypatch, capsys):
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    monkeypatch.setattr(command.ENDING, "begin", lambda program: None)
    monkeypatch.setattr(starting, "_end_on_interrupt", lambda program: None)
    with pytest.raises(SystemExit, match="2"):
        starting.fl()
    assert capsys.readouterr().err == "fl: typer is not installed: pip install 'secagg[fl]'\n"


def as_command(*arguments):
    code = (
        f"import sys; sys.argv = ['fl', *{arguments}]; from fl.cli import starting; starting.fl()"
    )
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
        "import sys; sys.argv = ['fl', '--version']; from fl.cli import app; "
        "print(app.run(['--version']), 'tensorflow' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == f"fl {secagg.__version__}\n0 False\n"


WRONG = {
    "data set": (["train", "--dataset", "nope"], "unknown data set 'nope', expected one of digits"),
    "algorithm": (
        ["train", "--algorithm", "foo"],
        "unknown algorithm 'foo', expected one of fedavg",
    ),
    "model": (["train", "--model", "foo"], "unknown model 'foo', expected softmax"),
    "model's file": (
        ["train", "--model", "no.keras"],
        "no.keras is not there, expected a .keras file",
    ),
    "partition": (
        ["train", "--partition", "fair"],
        "unknown partition 'fair', expected one of iid",
    ),
    "writers": (["train", "--partition", "writer"], "partition 'writer' of digits, expected mnist"),
    "condition": (
        ["train", "--require", "sunny"],
        "unknown condition 'sunny', expected one of charging",
    ),
    "sum": (["train", "--aggregator", "open"], "aggregator 'open', expected secure or plain"),
    "dropouts": (["demo", "--dropouts", "9"], "expected at most 3 dropouts"),
    "file": (["evaluate", "--model", "no.keras"], "no.keras is not there, expected a .keras file"),
}


@pytest.fixture(scope="module")
def refused():
    """What a fresh interpreter answers to each of WRONG, and what it has imported after all."""
    code = (
        "import io, json, sys\n"
        "from contextlib import redirect_stderr\n"
        "from fl.cli import app\n"
        "answers = {}\n"
        f"for name, (words, _) in {WRONG!r}.items():\n"
        "    with redirect_stderr(io.StringIO()) as said:\n"
        "        answers[name] = app.run(words), said.getvalue()\n"
        "loaded = [m for m in ('tensorflow', 'keras', 'sklearn', 'h5py') if m in sys.modules]\n"
        "print(json.dumps([answers, loaded]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment()
    )
    return json.loads(done.stdout)


def test_nothing_of_tensorflow_is_imported_for_a_wrong_name(refused):
    assert refused[1] == []


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_name_is_one_line(refused, name):
    code, said = refused[0][name]
    assert (code, said.count("\n")) == (2, 1)
    assert said.startswith(f"fl: {WRONG[name][1]}") or WRONG[name][1] in said


@pytest.mark.parametrize("module", ["numpy", "keras", "sklearn"])
def test_ctrl_c_while_python_imports_is_one_line(module):
    assert interrupted_at(module, "fl", "demo") == (130, "", "fl: interrupted\n")


def test_a_piped_demo_streams_its_rows_and_ctrl_c_ends_it():
    begun = subprocess.Popen(
        process("fl", "demo", "--rounds", "100000"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert next(line for line in begun.stdout if line.split()[:1] == ["2"])  # it has no end
    assert begun.poll() is None
    begun.send_signal(signal.SIGINT)
    started = time.monotonic()
    assert (begun.communicate()[1], begun.returncode) == ("fl: interrupted\n", 130)
    assert time.monotonic() - started < 5


def test_a_training_with_workers_says_after_which_round_it_was_interrupted(tmp_path):
    words = ["train", "--model", "softmax", "--rounds", "100000", "--run-dir", str(tmp_path)]
    begun = subprocess.Popen(
        process("fl", *words, "--workers", "2", "--clients", "40", "--clients-per-round", "40"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert next(line for line in begun.stdout if line.split()[:1] == ["1"])
    begun.send_signal(signal.SIGINT)
    said = begun.communicate()[1]
    assert begun.returncode == 130
    assert said.startswith("fl: interrupted after round ")
    assert said.endswith(": the same command goes on\n")
    assert said.count("\n") == 1


def noisy(function):
    def with_noise(*arguments, **named):
        print("Downloading ...")
        os.write(1, b"from C\n")
        return function(*arguments, **named)

    return with_noise


def test_json_is_one_line_whatever_libraries_print(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(training, "federated", noisy(training.federated))
    monkeypatch.setattr("fl.cli.demo_side_by_side.Demo", noisy(demo_side_by_side.Demo))
    run = ["--run-dir", str(tmp_path), "--rounds", "1", "--clients", "4"]
    model = str(tmp_path / "model.keras")
    told = []
    for words in (
        ["train", "--model", "softmax", *run],
        ["evaluate", "--model", model],
        ["demo", "--rounds", "1", "--clients", "4", "--dropouts", "1"],
    ):
        assert app.run([*words, "--json"]) == 0
        out, err = capfd.readouterr()
        assert out.count("\n") == 1
        assert {"Downloading ...", "from C"} <= set(err.splitlines())
        told.append(json.loads(out))
    trained, evaluated, shown = told
    assert (trained["rounds"], trained["new_rounds"], trained["clients"]) == (1, 1, 4)
    assert (trained["model"], trained["weights"]) == (model, 650)
    assert trained["test"]["num_examples"] == 359
    assert evaluated["aggregator"]["kind"] == "secure"
    assert shown["rounds"] == 1


def test_json_has_null_for_what_is_not_finite():
    told = {"loss": float("nan"), "all": [1.5, float("inf")], "round": 3}
    assert as_json_has_it(told) == {"loss": None, "all": [1.5, None], "round": 3}


def test_quiet_is_quiet(tmp_path, capfd):
    words = ["train", "--model", "softmax", "--rounds", "1", "--run-dir", str(tmp_path)]
    assert app.run([*words, "--quiet"]) == 0
    assert capfd.readouterr() == ("", "")
    assert (tmp_path / "model.keras").exists()
    assert app.run([*words, "--quiet", "--seed", "1"]) == 2
    assert "other settings" in capfd.readouterr().err


def from_os(number):
    error = CheckpointError("it cannot be written")
    error.__cause__ = OSError(number, os.strerror(number))
    return error


CODES = {
    "a mistake": (AggregationError("clip is 0"), 2),
    "a lie": (ImplausibleSum("too long"), 1),
    "no round": (RunFailed("no round succeeded"), 1),
    "too few": (TooFewClients("3 clients"), 1),
    "no TensorFlow": (ImportError("fl needs TensorFlow"), 2),
    "a full disk": (from_os(errno.ENOSPC), 1),
    "no right to write": (from_os(errno.EACCES), 2),
    "a file that is not there": (FileNotFoundError(errno.ENOENT, "No such file", "x"), 2),
}


@pytest.mark.parametrize(("error", "code"), CODES.values(), ids=CODES)
def test_one_rule_of_exit_codes(error, code, monkeypatch, capfd):
    def failing(**_):
        raise error

    monkeypatch.setattr(demo, "output", failing)
    assert app.run(["demo"]) == code
    said = capfd.readouterr().err
    assert said.startswith("fl: ")
    assert said.count("\n") == 1


@pytest.mark.parametrize("width", ["60", "100"])
def test_a_bare_command_shows_what_help_shows(width):
    shown = [
        subprocess.run(
            process("fl", *words),
            capture_output=True,
            text=True,
            check=True,
            env=environment(COLUMNS=width),
        )
        for words in ((), ("--help",))
    ]
    assert shown[0].stdout == shown[1].stdout
    assert shown[0].stdout.lstrip().startswith("Usage: fl")
    assert shown[0].stderr == ""


def test_both_ends_of_ctrl_c_have_one_exit_code():
    assert starting.INTERRUPTED == command.INTERRUPTED


def test_every_help_is_a_whole_phrase():
    group = typer.main.get_command(app.app)
    for name, one in group.commands.items():
        for option in one.params:
            said = option.help
            assert said[0].isupper(), (name, option.name)
            assert said.endswith("."), (name, option.name)
            assert not said.startswith(("Of ", "That ")), (name, option.name)
            assert len(said.split()) >= 4, (name, option.name)


@pytest.mark.parametrize("command_name", ["train", "demo"])
def test_in_a_narrow_terminal_no_option_is_cut(command_name):
    code = f"from fl.cli import app; app.run(['{command_name}', '--help'])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=environment(COLUMNS="60"),
    )
    assert "…" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 60


@pytest.mark.parametrize(
    ("words", "expected"),
    [("tr", "train"), ("train --algorithm fedy", "fedyogi"), ("train --dataset sh", "shakespeare")],
)
def test_a_shell_completes(words, expected):
    assert expected in completed("fl", words)
