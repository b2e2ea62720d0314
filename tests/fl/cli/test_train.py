"""`fl train` and `fl evaluate`: what a run leaves, how it goes on, what is refused."""

import errno
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from itertools import chain

import keras
import numpy as np
import pytest
import tensorflow as tf

import fl
from fl.aggregators.codings.encoding import Encoding
from fl.cli import app, training_rows
from fl.experiment.checkpoint import Checkpoints
from fl.experiment.registry import ALGORITHMS
from fl.experiment.run_directory import RunDir
from fl.experiment.settings import RunOptions, Settings
from fl.experiment.training import Training
from tests.helpers.layouts import idx, write_hdf5, write_mnist

TINY = {"clients": 4, "clients_per_round": 3, "model": "softmax", "batch_size": 100}


def training(folder, rounds=2, workers=1, **changes):
    settings = Settings(**{**TINY, **changes}, rounds=rounds)
    return Training(settings, RunOptions(run_dir=folder, workers=workers))


def finished(folder, **options):
    """The weights after a whole training, and its rounds' metrics."""
    run = training(folder, **options)
    metrics = list(run)
    return run.state.weights.to_vector(), metrics


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def event_files(folder):
    """For each event file, in the order of their names, its events."""
    files = [str(path) for path in sorted((folder / "events").iterdir())]
    parse = tf.compat.v1.Event.FromString
    return [[parse(r.numpy()) for r in tf.data.TFRecordDataset(file)] for file in files]


def curves(folder):
    """What TensorBoard has to show: name -> [(round, value)]."""
    points = {}
    for event in chain.from_iterable(event_files(folder)):
        for value in event.summary.value:
            assert value.metadata.plugin_data.plugin_name == "scalars"
            point = event.step, tf.make_ndarray(value.tensor)
            points.setdefault(value.tag, []).append(point)
    return points


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Four rounds without an interruption: (folder, weights, metrics)."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, *finished(folder, rounds=4, dropout=0.2, algorithm="fedadam")


def test_a_run_leaves_a_line_and_an_event_for_each_round(whole):
    folder, _, metrics = whole
    written = lines(folder)
    assert written == json.loads(json.dumps(metrics))
    assert [line["round"] for line in written] == [1, 2, 3, 4]
    for line in written:
        assert len(line["selection"]["cohort"]) == 3
        assert line["eval"]["num_examples"] == 359
        assert line["aggregator"]["kind"] == "secure"
    steps = curves(folder)
    for name in (
        "train/loss", "train/accuracy", "eval/accuracy", "aggregator/bytes_up",
        "aggregator/survivors", "aggregator/clipped_fraction", "finalizer/update_norm",
    ):  # fmt: skip
        assert [step for step, _ in steps[name]] == [1, 2, 3, 4]
    survivors = [len(line["aggregator"]["survivors"]) for line in written]
    assert [int(value) for _, value in steps["aggregator/survivors"]] == survivors


def test_a_run_goes_on_where_it_was(whole, tmp_path):
    _, weights, metrics = whole
    options = {"dropout": 0.2, "algorithm": "fedadam"}
    finished(tmp_path, rounds=1, **options)
    finished(tmp_path, rounds=3, **options)
    with open(tmp_path / "metrics.jsonl", "a") as file:  # a process that was killed while it wrote
        file.write('{"round": 4, "left": "behind"}\n{"round": 5, "cut o')
    resumed = training(tmp_path, rounds=4, **options)
    assert resumed.found.round == 3
    assert [m["round"] for m in resumed] == [4]
    np.testing.assert_array_equal(resumed.state.weights.to_vector(), weights, strict=True)
    assert [line["round"] for line in lines(tmp_path)] == [1, 2, 3, 4]
    assert [line["eval"] for line in lines(tmp_path)] == [m["eval"] for m in metrics]
    assert list(training(tmp_path, rounds=4, **options)) == []


