"""The account of a run: what was begun was spent, whatever became of it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl.errors import CheckpointError, PrivacyError
from fl.experiment.privacy_account import NAME, Account
from fl.privacy import Ledger, Release

pytest.importorskip("dp_accounting")

DELTA = 1e-5
PROMISED, WAS = Release("gaussian", 2.0), Release("gaussian", 2.5)
ANN, BOB = ("ann",), ("bob",)


def opened(path, budget=None, multiplier=2.0):
    return Account(path, Ledger(delta=DELTA, budget=budget), multiplier)


def epsilon(*releases):
    ledger = Ledger(delta=DELTA)
    for release in releases:
        ledger.charge("a", release)
    return ledger.epsilon


def lines(path):
    return [json.loads(line) for line in (path / NAME).read_text().splitlines()]


def play(account, number, clients=ANN, was=WAS):
    account.reserve(number, clients, PROMISED)
    account.settle(clients, PROMISED, was)


def test_nothing_is_written_before_the_first_round(tmp_path):
    account = opened(tmp_path)
    assert account.spent["epsilon"] == 0
    assert not (tmp_path / NAME).exists()


def test_a_round_is_charged_as_it_was_and_as_promised_where_it_gave_nothing(tmp_path):
    account = opened(tmp_path)
    play(account, 1)
    assert account.spent["epsilon"] == epsilon(WAS)
    play(account, 2, was=None)
    spent = account.spent
    assert spent["epsilon"] == pytest.approx(epsilon(WAS, PROMISED), rel=1e-12)
    assert opened(tmp_path).spent == spent
    assert [set(line) for line in lines(tmp_path)] == [
        {"noise_multiplier"}, {"round", "clients", "promised"}, {"was"},
        {"round", "clients", "promised"},
    ]  # fmt: skip


def test_killed_in_a_round_it_is_charged_and_again_when_it_is_played_again(tmp_path):
    opened(tmp_path).reserve(1, ANN, PROMISED)
    resumed = opened(tmp_path)
    assert resumed.spent["epsilon"] == epsilon(PROMISED)
    play(resumed, 1)
    assert opened(tmp_path).spent["epsilon"] == pytest.approx(epsilon(PROMISED, WAS), rel=1e-12)


def test_each_client_pays_for_its_own_rounds(tmp_path):
    account = opened(tmp_path)
    for number in range(4):
        play(account, number, (ANN, BOB)[number % 2])
    assert account.spent["epsilon"] == epsilon(WAS, WAS)


@given(st.data())
def test_cut_off_anywhere_every_round_that_was_written_down_counts(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("account")
    account = opened(path)
    for number in range(3):
        play(account, number)
    text = (path / NAME).read_bytes()
    cut = text[: data.draw(st.integers(0, len(text)))]
    (path / NAME).write_bytes(cut)
    whole = cut[: cut.rfind(b"\n") + 1]
    rounds, settled = whole.count(b"promised"), whole.count(b'"was"')
    again = opened(path, multiplier=9.0)
    assert again.multiplier == (2.0 if whole else 9.0)
    expected = [WAS] * settled + [PROMISED] * (rounds - settled)
    assert again.spent["epsilon"] == pytest.approx(epsilon(*expected), rel=1e-12)
    play(again, 7)  # and it goes on behind what is whole
    spent = opened(path).spent["epsilon"]
    assert spent == pytest.approx(epsilon(*expected, WAS), rel=1e-12)
    assert (path / NAME).read_bytes().startswith(whole)


def test_a_run_goes_on_with_its_own_noise(tmp_path):
    play(opened(tmp_path, multiplier=2.0), 1)
    assert opened(tmp_path, multiplier=3.0).multiplier == 2.0
    assert opened(tmp_path, multiplier=3.0).spent["noise_multiplier"] == 2.0


def test_past_its_budget_it_is_refused_and_nothing_is_written(tmp_path):
    budget = epsilon(WAS, WAS) + 1e-3
    account = opened(tmp_path, budget)
    for number in range(2):
        # As promised, the second is beyond the budget already.
        if number:
            with pytest.raises(PrivacyError, match="expected at most the budget"):
                account.reserve(2, ANN, PROMISED)
        else:
            play(account, 1)
    before = (tmp_path / NAME).read_bytes()
    with pytest.raises(PrivacyError, match=r"round 2 would take ε from .* the training ends here"):
        opened(tmp_path, budget).reserve(2, ANN, PROMISED)
    assert (tmp_path / NAME).read_bytes() == before
    play(opened(tmp_path, budget), 2, BOB)


def test_a_sum_whose_bound_is_worse_than_its_promise_is_charged_as_promised(tmp_path):
    """More shares of narrow discrete Gaussians: more noise, but less is proved of it."""
    promised = Release("discrete_gaussian", 2.0, 4, 1.5, 20)
    was = Release("discrete_gaussian", 2.0 * 1.5**0.5, 6, 1.5, 20)
    account = opened(tmp_path)
    account.reserve(1, ANN, promised)
    account.settle(ANN, promised, was)
    least = min(epsilon(promised), epsilon(was))
    assert account.spent["epsilon"] == least
    assert opened(tmp_path).spent["epsilon"] == least


START = {"noise_multiplier": 2.0}
ROUND = {
    "round": 1,
    "clients": ["ann"],
    "promised": {"mechanism": "gaussian", "noise_multiplier": 2.0},
}
DONE = {"was": ROUND["promised"]}
DAMAGED = {
    "no JSON": [START, "{"],
    "no first line": [ROUND, DONE],
    "a first line of something else": [["noise_multiplier"], ROUND],
    "a round without its noise": [START, {"round": 1, "clients": ["ann"]}],
    "a round without clients": [START, {"round": 1, "promised": ROUND["promised"]}],
    "noise that cannot be": [START, {**ROUND, "promised": {**DONE["was"], "noise_multiplier": 0}}],
    "noise of something else": [START, {**ROUND, "promised": {"z": 2.0}}],
    "an end without a beginning": [START, DONE],
    "two ends": [START, ROUND, DONE, DONE],
    "a list": [START, ROUND, []],
    "a text": [START, ROUND, "clients"],
    "a number": [START, 5],
    "something else": [START, ROUND, {"spent": 3.0}],
}  # fmt: skip


@pytest.mark.parametrize("entries", DAMAGED.values(), ids=DAMAGED)
def test_a_file_that_is_damaged_is_no_account(tmp_path, entries):
    text = [entry if entry == "{" else json.dumps(entry) for entry in entries]
    (tmp_path / NAME).write_text("\n".join(text) + "\n")
    with pytest.raises(CheckpointError, match=r"privacy.jsonl is damaged \(.*\), expected what"):
        opened(tmp_path)


def test_an_account_that_cannot_be_read_or_written(tmp_path):
    (tmp_path / NAME).mkdir()
    with pytest.raises(CheckpointError, match=r"account .* cannot be written"):
        opened(tmp_path)
    with pytest.raises(CheckpointError, match=r"account .* cannot be written"):
        opened(tmp_path / "nowhere").reserve(1, ANN, PROMISED)
