"""`secagg params` as a user types it, the costs it prints, and what it says to mistakes."""

import json
import sys

import numpy as np
import pytest

pytest.importorskip("typer")

from secagg.cli import app, costs
from secagg.cli.costs import UnitCosts
from secagg.parameters import choose
from secagg.params import Params, VectorSpec
from secagg.run import run

THOUSAND = ("params", "--n", "1000", "--corrupt", "0.05", "--dropout", "0.1")


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> "Said":
    monkeypatch.setenv("COLUMNS", "120")
    return Said(capsys)


class Said:
    """Runs the command and gives what it printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, *words: str) -> str:
        status, out, err = self.run(words)
        assert (status, err) == (0, "")
        return out

    def refusal(self, *words: str) -> str:
        """The one line of a refusal."""
        status, out, err = self.run(words)
        assert (status, out) == (2, "")
        assert err.startswith("secagg: ")
        assert err.endswith("\n")
        (line,) = err.splitlines()
        return line.removeprefix("secagg: ")

    def run(self, words: tuple[str, ...]) -> tuple[int, str, str]:
        return app.run(words), *self.capsys.readouterr()


def test_a_ring_its_bounds_and_its_costs(said: Said) -> None:
    text = said(*THOUSAND)
    assert "ring (Harary), k=156, t=118, min_roster=900, min_survivors=526" in text
    assert "holds against an active server" in text
    assert "more than 38 corrupt among some 78 in a row" in text
    assert "2^-105" in text
    assert "2^-108.8" in text
    assert "2^-20.1" in text
    assert "CPU seconds: client" in text
    assert "estimated from a calibration of this machine" in text


def test_the_complete_graph_never_fails(said: Said) -> None:
    text = said("params", "--n", "50", "--corrupt", "5", "--dropout", "0.1")
    assert "complete graph, t=28" in text
    assert text.count("never") == 4


def test_the_probability_of_failure_is_said(said: Said) -> None:
    text, choice = said(*THOUSAND), choose(1000, corrupt=0.05, dropout=0.1)
    assert f"privacy 2^{choice.leak:.1f}, no sum in spite of enough 2^{choice.no_sum:.1f}" in text
    report = json.loads(said(*THOUSAND, "--json"))
    assert (report["leak_log2"], report["no_sum_log2"]) == (choice.leak, choice.no_sum)


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_the_curious_rule_is_labelled_wherever_it_is_printed(
    said: Said, form: tuple[str, ...]
) -> None:
    text = said(*THOUSAND, "--curious-only", *form)
    assert "honest-but-curious: does not hold against an active server" in text


def test_json_is_the_choice_itself(said: Said) -> None:
    report = json.loads(said(*THOUSAND, "--length", "10", "--bits", "7", "--json"))
    choice = choose(1000, corrupt=0.05, dropout=0.1)
    assert [report[name] for name in ("n", "k", "t", "corrupt", "min_roster")] == [
        choice.n,
        choice.k,
        choice.t,
        choice.corrupt,
        choice.min_roster,
    ]
    assert [b["met_log2"] for b in report["bounds"]] == [b.met for b in choice.bounds]
    assert report["vector"] == {"length": 10, "bits": 7}
    assert min(report["seconds"][who] for who in ("client", "server", "server_with_dropouts")) > 0


def test_json_writes_never_as_null(said: Said) -> None:
    report = json.loads(said("params", "--n", "10", "--corrupt", "1", "--dropout", "0", "--json"))
    assert [b["met_log2"] for b in report["bounds"]] == [None, None]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("params",), "Missing option '--n'"),
        (("parms",), "No such command 'parms'"),
        ((*THOUSAND, "--n", "65521"), "shard"),
        ((*THOUSAND, "--corrupt", "many"), "--corrupt 'many', expected a number"),
        ((*THOUSAND, "--corrupt", "0.9"), "could be missing"),
        ((*THOUSAND, "--corrupt", "-1"), "corrupt=-1 clients"),
        ((*THOUSAND, "--privacy-bits", "39"), "privacy_bits=39, expected an int in 40..1024"),
        ((*THOUSAND, "--grinding-bits", "0"), "grinding_bits=0, expected an int in 64..1024"),
        ((*THOUSAND, "--graph", "star"), "'star', expected one of"),
        ((*THOUSAND, "--bits", "65"), "65 bits, expected 1..64"),
        ((*THOUSAND, "--suite", "aegis"), "'aegis', expected one of aes128-ctr, aegis128x2"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(said: Said, words: tuple[str, ...], line: str) -> None:
    assert line in said.refusal(*words)


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_the_extra_the_command_says_what_to_install(
    said: Said, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """None in sys.modules is how Python remembers that there is no such module."""
    monkeypatch.setitem(sys.modules, missing, None)
    assert said.refusal(*THOUSAND) == f"{missing} is not installed: pip install 'secagg[cli]'"


def test_no_words_at_all_is_a_request_for_help(said: Said) -> None:
    text = said()
    assert all(command in text for command in ("params", "keygen", "enroll", "directory"))


def test_bytes_by_hand() -> None:
    """10 clients, complete: 9 neighbours; 7 words of 8 bits and the tally word are 8 bytes."""
    choice = choose(10, corrupt=1, dropout=0.2)
    hello, shares, masked, check, unmasking = costs.client_bytes(choice, VectorSpec("x", 7, 8))
    assert (hello.up, hello.down) == (168, 10 * 168)
    assert (shares.up, shares.down) == (72 + 9 * 112, 9 * (112 + 8))
    assert (masked.up, masked.down) == (72 + 8, 10 * 8)
    assert (check.up, check.down) == (72, 6 * 72)
    assert (unmasking.up, unmasking.down) == (72 + 32 + 10 * 34 + 16, 0)


def test_seconds_by_hand() -> None:
    """Each primitive counted alone: 10 clients, 2 dropped, t = min_survivors = 6."""
    choice, vector = choose(10, corrupt=1, dropout=0.2), VectorSpec("x", 7, 32)
    agree = UnitCosts(agree=1, verify=0, derive=0, mask_byte=0)
    verify = UnitCosts(agree=0, verify=1, derive=0, mask_byte=0)
    derive = UnitCosts(agree=0, verify=0, derive=1, mask_byte=0)
    mask = UnitCosts(agree=0, verify=0, derive=0, mask_byte=1 / 32)  # 8 words of 4 bytes
    client = [costs.client_seconds(choice, vector, u) for u in (agree, verify, derive, mask)]
    server = [costs.server_seconds(choice, vector, u, 2) for u in (agree, verify, derive, mask)]
    assert client == pytest.approx([20, 16, 27, 10])
    assert server == pytest.approx([22.4, 50, 22.4, 22.4])


def test_a_ring_costs_less_than_the_complete_graph() -> None:
    unit, vector = UnitCosts(2e-5, 6e-5, 4e-6, 1e-10), VectorSpec("x", 100_000, 32)
    ring = choose(1000, corrupt=0.05, dropout=0.1)
    complete = choose(1000, corrupt=0.05, dropout=0.1, graph="complete")
    assert costs.client_seconds(ring, vector, unit) < costs.client_seconds(complete, vector, unit)
    assert sum(r.up for r in costs.client_bytes(ring, vector)) < sum(
        r.up for r in costs.client_bytes(complete, vector)
    )


def test_the_calibration_measures_every_primitive() -> None:
    unit = costs.calibrate()
    assert min(unit.agree, unit.verify, unit.derive, unit.mask_byte) > 0


def test_bytes_are_those_of_a_real_session() -> None:
    """Every frame of 40 clients is counted; only framing and the width of ids differ."""
    choice, vector = choose(40, corrupt=2, dropout=0.1), VectorSpec("x", 1000, 32)
    counted = {"up": 0, "down": 0}

    def count(sender: int | None, receiver: int | None, frame: bytes) -> bytes:
        counted["down" if sender is None else "up"] += len(frame)
        return frame

    params = Params(40, [vector], t=choice.t, corrupt=choice.corrupt)
    run(params, {u: np.zeros(1000, np.uint32) for u in range(10**6, 10**6 + 40)}, link=count)
    rounds = costs.client_bytes(choice, vector)
    assert counted["up"] == pytest.approx(40 * sum(r.up for r in rounds), rel=0.01)
    assert counted["down"] == pytest.approx(40 * sum(r.down for r in rounds), rel=0.05)