def test_killed_between_a_rounds_line_and_its_checkpoint_each_round_is_there_once(
    whole, tmp_path, monkeypatch
):
    def killed(self, state, round_number):
        raise KeyboardInterrupt

    options = {"dropout": 0.2, "algorithm": "fedadam"}
    finished(tmp_path, rounds=2, **options)
    with monkeypatch.context() as patched:
        patched.setattr(RunDir, "save", killed)
        with pytest.raises(KeyboardInterrupt):
            list(training(tmp_path, rounds=4, **options))
    assert len(lines(tmp_path)) == 3
    newest = max((tmp_path / "events").iterdir())
    newest.write_bytes(newest.read_bytes() + b"a record that was cut o")
    finished(tmp_path, rounds=4, **options)
    assert [line["round"] for line in lines(tmp_path)] == [1, 2, 3, 4]
    expected = curves(whole[0])
    seen = curves(tmp_path)
    assert {name: [step for step, _ in points] for name, points in seen.items()} == {
        name: [1, 2, 3, 4] for name in expected
    }
    assert seen["eval/loss"] == expected["eval/loss"]
    # To a TensorBoard that has seen the third round already, the first event says: from 3 anew.
    _, started, *_ = event_files(tmp_path)[-1]
    assert started.session_log.status == tf.compat.v1.SessionLog.START
    assert started.step == 3


def test_two_workers_end_with_the_same_weights(whole, tmp_path):
    _, weights, _ = whole
    options = {"dropout": 0.2, "algorithm": "fedadam", "workers": 2}
    np.testing.assert_array_equal(finished(tmp_path, rounds=4, **options)[0], weights)


def test_a_damaged_checkpoint_costs_its_round_and_nothing_else(whole, tmp_path):
    _, weights, _ = whole
    options = {"dropout": 0.2, "algorithm": "fedadam"}
    finished(tmp_path, rounds=3, **options)
    newest = tmp_path / "checkpoints" / "round-00000003.npz"
    newest.write_bytes(newest.read_bytes()[:-200])
    resumed = training(tmp_path, rounds=4, **options)
    assert resumed.found.damaged == ("round-00000003.npz",)
    assert [m["round"] for m in resumed] == [3, 4]
    np.testing.assert_array_equal(resumed.state.weights.to_vector(), weights)


def test_a_round_that_too_few_finish_changes_no_weight_and_the_next_begins(tmp_path):
    run = training(tmp_path, rounds=2, dropout=1.0)
    before = run.state.weights.to_vector()
    metrics = list(run)
    assert [m["failed"] for m in metrics] == ["0 clients advertised keys, expected at least 3"] * 2
    np.testing.assert_array_equal(run.state.weights.to_vector(), before)


def test_where_no_round_succeeds_there_is_no_model(tmp_path, capfd):
    command = ["train", "--rounds", "2", "--dropout", "1", "--run-dir", str(tmp_path)]
    for _ in range(2):  # the second finds both rounds done
        assert app.run(command) == 1
        seen = capfd.readouterr()
        # TensorFlow's own lines, of a machine without a GPU for one, may stand before it
        said = [line for line in seen.err.splitlines() if line.startswith("fl: ")]
        assert said == ["fl: no round succeeded: 0 clients advertised keys, expected at least 7"]
        assert "saved" not in seen.out
    assert not (tmp_path / "model.keras").exists()


def test_updates_that_are_not_finite_show_in_the_row(tmp_path, capfd):
    command = ["train", "--rounds", "1", "--client-lr", "1e38", "--run-dir", str(tmp_path)]
    assert app.run(command) == 1
    seen = capfd.readouterr()
    assert "  10 not finite\n" in seen.out
    assert (
        "no round succeeded: none of 10 clients counts: 10 with updates that are not finite"
        in seen.err
    )


def test_what_is_clipped_or_left_out_shows_in_the_row(tmp_path, capfd):
    command = ["train", "--rounds", "1", "--clip", "0.001", "--max-weight", "143"]
    assert app.run([*command, "--run-dir", str(tmp_path)]) == 0
    seen = capfd.readouterr()
    assert re.search(r"\d\.\d\d%.*  8 above max_weight\n", seen.out)
    assert "0.00%" not in seen.out
    assert "SumWarning" not in seen.err
    with open(tmp_path / "metrics.jsonl") as file:
        (metrics,) = map(json.loads, file)
    metrics["aggregator"]["non_finite"]["mape"] = 3
    assert training_rows.line(metrics).endswith("  8 above max_weight  3 without mape")


