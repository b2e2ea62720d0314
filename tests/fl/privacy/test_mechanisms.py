"""The Rényi divergences of the papers, compared with sums over all integers, in small cases."""

import math

import numpy as np
import pytest
from scipy.special import logsumexp

from fl.errors import PrivacyError
from fl.population import Fixed, Poisson, Uniform
from fl.privacy import Sensitivity, hidden_rate
from fl.privacy.mechanisms import DiscreteGaussianSum, Gaussian, SkellamSum, mechanism_of
from fl.privacy.subsampling import ORDERS, sampled_rdp
from tests.fl.privacy.distributions import (
    convolved,
    discrete_gaussian,
    renyi,
    shifted,
    skellam,
)

SMALL = [2, 3, 4, 8, 16, 32]


def reach(variance, by):
    """Beyond it nothing has weight in a divergence of these orders, which peaks at order·by."""
    return int(max(SMALL) * by + 20 * variance**0.5 + 100)


@pytest.mark.parametrize("variance", [0.5, 1.0, 4.0, 50.0, 400.0])
@pytest.mark.parametrize("by", [1, 2, 5, 20])
def test_skellam_noise_in_one_dimension(variance, by):
    log_p = skellam(variance, reach(variance, by))
    mechanism = SkellamSum(Sensitivity(by, 1), variance)
    for order in SMALL:
        exact = renyi(order, *shifted(log_p, by))
        assert exact <= mechanism.rdp(order) * (1 + 1e-9)
        if variance >= 50 and order * by <= variance:
            assert mechanism.rdp(order) <= 1.15 * exact


@pytest.mark.parametrize("deviation", [0.5, 0.7, 1.0, 2.0])
@pytest.mark.parametrize("shares", [2, 3, 6])
@pytest.mark.parametrize("by", [1, 3])
def test_a_sum_of_discrete_gaussians_in_one_dimension(deviation, shares, by):
    one = discrete_gaussian(deviation**2, 200)
    log_p = one
    for _ in range(shares - 1):
        log_p = convolved(log_p, one)
    middle = len(log_p) // 2  # far beyond, what was cut from the parts is missing
    log_p = log_p[middle - 200 : middle + 201]
    mechanism = DiscreteGaussianSum(Sensitivity(by, 1), deviation**2, shares)
    for order in SMALL:
        exact = renyi(order, *shifted(log_p, by))
        assert exact <= mechanism.rdp(order) * (1 + 1e-9)
        if deviation >= 2:
            assert mechanism.rdp(order) == pytest.approx(exact, rel=1e-3)


ONE = discrete_gaussian(0.6, 200)
TWO_DIMENSIONS = {
    "skellam": (skellam(1.2, 200), lambda s: SkellamSum(s, 1.2)),
    "discrete gaussian": (convolved(ONE, ONE)[200:601], lambda s: DiscreteGaussianSum(s, 0.6, 2)),
}


@pytest.mark.parametrize("name", TWO_DIMENSIONS)
def test_two_dimensions(name):
    """The vector (1, −2): divergences of independent coordinates add up."""
    log_p, of = TWO_DIMENSIONS[name]
    mechanism = of(Sensitivity(math.sqrt(5), 2))
    assert mechanism.sensitivity.l1 >= 3
    for order in SMALL:
        exact = sum(renyi(order, *shifted(log_p, by)) for by in (1, 2))
        assert exact <= mechanism.rdp(order)


def test_tau_is_what_the_notes_of_the_paper_s_authors_give():
    tau = DiscreteGaussianSum(Sensitivity(1.0, 1), 1.0, 100).tau
    assert tau == pytest.approx(5.5e-4, rel=0.05)
    assert DiscreteGaussianSum(Sensitivity(1.0, 1), 4.0, 100).tau < 1e-15
    assert DiscreteGaussianSum(Sensitivity(1.0, 1), 4.0, 1).tau == 0


def test_all_three_are_alike_where_integers_are_fine():
    sensitivity = Sensitivity(1000.0, 10_000)
    of = {n: mechanism_of(n, 1.3, sensitivity, 50) for n in ("gaussian", "discrete_gaussian")}
    of["skellam"] = mechanism_of("skellam", 1.3, sensitivity, 50)
    for order in SMALL:
        expected = order / (2 * 1.3**2)
        assert [m.rdp(order) for m in of.values()] == pytest.approx([expected] * 3, rel=1e-3)


