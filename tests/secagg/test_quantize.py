"""Fixed point that n clients can add: close, right on average, and it never wraps."""

import math
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from secagg import LocalProtocolError, Quantizer, VectorSpec
from tests.helpers.strategies import seeds

WIDTHS = [8, 13, 24, 32, 33, 64]


@st.composite
def quantizers(draw: st.DrawFn) -> Quantizer:
    """Any that the constructor lets pass with the scale it chooses."""
    n = draw(st.integers(1, 100))
    least = n.bit_length() + 1
    widths = st.sampled_from([w for w in WIDTHS if w >= least])
    return Quantizer(
        n,
        draw(st.one_of(widths, st.integers(least, 64))),
        draw(st.one_of(st.sampled_from([0.5, 1.0, 4.0]), st.floats(1e-6, 1e6))),
        max_weight=draw(st.one_of(st.just(1), st.integers(1, 20000))),
    )


class Always(np.random.Generator):
    """A generator that always draws this number: stochastic rounding at its most extreme."""

    def __init__(self, number: int) -> None:
        super().__init__(np.random.PCG64(0))
        self.number = number

    def integers(  # type: ignore[override]
        self, low: int, high: int, size: int, dtype: type, *, endpoint: bool
    ) -> np.ndarray:
        assert low <= self.number <= high
        return np.full(size, self.number, dtype)


ROUNDINGS = {
    "nearest": None,
    "random": np.random.default_rng(0),
    "lowest": Always(0),
    "highest": Always(2**64 - 1),
}


def generator(stochastic: bool, seed: int) -> np.random.Generator | None:
    return np.random.default_rng(seed) if stochastic else None


def ring_sum(q: Quantizer, vectors: list[np.ndarray]) -> np.ndarray:
    """What the protocol delivers: the sum mod 2^bits, from integers that do not wrap."""
    rows = zip(*(v.tolist() for v in vectors), strict=True)
    return np.array([sum(row) % 2**q.bits for row in rows], q.dtype)


def signed(q: Quantizer, words: np.ndarray) -> list[int]:
    """Two's complement of the low bits."""
    low = [word % 2**q.bits for word in words.tolist()]
    return [word - 2**q.bits if word >= 2 ** (q.bits - 1) else word for word in low]


def largest(q: Quantizer) -> int:
    """q of the proof."""
    return math.ceil(Fraction(q.clip) * q.max_weight * Fraction(q.scale))


# Closeness


@given(quantizers(), st.booleans(), seeds, st.data())
def test_the_error_stays_within_its_bound(
    q: Quantizer, stochastic: bool, seed: int, data: st.DataObject
) -> None:
    rng = np.random.default_rng(seed)
    clients = data.draw(st.integers(1, min(q.n, 6)))
    values = q.clip * rng.uniform(-1, 1, (clients, 8))
    weights = data.draw(st.lists(st.integers(0, q.max_weight), min_size=clients, max_size=clients))
    encoded = []
    for value, weight in zip(values, weights, strict=True):
        words, clipped = q.encode(value, weight, generator(stochastic, seed))
        assert clipped == 0
        encoded.append(words)
    decoded = q.decode(ring_sum(q, encoded))
    bound = Fraction(q.error_bound(clients, stochastic=stochastic))
    for i, seen in enumerate(decoded.tolist()):
        exact = sum(
            (w * Fraction(v) for w, v in zip(weights, values[:, i].tolist(), strict=True)),
            Fraction(0),
        )
        assert abs(Fraction(seen) - exact) <= bound


@pytest.mark.parametrize("stochastic", [False, True])
def test_the_error_bound_holds_where_float64_is_nearly_as_coarse_as_a_step(
    stochastic: bool,
) -> None:
    """A weighted value of 2^52 steps is rounded twice: as a product, and to a step."""
    q = Quantizer(1, 64, 1.0, max_weight=1000)
    values = np.random.default_rng(0).uniform(-1e-3, 1e-3, 5000)
    words, _ = q.encode(values, 997, generator(stochastic, 1))
    bound = Fraction(q.error_bound(1, stochastic=stochastic))
    for value, seen in zip(values.tolist(), q.decode(words).tolist(), strict=True):
        assert abs(Fraction(seen) - 997 * Fraction(value)) <= bound


def test_the_error_bound_is_half_a_step_a_client_or_one() -> None:
    """What float64 adds to it is nothing at the widths that are used."""
    q = Quantizer(10, 32, 4.0)
    assert q.error_bound(10, stochastic=False) == pytest.approx(5 * q.step, rel=1e-5)
    assert q.error_bound(7, stochastic=True) == pytest.approx(7 * q.step, rel=1e-5)


@given(quantizers(), st.sampled_from(sorted(ROUNDINGS)), st.data())
def test_multiples_of_the_step_are_exact(q: Quantizer, how: str, data: st.DataObject) -> None:
    """The scale is a power of two: nothing is rounded, whichever way it would be."""
    top = min(int(Fraction(q.clip) * Fraction(q.scale)), 2**53)
    steps = data.draw(st.lists(st.integers(-top, top), min_size=1, max_size=8))
    values = [math.ldexp(m, int(math.log2(q.step))) for m in steps]
    words, clipped = q.encode(values, 1, ROUNDINGS[how])
    assert clipped == 0
    assert signed(q, words) == steps
    assert q.decode(words).tolist() == values


