"""Attacks measure ε from below: under what is promised, and far above it without the noise.

Of a sum with Gaussian noise, or what is as good as that, they measure all but a few per cent of it
(`least_mu`), so half of the noise missing is seen too. Each bound is wrong once in 10^10.
"""

import numpy as np
import pytest
from scipy.stats import norm

import fl
from tests.helpers.audit import epsilon_of_mu, least_epsilon, least_mu
from tests.helpers.canaries import (
    NORM,
    adaptive,
    aggregator,
    central_at_once,
    coded,
    coded_at_once,
    release_of,
    without_noise,
)
from tests.helpers.membership import Membership
from tests.helpers.small import arrays, linear

DELTA = 1e-5
MANY = 200_000

SUMS = {
    "skellam": {"mechanism": "skellam"},
    "discrete Gaussian": {"mechanism": "discrete_gaussian"},
    "skellam, few bits": {"mechanism": "skellam", "bits": 6},
    "discrete Gaussian, few bits": {"mechanism": "discrete_gaussian", "bits": 6},
}


def claimed(release, rounds=1):
    pytest.importorskip("dp_accounting")
    ledger = fl.privacy.Ledger(delta=DELTA)
    for _ in range(rounds):
        ledger.charge(["canary"], release)
    return ledger.epsilon


def both(attack):
    return attack(False), attack(True)


@pytest.mark.parametrize("settings", SUMS.values(), ids=SUMS)
def test_a_canary_is_seen_no_better_than_promised_and_with_half_of_the_noise_better(settings):
    multiplier = 1.5
    secure = aggregator(multiplier, **settings)
    few = "bits" in settings

    seen = both(lambda present: coded_at_once(secure, MANY, present))
    assert (0.65 if few else 0.88) < least_mu(*seen, multiplier) * multiplier < 1
    half = both(lambda present: coded_at_once(secure, MANY, present, (without_noise,)))
    assert least_mu(*half, multiplier) * multiplier > (1.0 if few else 1.2)

    promise = claimed(release_of(secure))
    assert (0.2 if few else 0.35) * promise < least_epsilon(*seen, multiplier, DELTA) < promise


@pytest.mark.parametrize("settings", SUMS.values(), ids=SUMS)
def test_without_noise_the_canary_is_plain_to_see(settings):
    secure = aggregator(1.5, **settings)
    promise, liars = claimed(release_of(secure)), (without_noise, without_noise)
    seen = both(lambda present: coded_at_once(secure, MANY, present, liars))
    assert least_epsilon(*seen, 1.5, DELTA) > 2 * promise > 4


@pytest.mark.parametrize("mechanism", ["skellam", "discrete_gaussian"])
def test_a_canary_in_the_words_of_whole_clients(mechanism):
    multiplier, size = 0.5, 3
    secure = aggregator(multiplier, mechanism=mechanism)
    seen = both(lambda present: coded(secure, size, 700, present))
    assert 0.3 < least_mu(*seen, multiplier) * multiplier < 1
    silent = both(lambda present: coded(secure, size, 100, present, (without_noise,) * 2))
    assert least_epsilon(*silent, multiplier, DELTA) > 1  # of a hundred sums no more can be said
    assert all(each.std() < 1e-3 for each in silent)

    assert 0 < least_epsilon(*seen, multiplier, DELTA) < claimed(release_of(secure, size))


def test_rounds_add_up_to_what_the_ledger_says():
    multiplier, rounds = 3.0, 4
    secure = aggregator(multiplier)

    def over_rounds(present):
        return coded_at_once(secure, MANY * rounds, present).reshape(rounds, MANY).mean(axis=0)

    seen, deviation = both(over_rounds), multiplier / rounds**0.5
    assert 0.88 < least_mu(*seen, deviation) * deviation < 1
    promise = claimed(release_of(secure), rounds)
    assert 0.35 * promise < least_epsilon(*seen, deviation, DELTA) < promise
    assert promise > 1.9 * claimed(release_of(secure))


def test_noise_of_the_server_hides_a_canary_as_promised():
    noisy = fl.aggregators.CentralNoise(fl.aggregators.ByNorm(fl.SecureSum(), NORM), 1.5)
    seen = both(lambda present: central_at_once(noisy, MANY, present))
    assert 0.88 < least_mu(*seen, 1.5) * 1.5 < 1
    promise = claimed(fl.privacy.Release("gaussian", 1.5))
    assert 0.35 * promise < least_epsilon(*seen, 1.5, DELTA) < promise