def test_where_no_client_can_count_there_is_no_first_round(tmp_path, capfd):
    assert app.run(["train", "--max-weight", "14", "--run-dir", str(tmp_path)]) == 2
    assert "no client has at most --max-weight 14 examples" in capfd.readouterr().err


def test_a_sum_that_cannot_be_fails_its_round_and_the_next_begins(tmp_path, monkeypatch):
    honest, liars = Encoding.encode, iter(["the first client of the first round"])

    def encode(self, submission, rng):
        vectors = honest(self, submission, rng)
        if next(liars, None):
            vectors["counts"][0] = 2**40
        return vectors

    monkeypatch.setattr(Encoding, "encode", encode)
    first, second = training(tmp_path, rounds=2)
    assert first["failed"].startswith("weights that sum to ")
    assert "failed" not in second


def test_where_nobody_is_eligible_the_round_fails(tmp_path):
    (metrics,) = training(tmp_path, rounds=1, min_examples=10_000)
    assert metrics["failed"] == "nobody takes part, expected somebody: 0 of 4 are eligible"


def test_updates_clipped_by_norm_and_the_bound_that_follows_them(tmp_path):
    _, fixed = finished(tmp_path / "fixed", clip_norm=1e-3, client_lr=1.0)
    assert [m["aggregator"]["clip_fraction"] for m in fixed] == [1.0, 1.0]
    assert all(m["finalizer"]["update_norm"] <= 1.01e-3 for m in fixed)
    options = {"clip_norm": 1e-3, "clip_quantile": 0.5}
    _, adaptive = finished(tmp_path / "adaptive", **options)
    norms = [m["aggregator"]["clip_norm"] for m in adaptive]
    assert norms[1] > norms[0] == 1e-3
    resumed = training(tmp_path / "adaptive", rounds=3, **options)
    (metrics,) = resumed
    assert metrics["aggregator"]["clip_norm"] > norms[1]


def test_few_bits_go_on_from_a_checkpoint_bit_for_bit(tmp_path):
    rotated = {"rotate": True, "bits": 8, "keep_coordinates": 0.5, "batch_size": 400}
    weights, metrics = finished(tmp_path / "one", rounds=3, **rotated)
    up = [line["aggregator"]["bytes_up"] for line in metrics]
    assert up[1] == up[2] < 0.8 * up[0]
    finished(tmp_path / "other", rounds=2, **rotated)
    other, _ = finished(tmp_path / "other", rounds=3, **rotated)
    np.testing.assert_array_equal(other, weights)
    coarse, _ = finished(tmp_path / "coarse", rounds=3, rotate_margin=2.0**20, **rotated)
    assert (coarse != weights).any()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_learns_by_its_name(tmp_path, algorithm):
    options = {"rounds": 3, "algorithm": algorithm, "aggregator": "plain", "batch_size": 20}
    _, metrics = finished(tmp_path, **options)
    losses = [m["eval"]["loss"] for m in metrics]
    assert losses == sorted(losses, reverse=True)


def test_two_commands_and_what_they_print(tmp_path, capsys):
    run = ["--run-dir", str(tmp_path / "run")]
    begun = ["train", "--model", "softmax", "--rounds", "2", "--over-selection", "1.3"]
    assert app.run([*begun, *run]) == 0
    shown = capsys.readouterr().out
    assert "10 clients, 650 weights" in shown
    assert "10/10" in shown
    assert f"saved {tmp_path}/run/model.keras" in shown
    model = ["--model", f"{tmp_path}/run/model.keras"]
    assert app.run(["evaluate", *model, "--json"]) == 0
    seen = json.loads(capsys.readouterr().out.splitlines()[-1])
    tested = lines(tmp_path / "run")[-1]["eval"]
    assert seen["client_work"]["eval"]["accuracy"] == pytest.approx(tested["accuracy"], rel=1e-6)
    assert seen["aggregator"]["kind"] == "secure"
    assert app.run(["evaluate", *model, "--aggregator", "plain", "--clients", "1"]) == 0
    assert "plain sum over 1 clients" in capsys.readouterr().out
    again = ["train", *model, "--rounds", "1", "--run-dir", f"{tmp_path}/more"]
    assert app.run(again) == 0
    assert "650 weights" in capsys.readouterr().out


