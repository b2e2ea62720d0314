"""Each chart and table, by hand: of which round, in which unit, with which sign and name."""

import numpy as np
import pytest

from fl.report import cost_figures, figures, numbers, tables
from fl.report.charts import PHASES
from fl.report.runs import Run
from tests.helpers.runs import failed, line, observed, write_run

SECURE = Run("secure", {"aggregator": "secure", "seed": 1}, [
    line(1, eval={"loss": 3.0, "accuracy": 0.5}),
    line(2, eval={"loss": 1.5, "accuracy": 0.75}, dropped=[(1, 0), (3, 2), (4, 2)]),
])  # fmt: skip
PLAIN = Run("plain", {"aggregator": "plain", "seed": 1}, [
    line(1, "plain", eval={"loss": 2.0, "accuracy": 0.25}),
    line(2, "plain", eval={"loss": 1.0, "accuracy": 1.0}),
    line(3, "plain", eval={"loss": 0.5, "accuracy": 1.0}),
])  # fmt: skip


def test_curves_are_by_round_and_by_part():
    figure = figures.curves([SECURE], "accuracy")
    tested, trained = figure["data"]
    assert (tested["name"], tested["x"], tested["y"]) == ("secure", [1, 2], [0.5, 0.75])
    assert (trained["name"], trained["y"]) == ("secure, training", [0.5, 0.5])
    assert (tested["line"]["dash"], trained["line"]["dash"]) == ("solid", "dot")
    assert figure["layout"]["xaxis"]["range"] == [0.5, 2.5]


def test_two_runs_are_told_apart_without_colours():
    styles = {
        (trace["marker"]["symbol"], trace["line"]["width"])
        for trace in figures.curves([Run(str(i), {}, [line(1)]) for i in range(7)], "loss")["data"]
    }
    assert len(styles) == 14


def test_the_difference_is_secure_minus_plain_in_the_rounds_of_both():
    (bars,) = figures.difference(SECURE, PLAIN, "loss")["data"]
    assert (bars["x"], bars["y"]) == ([1, 2], [1.0, 0.5])


def test_the_pair_is_compared_in_the_last_round_that_both_have():
    accuracy, loss = tables.beside(SECURE, PLAIN).rows
    assert accuracy == ("test accuracy", "2", "0.7500", "1.0000", "-0.25")
    assert loss == ("test loss", "2", "1.5000", "1.0000", "+0.5")
    same = tables.beside(SECURE, Run("p", {}, SECURE.rounds))
    assert [row[-1] for row in same.rows] == ["0", "0"]
    assert tables.beside(SECURE, Run("p", {}, [line(7)])).rows == ()


def test_lost_clients_stand_in_their_round_under_their_protocol_round():
    keys, masks = figures.drops(SECURE)["data"]
    assert (keys["name"], keys["x"], keys["y"]) == ("0 keys", [1, 2], [0, 1])
    assert (masks["name"], masks["y"], masks["text"]) == ("2 masks", [0, 2], ["", "dan, eve"])


def test_a_round_without_a_sum_is_marked_over_the_whole_length():
    figure = figures.drops(Run("r", {}, [line(1, dropped=[(0, 3)]), failed(2), failed(9)]))
    bars, crosses = figure["data"]
    assert bars["name"] == "3 check"
    assert (crosses["name"], crosses["x"]) == ("no sum", [2, 9])
    assert figure["layout"]["xaxis"]["range"] == [0.5, 9.5]


def test_many_rounds_share_their_bars_and_have_no_marks():
    lost = [line(i, dropped=[(0, 3)] if i % 2 else [(0, 3), (1, 3)]) for i in range(1, 602)]
    run = Run("long", {}, lost)
    (bars,) = figures.drops(run)["data"]
    assert len(bars["x"]) == 201
    assert bars["y"][:2] == pytest.approx([4 / 3, 5 / 3])
    assert (bars["x"][0], bars["text"][0]) == (2, "4 in 3 rounds")
    assert {trace["mode"] for trace in figures.curves([run], "loss")["data"]} == {"lines"}