def test_adaptive_clipping_pays_for_its_count():
    """Update and count together tell what z says; the update alone less, as it has more noise."""
    multiplier, count_noise, repeats = 0.7, 1.0, 1500
    of_update = (multiplier**-2 - (2 * count_noise) ** -2) ** -0.5
    (updates, counts), (updates_in, counts_in) = both(
        lambda present: adaptive(multiplier, count_noise, repeats, present)
    )

    def together(update, count):
        return multiplier**2 * (update / of_update**2 + count / (2 * count_noise) ** 2)

    seen = together(updates, counts), together(updates_in, counts_in)
    assert 0.4 < least_mu(*seen, multiplier) * multiplier < 1
    assert 0.35 < least_mu(updates, updates_in, of_update) * of_update < 1
    assert counts_in.mean() > 0.5 > counts.mean()


def test_a_training_tells_no_more_of_a_client_than_promised_and_everything_without_noise():
    data, multiplier, clip, repeats = [arrays(4, seed) for seed in range(3)], 40.0, 0.02, 50

    def attack(multiplier):
        clipped = fl.aggregators.ByNorm(fl.PlainSum(), clip)
        noisy = fl.aggregators.CentralNoise(clipped, multiplier)
        membership = Membership(linear, data, noisy, clip, rounds=1)
        return membership.seen(repeats)

    promise = claimed(fl.privacy.Release("gaussian", multiplier))
    assert least_epsilon(*attack(multiplier), multiplier, DELTA) < promise
    assert least_epsilon(*attack(1e-6), multiplier, DELTA) > 2 * promise


@pytest.mark.slow
@pytest.mark.parametrize("mechanism", ["skellam", "discrete_gaussian"])
def test_a_training_over_rounds_with_noise_of_the_clients(mechanism):
    data, multiplier, clip, rounds = [arrays(4, seed) for seed in range(3)], 0.5, 0.02, 2

    def attack(multiplier, repeats):
        coding = fl.aggregators.DistributedNoise(
            norm=clip, noise_multiplier=multiplier, mechanism=mechanism, bits=20
        )
        membership = Membership(linear, data, fl.SecureSum(coding=coding), clip, rounds)
        return membership.seen(repeats)

    promise = claimed(fl.privacy.Release("gaussian", multiplier), rounds)
    deviation = multiplier / rounds**0.5
    seen = attack(multiplier, 500)
    assert 0.2 < least_mu(*seen, deviation) * deviation < 1
    assert 0 < least_epsilon(*seen, deviation, DELTA) < promise
    silent = attack(1e-6, 100)
    assert least_epsilon(*silent, deviation, DELTA) > 1
    assert all(each.std() < 1e-3 for each in silent)


def test_the_bounds_are_those_of_what_is_known_exactly():
    """Of Gaussians, and of randomised response, whose ε is ln 3; with too few repeats less."""
    rng = np.random.default_rng(0)
    answers = [np.where(rng.random(10**5) < right, 0.0, 1.0) for right in (0.75, 0.25)]
    assert np.log(3) * 0.95 < least_epsilon(*answers, 0.1, 0.0) < np.log(3)
    assert least_epsilon(*(each[:30] for each in answers), 0.1, 0.0) < 0.5
    seen = rng.normal(size=10**5), 1 + rng.normal(size=10**5)
    assert 0.92 < least_mu(*seen, 1.0) < 1
    assert least_mu(seen[0], seen[0], 1.0) == least_epsilon(seen[0], seen[0], 1.0, DELTA) == 0
    # δ of a μ-GDP mechanism at ε = 0 is the statistical distance.
    assert epsilon_of_mu(0.5, 2 * norm.cdf(0.25) - 1) == pytest.approx(0, abs=1e-9)
    x = np.linspace(-12, 12, 100_001)
    beyond = np.maximum(norm.pdf(x - 1) - np.exp(epsilon_of_mu(1.0, DELTA)) * norm.pdf(x), 0)
    assert beyond.sum() * (x[1] - x[0]) == pytest.approx(DELTA, rel=1e-4)
