"""A history of rounds, as a notebook shows it."""

import re
from importlib.util import find_spec

import pytest

import fl
from tests.helpers.runs import line
from tests.helpers.small import arrays, linear


@pytest.fixture(scope="module")
def trained():
    """Two rounds and their evaluations, one client lost in the second: (result, history)."""
    clients = [arrays(n, seed=n) for n in (20, 13, 9, 8)]
    process = fl.build_weighted_fed_avg(linear, aggregator=fl.PlainSum())
    evaluate, history = fl.build_fed_eval(linear, aggregator=fl.PlainSum()), fl.History()
    state = process.initialize()
    for dropouts in ({}, {1: 2}):
        result = process.next(state, clients, dropouts=dropouts)
        state = result.state
        history.append(result.metrics, evaluate(state.weights, clients))
    return result, history


def test_a_round_shows_its_numbers_and_who_was_lost(trained):
    result, _ = trained
    page = result._repr_html_()
    assert "<caption>Round 2</caption>" in page
    assert "in the plain sum" in page
    assert "3 of 4 clients" in page
    assert "1 @ 2" in page
    assert f"{result.metrics['client_work']['train']['loss']:.4g}" in page


def test_a_history_is_its_rounds_a_table_and_curves(trained):
    _, history = trained
    assert len(history) == 2
    assert history[-1]["round"] == 2
    assert [line["round"] for line in history[:1]] == [1]
    assert repr(history).startswith("History(2 rounds, last: loss=")
    page = history._repr_html_()
    for value in (history[0]["eval"]["loss"], history[1]["client_work"]["train"]["accuracy"]):
        assert f">{value:.4f}<" in page
    assert "test accuracy" in page
    assert page.startswith("<svg") == (find_spec("matplotlib") is not None)


def test_without_matplotlib_there_is_the_table(trained, monkeypatch):
    monkeypatch.setattr("fl.report.history.find_spec", lambda name: None)
    assert trained[1]._repr_html_().startswith("<table>")


def test_a_long_history_shows_its_last_rounds_and_an_empty_one_nothing(monkeypatch):
    monkeypatch.setattr("fl.report.history.find_spec", lambda name: None)
    history = fl.History()
    assert repr(history) == "History(0 rounds)"
    assert "<table>" in history._repr_html_()
    for number in range(1, 31):
        history.append(line(number))
    page = history._repr_html_()
    assert "30 rounds, the last 10" in page
    assert len(re.findall("<tr>", page)) == 11
    assert "test loss" not in page  # nobody evaluated


def test_the_table_has_kilobytes_and_the_curves_their_colours():
    history = fl.History()
    history.append(line(1))
    page = history._repr_html_()
    assert ">5.0</td>" in page
    assert "1 round<" in page
    if "<svg" in page:
        assert "#e69f00" in page  # of training; nobody evaluated
        assert "#0072b2" not in page


def test_a_metric_that_is_never_finite_has_an_empty_plot(recwarn):
    history = fl.History()
    history.append(line(1, client_work={"train": {"loss": float("nan"), "accuracy": 0.5}}))
    assert ">–<" in history._repr_html_()
    assert list(recwarn) == []


def test_a_page_can_be_written_of_it(trained, tmp_path):
    pytest.importorskip("plotly")
    run = fl.report.Run("mine", {}, trained[1])
    text = fl.report.write_page([run], tmp_path / "page.html").read_text()
    assert "mine" in text
