"""Clip, rotate, scale, round, noise, sum mod 2^bits, decode: the error is that of the formulas."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl.errors import PrivacyError
from fl.privacy import (
    DiscreteGaussianNoise,
    NoisyEncoding,
    RandomBits,
    Rotation,
    SkellamNoise,
    fitted_encoding,
    share_variance,
)

NOISES = {"discrete_gaussian": DiscreteGaussianNoise, "skellam": SkellamNoise}
MECHANISMS = pytest.mark.parametrize("mechanism", NOISES)


def updates(clients, dimension, seed=0):
    rng = np.random.default_rng(seed)
    drawn = rng.normal(size=(clients, dimension)) + rng.normal(size=dimension)
    drawn[:, :3] *= 50  # some coordinates stand out
    return drawn


def clipped(update, norm):
    return update * min(1.0, norm / np.linalg.norm(update))


def summed(encoding, given, source):
    """The sum of the clients' words, as plain integers mod 2^bits."""
    total = np.zeros(given.shape[1], object)
    for update in given:
        total = (total + encoding.encode(update, source).astype(object)) % 2**encoding.bits
    return total.astype(encoding.dtype)


@MECHANISMS
@pytest.mark.parametrize(
    ("bits", "multiplier", "dimension"), [(16, 0.5, 5000), (20, 2.0, 4096), (14, 0.2, 6000)]
)
def test_the_decoded_mean_has_the_error_of_the_formulas(mechanism, bits, multiplier, dimension):
    clients, clip = 40, 2.0
    encoding = fitted_encoding(
        Rotation(dimension, b"round"), clip=clip, bits=bits, clients=clients,
        noise_multiplier=multiplier, mechanism=mechanism,
    )  # fmt: skip
    given = updates(clients, dimension)
    total = summed(encoding, given, RandomBits.seeded(b"source"))
    exact = np.mean([clipped(update, clip) for update in given], axis=0)
    errors = encoding.decode(total) / clients - exact

    # Noise, and rounding, of which the fractions are as good as uniform: 1/6 on average.
    expected = (encoding.noise.variance + 1 / 6) / (encoding.scale**2 * clients)
    assert np.mean(errors**2) == pytest.approx(expected, rel=5 * (2 / dimension) ** 0.5)
    assert expected <= encoding.error_variance(clients) / clients**2
    # The noise of the sum is what was asked for, in units of the sensitivity.
    deviation = (clients * encoding.noise.variance) ** 0.5
    assert deviation == pytest.approx(multiplier * encoding.sensitivity.l2, rel=1e-9)
    assert encoding.wrap_bound(clients) <= 2**-20


def test_with_clients_missing_the_rest_has_the_noise_that_was_asked_for():
    encoding = fitted_encoding(
        Rotation(1000, b"r"), clip=1.0, bits=20, clients=50, noise_multiplier=1.0, missing=10
    )
    assert (40 * encoding.noise.variance) ** 0.5 == pytest.approx(encoding.sensitivity.l2)
    given = updates(40, 1000)
    errors = encoding.decode(summed(encoding, given, RandomBits.seeded(b""))) - sum(
        clipped(update, 1.0) for update in given
    )
    expected = 40 * (encoding.noise.variance + 1 / 6) / encoding.scale**2
    assert np.mean(errors**2) == pytest.approx(expected, rel=5 * (2 / 1000) ** 0.5)


@pytest.mark.parametrize("bits", [2, 8, 9, 16, 17, 31, 32, 33, 62])
def test_words_are_within_their_bits_and_sums_may_wrap_in_their_dtype(bits):
    encoding = NoisyEncoding(
        Rotation(50, b""), 1.0, 0.1 + 2.0 ** (bits / 3), bits, SkellamNoise(0.01)
    )
    source, update = RandomBits.seeded(b""), -np.ones(50) / 50**0.5
    words = [encoding.encode(update, source) for _ in range(2)]
    assert {each.dtype for each in words} == {encoding.dtype}
    assert all((each < 2**bits).all() for each in words)
    assert 8 * encoding.dtype.itemsize in (8, 16, 32, 64)
    if bits > 4:
        np.testing.assert_allclose(
            encoding.decode(words[0] + words[1]), 2 * update, atol=8 / encoding.scale
        )


@given(st.integers(1, 300), st.floats(1e-3, 1e3), st.floats(0.5, 1e3), st.binary(max_size=3))
def test_no_client_adds_more_than_the_sensitivity(dimension, length, scale, seed):
    silent = SkellamNoise(1e-30)  # as good as none
    encoding = NoisyEncoding(Rotation(dimension, seed), 1.0, scale, 62, silent)
    update = np.random.default_rng(dimension).normal(size=dimension)
    words = encoding.encode(update * length / np.linalg.norm(update), RandomBits.seeded(seed))
    integers = (words.astype(np.int64) << 2) >> 2
    assert np.linalg.norm(integers) <= encoding.sensitivity.l2 + 1e-9


@MECHANISMS
def test_the_bound_of_wrapping_is_one(mechanism):
    """With so few bits that one sum in a hundred wraps, no more do than is said."""
    dimension, clients, rounds = 64, 4, 400
    given = np.tile(np.eye(dimension)[0], (clients, 1))  # all the same: the longest sum there is
    wrapped, said = 0, 0.0
    for number in range(rounds):
        seed = number.to_bytes(2, "big")
        noise = NOISES[mechanism](share_variance(900.0, clients))
        encoding = NoisyEncoding(Rotation(dimension, seed), 1.0, 40.0, 8, noise)
        total = summed(encoding, given, RandomBits.seeded(seed))
        wide = NoisyEncoding(encoding.rotation, 1.0, 40.0, 40, noise)
        true = summed(wide, given, RandomBits.seeded(seed))
        wrapped += not np.array_equal(encoding.decode(total), wide.decode(true))
        said = encoding.wrap_bound(clients)
    assert 0 < said < 0.5
    assert wrapped / rounds <= said
    assert wrapped > 0


