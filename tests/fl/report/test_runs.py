"""A run directory read back: what is there, what is damaged, and which runs belong together."""

import json

import pytest

import fl
from fl.aggregators.observed import ObservedSum
from fl.cli import app
from fl.errors import ReportError
from fl.experiment.assembly import Simulation, aggregator
from fl.experiment.settings import Settings
from fl.report import numbers
from fl.report.runs import Run, named_apart, pairs, read_run, read_runs
from tests.helpers.runs import failed, line, write_run


def test_what_a_run_left_is_read_back(tmp_path):
    run = read_run(write_run(tmp_path / "one", [line(1), failed(2), line(3)], seen=True, seed=7))
    assert (run.name, run.kind, run.settings["seed"]) == ("one", "secure", 7)
    assert [each["round"] for each in run.rounds] == [1, 2, 3]
    assert [each["round"] for each in run.summed] == [1, 3]
    assert sum(run.seen["masked"]["counts"]) == 1000


def test_a_line_that_was_cut_off_is_left_out_and_nan_is_read(tmp_path):
    folder = write_run(tmp_path / "one", [line(1, eval={"loss": float("nan")})])
    with open(folder / "metrics.jsonl", "a") as file:
        file.write('{"round": 2, "cut o')
    run = read_run(folder)
    assert len(run.rounds) == 1
    assert numbers.value(run.rounds[0], "test", "loss") is None


def test_a_folder_that_is_no_run_and_one_without_rounds_are_refused(tmp_path):
    with pytest.raises(ReportError, match=r"no settings\.json, expected the directory of a run"):
        read_run(tmp_path)
    with pytest.raises(ReportError, match="one has no rounds, expected one at least"):
        read_run(write_run(tmp_path / "one", []))


DAMAGE = {
    "settings.json": "[1, 2]",
    "metrics.jsonl": '{"round": "first"}\n{"round": 2, "seconds": {}}\n',
    "seen.json": '{"round": 1}',
}
HISTOGRAMS = [{"counts": []}, {"low": float("nan")}, {"low": 2.0, "high": 2.0}]


@pytest.mark.parametrize("change", HISTOGRAMS, ids=str)
def test_a_histogram_that_cannot_be_drawn_is_refused(change, tmp_path):
    folder = write_run(tmp_path / "one", [line(1)], seen=True)
    seen = json.loads((folder / "seen.json").read_text())
    seen["mean"] |= change
    (folder / "seen.json").write_text(json.dumps(seen))
    with pytest.raises(ReportError, match=r"seen\.json is damaged: a histogram of .* expected one"):
        read_run(folder)


@pytest.mark.parametrize("name", DAMAGE)
def test_what_no_run_wrote_is_refused_with_the_files_name(name, tmp_path):
    folder = write_run(tmp_path / "one", [line(1)], seen=True)
    (folder / name).write_text(DAMAGE[name])
    with pytest.raises(ReportError, match=rf"{name}.* is damaged: .*expected what a run wrote"):
        read_run(folder)


def test_secure_stands_beside_the_plain_run_that_differs_in_the_sum_alone(tmp_path):
    secure = Run("s", {"seed": 1, "aggregator": "secure", "clip": 2.0}, [line(1)])
    plain = Run("p", {"seed": 1, "aggregator": "plain", "clip": None}, [line(1, "plain")])
    other = Run("o", {"seed": 2, "aggregator": "plain", "clip": None}, [line(1, "plain")])
    assert pairs([other, secure, plain]) == [(secure, plain)]
    assert pairs([other, secure]) == []
    assert pairs([secure, secure, plain]) == [(secure, plain)]  # each once


def test_few_bits_are_a_matter_of_the_sum():
    few = {"aggregator": "secure", "bits": 8, "rotate": True, "rotate_margin": 6.0, "seed": 1}
    plain = {"aggregator": "plain", "bits": 32, "rotate": False, "rotate_margin": None, "seed": 1}
    secure, other = Run("s", few, [line(1)]), Run("p", plain, [line(1, "plain")])
    assert pairs([secure, other]) == [(secure, other)]


