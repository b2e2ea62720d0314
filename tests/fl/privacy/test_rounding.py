"""Rounded vectors are integers next to what they were, right on average, and never too long."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fl.errors import PrivacyError
from fl.privacy import ConditionalRounding, RandomBits, Sensitivity

vectors = st.integers(1, 60).flatmap(lambda d: arrays(np.float64, d, elements=st.floats(-100, 100)))
betas = st.sampled_from([0.0, math.exp(-0.5), 0.01, 0.999])


def rounding_of(vector, beta=0.6):
    return ConditionalRounding(max(float(np.linalg.norm(vector)), 0.1), len(vector), beta)


@given(vectors, betas, st.binary(max_size=4))
def test_the_bound_holds_and_so_do_the_neighbours(vector, beta, seed):
    rounding = rounding_of(vector, beta)
    rounded = rounding.round(vector, RandomBits.seeded(seed))
    assert rounded.dtype == np.int64
    assert (np.abs(rounded - vector) < 1).all()
    assert (rounded @ rounded) <= rounding.squared_bound
    assert np.linalg.norm(rounded) <= rounding.sensitivity.l2 + 1e-9
    assert np.abs(rounded).sum() <= rounding.sensitivity.l1 + 1e-6


@given(vectors)
def test_whole_numbers_stay(vector):
    whole = np.rint(vector)
    rounded = rounding_of(whole).round(whole, RandomBits.seeded(b""))
    assert rounded.tolist() == whole.tolist()


@given(st.floats(0.1, 1e6), st.integers(1, 10**6), betas)
def test_the_bound_is_that_of_the_paper(length, dimension, beta):
    squared = ConditionalRounding(length, dimension, beta).squared_bound
    root = math.sqrt(dimension)
    always = (length + root) ** 2
    assert squared <= always
    if beta == 0:
        assert squared == math.floor(always)
    else:
        spread = math.sqrt(2 * math.log(1 / beta)) * (length + root / 2)
        assert squared == math.floor(min(always, length**2 + dimension / 4 + spread))


@pytest.mark.parametrize("beta", [math.exp(-0.5), 0.1])
def test_few_roundings_are_repeated(beta):
    rng, repeats, drawn = np.random.default_rng(0), 0, 300
    vector = rng.uniform(-1, 1, 100)
    rounding = rounding_of(vector, beta)
    source = RandomBits.seeded(b"repeats")
    for _ in range(drawn):
        floors = np.floor(vector)
        rounded = floors + (source.uniform(100) < vector - floors)
        repeats += rounded @ rounded > rounding.squared_bound
    assert repeats / drawn <= beta


def test_roundings_are_right_on_average():
    vector = np.random.default_rng(1).normal(size=50) * 3
    rounding, source = rounding_of(vector), RandomBits.seeded(b"average")
    mean = np.mean([rounding.round(vector, source) for _ in range(4000)], axis=0)
    # The condition takes the average a little towards zero; here it is hardly ever not met.
    assert np.abs(mean - vector).max() < 5 * 0.5 / 4000**0.5 + 0.02


@given(st.floats(0.01, 1e9), st.integers(1, 10**9))
def test_l1_is_the_smaller_of_two_bounds(l2, dimension):
    l1 = Sensitivity(l2, dimension).l1
    assert l1 == pytest.approx(min(math.sqrt(dimension) * l2, l2**2))


@pytest.mark.parametrize("vector", [[3.0, 5.0], [math.nan, 0.0], [math.inf, 0.0]])
def test_what_is_too_long_or_not_finite_is_refused_and_not_told(vector):
    with pytest.raises(
        PrivacyError, match="not finite or too long, expected a length of at most 5"
    ):
        ConditionalRounding(5.0, 2).round(np.array(vector), RandomBits.seeded(b""))


def test_refusals():
    with pytest.raises(PrivacyError, match=r"a vector of shape \(3,\), expected \(2,\)"):
        ConditionalRounding(5.0, 2).round(np.ones(3), RandomBits.seeded(b""))
    with pytest.raises(PrivacyError, match=r"beta is 1, expected a number in \[0, 1\)"):
        ConditionalRounding(5.0, 2, 1)
    for length, dimension in ((0.0, 2), (math.nan, 2), (2.0**31, 2), (1.0, 0)):
        with pytest.raises(PrivacyError, match=r"a length of .*, expected a length above 0"):
            ConditionalRounding(length, dimension)
    for l2, dimension in ((0.0, 1), (math.inf, 1), (1.0, 0)):
        with pytest.raises(PrivacyError, match=r"an L2 sensitivity of .*, expected a finite"):
            Sensitivity(l2, dimension)
