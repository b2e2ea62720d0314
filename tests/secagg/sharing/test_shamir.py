"""Any t shares are the secret, and t−1 are nothing."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from secagg.errors import LocalProtocolError, RemoteProtocolError
from secagg.sharing.shamir import (
    DIGITS,
    SHARE_BYTES,
    P,
    combine,
    decode_shares,
    encode_shares,
    from_digits,
    lagrange_at_zero,
    random_residues,
    split,
    to_digits,
)
from tests.helpers.strategies import CounterRand

secrets = st.binary(min_size=32, max_size=32)
randomness = st.binary(max_size=8).map(CounterRand)
SMALLEST, LARGEST = bytes(32), b"\xff" * 32


@st.composite
def coordinates(draw: st.DrawFn, min_size: int = 1, max_size: int = 12) -> np.ndarray:
    xs = st.one_of(st.integers(1, 20), st.integers(1, P - 1), st.just(P - 1))
    return np.array(draw(st.lists(xs, min_size=min_size, max_size=max_size, unique=True)))


def lagrange(xs: list[int], ys: list[int], at: int) -> int:
    """The value at `at` of the polynomial through the points, in Python integers."""
    value = 0
    for i, x in enumerate(xs):
        term = ys[i]
        for k in xs[:i] + xs[i + 1 :]:
            term = term * (at - k) * pow(x - k, -1, P) % P
        value += term
    return value % P


class Words:
    """`rand` that hands out these 16-bit words, and no more than were asked for."""

    def __init__(self, words: list[int]) -> None:
        self.left, self.asked = words, []

    def __call__(self, count: int) -> bytes:
        self.asked.append(count)
        now, self.left = self.left[: count // 2], self.left[count // 2 :]
        return np.array(now, "<u2").tobytes()


# t shares


@given(coordinates(), st.data(), st.lists(secrets, min_size=1, max_size=3), randomness)
def test_any_t_shares_combine(
    xs: np.ndarray, data: st.DataObject, dealt: list[bytes], rand: CounterRand
) -> None:
    t = data.draw(st.integers(1, len(xs)))
    shares = split(dealt, t, xs, rand)
    assert shares.shape == (len(xs), len(dealt), DIGITS)
    assert shares.min() >= 0
    assert shares.max() < P
    chosen = data.draw(st.permutations(range(len(xs))))[:t]
    assert combine(xs[chosen], shares[chosen]) == dealt


@pytest.mark.parametrize("t", [1, 2, 3, 5])
def test_every_choice_of_t_or_more_among_five_combines(t: int) -> None:
    xs = np.array([1, 2, 3, 65519, 65520])
    shares = split([LARGEST, SMALLEST], t, xs, CounterRand(b""))
    for size in range(t, 6):
        for chosen in map(list, combinations(range(5), size)):
            assert combine(xs[chosen], shares[chosen]) == [LARGEST, SMALLEST]


def test_fewer_than_t_shares_do_not_combine() -> None:
    xs = np.arange(1, 6)
    shares = split([SMALLEST], 4, xs, CounterRand(b""))
    for chosen in map(list, combinations(range(5), 3)):
        assert combine_or_none(xs[chosen], shares[chosen]) != [SMALLEST]


def combine_or_none(xs: np.ndarray, shares: np.ndarray) -> list[bytes] | None:
    try:
        return combine(xs, shares)
    except RemoteProtocolError:
        return None


def test_a_thousand_holders() -> None:
    xs = np.random.default_rng(0).permutation(np.arange(1, P))[:1000]
    shares = split([LARGEST, bytes(range(32))], 667, xs, CounterRand(b""))
    assert combine(xs[333:], shares[333:]) == [LARGEST, bytes(range(32))]
    assert combine(xs[:667], shares[:667]) == [LARGEST, bytes(range(32))]


def test_the_sums_of_the_largest_products_are_exact() -> None:
    """Every coefficient and every power p−1, as many terms as there can be holders: < 2^53."""
    assert (P - 1) * (P - 1) * 65520 < 2**53
    t = 3001
    shares = split([LARGEST], t, np.array([P - 1]), lambda count: b"\xf0\xff" * (count // 2))
    digits = to_digits(LARGEST)
    # at x = −1 the other coefficients −1 come with signs −, +, −, ...: an even number cancels
    assert shares[0, 0].tolist() == digits


# t−1 shares


@given(st.integers(2, 8), st.data(), secrets, secrets, randomness)
def test_every_secret_is_consistent_with_any_t_minus_1_shares(
    t: int, data: st.DataObject, dealt: bytes, other: bytes, rand: CounterRand
) -> None:
    """For the shares of t−1 holders and any other secret there is a t-th share that gives it."""
    xs = data.draw(coordinates(t, t))
    shares = split([dealt], t, xs, rand)
    known = xs[:-1].tolist()
    forged = shares.copy()
    for d, digit in enumerate(to_digits(other)):
        points = [digit, *shares[:-1, 0, d].tolist()]
        forged[-1, 0, d] = lagrange([0, *known], points, int(xs[-1]))
    assert combine(xs, forged) == [other]


@given(secrets, st.integers(1, P - 1), st.integers(0, P - 1))
def test_one_share_takes_every_value_as_the_coefficient_does(
    secret: bytes, x: int, coefficient: int
) -> None:
    """t = 2: the share at x is digit + x·coefficient, a bijection of the coefficient."""
    # the t·17 words are drawn row by row; the row of degree 0 is replaced by the digits
    rand = Words([0] * DIGITS + [coefficient] * DIGITS)
    share = split([secret], 2, np.array([x]), rand)[0, 0]
    assert share.tolist() == [(digit + x * coefficient) % P for digit in to_digits(secret)]


@given(secrets, secrets, randomness)
def test_two_secrets_do_not_share_coefficients(one: bytes, two: bytes, rand: CounterRand) -> None:
    """The difference of two secrets' shares would be that of the secrets."""
    shares = split([one, two], 2, np.array([1]), rand)[0]
    digits = np.array([to_digits(one), to_digits(two)])
    coefficients = (shares - digits) % P
    assert len(np.unique(coefficients)) > DIGITS