def test_a_model_of_characters(tmp_path, capsys):
    role = {"snippets": np.array([b"To be, or not to be", b"that is the question"])}
    for part in ("train", "test"):
        write_hdf5(tmp_path / f"shakespeare_{part}.h5", {"HAMLET": role, "YORICK": role})
    data = ["--dataset", "shakespeare", "--data-dir", str(tmp_path), "--model", "lstm"]
    few = ["--rounds", "1", "--clients-per-round", "2", "--batch-size", "2"]
    assert app.run(["train", *data, *few, "--run-dir", str(tmp_path / "run")]) == 0
    (line,) = lines(tmp_path / "run")
    assert line["client_work"]["train"]["num_examples"] == 4
    # the loss of chance is ln 90; of 320 places 82 hold a symbol, and the others weigh nothing
    assert line["client_work"]["train"]["loss"] == pytest.approx(np.log(90) * 82 / 320, rel=0.01)
    assert "2 clients, 295210 weights" in capsys.readouterr().out


PRIVATE = ["--dp-epsilon", "8", "--clip-norm", "1", "--threshold", "0.9", "--corrupt", "0"]
MISTAKES = {
    "data set": (["--dataset", "mnits"], "unknown data set 'mnits'"),
    "missing file": (["--dataset", "mnist", "--data-dir", "."], "there is no mnist.npz in ."),
    "partition": (
        ["--partition", "fair"],
        "unknown partition 'fair', expected one of iid, sequential",
    ),
    "writers": (["--partition", "writer"], "partition 'writer' of digits, expected mnist"),
    "model": (
        ["--model", "transformer"],
        "unknown model 'transformer', expected softmax, mlp, cnn",
    ),
    "model file": (["--model", "no.keras"], "no.keras is not there, expected a .keras file"),
    "text model": (
        ["--model", "lstm"],
        "'lstm' does not take x of float32, expected softmax, mlp, cnn",
    ),
    "algorithm": (
        ["--algorithm", "fedmagic"],
        "unknown algorithm 'fedmagic', expected one of fedavg, ",
    ),
    "aggregator": (["--aggregator", "open"], "aggregator 'open', expected secure or plain"),
    "condition": (
        ["--require", "sunny"],
        "unknown condition 'sunny', expected one of charging, unmetered, idle",
    ),
    "seed": (["--seed", str(2**32)], "'--seed': 4294967296, expected less than 2^32"),
    "no worker": (["--workers", "0"], "workers is 0, expected 1 to 256"),
    "too many workers": (["--workers", "999999"], "workers is 999999, expected 1 to 256"),
    "one client": (["--clients", "1"], "Invalid value for '--clients'"),
    "learning rate": (["--client-lr", "0"], "'--client-lr': 0.0, expected a finite number above 0"),
    "infinite rate": (
        ["--client-lr", "inf"],
        "'--client-lr': inf, expected a finite number above 0",
    ),
    "no threshold": (["--threshold", "0"], "--threshold 0.0: threshold=0.0, "),
    "no majority": (["--threshold", "0.3"], "--threshold 0.3: t=3 for n="),
    "clients": (["--clients", "2000"], "1438 examples for 2000 clients"),
    "dropout": (["--dropout", "1.5"], "--dropout"),
    "threshold": (["--threshold", "1.5"], "Invalid value for '--threshold'"),
    "sampling": (["--sampling", "alike"], "sampling 'alike', expected one of uniform, in-turn, "),
    "mechanism": (["--dp-mechanism", "laplace"], "dp_mechanism 'laplace', expected one of skel"),
    "few bits": (["--rotate", "--bits", "3"], "bits=3, expected an int in 4..32"),
    "too few bits": (["--rotate", "--bits", "4"], "4 bits are too few for the rounding of 10"),
    "bits of a plain sum": (["--aggregator", "plain", "--bits", "8"], "expected --aggregator sec"),
    "a plain sum rotated": (["--aggregator", "plain", "--rotate"], "expected --aggregator secure"),
    "some of what is not rotated": (["--keep-coordinates", "0.5"], "--keep-coordinates 0.5 of upd"),
    "a margin of what is not rotated": (["--rotate-margin", "6"], "--rotate-margin 6.0 of updates"),
    "a margin below one": (
        ["--rotate", "--rotate-margin", "0.5"],
        "Invalid value for '--rotate-margin'",
    ),
    "more than all of them": (
        ["--rotate", "--keep-coordinates", "1.5"],
        "Invalid value for '--keep-coordinates'",
    ),
    "over-selection in turn": (
        ["--over-selection", "1.3", "--sampling", "in-turn"],
        "--over-selection 1.3 with --sampling in-turn, expected --sampling uniform",
    ),
    "alignment of nothing": (["--dp-alignment", "0.3"], "without noise of the clients, expected"),
    "a budget of nothing": (["--dp-epsilon", "0"], "'--dp-epsilon': 0.0, expected a finite number"),
    "delta": (["--dp-delta", "1"], "'--dp-delta': 1.0, expected a number above 0 and below 1"),
    "noise without a norm": (["--dp-epsilon", "8"], "--dp-epsilon without --clip-norm"),
    "noise without corrupt": (
        ["--dp-epsilon", "8", "--clip-norm", "1", "--threshold", "0.9"],
        "noise of the clients without --threshold and --corrupt",
    ),
    "noise and rotate": ([*PRIVATE, "--rotate"], "--rotate with --dp-epsilon, expected one of"),
    "noise and a range": ([*PRIVATE, "--clip", "2"], "--clip 2.0 with noise of the clients"),
    "noise and a quantile": (
        [*PRIVATE, "--clip-quantile", "0.5"],
        "--clip-quantile with noise of the clients, expected --dp-mechanism gaussian",
    ),
    "noise in the clear": ([*PRIVATE, "--aggregator", "plain"], "expected --aggregator secure"),
    "run directory": (
        ["--run-dir", "/dev/null/x"],
        "run directory /dev/null/x cannot be written: Not a directory",
    ),
}


