"""Wrong shares are corrected and named up to the radius; past it, exactly what can be said."""

from itertools import combinations
from time import perf_counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secagg.errors import LocalProtocolError, RemoteProtocolError
from secagg.sharing.reed_solomon import P, correct

DIGITS = 17


def evaluate(coefficients: np.ndarray, xs: np.ndarray) -> np.ndarray:
    """f_d(x) for coefficients [t, digits]: shares [m, digits]."""
    values = np.zeros((len(xs), coefficients.shape[1]), dtype=np.int64)
    for row in coefficients[::-1]:  # Horner
        values = (values * xs[:, None] + row) % P
    return values


def interpolate(xs: np.ndarray, ys: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Lagrange in Python integers: the values at `at` of the polynomials through (xs, ys)."""
    values = np.zeros((len(at), ys.shape[1]), dtype=object)
    for row, x in enumerate(map(int, at)):
        for i, xi in enumerate(map(int, xs)):
            factor = 1
            for xk in map(int, np.delete(xs, i)):
                factor = factor * (x - xk) * pow(xi - xk, -1, P) % P
            values[row] += factor * ys[i].astype(object)
    return (values % P).astype(np.int64)


class Dealt:
    """A secret dealt to m holders, and room for wrong shares."""

    def __init__(self, m: int, t: int, seed: int, digits: int = DIGITS) -> None:
        self.rng = np.random.default_rng(seed)
        self.m, self.t, self.radius = m, t, (m - t) // 2
        self.xs = self.rng.permutation(np.arange(1, P))[:m]
        coefficients = self.rng.integers(0, P, (t, digits))
        self.secret = coefficients[0]
        self.shares = evaluate(coefficients, self.xs)
        self.wrong: set[int] = set()

    def add(self, holder: int, error: np.ndarray) -> None:
        self.shares[holder] = (self.shares[holder] + error) % P
        if (error % P).any():
            self.wrong.add(holder)

    def error(self) -> np.ndarray:
        """Non-zero in some of the digits, any number of them."""
        error = self.rng.integers(1, P, self.shares.shape[1])
        error[self.rng.permutation(len(error))[1:]] *= self.rng.integers(0, 2, len(error) - 1)
        return error

    def assert_corrected(self) -> None:
        secret, wrong = correct(self.xs, self.shares.astype(np.uint16), self.t)
        assert secret.tolist() == self.secret.tolist()
        assert wrong.tolist() == sorted(self.wrong)
        assert secret.dtype == wrong.dtype == np.int64


@st.composite
def deals(draw: st.DrawFn, min_spare: int = 0) -> Dealt:
    t = draw(st.integers(1, 30))
    return Dealt(t + draw(st.integers(min_spare, 30)), t, draw(st.integers(0, 2**32)))


@given(deals(), st.data())
def test_wrong_shares_within_the_radius_are_corrected_and_named(
    dealt: Dealt, data: st.DataObject
) -> None:
    holders = st.integers(0, dealt.m - 1)
    for holder in data.draw(st.sets(holders, max_size=dealt.radius)):
        dealt.add(holder, dealt.error())
    dealt.assert_corrected()


@given(deals(min_spare=2), st.data())
def test_exactly_at_the_radius(dealt: Dealt, data: st.DataObject) -> None:
    holders = data.draw(st.permutations(range(dealt.m)))[: dealt.radius]
    for holder in holders:
        dealt.add(holder, dealt.error())
    assert len(dealt.wrong) == dealt.radius
    dealt.assert_corrected()


@given(deals(min_spare=1), st.data())
def test_one_beyond_an_odd_radius_is_always_an_error(dealt: Dealt, data: st.DataObject) -> None:
    """With m − t = 2·radius + 1, every other secret too disagrees with more than radius shares."""
    dealt = Dealt(dealt.t + 2 * dealt.radius + 1, dealt.t, seed=data.draw(st.integers(0, 2**32)))
    for holder in data.draw(st.permutations(range(dealt.m)))[: dealt.radius + 1]:
        dealt.add(holder, dealt.error())
    message = f"{dealt.m} shares with threshold {dealt.t}, .* at most the {dealt.radius} that can"
    with pytest.raises(RemoteProtocolError, match=message):
        correct(dealt.xs, dealt.shares, dealt.t)


def nearby_codewords(xs: np.ndarray, word: np.ndarray, t: int) -> list[tuple[list[int], list[int]]]:
    """By trying every t shares: all (secret, wrong holders) with at most ⌊(m−t)/2⌋ wrong."""
    found = set()
    for chosen in map(list, combinations(range(len(xs)), t)):
        codeword = interpolate(xs[chosen], word[chosen], np.append(xs, 0))
        wrong = np.flatnonzero((codeword[:-1] != word).any(axis=1))
        if len(wrong) <= (len(xs) - t) // 2:
            found.add((tuple(codeword[-1]), tuple(wrong)))
    return [(list(secret), list(wrong)) for secret, wrong in found]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**32), st.data())
def test_any_word_gives_the_one_secret_within_the_radius_or_an_error(
    m: int, t: int, seed: int, data: st.DataObject
) -> None:
    """Words that mix the shares of two secrets digit by digit, and garbage: the hardest to tell."""
    t = min(t, m)
    dealt = Dealt(m, t, seed, digits=2)
    other = evaluate(dealt.rng.integers(0, P, (t, 2)), dealt.xs)
    choice = st.lists(st.sampled_from("aaabbg"), min_size=2 * m, max_size=2 * m)
    source = np.array(data.draw(choice)).reshape(m, 2)
    garbage = dealt.rng.integers(0, P, (m, 2))
    word = np.where(source == "a", dealt.shares, np.where(source == "b", other, garbage))
    expected = nearby_codewords(dealt.xs, word, t)
    try:
        secret, wrong = correct(dealt.xs, word, t)
    except RemoteProtocolError:
        assert expected == []
    else:
        assert expected == [(secret.tolist(), wrong.tolist())]


# Errors that are chosen with the decoder in mind.


def test_every_wrong_holder_is_wrong_in_a_digit_of_its_own() -> None:
    dealt = Dealt(m=60, t=26, seed=1)
    for digit in range(DIGITS):
        dealt.add(3 * digit, (np.arange(DIGITS) == digit) * 5)
    assert len(dealt.wrong) == dealt.radius
    dealt.assert_corrected()


@given(deals(min_spare=2), st.integers(0, P - 1))
def test_an_error_that_cancels_in_a_combination_of_the_digits(dealt: Dealt, z: int) -> None:
    """Σ_d zᵈ·error_d = 0, for z = 1 their sum: whoever decodes that combination sees no error."""
    for holder in range(dealt.radius):
        error = dealt.error()
        error[0] = -sum(int(error[d]) * pow(z, d, P) for d in range(1, DIGITS)) % P
        dealt.add(holder, error)
    dealt.assert_corrected()


@given(deals(min_spare=2), st.booleans())
def test_an_error_that_hides_from_the_first_syndromes(dealt: Dealt, everywhere: bool) -> None:
    """The errors vᵢ⁻¹·uᵢ with Σ uᵢ·xᵢʲ = 0 for j < e−1: Massey's register stays empty as long."""

    def denominator(i: int, among: range) -> int:
        product = 1
        for k in among:
            product = product * (int(dealt.xs[i] - dealt.xs[k]) if k != i else 1) % P
        return product

    holders = range(dealt.radius)
    for i in holders:
        error = denominator(i, range(dealt.m)) * pow(denominator(i, holders), -1, P) % P
        dealt.add(i, np.full(DIGITS, error) if everywhere else np.eye(DIGITS, dtype=int)[7] * error)
    dealt.assert_corrected()


def test_a_pole_at_a_holder_that_was_left_out_is_no_polynomial() -> None:
    """Digit 0 gives holder 0 away; digit 1 is 1/(x − x₀), and Λ finds holder 0 once more."""
    dealt = Dealt(m=12, t=2, seed=2, digits=2)
    dealt.shares[:, 0] = 9
    dealt.shares[0, 0] = 8
    for i in range(1, dealt.m):
        dealt.shares[i, 1] = pow(int(dealt.xs[i] - dealt.xs[0]), -1, P)
    with pytest.raises(RemoteProtocolError, match="at most the 5"):
        correct(dealt.xs, dealt.shares, dealt.t)


def test_each_digit_within_the_radius_but_all_together_beyond() -> None:
    dealt = Dealt(m=11, t=5, seed=3)  # radius 3
    for holder, digit in ((0, 0), (1, 0), (2, 5), (3, 9)):
        dealt.add(holder, np.eye(DIGITS, dtype=int)[digit])
    with pytest.raises(RemoteProtocolError, match="at most the 3"):
        correct(dealt.xs, dealt.shares, dealt.t)


@given(deals(min_spare=2), st.integers(0, 2**32))
def test_enough_conspirators_move_the_shares_to_another_secret(dealt: Dealt, seed: int) -> None:
    """The limit of any decoder, and why the result is checked against the commitment.

    A polynomial that vanishes at t − 1 holders moves the other m − t + 1; if all of these but a
    radius conspire, the honest rest of them is what looks wrong.
    """
    m, t, radius = dealt.m, dealt.t, dealt.radius
    shift = np.full((m, DIGITS), 1 + seed % (P - 1), dtype=np.int64)
    for k in range(t - 1):
        shift = shift * (dealt.xs - dealt.xs[k])[:, None] % P
    conspirators = range(t - 1, m - radius)
    for holder in conspirators:
        dealt.add(holder, shift[holder])
    assert len(conspirators) == m - t + 1 - radius
    secret, wrong = correct(dealt.xs, dealt.shares, t)
    assert secret.tolist() != dealt.secret.tolist()
    assert wrong.tolist() == list(range(m - radius, m))


# The edges.


@given(st.integers(1, 40), st.integers(0, 2**32))
def test_t_shares_have_nothing_to_spare_and_one_more_only_detects(t: int, seed: int) -> None:
    Dealt(t, t, seed).assert_corrected()
    dealt = Dealt(t + 1, t, seed)
    dealt.assert_corrected()
    dealt.add(0, dealt.error())
    with pytest.raises(RemoteProtocolError, match="at most the 0 that can be corrected"):
        correct(dealt.xs, dealt.shares, t)


@given(st.integers(1, 40), st.integers(0, 2**32))
def test_threshold_one_is_a_majority(m: int, seed: int) -> None:
    dealt = Dealt(m, 1, seed)
    assert (dealt.shares == dealt.secret).all()
    for holder in range((m - 1) // 2):
        dealt.add(holder, dealt.error())
    dealt.assert_corrected()


def test_by_hand() -> None:
    """f(x) = 7 + 2x at x = 1, 2, 3, 4: 9, 11, 13, 15; holder 3 says 14."""
    secret, wrong = correct(np.array([1, 2, 3, 4]), np.array([[9], [11], [14], [15]]), t=2)
    assert secret.tolist() == [7]
    assert wrong.tolist() == [2]


@pytest.mark.parametrize(
    ("xs", "shares", "t", "seen"),
    [
        ([[1]], [[1]], 1, r"expected \[m\] and \[m, digits\]"),
        ([1], [1], 1, r"expected \[m\] and \[m, digits\]"),
        ([1, 2], [[1]], 1, r"shapes \(2,\), \(1, 1\), expected"),
        ([1, 2], [[1], [1]], 0, "t=0, expected 1 <= t <= 2 shares"),
        ([1, 2], [[1], [1]], 3, "t=3, expected 1 <= t <= 2 shares"),
        ([1, 1], [[1], [1]], 1, "distinct"),
        ([0, 1], [[1], [1]], 1, "in 1..65520"),
        ([1, P], [[1], [1]], 1, "in 1..65520"),
        ([1, 2], [[1], [P]], 1, r"in \[0, 65521\)"),
        ([1, 2], [[1], [-1]], 1, r"in \[0, 65521\)"),
    ],
)
def test_what_is_no_set_of_shares_is_the_caller_s_mistake(
    xs: list[int], shares: list[list[int]], t: int, seen: str
) -> None:
    with pytest.raises(LocalProtocolError, match=seen):
        correct(np.array(xs), np.array(shares), t)


@pytest.mark.parametrize("together", [True, False])
def test_a_thousand_holders(together: bool) -> None:
    dealt = Dealt(m=1000, t=667, seed=5)
    for holder in range(0, 6 * dealt.radius, 6):
        digit = np.arange(DIGITS) == holder % DIGITS
        dealt.add(holder, dealt.error() if together else digit * 1)
    assert len(dealt.wrong) == dealt.radius == 166
    start = perf_counter()
    dealt.assert_corrected()
    print(f"m = 1000, t = 667, 166 wrong: {1000 * (perf_counter() - start):.0f} ms")