@pytest.mark.parametrize(("beta", "variance"), [(1 / 30, 190.0), (0.0, 290.0)])
def test_the_bound_of_wrapping_is_one_whatever_is_drawn_again(beta, variance):
    """Of many clients, whose roundings together hardly ever go as far as they could."""
    dimension, clients, rounds, bits = 16, 30, 200, 7
    wrapped, rng = 0, np.random.default_rng(0)
    for number in range(rounds):
        update = rng.normal(size=dimension)
        given = np.tile(update / np.linalg.norm(update) / 2, (clients, 1))
        seed = number.to_bytes(2, "big")
        noise = SkellamNoise(share_variance(variance, clients))
        encoding = NoisyEncoding(Rotation(dimension, seed), 1.0, 4.0, bits, noise, beta)
        wide = replace(encoding, bits=40)
        total, true = (summed(e, given, RandomBits.seeded(seed)) for e in (encoding, wide))
        wrapped += not np.array_equal(encoding.decode(total), wide.decode(true))
    said = encoding.wrap_bound(clients, alignment=0.5)
    assert 0 < said < 1
    assert wrapped / rounds <= said
    assert wrapped > 0
    assert encoding.wrap_bound(clients) >= said  # of sums that may be twice as long


@MECHANISMS
def test_sums_that_are_not_all_alike_leave_room_for_a_finer_scale(mechanism):
    def fitted(alignment, bits=10):
        encoding = fitted_encoding(
            Rotation(500, b""), clip=1.0, bits=bits, clients=30, noise_multiplier=1.0,
            mechanism=mechanism, alignment=alignment,
        )  # fmt: skip
        assert encoding.wrap_bound(30, alignment) <= 2**-20
        deviation = (30 * encoding.noise.variance) ** 0.5
        assert deviation == pytest.approx(encoding.sensitivity.l2, rel=1e-9)
        return encoding

    short, long = fitted(0.2), fitted(1.0)
    assert short.scale > 1.9 * long.scale
    assert short.error_variance(30) < long.error_variance(30)
    assert long.wrap_bound(30, 0.2) <= long.wrap_bound(30)


def test_conditions_that_are_rarely_missed_are_taken_where_bits_are_few():
    def beta(bits):
        return fitted_encoding(
            Rotation(1000, b""), clip=1.0, bits=bits, clients=100, noise_multiplier=1.0,
            alignment=0.3,
        ).beta  # fmt: skip

    assert beta(9) == 1 / 100
    assert beta(18) == math.exp(-0.5)


def test_more_bits_give_a_finer_scale_and_more_noise_a_coarser_one():
    def scale(**changes):
        settings = {"clip": 1.0, "bits": 16, "clients": 30, "noise_multiplier": 1.0} | changes
        return fitted_encoding(Rotation(500, b""), **settings).scale

    assert scale(bits=18) > 3.9 * scale() > scale(noise_multiplier=4.0)
    assert scale(clip=10.0) == pytest.approx(scale() / 10, rel=1e-6)
    assert scale(mechanism="discrete_gaussian") == pytest.approx(scale(), rel=0.01)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_an_update_that_is_not_finite_is_refused_and_not_told(value):
    encoding = NoisyEncoding(Rotation(2, b""), 1.0, 10.0, 16, SkellamNoise(1.0))
    with pytest.raises(PrivacyError, match=r"^an update that is not finite, expected finite"):
        encoding.encode(np.array([1.0, value]), RandomBits.seeded(b""))


def test_refusals():
    rotation, noise = Rotation(2, b""), SkellamNoise(1.0)
    for bits in (1, 63):
        with pytest.raises(PrivacyError, match=f"words of {bits} bits, expected 2..62"):
            NoisyEncoding(rotation, 1.0, 10.0, bits, noise)
    with pytest.raises(PrivacyError, match="clip is 0"):
        NoisyEncoding(rotation, 0.0, 10.0, 16, noise)
    with pytest.raises(PrivacyError, match="scale is nan"):
        NoisyEncoding(rotation, 1.0, math.nan, 16, noise)
    with pytest.raises(PrivacyError, match="rounds all to 0, expected a larger one"):
        NoisyEncoding(Rotation(1, b""), 1.0, 1e-9, 16, noise)

    def fitted(**changes):
        settings = {"clip": 1.0, "bits": 16, "clients": 30, "noise_multiplier": 1.0} | changes
        return fitted_encoding(rotation, **settings)

    with pytest.raises(PrivacyError, match="4 bits are too few for 30 clients"):
        fitted(bits=4)
    with pytest.raises(PrivacyError, match="a noise multiplier of 0, expected one above 0"):
        fitted(noise_multiplier=0)
    with pytest.raises(PrivacyError, match="mechanism 'laplace', expected one of discrete_"):
        fitted(mechanism="laplace")
    with pytest.raises(PrivacyError, match="clip is inf"):
        fitted(clip=math.inf)
    with pytest.raises(PrivacyError, match="30 of 30 clients without noise"):
        fitted(missing=30)