@pytest.mark.parametrize("bits", WIDTHS)
@pytest.mark.parametrize("n", [1, 26, 31, 32, 33, 65])
def test_the_scale_is_the_finest_power_of_two(bits: int, n: int) -> None:
    q = Quantizer(n, bits, 1.0)
    assert math.log2(q.scale).is_integer()
    assert n * int(q.scale) <= 2 ** (bits - 1) - 1 < n * int(2 * q.scale)


@given(st.integers(-(2**20), 2**20), st.floats(0, 1, exclude_max=True), seeds)
@example(2**51, 0.5, 0)
@example(2**52, 0.0, 0)
@example(-(2**51) - 1, 0.5, 0)
def test_stochastic_rounding_is_right_on_average(whole: int, part: float, seed: int) -> None:
    """The mean of 4096 roundings is within five of its standard deviations."""
    q = Quantizer(1, 64, 1.0)
    number = whole + part
    fraction = number - math.floor(number)
    words, _ = q.encode(np.full(4096, number * q.step), 1, np.random.default_rng(seed))
    above = np.array([word - math.floor(number) for word in signed(q, words)])
    assert set(above.tolist()) <= {0, 1}
    deviation = math.sqrt(fraction * (1 - fraction) / 4096)
    assert abs(above.mean() - fraction) <= 5 * deviation + 5 / 4096


@pytest.mark.parametrize("bits", [np.random.PCG64, np.random.SFC64, np.random.MT19937])
def test_coordinates_are_rounded_independently(bits: type[np.random.BitGenerator]) -> None:
    """Neighbours too, which share a draw; whatever the bit generator draws at a time."""
    q = Quantizer(1, 32, 4.0)
    words, _ = q.encode(np.full(4000, q.step / 2), 1, np.random.Generator(bits(5)))
    pairs = np.unique(words.reshape(-1, 2), axis=0, return_counts=True)[1]
    assert len(pairs) == 4
    assert (np.abs(pairs - 500) < 100).all()


# No wrapping


@given(quantizers(), st.sampled_from([-1.0, 1.0]), st.sampled_from(sorted(ROUNDINGS)))
@example(Quantizer(65, 8, 1.0), 1.0, "lowest")
@example(Quantizer(127, 8, 1.0), -1.0, "lowest")
@example(Quantizer(3, 64, 0.1, max_weight=999), 1.0, "lowest")
@example(Quantizer(2, 64, 1e6 / 3, max_weight=16384), -1.0, "highest")
@example(Quantizer(1, 64, math.nextafter(1.0, 0.0), max_weight=3), 1.0, "lowest")
@example(Quantizer(1, 8, math.nextafter(0.5, 1.0)), 1.0, "lowest")
def test_a_sum_of_n_extreme_vectors_does_not_wrap(q: Quantizer, sign: float, how: str) -> None:
    """Every client at ±clip or beyond, with the largest weight, whichever way it is rounded."""
    rng = ROUNDINGS[how]
    values = sign * np.array([q.clip, math.nextafter(q.clip, 0.0), 2 * q.clip, q.clip * 0.999])
    words, _ = q.encode(values, q.max_weight, rng)
    for word in signed(q, words):
        assert abs(word) <= largest(q)
        assert -(2 ** (q.bits - 1)) < q.n * word < 2 ** (q.bits - 1)
    total = q.decode(ring_sum(q, [words] * q.n))
    for seen, word in zip(total.tolist(), signed(q, words), strict=True):
        assert seen == float(q.n * word) * q.step
    assert (sign * total >= 0).all()


@given(quantizers())
def test_a_finer_scale_is_refused_and_the_bits_it_names_do(q: Quantizer) -> None:
    wanted = {"clip": q.clip, "max_weight": q.max_weight, "scale": 2 * q.scale}
    with pytest.raises(LocalProtocolError, match=r"can wrap .* expected \d+ bits") as refusal:
        Quantizer(q.n, q.bits, **wanted)
    needed = int(re.search(r"expected (\d+) bits", str(refusal.value))[1])
    assert needed > q.bits
    assume(needed <= 64)
    assert Quantizer(q.n, needed, **wanted).bits == needed
    with pytest.raises(LocalProtocolError, match=f"expected {needed} bits"):
        Quantizer(q.n, needed - 1, **wanted)


@given(st.integers(2, 10**6), st.data())
def test_too_few_bits_for_the_clients_alone(n: int, data: st.DataObject) -> None:
    bits = data.draw(st.integers(2, n.bit_length()))
    assume(n > 2 ** (bits - 1) - 1)
    with pytest.raises(LocalProtocolError, match="bits cannot hold") as refusal:
        Quantizer(n, bits, 1.0)
    needed = int(re.search(r"expected (\d+) bits", str(refusal.value))[1])
    assert Quantizer(n, needed, 1.0).bits == needed