def test_a_directory_given_twice_is_one_run(tmp_path):
    path = write_run(tmp_path / "run", [line(1)])
    other = write_run(tmp_path / "other", [line(1)])
    assert [run.name for run in read_runs([path, other, other / ".." / "run"])] == ["run", "other"]


def test_runs_of_one_name_are_told_apart_by_their_paths(tmp_path):
    paths = [write_run(tmp_path / part / "run", [line(1)]) for part in "ab"]
    named = named_apart([read_run(path) for path in paths], paths)
    assert [run.name for run in named] == [str(path) for path in paths]


def test_who_dropped_is_named_by_the_cohort_and_where():
    run = Run("r", {}, [line(1, dropped=[(1, 0), (3, 2), (4, 2)])])
    assert numbers.who_dropped(run.rounds[0]) == {0: ["bob"], 2: ["dan", "eve"]}
    unnamed = line(1, dropped=[(1, 0)])
    del unnamed["selection"]
    assert numbers.who_dropped(unnamed) == {0: ["1"]}


def test_the_phases_add_up_to_the_round():
    costs = numbers.phases(Run("r", {}, [line(1), failed(2), line(3)]))
    names = ["training", "keys", "shares", "masks", "check", "unmask", "the rest"]
    assert [cost.name for cost in costs] == names
    assert sum(cost.seconds for cost in costs) == pytest.approx(0.75)
    assert sum(cost.bytes_up or 0 for cost in costs) == 5000
    (_, summed, _) = numbers.phases(Run("r", {}, [line(1, "plain")]))
    assert (summed.name, summed.bytes_up, summed.seconds) == ("the sum", 5000, 0.15)


def test_a_training_records_what_the_server_saw_when_asked(tmp_path, capsys):
    words = ["train", "--clients", "3", "--clients-per-round", "3", "--model", "softmax"]
    words += ["--clip-norm", "1", "--quiet", "--run-dir", str(tmp_path / "run"), "--rounds"]
    assert app.run([*words, "1"]) == 0
    assert not (tmp_path / "run" / "seen.json").exists()
    pytest.importorskip("plotly")
    assert app.run([*words, "2", "--report"]) == 0
    assert "What client" in (tmp_path / "run" / "report.html").read_text()
    seen = read_run(tmp_path / "run").seen
    # histograms of the 650 coordinates, and no coordinate
    parts = [seen.pop(name) for name in ("true_update", "masked", "mean")]
    assert [sum(part["counts"]) for part in parts] == [650, 650, 650]
    assert all(len(part["counts"]) == 40 for part in parts)
    assert parts[1]["high"] == 2**32
    assert seen["client"] in {"0", "1", "2"}
    assert (seen["round"], seen["bits"], len(seen)) == (2, 32, 3)


PRIVATE = {"dp_epsilon": 8.0, "clip_norm": 1.0}
OF_CLIENTS = {"threshold": 0.8, "corrupt": 0.1}


@pytest.mark.parametrize(
    ("changes", "multiplier", "watched"),
    [
        ({"clip_norm": 1.0}, None, True),
        ({"aggregator": "plain"}, None, False),
        ({**PRIVATE, "dp_mechanism": "gaussian"}, 1.0, False),
        ({**PRIVATE, **OF_CLIENTS}, 1.0, False),
    ],
)
def test_of_a_plain_sum_or_a_training_that_promises_privacy_nothing_is_kept(
    changes, multiplier, watched
):
    summed = aggregator(Settings(**changes), Simulation(on_seen=print), multiplier)
    while hasattr(summed, "aggregator"):
        summed = summed.aggregator
    assert isinstance(summed, ObservedSum) == watched


def test_the_error_is_public():
    assert issubclass(fl.errors.ReportError, fl.errors.FLError)
