"""A rotation keeps lengths and sums, is undone, needs no padding, and spreads single peaks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.linalg import hadamard as matrix

from fl.errors import PrivacyError
from fl.privacy import Rotation
from fl.privacy.rotation import hadamard

finite = st.floats(-1e6, 1e6)
vectors = st.integers(1, 200).flatmap(lambda d: arrays(np.float64, d, elements=finite))
seeds = st.binary(max_size=8)


@pytest.mark.parametrize("log", range(8))
def test_the_transform_is_that_of_hadamard_s_matrix(log):
    vector = np.random.default_rng(log).normal(size=2**log)
    expected = matrix(2**log) @ vector / 2 ** (log / 2)
    np.testing.assert_allclose(hadamard(vector), expected, atol=1e-12)


@given(vectors, seeds)
def test_the_inverse_undoes_it(vector, seed):
    rotation = Rotation(len(vector), seed)
    scale = np.abs(vector).max() + 1e-300
    np.testing.assert_allclose(
        rotation.inverse(rotation.forward(vector)), vector, atol=1e-13 * scale * len(vector)
    )
    np.testing.assert_allclose(
        rotation.forward(rotation.inverse(vector)), vector, atol=1e-13 * scale * len(vector)
    )


@given(vectors, seeds)
def test_lengths_stay_and_so_does_the_number_of_coordinates(vector, seed):
    rotated = Rotation(len(vector), seed).forward(vector)
    assert rotated.shape == vector.shape
    assert np.linalg.norm(rotated) == pytest.approx(np.linalg.norm(vector), rel=1e-12)


@given(vectors, seeds, finite)
def test_it_is_linear(vector, seed, factor):
    rotation = Rotation(len(vector), seed)
    other = vector[::-1]
    expected = rotation.forward(vector) + factor * rotation.forward(other)
    atol = 1e-11 * (1 + abs(factor)) * (1 + np.abs(vector).max()) * len(vector)
    np.testing.assert_allclose(rotation.forward(vector + factor * other), expected, atol=atol)


@given(vectors, seeds)
def test_what_is_given_is_left_alone_and_the_seed_decides(vector, seed):
    before = vector.copy()
    once, again = (Rotation(len(vector), seed).forward(vector) for _ in range(2))
    assert once.tolist() == again.tolist()
    assert vector.tolist() == before.tolist()
    other = Rotation(len(vector), seed + b"x").forward(np.ones(len(vector)))
    if len(vector) > 64:
        assert other.tolist() != Rotation(len(vector), seed).forward(np.ones(len(vector))).tolist()


@pytest.mark.parametrize("dimension", [1024, 1500, 2047])
@pytest.mark.parametrize("where", [0, 700, -1])
def test_one_large_coordinate_is_spread(dimension, where):
    rotation = Rotation(dimension, b"spread")
    spike = np.zeros(dimension)
    spike[where] = 1.0
    rotated = rotation.forward(spike)
    # 6 deviations of the variance proxy 1 / block: 2·2047·exp(−18) is less than 1e-4.
    assert np.abs(rotated).max() <= 6 / rotation.block**0.5
    assert rotation.block * 2 > dimension >= rotation.block


def test_every_coordinate_has_the_variance_that_is_claimed():
    dimension, vector = 24, np.linspace(0, 1, 24) ** 3
    vector /= np.linalg.norm(vector)
    drawn = np.array([Rotation(dimension, bytes([a, b])).forward(vector)
                      for a in range(40) for b in range(50)])  # fmt: skip
    assert np.abs(drawn.mean(0)).max() < 5 * (1 / 16 / 2000) ** 0.5
    assert drawn.var(0).max() <= 1 / 16 * 1.2


def test_refusals():
    with pytest.raises(PrivacyError, match="a dimension of 0, expected at least 1"):
        Rotation(0, b"")
    with pytest.raises(PrivacyError, match=r"a vector of shape \(3,\), expected \(4,\)"):
        Rotation(4, b"").forward(np.ones(3))
    with pytest.raises(PrivacyError, match=r"a vector of shape \(4, 1\), expected \(4,\)"):
        Rotation(4, b"").inverse(np.ones((4, 1)))
