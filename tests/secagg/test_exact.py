"""Floats that n clients can add without a range and without an error."""

import math
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secagg import ExactFloats, LocalProtocolError
from secagg.exact import LARGEST

FLOAT32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
EXTREMES = [LARGEST, -LARGEST, 2.0**-149, -(2.0**-149), 0.0, -0.0, 1.0, 2.0**-126]
UNIT = Fraction(1, 2**149)


@st.composite
def encoders(draw: st.DrawFn) -> ExactFloats:
    n = draw(st.one_of(st.integers(2, 40), st.sampled_from([128, 129, 1000, 65520, 2**32])))
    return ExactFloats(
        n, max_weight=draw(st.one_of(st.sampled_from([1, 2**29]), st.integers(1, 2**29)))
    )


def ring_sum(vectors: list[np.ndarray]) -> np.ndarray:
    """What the protocol delivers: the sum mod 2^64, from integers that do not wrap."""
    rows = zip(*(v.tolist() for v in vectors), strict=True)
    return np.array([sum(row) % 2**64 for row in rows], np.uint64)


@given(encoders(), st.data())
def test_the_sum_of_float32_numbers_is_the_exact_one_rounded_once(
    q: ExactFloats, data: st.DataObject
) -> None:
    clients = data.draw(st.integers(1, min(q.n, 5)))
    numbers = st.lists(st.one_of(FLOAT32, st.sampled_from(EXTREMES)), min_size=3, max_size=3)
    values = [np.float32(data.draw(numbers)) for _ in range(clients)]
    weights = [data.draw(st.integers(0, q.max_weight)) for _ in range(clients)]
    total = ring_sum([q.encode(v, w) for v, w in zip(values, weights, strict=True)])
    for i, seen in enumerate(q.decode(total).tolist()):
        exact = sum(w * Fraction(float(v[i])) for v, w in zip(values, weights, strict=True))
        assert seen == float(exact)
    assert q.reachable(total, clients)


@given(encoders(), st.lists(st.floats(-LARGEST, LARGEST), min_size=1, max_size=5), st.data())
def test_what_is_no_float32_is_rounded_to_the_unit(
    q: ExactFloats, values: list[float], data: st.DataObject
) -> None:
    weight = data.draw(st.integers(0, q.max_weight))
    exact = [weight * Fraction(v) for v in values]
    seen = q.decode(q.encode(np.array([Fraction(v) for v in values] + [None], object)[:-1], weight))
    assert seen.tolist() == [float(round(x / UNIT) * UNIT) for x in exact]
    for found, x in zip(q.decode(q.encode(values)).tolist(), values, strict=True):
        assert found == float(round(Fraction(x) / UNIT) * UNIT)


@given(encoders(), st.sampled_from([1.0, -1.0]))
def test_a_sum_of_n_of_the_largest_digits_does_not_wrap(q: ExactFloats, sign: float) -> None:
    # all bits of all digits but the top one's: what n clients can give at the most
    most = q.n * (2**q.digit_bits - 1)
    assert most < 2**63
    words = q.encode(np.float32([sign * LARGEST]), q.max_weight)
    total = np.array([int(word) * q.n % 2**64 for word in words.tolist()], np.uint64)
    assert q.decode(total).tolist() == [float(q.n * q.max_weight * Fraction(sign * LARGEST))]


@pytest.mark.parametrize("n", [5, 7, 1000])
def test_one_unit_beyond_what_clients_can_give_is_seen(n: int) -> None:
    q = ExactFloats(n)
    most = 3 * (2**q.digit_bits - 1)  # of three of the n
    for k in range(q.words):
        for digit, reachable in (
            (most, True),
            (most + 1, False),
            (-most, True),
            (-most - 1, False),
        ):
            total = np.zeros(q.words, np.uint64)
            total[k] = digit % 2**64
            assert q.reachable(total, 3) is reachable


def test_the_lowest_number_of_two_s_complement_is_beyond_reach() -> None:
    assert not ExactFloats(2).reachable(np.full(5, 2**63, np.uint64), 2)


def test_each_value_may_have_clients_of_its_own() -> None:
    q = ExactFloats(4)
    total = ring_sum([q.encode([1.0, 1.0])] * 2)
    assert q.reachable(total, [2, 2])
    assert not q.reachable(total, [2, 0])


@pytest.mark.parametrize(
    ("n", "max_weight", "words"),
    [(2, 1, 5), (16, 16384, 5), (17, 16384, 6), (128, 1, 5), (1000, 16384, 6), (65520, 2**29, 7)],
)
def test_how_many_words_a_number_takes(n: int, max_weight: int, words: int) -> None:
    q = ExactFloats(n, max_weight=max_weight)
    assert (q.words, q.encode([1.0, 2.0]).shape) == (words, (2 * words,))


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    q = ExactFloats(3, max_weight=9)
    values = np.float32(np.random.default_rng(0).normal(size=101) * 1e10)
    whole = q.encode(values, 7)
    decoded = q.decode(whole)
    monkeypatch.setattr("secagg.exact._BLOCK", 8)
    assert q.encode(values, 7).tolist() == whole.tolist()
    assert q.decode(whole).tolist() == decoded.tolist()


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e39])
@pytest.mark.parametrize("kind", [float, object])
def test_the_first_value_that_has_no_words_is_named(bad: float, kind: type) -> None:
    with pytest.raises(
        LocalProtocolError, match=re.escape("value 1 is out of range, expected a finite float32")
    ):
        ExactFloats(2).encode(np.array([1.0, bad, bad], kind))


@pytest.mark.parametrize("weight", [-1, 8, 0.5, math.nan])
def test_a_weight_outside_its_range_is_refused(weight: int) -> None:
    with pytest.raises(
        LocalProtocolError, match=r"a weight out of range, expected an integer in 0\.\.max_weight=7"
    ):
        ExactFloats(2, max_weight=7).encode([1.0], weight)


@pytest.mark.parametrize("arguments", [{"n": 0}, {"n": 2**32 + 1}, {"n": 2, "max_weight": 0}])
def test_arguments_out_of_range_are_refused(arguments: dict[str, int]) -> None:
    with pytest.raises(LocalProtocolError, match=r"expected n in 1\.\.2\^32"):
        ExactFloats(**arguments)


def test_other_words_and_shapes_are_refused() -> None:
    q = ExactFloats(2)
    with pytest.raises(LocalProtocolError, match="one dimension"):
        q.encode([[1.0]])
    for total in (np.zeros(5, np.uint32), np.zeros(6, np.uint64)):
        with pytest.raises(LocalProtocolError, match="expected uint64 in multiples of 5"):
            q.decode(total)
