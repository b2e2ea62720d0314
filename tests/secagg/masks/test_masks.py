"""Masks cancel in every ring, and one that stays hides all of it."""

import hashlib
from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from hypothesis import given
from hypothesis import strategies as st

from secagg.errors import LocalProtocolError
from secagg.masks import add_masks, add_pairwise_masks, expand, pairwise, sign
from secagg.masks.prg import RingVector
from tests.helpers.strategies import DTYPES, client_ids, random_words, seeds

SEED = bytes(range(24))
CHUNK = 256 * 1024

shapes = st.lists(st.tuples(st.sampled_from(DTYPES), st.integers(0, 40)), min_size=1, max_size=3)


def pair_seed(u: int, v: int) -> bytes:
    return hashlib.sha256(b"%d %d" % (min(u, v), max(u, v))).digest()[:24]


def seeds_of(u: int, clients: Sequence[int]) -> dict[int, bytes]:
    return {v: pair_seed(u, v) for v in clients if v != u}


def keystream(seed: bytes, index: int, count: int) -> bytes:
    """The PRG as the docstring of `masks` has it, from the block cipher alone."""
    blocks = b"".join(
        seed[16:] + index.to_bytes(3, "big") + number.to_bytes(5, "big")
        for number in range(-(-count // 16))
    )
    return Cipher(AES(seed[:16]), ECB()).encryptor().update(blocks)[:count]


def total(vectors: Sequence[RingVector]) -> RingVector:
    return np.sum(np.stack(vectors), axis=0, dtype=vectors[0].dtype)


# Cancellation


@given(client_ids(1, 7), shapes, seeds)
def test_pairwise_masks_cancel(clients: list[int], shapes: list[tuple[str, int]], s: int) -> None:
    rng = np.random.default_rng(s)
    inputs = {u: [random_words(rng, length, dtype) for dtype, length in shapes] for u in clients}
    masked = {u: [x.copy() for x in inputs[u]] for u in clients}
    for u in clients:
        add_pairwise_masks(masked[u], u, seeds_of(u, clients))
    for i in range(len(shapes)):
        expected = total([inputs[u][i] for u in clients])
        seen = total([masked[u][i] for u in clients])
        assert seen.tolist() == expected.tolist()


@given(client_ids(2, 6), st.sampled_from(DTYPES), st.data())
def test_masks_of_any_graph_cancel(clients: list[int], dtype: str, data: st.DataObject) -> None:
    pairs = list(combinations(clients, 2))
    edges = data.draw(st.lists(st.sampled_from(pairs), unique=True))
    masked = {u: np.zeros(5, dtype) for u in clients}
    for u, v in edges:
        add_pairwise_masks([masked[u]], u, {v: pair_seed(u, v)})
        add_pairwise_masks([masked[v]], v, {u: pair_seed(u, v)})
    assert not total(list(masked.values())).any()


@given(shapes, seeds, st.sampled_from([1, -1]))
def test_a_mask_is_taken_off_by_the_other_sign(
    shapes: list[tuple[str, int]], s: int, direction: int
) -> None:
    rng = np.random.default_rng(s)
    vectors = [random_words(rng, length, dtype) for dtype, length in shapes]
    before = [vector.tolist() for vector in vectors]
    add_masks(vectors, [(SEED, direction)])
    add_masks(vectors, [(SEED, -direction)])
    assert [v.tolist() for v in vectors] == before


@given(client_ids(2, 2))
def test_of_a_pair_one_adds_and_the_other_subtracts(pair: list[int]) -> None:
    u, v = sorted(pair)
    assert (sign(u, v), sign(v, u)) == (-1, 1)


# One missing mask


def bins(words: RingVector) -> np.ndarray:
    """How often each byte value stands at each byte of a word: [bytes of a word, 256]."""
    octets = words.view(np.uint8).reshape(len(words), -1)
    return np.stack([np.bincount(column, minlength=256) for column in octets.T])


def chi_square(counts: np.ndarray) -> np.ndarray:
    """χ² against the uniform distribution, a row; 255 ± 22.6 where that is the truth."""
    expected = counts.sum(axis=1, keepdims=True) / 256
    return ((counts - expected) ** 2 / expected).sum(axis=1)


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_missing_mask_leaves_the_sum_uniform_over_the_whole_ring(dtype: str) -> None:
    clients, length = [4, 17, 2**40], 2**16 + 5
    masked = {u: [np.full(length, 3, dtype), np.full(length, 3, "<u8")] for u in clients}
    for u in clients:
        others = seeds_of(u, clients)
        if u == 17:
            del others[2**40]
        add_pairwise_masks(masked[u], u, others)
    for i in range(2):
        statistics = chi_square(bins(total([masked[u][i] for u in clients])))
        assert len(statistics) == masked[4][i].itemsize
        assert (statistics > 155).all()  # 4.4 standard deviations on either side
        assert (statistics < 355).all()


def test_the_uniformity_test_sees_a_mask_of_too_few_bits() -> None:
    narrow = expand(SEED, 2**16, "<u2").astype("<u4")
    statistics = chi_square(bins(narrow))
    assert (statistics[:2] < 355).all()
    assert (statistics[2:] > 10**6).all()


def test_no_block_of_keystream_is_used_twice() -> None:
    vectors: list[RingVector] = [np.zeros(2 * CHUNK + 160, np.uint8) for _ in range(3)]
    other: list[RingVector] = [np.zeros(CHUNK, np.uint8)]
    add_masks(vectors, [(SEED, 1)])
    add_masks(other, [(SEED[:-1] + b"\xff", 1)])  # the key is the same, the nonce is not
    blocks = np.concatenate([v.view("V16") for v in vectors + other])
    assert len(set(blocks.tolist())) == len(blocks)


# The keystream


def test_keystream_known_answer() -> None:
    """AES-128 of a zero block under the zero key, which GCM's specification calls H."""
    assert expand(bytes(24), 16, "<u1").tobytes().hex() == "66e94bd4ef8a2c3b884cfa59ca342b2e"
    assert expand(bytes(24), 4, "<u4").tolist() == [
        0xD44BE966, 0x3B2C8AEF, 0x59FA4C88, 0x2E2B34CA,
    ]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("extra", [-16, -1, 0, 1, 17])
def test_chunks_join_without_a_seam(dtype: str, extra: int) -> None:
    """Word lengths around one and two chunks, in the second of two vectors."""
    for chunks in (1, 2):
        length = chunks * CHUNK // np.dtype(dtype).itemsize + extra
        words = np.zeros(length, dtype)
        add_masks([np.zeros(3, "<u4"), words], [(SEED, 1)])
        assert words.tobytes() == keystream(SEED, 1, words.nbytes)


@given(st.binary(min_size=24, max_size=24), shapes)
def test_each_vector_has_the_keystream_of_its_index(
    seed: bytes, shapes: list[tuple[str, int]]
) -> None:
    vectors = [np.zeros(length, dtype) for dtype, length in shapes]
    add_masks(vectors, [(seed, 1)])
    for index, vector in enumerate(vectors):
        assert vector.tobytes() == keystream(seed, index, vector.nbytes)
        assert expand(seed, len(vector), vector.dtype, index=index).tolist() == vector.tolist()


def test_the_vector_index_has_three_bytes_and_does_not_reach_the_block_number() -> None:
    for index in (255, 256, 65536):
        assert expand(SEED, 40, np.uint8, index=index).tobytes() == keystream(SEED, index, 40)


def test_streams_add_up() -> None:
    other = SEED[::-1]
    both = np.zeros(9, "<u2")
    add_masks([both], [(SEED, 1), (other, -1), (SEED, 1)])
    one, two = expand(SEED, 9, "<u2"), expand(other, 9, "<u2")
    assert both.tolist() == (one + one - two).tolist()


# What is refused


def read_only() -> np.ndarray:
    vector = np.zeros(4, np.uint8)
    vector.flags.writeable = False
    return vector


@pytest.mark.parametrize(
    ("vector", "seen"),
    [
        (np.zeros(4, np.int32), "int32"),
        (np.zeros(4, np.float64), "float64"),
        (np.zeros(4, np.bool_), "bool"),
        (np.zeros((2, 2), np.uint8), r"uint8\[2, 2\]"),
        (np.zeros((), np.uint8), "uint8"),
        (np.zeros(8, np.uint8)[::2], "contiguous"),
        (np.zeros(4, ">u4"), "words of >u4, expected little-endian"),
        (read_only(), "writeable"),
        ([1, 2], "no array"),
    ],
)
def test_a_vector_that_cannot_be_masked_is_refused(vector: object, seen: str) -> None:
    good = np.zeros(4, np.uint8)
    with pytest.raises(LocalProtocolError, match=seen):
        add_masks([good, vector], [(SEED, 1)])  # type: ignore[list-item]
    assert not good.any()


@pytest.mark.parametrize("size", [0, 16, 23, 25, 32])
def test_a_seed_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(LocalProtocolError, match=f"seed has {size} bytes, expected 24"):
        add_masks([np.zeros(4, np.uint8)], [(bytes(size), 1)])


@pytest.mark.parametrize("direction", [0, 2, -2])
def test_a_sign_is_plus_or_minus_one(direction: int) -> None:
    with pytest.raises(LocalProtocolError, match=f"sign {direction}"):
        add_masks([np.zeros(4, np.uint8)], [(SEED, direction)])


def test_a_client_shares_no_mask_with_itself() -> None:
    with pytest.raises(LocalProtocolError, match="client 5"):
        sign(5, 5)
    with pytest.raises(LocalProtocolError, match="client 5"):
        add_pairwise_masks([np.zeros(4, np.uint8)], 5, {5: SEED})


def test_the_counters_do_not_overflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """2^40 blocks of one vector and 2^24 vectors: the same refusals at smaller limits."""
    assert (pairwise._MAX_BYTES, pairwise._MAX_VECTORS) == (16 * 2**40, 2**24)
    monkeypatch.setattr(pairwise, "_MAX_BYTES", 64)
    monkeypatch.setattr(pairwise, "_MAX_VECTORS", 4)
    add_masks([np.zeros(64, np.uint8)], [(SEED, 1)])
    add_masks([np.zeros(1, np.uint8)] * 3, [(SEED, 1)])
    with pytest.raises(LocalProtocolError, match="65 bytes, expected at most 64"):
        add_masks([np.zeros(65, np.uint8)], [(SEED, 1)])
    with pytest.raises(LocalProtocolError, match="4 vectors"):
        add_masks([np.zeros(1, np.uint8)] * 4, [(SEED, 1)])