def test_seconds_and_kilobytes_of_each_phase_and_run():
    twins = [Run(f"mnist-{kind}-of-a-long-name-seed-1", {}, SECURE.rounds) for kind in "ab"]
    seconds, sizes = cost_figures.seconds(twins), cost_figures.sizes(twins)
    assert [trace["name"] for trace in seconds["data"]][:3] == ["training", "0 keys", "1 shares"]
    assert [trace["x"][0] for trace in seconds["data"]][:3] == [0.5, 0.01, 0.02]
    assert [trace["x"] for trace in sizes["data"]] == [[1.2, 1.2]] * 5
    for figure in (seconds, sizes):  # one name for two bars, and two bars
        heights = figure["layout"]["yaxis"]["tickvals"]
        assert all(trace["y"] == heights == [0, 1] for trace in figure["data"])
        assert figure["layout"]["yaxis"]["ticktext"] == ["mnist-a…e-seed-1", "mnist-b…e-seed-1"]
    assert len({PHASES[name] for name in PHASES}) == len(PHASES)


def test_the_first_round_compiles_and_is_not_the_cost_of_a_round():
    slow, *usual = (line(i) for i in (1, 2, 3))
    slow["seconds"] = {"train": 50.0, "protocol": 0.15, "round": 60.0}
    run = Run("r", {}, [slow, *usual])
    train, *_ = numbers.phases(run)
    assert train.seconds == 0.5
    assert tables.overview([run]).rows[0][-1] == "0.750"


def test_the_overview_is_of_each_run():
    private = Run("private", {}, [line(1, client_work={}, eval={"loss": 1.0, "accuracy": 0.6})])
    blank = Run("blank", {}, [failed(1)])
    table = tables.overview([private, SECURE, blank])
    assert table.head[:3] == ("run", "test accuracy", "test loss")
    assert table.rows[0] == (
        "private", "0.6000", "1.0000", "secure", "1", "5 of 5", "5.0", "0.750",
    )  # fmt: skip
    assert table.rows[1][1:] == ("0.7500", "1.5000", "secure", "2", "3.5 of 5", "5.0", "0.750")
    assert table.rows[2][1:] == ("–", "–", "none", "1, 1 failed", "–", "–", "–")


def test_a_regression_shows_its_error_and_what_counts_is_no_metric():
    work = {"train": {"loss": 4.0, "num_examples": 9, "mae": 2.0}}
    run = Run("r", {}, [line(1, client_work=work, eval={"loss": 1.0, "mae": 0.5})])
    table = tables.overview([run])
    assert (table.head[1], table.rows[0][1]) == ("test mae", "0.5000")
    bare = {"train": {"loss": 4.0, "num_examples": 9}}
    assert numbers.metric_of([Run("r", {}, [line(1, client_work=bare, eval={})])]) is None


def test_settings_that_differ_are_strong():
    table = tables.settings([SECURE, PLAIN])
    assert dict(zip((row[0] for row in table.rows), table.strong, strict=True)) == {
        "aggregator": True,
        "seed": False,
    }


def test_histograms_stand_where_their_numbers_are(tmp_path):
    from fl.report.runs import read_run

    seen = read_run(write_run(tmp_path / "run", [line(1)], seen=True)).seen
    learned, sent, read = figures.seen(seen)
    for figure, name in ((learned, "true_update"), (sent, "masked"), (read, "mean")):
        (bars,) = figure["data"]
        low, high = figure["layout"]["xaxis"]["range"]
        assert (low, high) == (seen[name]["low"], seen[name]["high"])
        assert bars["x"][0] - bars["width"] / 2 == pytest.approx(low)
        assert bars["x"][-1] + bars["width"] / 2 == pytest.approx(high)
        assert sum(bars["y"]) == 1000
    largest = float(np.abs(observed().true_update).max())
    assert largest < seen["true_update"]["high"] == round(seen["true_update"]["high"])