# Digits


@given(secrets)
@example(SMALLEST)
@example(LARGEST)
@example((P**16).to_bytes(32, "little"))
@example((P**16 - 1).to_bytes(32, "little"))
def test_digits_are_exact(secret: bytes) -> None:
    digits = to_digits(secret)
    assert len(digits) == DIGITS
    assert all(0 <= digit < P for digit in digits)
    assert sum(digit * P**d for d, digit in enumerate(digits)) == int.from_bytes(secret, "little")
    assert from_digits(digits) == secret


@given(st.integers(2**256, P**DIGITS - 1))
@example(2**256)
@example(P**DIGITS - 1)
def test_digits_of_a_number_that_is_no_secret_are_refused(value: int) -> None:
    digits = [value // P**d % P for d in range(DIGITS)]
    with pytest.raises(RemoteProtocolError, match="expected a secret of 32 bytes"):
        from_digits(digits)
    with pytest.raises(RemoteProtocolError, match="expected a secret of 32 bytes"):
        combine(np.array([7]), np.array([[digits]]))


def test_digits_fill_less_than_a_share() -> None:
    assert P**16 < 2**256 < P**DIGITS
    assert SHARE_BYTES == 2 * DIGITS


# Randomness


@given(st.lists(st.integers(0, 2**16 - 1), max_size=40))
def test_words_of_p_and_above_are_rejected(words: list[int]) -> None:
    wanted = [word for word in words if word < P]
    rand = Words([*words, *[0] * len(words)])
    assert random_residues(len(wanted), rand).tolist() == wanted


def test_a_source_that_begins_with_ffff_is_asked_again_for_what_is_missing() -> None:
    rand = Words([0xFFFF] * 4 + [P, 5, P - 1, 0xFFF1] + [0, 7])
    assert random_residues(4, rand).tolist() == [5, P - 1, 0, 7]
    assert rand.asked == [8, 8, 4]


def test_residues_are_uniform() -> None:
    """χ² over the field in 256 classes of 255 or 256 residues, from a fixed seed."""
    residues = random_residues(2**20, CounterRand(b"uniform"))
    edges = np.linspace(0, P, 257).astype(np.int64)
    counts = np.histogram(residues, edges)[0]
    expected = np.diff(edges) / P * 2**20
    assert 155 < float(((counts - expected) ** 2 / expected).sum()) < 355
    assert residues.min() < 100
    assert residues.max() > P - 100


def test_the_leading_coefficient_may_be_zero() -> None:
    """Were it not, t−1 shares would rule out one secret."""
    zeros = split([LARGEST], 3, np.array([1, 2, 3]), bytes)
    assert (zeros == zeros[0]).all()
    assert from_digits(zeros[0, 0].tolist()) == LARGEST


def test_splitting_draws_two_bytes_for_each_coefficient() -> None:
    rand = Words([1] * (3 * 2 * DIGITS))
    split([SMALLEST, LARGEST], 3, np.array([1, 2]), rand)
    assert rand.asked == [3 * 2 * SHARE_BYTES]


# Coordinates


@given(coordinates(2))
def test_lagrange_coefficients_in_python_integers(xs: np.ndarray) -> None:
    points = xs.tolist()
    for i, coefficient in enumerate(lagrange_at_zero(xs).tolist()):
        unit = [int(k == i) for k in range(len(points))]
        assert coefficient == lagrange(points, unit, 0)


@pytest.mark.parametrize("xs", [[0, 1], [1, P], [1, -1], [3, 3], [1, 1 + P]])
def test_a_coordinate_outside_the_field_or_twice_is_refused(xs: list[int]) -> None:
    with pytest.raises(LocalProtocolError, match=r"distinct ones in 1..65520"):
        split([SMALLEST], 1, np.array(xs), CounterRand(b""))
    with pytest.raises(LocalProtocolError, match=r"distinct ones in 1..65520"):
        combine(np.array(xs), np.zeros((2, 1, DIGITS), np.int64))


@given(coordinates(2), st.data(), secrets, randomness)
def test_a_share_at_another_coordinate_gives_another_secret(
    xs: np.ndarray, data: st.DataObject, secret: bytes, rand: CounterRand
) -> None:
    wrong = data.draw(st.integers(1, P - 1).filter(lambda x: x not in xs))
    t = len(xs)
    shares = split([secret], t, xs, rand)
    assume(not (shares == shares[0]).all())
    assert combine_or_none(np.array([wrong, *xs[1:]]), shares) != [secret]


# Bytes


@given(coordinates(), randomness)
def test_shares_survive_the_wire(xs: np.ndarray, rand: CounterRand) -> None:
    shares = split([LARGEST], 1, xs, rand).reshape(-1, DIGITS)
    raw = encode_shares(shares)
    assert raw.shape == (len(xs), SHARE_BYTES)
    for form in (raw, raw.tobytes(), memoryview(raw.tobytes())):
        assert decode_shares(form).tolist() == shares.tolist()


def test_a_digit_is_a_little_endian_word() -> None:
    share = [P - 1, *range(1, DIGITS)]
    raw = encode_shares(np.array(share)).tobytes()
    assert raw[:6].hex() == "f0ff01000200"
    assert decode_shares(raw).tolist() == [share]


@given(st.integers(0, DIGITS - 1), st.integers(P, 2**16 - 1))
def test_a_digit_of_p_or_more_is_refused(place: int, digit: int) -> None:
    words = np.zeros((3, DIGITS), "<u2")
    words[1, place] = P - 1
    assert decode_shares(words.tobytes())[1, place] == P - 1
    words[1, place] = digit
    with pytest.raises(
        RemoteProtocolError, match=r"a digit out of range, expected less than 65521"
    ):
        decode_shares(words.tobytes())
