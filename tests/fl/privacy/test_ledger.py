"""What is charged to a client is never less than its own rounds cost together."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fl
from fl.errors import PrivacyError
from fl.privacy import Ledger, Release, epsilon, noise_multiplier
from fl.privacy.release import ALL_ORDERS, composed, epsilon_of

dp_accounting = pytest.importorskip("dp_accounting")
from dp_accounting.rdp import RdpAccountant  # noqa: E402 - only where it is installed

DELTA = 1e-5
RELEASES = [
    Release("gaussian", 2.0),
    Release("gaussian", 5.5),
    Release("skellam", 3.0, 8, 40.0, 1000),
    Release("discrete_gaussian", 3.0, 8, 40.0, 1000),
]
COHORTS = st.lists(
    st.tuples(st.sets(st.sampled_from("abcdefg"), min_size=1), st.sampled_from(RELEASES)),
    max_size=8,
)


def charged(rounds, **options):
    ledger = Ledger(delta=DELTA, **options)
    for clients, release in rounds:
        ledger.charge(clients, release)
    return ledger


def exactly(releases, orders=None):
    """By dp-accounting itself, of Gaussian sums."""
    accountant = RdpAccountant(orders) if orders is not None else RdpAccountant()
    for release in releases:
        accountant.compose(dp_accounting.GaussianDpEvent(release.noise_multiplier))
    return float(accountant.get_epsilon(DELTA))


@settings(max_examples=40, deadline=None)
@given(COHORTS)
def test_nobody_has_spent_more_than_the_ledger_says(rounds):
    ledger = charged(rounds)
    for client in "abcdefg":
        own = [release for clients, release in rounds if client in clients]
        spent = sum((release.rdp() for release in own), np.zeros(len(ALL_ORDERS)))
        assert epsilon_of(spent, DELTA) <= ledger.epsilon_seen * (1 + 1e-12)
        assert composed(Counter(own), 1.0, DELTA) <= ledger.epsilon * (1 + 1e-12)
    assert ledger.epsilon == ledger.epsilon_seen


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sets(st.sampled_from("abcd"), min_size=1), min_size=1, max_size=8))
def test_where_all_rounds_are_alike_it_is_what_the_most_frequent_client_spent(cohorts):
    release = RELEASES[0]
    most = max(Counter(client for cohort in cohorts for client in cohort).values())
    ledger = charged([(cohort, release) for cohort in cohorts])
    assert ledger.epsilon == pytest.approx(exactly([release] * most, ALL_ORDERS), rel=1e-9)
    assert ledger.epsilon == pytest.approx(exactly([release] * most), rel=1e-3)


@pytest.mark.parametrize("rate", [0.01, 0.3])
@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.mechanism)
def test_secret_coins_are_what_epsilon_says(release, rate):
    ledger = charged([({"a"}, release)] * 6 + [({"b"}, release)] * 4, rate=rate)
    spent = composed({release: 10}, rate, DELTA)
    assert ledger.epsilon == min(spent, ledger.epsilon_seen)
    assert ledger.epsilon_seen == pytest.approx(composed({release: 6}, 1.0, DELTA))
    assert ledger.epsilon < ledger.epsilon_seen
    if release.mechanism == "gaussian":
        assert spent == pytest.approx(
            epsilon(
                noise_multiplier=release.noise_multiplier, delta=DELTA, rounds=10,
                clients_per_round=rate * 1000, population=1000,
            ),
            rel=1e-9,
        )  # fmt: skip


def test_only_secret_coins_hide():
    hidden = fl.privacy.hidden_rate
    assert hidden(fl.population.InTurn(3)) == hidden(fl.population.Uniform(3, over=1.3)) == 1.0
    assert hidden(fl.population.Fixed(("a",))) == 1.0
    assert hidden(fl.population.Poisson(0.2)) == 0.2


@settings(max_examples=20, deadline=None)
@given(COHORTS, st.floats(0.5, 8.0), st.sampled_from([1.0, 0.2]))
def test_a_budget_that_is_asked_first_is_never_exceeded(rounds, budget, rate):
    ledger = Ledger(delta=DELTA, budget=budget, rate=rate)
    for clients, release in rounds:
        before, after = ledger.epsilon, ledger.with_round(clients, release)
        assert ledger.epsilon == before
        if ledger.allows(clients, release):
            ledger.charge(clients, release)
            assert ledger.epsilon == after
        else:
            assert after > budget
    assert ledger.epsilon <= budget * (1 + 1e-9)


@pytest.mark.parametrize(("budget", "rounds"), [(8.0, 3), (0.5, 40), (0.02, 1)])
def test_the_noise_for_a_budget_is_enough_for_its_last_round(budget, rounds):
    z = noise_multiplier(
        epsilon=budget, delta=DELTA, rounds=rounds, clients_per_round=1, population=1
    )
    release, ledger = Release("gaussian", z), Ledger(delta=DELTA, budget=budget)
    for _ in range(rounds):
        assert ledger.allows("a", release)
        ledger.charge("a", release)
    assert not ledger.allows("a", release)
    assert ledger.allows("b", release)


def test_nothing_costs_nothing():
    assert (Ledger(delta=DELTA).epsilon, composed({}, 0.5, DELTA)) == (0.0, 0.0)


def test_a_release_is_read_from_a_report():
    report = {
        "mechanism": "skellam", "noise_multiplier": 2.0, "promised": 1.5, "shares": 7,
        "l2": 30.0, "dimension": 9,
    }  # fmt: skip
    assert Release.of(report) == Release("skellam", 2.0, 7, 30.0, 9)
    assert Release.of(report, promised=True) == Release("skellam", 1.5, 7, 30.0, 9)
    for wrong in ({}, {**report, "l2": None}, {**report, "shares": "some"}):
        with pytest.raises(PrivacyError, match="no report of noise"):
            Release.of(wrong)
    for wrong in ({"l2": 0.0}, {"mechanism": "laplace"}, {"noise_multiplier": -1.0}):
        with pytest.raises(PrivacyError, match="expected"):
            charged([("a", Release.of({**report, **wrong}))])


def test_refusals():
    for options, said in (
        ({"delta": 1.0}, "delta is 1.0, expected"),
        ({"delta": DELTA, "rate": 0.0}, "a rate of 0.0, expected"),
        ({"delta": DELTA, "rate": 1.5}, "a rate of 1.5"),
        ({"delta": DELTA, "budget": 0.0}, "a budget of 0.0, expected"),
        ({"delta": DELTA, "budget": float("nan")}, "a budget of nan"),
    ):
        with pytest.raises(PrivacyError, match=said):
            Ledger(**options)