@pytest.mark.parametrize(
    ("arguments", "seen"),
    [
        ({"n": 0}, "n=0"),
        ({"bits": 1}, "bits=1"),
        ({"bits": 65}, "bits=65"),
        ({"max_weight": 0}, "max_weight=0"),
        ({"clip": 0.0}, "clip=0.0"),
        ({"clip": -1.0}, "clip=-1.0"),
        ({"clip": math.inf}, "clip=inf"),
        ({"clip": math.nan}, "clip=nan"),
        ({"scale": 3.0}, "scale=3.0, expected a power of two"),
        ({"scale": -2.0}, "scale=-2.0, expected a power of two"),
        ({"scale": math.inf}, "scale=inf, expected a power of two"),
        ({"scale": math.nan}, "scale=nan, expected a power of two"),
        ({"scale": 2.0**-1074}, "scale=5e-324"),
        ({"max_weight": 10**400}, "clip=1.0"),
        ({"bits": 8, "clip": 1e308, "max_weight": 10**6}, r"clip=1e\+308"),
    ],
)
def test_what_the_constructor_refuses(arguments: dict[str, float], seen: str) -> None:
    good = {"n": 2, "bits": 32, "clip": 1.0}
    assert Quantizer(**good).n == 2
    with pytest.raises(LocalProtocolError, match=seen):
        Quantizer(**(good | arguments))


@given(st.floats(5e-324, 1e-290), st.sampled_from(WIDTHS))
def test_a_tiny_clip_has_a_scale_all_the_same(clip: float, bits: int) -> None:
    q = Quantizer(3, bits, clip)
    words, _ = q.encode([clip, -clip], 1)
    bound = q.error_bound(1, stochastic=False)
    assert np.abs(q.decode(words) - [clip, -clip]).max() <= bound < math.inf


# Words


@pytest.mark.parametrize("bits", WIDTHS)
def test_decoding_reads_twos_complement_of_the_low_bits(bits: int) -> None:
    q = Quantizer(1, bits, 1.0, scale=1.0)
    top = 2 ** (bits - 1)
    numbers = [0, 1, top - 1, top, 2 * top - 1, 2 * top - 2]
    words = np.array(numbers, q.dtype)
    expected = [0.0, 1.0, float(top - 1), -float(top), -1.0, -2.0]
    assert q.decode(words).tolist() == expected
    garbage = words | q.dtype.type((2 ** (8 * q.dtype.itemsize) - 1) // 2**bits * 2**bits)
    assert q.decode(garbage).tolist() == expected
    assert q.decode(words).dtype == np.float64


@given(quantizers())
def test_words_are_of_the_dtype_of_a_vector_of_these_bits(q: Quantizer) -> None:
    words, _ = q.encode(np.zeros(3, np.float32))
    assert words.dtype == q.dtype == VectorSpec("x", 3, q.bits).dtype
    assert words.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("value", "word"), [(0.5, 0), (1.5, 2), (2.5, 2), (-0.5, 0), (-1.5, 254), (-2.5, 254)]
)
def test_the_nearest_and_of_two_the_even(value: float, word: int) -> None:
    words, _ = Quantizer(1, 8, 4.0, scale=1.0).encode([value])
    assert words.tolist() == [word]


def test_clipped_values_are_counted() -> None:
    q = Quantizer(2, 32, 1.0)
    words, clipped = q.encode([-5.0, -1.0, 0.0, 1.0, 1.0000001, 1e300])
    assert clipped == 3
    assert q.decode(words).tolist() == [-1.0, -1.0, 0.0, 1.0, 1.0, 1.0]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("first", [0, 3, 9])
def test_the_first_value_that_is_not_finite_is_named(bad: float, first: int) -> None:
    values = np.zeros(10)
    values[first:] = bad
    with pytest.raises(LocalProtocolError, match=f"value {first} is not finite"):
        Quantizer(2, 32, 1.0).encode(values)


@pytest.mark.parametrize("weight", [-1, 8, 10**30, math.nan])
def test_a_weight_outside_its_range_is_refused(weight: int) -> None:
    q = Quantizer(2, 32, 1.0, max_weight=7)
    assert q.decode(q.encode([1.0], 7)[0]).tolist() == [7.0]
    assert q.decode(q.encode([1.0], 0)[0]).tolist() == [0.0]
    with pytest.raises(
        LocalProtocolError, match=r"a weight out of range, expected an integer in 0\.\.max_weight=7"
    ):
        q.encode([1.0], weight)


@pytest.mark.parametrize("rounding", [None, 7])
def test_blocks_do_not_show(rounding: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same words, and as many clipped, however the values are divided; the rng draws on."""
    quantizer = Quantizer(3, 16, 1.0)
    values = np.linspace(-1.5, 1.5, 101)

    def encoded() -> tuple[list[int], int]:
        rng = None if rounding is None else np.random.default_rng(rounding)
        words, clipped = quantizer.encode(values, rng=rng)
        return words.tolist(), clipped

    whole = encoded()
    monkeypatch.setattr("secagg.quantize._BLOCK", 8)
    assert encoded() == whole
    assert whole[1] > 0