@pytest.mark.parametrize(("arguments", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line_and_exit_code_2(tmp_path, monkeypatch, capfd, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert app.run(["train", "--rounds", "1", *arguments]) == 2
    shown, seen = capfd.readouterr()
    assert seen.startswith("fl: ")
    assert seen.count("\n") == 1
    assert message in seen
    assert "weights" not in shown
    assert not list(tmp_path.iterdir())  # nothing that stands in the corrected command's way


IN_THE_WAY = {
    "of the directory": ("run", "File exists"),
    "of a directory above": ("", "Not a directory"),
    "of the checkpoints": ("run/checkpoints", "File exists (checkpoints)"),
    "of the events": ("run/events", "File exists (events)"),
}
ROOM = "expected a directory with room that may be written\n"


@pytest.mark.parametrize(("file", "seen"), IN_THE_WAY.values(), ids=IN_THE_WAY)
def test_a_file_in_the_way_is_one_line_before_the_first_round(tmp_path, capfd, file, seen):
    place = tmp_path / "place"
    (place / file).parent.mkdir(parents=True, exist_ok=True)
    (place / file).write_text("mine")
    assert app.run(["train", "--model", "softmax", "--run-dir", f"{place}/run"]) == 2
    shown, error = capfd.readouterr()
    assert error == f"fl: run directory {place}/run cannot be written: {seen}, {ROOM}"
    assert "weights" not in shown
    assert (place / file).read_text() == "mine"
    assert sum(path.is_file() for path in tmp_path.rglob("*")) == 1


def test_a_directory_that_may_not_be_written(tmp_path, monkeypatch, capfd):
    def denied(source, target):
        raise PermissionError(errno.EACCES, "Permission denied", str(source))

    monkeypatch.setattr(os, "replace", denied)
    assert app.run(["train", "--model", "softmax", "--run-dir", str(tmp_path)]) == 2
    seen = "Permission denied (settings.json)"
    error = f"fl: run directory {tmp_path} cannot be written: {seen}, {ROOM}"
    assert capfd.readouterr().err == error
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


NO_ROOM = "No space left on device"
FULL = OSError(errno.ENOSPC, NO_ROOM)
FULL_TO_TENSORFLOW = tf.errors.ResourceExhaustedError(None, None, NO_ROOM)
WRITES = {  # what writes, and how often it can before the disk is full
    "a line": (os, "fsync", 5, FULL),
    "an event": (tf.io.TFRecordWriter, "flush", 3, FULL_TO_TENSORFLOW),
    "a checkpoint": (np, "savez", 1, FULL),
    "the model": (keras.Model, "save", 0, FULL),
}


@pytest.mark.parametrize(("owner", "name", "calls", "full"), WRITES.values(), ids=WRITES)
def test_a_full_disk_ends_the_run_in_one_line_and_it_goes_on_later(
    whole, tmp_path, monkeypatch, capfd, owner, name, calls, full
):
    write, left = getattr(owner, name), iter(range(calls))

    def until_full(*arguments, **named):
        if next(left, None) is None:
            raise full
        return write(*arguments, **named)

    monkeypatch.setattr(owner, name, until_full)
    command = ["train", "--clients", "4", "--clients-per-round", "3", "--model", "softmax"]
    command += ["--batch-size", "100", "--dropout", "0.2", "--algorithm", "fedadam"]
    assert app.run([*command, "--rounds", "2", "--run-dir", str(tmp_path)]) == 1
    seen = capfd.readouterr().err
    assert f"cannot be written: {NO_ROOM}, {ROOM}" in seen
    assert seen.startswith("fl: ")
    assert seen.count("\n") == 1
    assert not list(tmp_path.rglob(".part-*"))
    assert not (tmp_path / "model.keras").exists()
    monkeypatch.undo()
    assert app.run([*command, "--rounds", "4", "--run-dir", str(tmp_path)]) == 0
    assert (tmp_path / "model.keras").exists()
    later = training(tmp_path, rounds=4, dropout=0.2, algorithm="fedadam")
    np.testing.assert_array_equal(later.state.weights.to_vector(), whole[1])
    assert {tuple(step for step, _ in points) for points in curves(tmp_path).values()} == {
        (1, 2, 3, 4)
    }


def test_settings_without_a_round_are_replaced(tmp_path):
    training(tmp_path, seed=1)
    training(tmp_path, seed=2)
    assert json.loads((tmp_path / "settings.json").read_text())["seed"] == 2


def test_a_run_that_has_its_rounds_says_so(tmp_path, capsys):
    command = ["train", "--model", "softmax", "--run-dir", str(tmp_path), "--rounds"]
    assert app.run([*command, "2"]) == 0
    capsys.readouterr()
    assert app.run([*command, "1"]) == 0
    shown = capsys.readouterr().out
    assert "\nalready has 2 rounds\n" in shown
    assert "loss" not in shown
    assert "saved" not in shown


def test_another_run_is_not_overwritten(whole, tmp_path):
    folder, _, _ = whole
    with pytest.raises(fl.errors.CheckpointError, match=r"other settings \(seed=0 there\)"):
        training(folder, dropout=0.2, algorithm="fedadam", seed=1)
    (tmp_path / "settings.json").write_text("{")
    (tmp_path / "metrics.jsonl").touch()
    with pytest.raises(fl.errors.CheckpointError, match=r"settings\.json is damaged"):
        training(tmp_path)


def tiny_mnist(folder, write, seed=0, darker=0):
    """A tiny MNIST, and the folder's name; `darker` adds to one pixel of one test image."""
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 200, (40, 28, 28), np.uint8), np.arange(40, dtype=np.uint8) % 4
    test = x[:8].copy()
    test[3, 5, 5] += darker
    write(folder, (x, y), (test, y[:8]))
    return str(folder)


def original_files(folder, train, test):
    (folder / "mnist").mkdir(parents=True)
    for part, (x, y) in (("train", train), ("t10k", test)):
        (folder / "mnist" / f"{part}-images-idx3-ubyte").write_bytes(idx(x))
        (folder / "mnist" / f"{part}-labels-idx1-ubyte").write_bytes(idx(y))


@pytest.mark.parametrize(
    ("changed", "named"),
    [({"seed": 1}, "train_data='"), ({"darker": 1}, r"\(test_data='")],
    ids=["training examples", "one pixel of a test example"],
)
def test_other_data_under_the_same_names_are_refused(tmp_path, changed, named):
    run, options = tmp_path / "run", {"dataset": "mnist", "aggregator": "plain"}
    finished(run, rounds=1, data_dir=tiny_mnist(tmp_path / "a", write_mnist), **options)
    other = tiny_mnist(tmp_path / "b", write_mnist, **changed)
    with pytest.raises(
        fl.errors.CheckpointError, match=rf"other settings .*{named}[0-9a-f]{{32}}' there"
    ):
        training(run, data_dir=other, **options)
    # The same data elsewhere, and in the original files in place of Keras's: the run goes on.
    moved = tiny_mnist(tmp_path / "c", original_files)
    assert training(run, data_dir=moved, **options).found.round == 1


def test_another_model_in_the_same_file_is_refused(tmp_path):
    run, path = tmp_path / "run", tmp_path / "own.keras"
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(10)])
    logits = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss=logits)
    model.save(path)
    finished(run, rounds=1, model=str(path))
    assert training(run, model=str(path)).found.round == 1
    model.compile("sgd", loss=keras.losses.SparseCategoricalCrossentropy())
    model.save(path)
    with pytest.raises(fl.errors.CheckpointError, match=r"\(model_file='[0-9a-f]{32}' there\)"):
        training(run, model=str(path))


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_help_needs_no_tensorflow(command):
    code = (
        "import sys\nfrom fl.cli import app\n"
        f"assert app.run(['{command}', '--help']) == 0\n"
        "print([m for m in ('tensorflow', 'keras', 'h5py') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


ROUNDS = 12
COMMAND = [
    *("train", "--model", "softmax", "--algorithm", "fedyogi", "--rounds", str(ROUNDS)),
    *("--dropout", "0.1", "--over-selection", "1.2", "--keep", "2", "--run-dir"),
]


def commands(*folders):
    """One process that trains in one folder after the other."""
    runs = "".join(f"app.run({[*COMMAND, str(folder)]}) or " for folder in folders)
    return subprocess.Popen(
        [sys.executable, "-c", f"import sys; from fl.cli import app; sys.exit({runs}0)"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


def final_checkpoint(folder):
    with np.load(folder / "checkpoints" / f"round-{ROUNDS:08}.npz") as file:
        return {name: file[name] for name in file.files}


@pytest.mark.parametrize("kills", [1, pytest.param(8, marks=pytest.mark.slow)])
def test_killed_at_any_moment_it_ends_with_the_same_weights(tmp_path, kills):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    rng = random.Random(os.getpid())  # another moment each time the tests are run
    for kill in range(kills):
        process = commands(killed)
        for line in process.stdout:
            if line.split()[:1] and line.split()[0].isdecimal() and "weights" not in line:
                break  # a round is done: the next one is on its way
        time.sleep(rng.uniform(0, 0.3))
        process.send_signal(signal.SIGINT if kill % 3 == 1 else signal.SIGKILL)
        assert "Traceback" not in process.communicate()[0]
    last = commands(killed, whole)
    shown = last.communicate()[0]
    assert last.returncode == 0, shown
    assert "going on after round" in shown or "already has" in shown
    expected, seen = final_checkpoint(whole), final_checkpoint(killed)
    assert expected.keys() == seen.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(seen[name], array, strict=True)
    assert [line["round"] for line in lines(killed)] == list(range(1, ROUNDS + 1))
    assert [step for step, _ in curves(killed)["train/loss"]] == list(range(1, ROUNDS + 1))


def test_ctrl_c_says_that_it_can_go_on(tmp_path, monkeypatch, capsys):
    def interrupted(self):
        yield next(rounds(self))
        raise KeyboardInterrupt

    rounds = Training.__iter__
    monkeypatch.setattr(Training, "__iter__", interrupted)
    command = ["train", "--model", "softmax", "--rounds", "3", "--run-dir", str(tmp_path)]
    assert app.run(command) == 130
    said = "fl: interrupted after round 1: the same command goes on\n"
    assert capsys.readouterr().err == said
    monkeypatch.undo()
    assert app.run(command) == 0
    assert "going on after round 1" in capsys.readouterr().out
    assert len(lines(tmp_path)) == 3
    assert Checkpoints(tmp_path / "checkpoints")._paths()[-1].name == "round-00000003.npz"
