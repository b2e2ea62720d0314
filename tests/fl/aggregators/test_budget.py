"""The noise that a budget asks for: so much that all rounds fit, and hardly more."""

import math

import keras
import numpy as np
import pytest

import fl
from fl.aggregators import CentralNoise, DistributedNoise, noise_for_budget, promised
from fl.privacy import Ledger, Release

pytest.importorskip("dp_accounting")

EPSILON, DELTA, ROUNDS, CLIENTS, SIZE = 5.0, 1e-3, 3, 8, 40


def secure(mechanism, threshold=0.75, corrupt=1):
    def sum_of(z):
        noise = DistributedNoise(norm=0.5, noise_multiplier=z, bits=20, mechanism=mechanism)
        return fl.SecureSum(threshold=threshold, corrupt=corrupt, coding=noise)

    return sum_of


def central(z):
    return CentralNoise(fl.aggregators.ByNorm(fl.SecureSum(), 0.5), z)


SUMS = {
    "skellam": secure("skellam"),
    "discrete_gaussian": secure("discrete_gaussian"),
    "gaussian": central,
}


def found(sum_of, **changes):
    terms = {"epsilon": EPSILON, "delta": DELTA, "rounds": ROUNDS, "clients": CLIENTS}
    return noise_for_budget(sum_of, **{**terms, "size": SIZE, **changes})


@pytest.mark.parametrize("sum_of", SUMS.values(), ids=SUMS)
def test_all_rounds_of_a_client_fit_the_budget_and_one_more_does_not(sum_of):
    release = promised(sum_of(found(sum_of)), clients=CLIENTS, size=SIZE)
    ledger = Ledger(delta=DELTA, budget=EPSILON)
    for _ in range(ROUNDS):
        assert ledger.allows(["ann"], release)
        ledger.charge(["ann"], release)
    assert 0.98 * EPSILON < ledger.epsilon <= EPSILON * (1 + 1e-9)
    assert not ledger.allows(["ann"], release)
    assert ledger.allows(["bob"], release)


@pytest.mark.parametrize("sum_of", SUMS.values(), ids=SUMS)
def test_what_is_promised_is_what_a_round_that_loses_all_it_may_reports(sum_of):
    aggregator = sum_of(2.0)
    model = keras.Sequential([keras.Input((9,)), keras.layers.Dense(4)])
    model.compile("sgd", "mse")
    rows = [(np.ones((2, 9), "float32"), np.ones((2, 4), "float32"))] * CLIENTS
    process = fl.build_unweighted_fed_avg(lambda: model, aggregator=aggregator)
    metrics = process.next(process.initialize(), rows, dropouts={0: 1, 5: 0}).metrics
    was = Release.of(metrics["aggregator"]["noise"])
    told = promised(aggregator, clients=CLIENTS, size=SIZE)
    assert was == told
    assert told.shares == (1 if sum_of is central else 5)


def test_less_noise_is_needed_where_it_is_secret_who_takes_part():
    assert found(central, rate=0.1) < 0.8 * found(central)
    assert math.isclose(found(central), found(central, clients=2, size=9))


@pytest.mark.parametrize("rate", [0.5, 0.999])
def test_nothing_is_gained_by_sampling_with_noise_of_the_clients(rate):
    with pytest.raises(fl.errors.AggregationError, match="tells how many are in it"):
        found(SUMS["skellam"], rate=rate)


@pytest.mark.parametrize(
    "aggregator",
    [
        fl.SecureSum(),
        fl.PlainSum(),
        fl.SecureSum(coding=fl.aggregators.Rotated()),
        fl.aggregators.ByNorm(fl.SecureSum(), 1.0),
    ],
)
def test_a_sum_without_noise_promises_nothing(aggregator):
    with pytest.raises(fl.errors.AggregationError, match="adds no noise, expected"):
        promised(aggregator, clients=CLIENTS, size=SIZE)
    with pytest.raises(fl.errors.AggregationError, match="adds no noise, expected"):
        found(lambda z: aggregator)


@pytest.mark.parametrize("changes", [{"epsilon": 0.0}, {"delta": 1.0}, {"rounds": 0}, {"rate": 0}])
def test_what_is_no_budget_is_refused(changes):
    with pytest.raises(fl.errors.PrivacyError, match="expected"):
        found(central, **changes)
