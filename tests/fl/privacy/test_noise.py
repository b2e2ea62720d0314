"""Samples of both noises have the distributions that they are named for."""

import math
import time
from decimal import Context, Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl.errors import PrivacyError
from fl.privacy import DiscreteGaussianNoise, RandomBits, SkellamNoise, share_variance
from fl.privacy.bernoulli import _exp_between, below_exp, bernoulli_exp
from fl.privacy.discrete_gaussian import _proposed
from fl.privacy.skellam import InversionTable, skellam_table
from tests.fl.privacy.distributions import discrete_gaussian, exponential, fits, skellam

VARIANCES = [0.1, 0.5, 1.0, 2.75, 30.0, 1000.0]
EXACT = {DiscreteGaussianNoise: discrete_gaussian, SkellamNoise: skellam}
NOISES = pytest.mark.parametrize("noise", EXACT, ids=lambda noise: noise.__name__)


@NOISES
@pytest.mark.parametrize("variance", VARIANCES)
def test_the_samples_fit(noise, variance):
    samples = noise(variance).sample(200_000, RandomBits.seeded(b"fit"))
    reach = int(12 * variance**0.5 + 20)
    assert fits(samples, EXACT[noise](variance, reach), reach)


@NOISES
@pytest.mark.parametrize("variance", [1.0, 1000.0])
def test_the_fit_would_see_five_percent_of_variance(noise, variance):
    samples = noise(variance).sample(200_000, RandomBits.seeded(b"fit"))
    reach = int(12 * variance**0.5 + 20)
    assert not fits(samples, EXACT[noise](variance * 1.05, reach), reach)


@NOISES
@given(st.floats(1e-300, 2.0**31), st.integers(0, 20), st.binary(max_size=3))
def test_as_many_as_asked_for_and_the_same_for_the_same_bits(noise, variance, count, seed):
    variance = min(variance, 1e6)  # a table of Poisson numbers takes a second for the largest
    once, again = (noise(variance).sample(count, RandomBits.seeded(seed)) for _ in range(2))
    assert once.dtype == np.int64
    assert once.shape == (count,)
    assert once.tolist() == again.tolist()


@NOISES
@pytest.mark.parametrize("variance", [2.0**31, 2.0**31 - 0.5, 12345.678])
def test_moments_of_wide_noise(noise, variance):
    samples = noise(variance).sample(200_000, RandomBits.seeded(b"wide")) / variance**0.5
    assert abs(samples.mean()) < 5 / 200_000**0.5
    assert abs(samples.var() - 1) < 5 * (2 / 200_000) ** 0.5
    assert abs((samples**4).mean() - 3) < 5 * (96 / 200_000) ** 0.5


@NOISES
def test_a_million_coordinates_take_seconds(noise):
    began = time.process_time()
    noise(400.0**2).sample(10**6, RandomBits.from_system())
    assert time.process_time() - began < 5


def test_shares_of_skellam_noise_are_skellam_noise():
    source = RandomBits.seeded(b"shares")
    noise = SkellamNoise(share_variance(30.0, 12, missing=2))
    total = sum(noise.sample(100_000, source) for _ in range(10))
    assert fits(total, skellam(30.0, 100), 100)


@NOISES
@pytest.mark.parametrize("t", [0.0, 1e-3, 0.3, -2.0])
def test_the_moments_are_bounded(noise, t):
    log_p = EXACT[noise](2.75, 60)
    moment = float(np.log(np.exp(log_p + t * np.arange(-60, 61)).sum()))
    assert moment <= noise(2.75).log_moment(t) + 1e-9
    assert moment == pytest.approx(noise(2.75).log_moment(t), rel=1e-3, abs=1e-9)


# Coins: the exact way, which is taken once in 2^39 coins, is taken often here.


@pytest.mark.parametrize("margin", [0.0, 2.0**-40, 0.2, 1.0])
@pytest.mark.parametrize("gamma", [Fraction(0), Fraction(1, 3), Fraction(1), Fraction(7, 2)])
def test_a_coin_has_its_probability(gamma, margin):
    count = 3000
    floats = np.full(count, float(gamma))
    coins = bernoulli_exp(floats, lambda _: gamma, RandomBits.seeded(b"coin"), margin)
    p = math.exp(-gamma)
    assert abs(coins.mean() - p) <= 4 * (p * (1 - p) / count) ** 0.5