# Sampling.


def mixture(rate, log_p, log_q):
    return np.logaddexp(math.log1p(-rate) + log_p, math.log(rate) + log_q)


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5, 0.99])
@pytest.mark.parametrize("by", [1, 4])
@pytest.mark.parametrize("variance", [2.0, 25.0])
def test_sampled_skellam_noise_in_both_directions(rate, by, variance):
    shift, log_p = shifted(skellam(variance, reach(variance, by)), by)
    sampled = sampled_rdp(SkellamSum(Sensitivity(by, 1), variance), rate, SMALL)
    mixed = mixture(rate, log_p, shift)
    for order, bound in zip(SMALL, sampled, strict=True):
        with_the_client, without = renyi(order, mixed, log_p), renyi(order, log_p, mixed)
        assert without <= with_the_client * (1 + 1e-9) + 1e-12
        assert with_the_client <= bound * (1 + 1e-9) + 1e-12


@pytest.mark.parametrize("rate", [0.01, 0.3])
def test_the_sampled_bound_is_tight_where_the_mechanism_s_is(rate):
    """With the exact divergences in place of the paper's bound, it is the exact divergence."""
    shift, log_p = shifted(skellam(4.0, reach(4.0, 2)), 2)

    class Exact:
        def rdp(self, order):
            return renyi(order, shift, log_p)

    sampled = sampled_rdp(Exact(), rate, SMALL)
    exact = [renyi(order, mixture(rate, log_p, shift), log_p) for order in SMALL]
    np.testing.assert_allclose(sampled, exact, rtol=1e-6)


@pytest.mark.parametrize("rate", [0.03, 0.5])
@pytest.mark.parametrize("multiplier", [0.7, 2.0])
def test_a_sampled_gaussian_against_numerical_integration(rate, multiplier):
    grid = np.linspace(-60, 60, 400_001) * multiplier
    log_p, log_q = -(grid**2) / (2 * multiplier**2), -((grid - 1) ** 2) / (2 * multiplier**2)
    step = grid[1] - grid[0]
    normal = math.log(step) - math.log(multiplier * math.sqrt(2 * math.pi))
    mixed = mixture(rate, log_p, log_q)
    for order, bound in zip(
        SMALL[:4], sampled_rdp(Gaussian(multiplier), rate, SMALL[:4]), strict=True
    ):
        exact = (logsumexp(order * mixed + (1 - order) * log_p) + normal) / (order - 1)
        assert bound == pytest.approx(exact, rel=1e-6)


def test_sampling_never_costs_and_with_all_clients_it_gains_nothing():
    mechanism = SkellamSum(Sensitivity(3.0, 5), 20.0)
    whole = np.array([mechanism.rdp(order) for order in ORDERS])
    np.testing.assert_array_equal(sampled_rdp(mechanism, 1.0), whole)
    before = np.zeros(len(ORDERS))
    for rate in (1e-6, 0.01, 0.2, 0.9, 1.0):
        now = sampled_rdp(mechanism, rate)
        assert (before <= now).all()
        assert (now <= whole).all()
        before = now


def test_only_poisson_sampling_is_worth_something():
    assert hidden_rate(Poisson(0.2)) == 0.2
    assert hidden_rate(Uniform(3)) == hidden_rate(Uniform(3, over=1.3)) == 1.0
    assert hidden_rate(Fixed(("a", "b"))) == 1.0


def test_refusals():
    for rate in (0.0, 1.1, math.nan):
        with pytest.raises(PrivacyError, match=r"a rate of .*, expected a number above 0"):
            sampled_rdp(Gaussian(1.0), rate)
    with pytest.raises(PrivacyError, match="mechanism 'laplace', expected one of gaussian, disc"):
        mechanism_of("laplace", 1.0, Sensitivity(1.0, 1), 1)
    with pytest.raises(PrivacyError, match="no sensitivity for mechanism 'skellam', expected"):
        mechanism_of("skellam", 1.0, None, 1)
    for multiplier, shares in ((0.0, 1), (math.inf, 1), (1.0, 0)):
        with pytest.raises(PrivacyError, match=r"a noise multiplier of .* in \d shares, expected"):
            mechanism_of("gaussian", multiplier, None, shares)
