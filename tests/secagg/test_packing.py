"""Packed words are one bit string, and one vector has one packing."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from secagg import VectorSpec
from secagg.errors import RemoteProtocolError
from secagg.packing import _GROUPS, RingVector, pack, reduce_words, unpack
from tests.helpers.strategies import random_words, seeds

widths = st.integers(1, 64)
counts = st.integers(1, 40)
STEP = 8 * _GROUPS  # words packed at once


def spec_of(bits: int, count: int) -> VectorSpec:
    return VectorSpec("x", count, bits)


def reference(words: list[int], bits: int) -> bytes:
    """The formula: word i fills bits [i·bits, (i+1)·bits) of one long little-endian integer."""
    number = sum((word % 2**bits) << (i * bits) for i, word in enumerate(words))
    return number.to_bytes((bits * len(words) + 7) // 8, "little")


def drawn(bits: int, count: int, seed: int) -> RingVector:
    """Words of the whole dtype: bits above `bits` are there, and must not travel."""
    return random_words(np.random.default_rng(seed), count, spec_of(bits, count).dtype)


@given(widths, counts, seeds)
def test_packing_is_the_formula(bits: int, count: int, seed: int) -> None:
    words = drawn(bits, count, seed)
    assert bytes(pack(spec_of(bits, count), words)) == reference(words.tolist(), bits)


@pytest.mark.parametrize("bits", range(1, 65))
def test_every_width_and_length_roundtrips(bits: int) -> None:
    for count in range(1, 42):
        spec, words = spec_of(bits, count), drawn(bits, count, count)
        before = words.copy()
        packed = pack(spec, words)
        assert (words == before).all()
        assert bytes(packed) == reference(words.tolist(), bits)
        unpacked = unpack(spec, count, packed)
        assert unpacked.dtype == spec.dtype
        assert unpacked.tolist() == [word % 2**bits for word in words.tolist()]


@pytest.mark.parametrize("bits", [1, 7, 8, 13, 24, 31, 33, 40, 63, 64])
@pytest.mark.parametrize("count", [STEP - 1, STEP, STEP + 1, 2 * STEP + 9])
def test_steps_join_without_a_seam(bits: int, count: int) -> None:
    spec, words = spec_of(bits, count), drawn(bits, count, count)
    packed = pack(spec, words)
    as_bits = (words[:, None] >> np.arange(bits, dtype=spec.dtype) & spec.dtype.type(1)) > 0
    assert bytes(packed) == np.packbits(as_bits.reshape(-1), bitorder="little").tobytes()
    reduce_words(spec, words)
    assert (unpack(spec, count, packed) == words).all()


@given(widths, counts)
@example(64, 1)
@example(1, 1)
def test_the_largest_words(bits: int, count: int) -> None:
    spec = spec_of(bits, count)
    words = np.full(count, 2**bits - 1, spec.dtype)
    packed = pack(spec, words)
    assert int.from_bytes(packed, "little") == 2 ** (bits * count) - 1
    assert unpack(spec, count, packed).tolist() == words.tolist()


def test_packed_by_hand() -> None:
    """Three words of 13 bits: 1, 2 and 2^13 − 1."""
    spec = spec_of(13, 3)
    packed = pack(spec, np.array([1, 2, 2**13 - 1], "<u2"))
    assert bytes(packed).hex() == (1 | 2 << 13 | (2**13 - 1) << 26).to_bytes(5, "little").hex()
    assert bytes(packed).hex() == "014000fc7f"


@given(widths, counts, seeds, st.data())
def test_a_padding_bit_that_is_set_is_refused(
    bits: int, count: int, seed: int, data: st.DataObject
) -> None:
    spec = spec_of(bits, count)
    packed = bytearray(pack(spec, drawn(bits, count, seed)))
    padding = range(bits * count, 8 * len(packed))
    if not padding:
        return
    bit = data.draw(st.sampled_from(padding))
    packed[bit // 8] |= 1 << bit % 8
    with pytest.raises(RemoteProtocolError, match="'x': padding bits are set"):
        unpack(spec, count, memoryview(packed))


@given(widths, counts, seeds, st.integers(-3, 3).filter(bool))
def test_a_wrong_length_is_refused(bits: int, count: int, seed: int, extra: int) -> None:
    spec = spec_of(bits, count)
    packed = bytes(pack(spec, drawn(bits, count, seed)))
    wrong = packed[:extra] if extra < 0 else packed + bytes(extra)
    seen = f"'x' has {len(wrong)} bytes, expected {len(packed)} for {count} words"
    with pytest.raises(RemoteProtocolError, match=seen):
        unpack(spec, count, memoryview(wrong))


@given(widths, counts, seeds, st.integers(0, 15))
def test_a_view_at_any_offset_is_unpacked(bits: int, count: int, seed: int, offset: int) -> None:
    """A packed field stands in the middle of a frame, so it is not aligned."""
    spec, words = spec_of(bits, count), drawn(bits, count, seed)
    frame = bytes(offset) + bytes(pack(spec, words)) + b"tail"
    unpacked = unpack(spec, count, memoryview(frame)[offset:-4])
    reduce_words(spec, words)
    assert unpacked.tolist() == words.tolist()
    assert np.add(words, unpacked).dtype == spec.dtype


@given(widths, counts, seeds)
def test_truncation_is_a_homomorphism(bits: int, count: int, seed: int) -> None:
    """Packed and added is added and packed: only the low bits count."""
    spec, one, two = spec_of(bits, count), drawn(bits, count, seed), drawn(bits, count, seed + 1)
    after = unpack(spec, count, pack(spec, one)) + unpack(spec, count, pack(spec, two))
    assert bytes(pack(spec, after)) == bytes(pack(spec, one + two))
    reduce_words(spec, after)
    wide = zip(one.tolist(), two.tolist(), strict=True)
    assert after.tolist() == [(a + b) % 2**bits for a, b in wide]


@given(widths, st.integers(1, 10**6))
def test_a_spec_knows_its_bytes_on_the_wire(bits: int, length: int) -> None:
    """The hidden tally word is one more."""
    assert spec_of(bits, length).packed_bytes == -(-bits * (length + 1) // 8)