@given(st.fractions(0, 40, max_denominator=10**6), st.integers(0, 2**64 - 1))
def test_the_exact_way_and_the_fast_one_agree(gamma, word):
    p = exponential(gamma)
    if abs(word / 2**64 - float(p)) > 2**-50:
        assert below_exp(word, gamma, RandomBits.seeded(b"")) == (word < float(p) * 2**64)


def test_a_coin_that_64_bits_do_not_decide_takes_more():
    gamma = Fraction(1, 3)
    word = int(exponential(gamma) * 2**64)  # the first bits of the probability itself
    drawn = {below_exp(word, gamma, RandomBits.seeded(bytes([seed]))) for seed in range(40)}
    assert drawn == {True, False}
    assert below_exp(word - 1, gamma, RandomBits.seeded(b""))
    assert not below_exp(word + 1, gamma, RandomBits.seeded(b""))


@given(st.fractions(0, 1000, max_denominator=10**9), st.sampled_from([80, 144, 208]))
def test_the_exponential_is_between_its_bounds(gamma, bits):
    low, high = _exp_between(gamma, bits)
    # The bounds of many more bits lie within.
    inner_low, inner_high = _exp_between(gamma, 1000)
    assert low <= inner_low <= inner_high <= high
    assert high - low < Fraction(1, 2**bits)


def test_the_exact_way_gives_the_same_samples_of_noise():
    fast, exact = (
        _proposed(Fraction(variance), 500, RandomBits.seeded(b"z"), margin)
        for variance, margin in ((7.3, 2.0**-40), (7.3, 0.25))
    )
    # Where 64 bits decide, no more are drawn: the two streams stay together.
    assert fast.tolist() == exact.tolist()


# Tables of Poisson numbers.


class Fixed(RandomBits):
    """Words that are given, and then those of a seed."""

    def __init__(self, *words):
        super().__init__(bytes(32))
        self.given = list(words)

    def words(self, count):
        first, self.given = self.given[:count], self.given[count:]
        return np.array([*first, *super().words(count - len(first))], np.uint64)


def test_each_number_takes_as_many_bits_as_decide_it():
    half = 2**191 + 2**100  # the head of an entry: the first 64 bits do not decide
    table = InversionTable(10, [half, 2**192 - 1 - half])
    cells = 0x7FFF + (0x8000 << 16) + (0x8000 << 32)  # the first is sure
    after_cells = 0, 1 << 16
    assert table.sample(3, Fixed(cells, *after_cells, 0, 0)).tolist() == [10, 10, 11]
    assert table.sample(1, Fixed(0x8000, 0, 2**64 - 1, 2**64 - 1)).tolist() == [11]


@pytest.mark.parametrize("variance", [1e-9, 0.3, 1.0, 17.5, 600.0])
def test_the_probabilities_are_right_to_many_bits(variance):
    table = skellam_table(variance)
    sums = [0, *table._sums]
    context = Context(prec=400, Emin=-(10**9), Emax=10**9)
    half = context.create_decimal(variance) / 2
    for k in {0, 1, 3, int(variance**0.5)}:
        term = context.divide(context.power(half, k), math.factorial(k))
        bessel, j = term, 0
        while term > bessel * Decimal("1e-120"):  # I_k(μ) = Σ_j (μ/2)^(2j + k) / (j!·(j + k)!)
            j += 1
            term = context.divide(context.multiply(term, half * half), j * (j + k))
            bessel = context.add(bessel, term)
        exact = Fraction(context.multiply(bessel, context.exp(-2 * half)))
        for place in (k, -k):
            index = place - table.first
            got = Fraction(sums[index + 1] - sums[index], 2**192)
            assert abs(got - exact) < Fraction(1, 2**118)
    assert 0 < 2**192 - sums[-1] < 2**192 >> 120


@pytest.mark.parametrize("variance", [0.0, -1.0, math.nan, math.inf, 2.0**90])
@NOISES
def test_a_variance_out_of_range(noise, variance):
    with pytest.raises(PrivacyError, match=r"a variance of .*, expected one above 0"):
        noise(variance)


def test_shares_out_of_range():
    assert share_variance(6.0, 3) == 2.0
    with pytest.raises(PrivacyError, match="3 of 3 clients without noise"):
        share_variance(6.0, 3, missing=3)
    with pytest.raises(PrivacyError, match="a variance of 0"):
        share_variance(0.0, 3)
