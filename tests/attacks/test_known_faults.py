"""Faults that were seen in other systems, each tried against this one."""

from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

import secagg
from secagg import masks, wire
from secagg.errors import TooFewClients
from secagg.keys import Transcript
from secagg.messages import MaskedInput
from tests.helpers.party import Party
from tests.helpers.steady import Steady, Stream

SEED = Stream("seed")(masks.SEED_BYTES)


def flipped(raw: bytes, bit: int) -> bytes:
    octets = bytearray(raw)
    octets[bit // 8] ^= 1 << bit % 8
    return bytes(octets)


def session(
    n: int, spec: secagg.VectorSpec, *, ids: list[int] | None = None, **kwargs: Any
) -> tuple[secagg.Aggregate, dict[int, Any]]:
    """One session of random inputs over the whole ring; the result and the inputs."""
    ids = ids or list(range(n))
    rng = np.random.default_rng(n)
    top = 2**spec.bits - 1
    inputs = {
        u: rng.integers(0, top, spec.length, spec.dtype, endpoint=True).astype(spec.dtype)
        for u in ids
    }
    drop = kwargs.pop("drop", None)
    params = secagg.Params(n, (spec,), **kwargs)
    return secagg.run(params, inputs, drop=drop), inputs


def true_sum(spec: secagg.VectorSpec, inputs: dict[int, Any], survivors: Any) -> list[int]:
    """With Python's integers, that do not overflow."""
    columns = zip(*(inputs[u].tolist() for u in survivors), strict=True)
    return [sum(column) % 2**spec.bits for column in columns]


# A seed of 256 bits folded into the 32 of a random number generator; seeds of 16 bits.


def test_every_bit_of_a_seed_changes_the_whole_mask() -> None:
    mask = masks.expand(SEED, 64, "<u8")
    for bit in range(8 * masks.SEED_BYTES):
        other = masks.expand(flipped(SEED, bit), 64, "<u8")
        assert np.count_nonzero(mask == other) == 0


def test_every_bit_of_a_secret_changes_the_whole_seed() -> None:
    binding, secret = Transcript(bytes(32), bytes(32)), Stream("secret")(32)
    derived = {binding.self_seed(secret, 1), binding.pairwise_seed(secret, 1, 2)}
    for bit in range(256):
        other = flipped(secret, bit)
        derived |= {binding.self_seed(other, 1), binding.pairwise_seed(other, 1, 2)}
    assert len(derived) == 2 * 257
    assert len({seed[:4] for seed in derived}) > 2 * 257 - 3  # not a few bits that vary


def test_the_pseudorandom_generator_is_aes_and_not_numpys() -> None:
    """The first block of the keystream is AES-128 of the counter block."""
    block = Cipher(AES(SEED[:16]), ECB()).encryptor().update(SEED[16:] + bytes(8))
    assert masks.expand(SEED, 16, "u1").tobytes() == block


# Masks of 16 bits in a ring of 20; masks that repeat.


@pytest.mark.parametrize("bits", [1, 7, 8, 9, 13, 16, 20, 24, 31, 32, 33, 48, 63, 64])
def test_a_mask_covers_every_bit_of_the_ring(bits: int) -> None:
    """Of 64 zero words each bit is masked to one somewhere and to zero elsewhere."""
    spec = secagg.VectorSpec("x", 64, bits)
    seen = []

    def link(sender: int | None, receiver: int | None, frame: bytes) -> bytes:
        if isinstance(message := wire.decode(frame), MaskedInput):
            packed = np.frombuffer(message.vectors[0], np.uint8)
            words = np.unpackbits(packed, bitorder="little")[: bits * 65].reshape(65, bits)
            seen.append(words)
        return frame

    params = secagg.Params(3, (spec,), session=b"the bits of masks")
    zeros = {u: np.zeros(64, spec.dtype) for u in range(3)}
    result = secagg.run(params, zeros, rand=Stream("bits", bits), link=link)
    assert result.sum.tolist() == [0] * 64
    for words in seen:
        assert words.any(axis=0).all()
        assert not words.all(axis=0).any()


def test_a_mask_is_not_used_again_in_the_next_session() -> None:
    """The same clients, inputs and identity keys: the difference of two y_u is no difference."""
    vectors = []
    for _ in range(2):
        party = Party(5).after(1)
        party.collect()
        vectors.append({u: bytes(reply.vectors[0]) for u, reply in party.replies.items()})  # type: ignore[union-attr]
    first, second = vectors
    assert all(first[u] != second[u] for u in first)


@pytest.mark.parametrize("length", [1, 509, 510, 511, 512, 65_537, 200_000])
def test_vectors_of_any_length(length: int) -> None:
    """A generator that ends after 255 blocks of HKDF leaves the rest of the vector bare."""
    spec = secagg.VectorSpec("x", length, 16)
    result, inputs = session(3, spec)
    assert result.sum.tolist() == true_sum(spec, inputs, result.survivors)
    tail = masks.expand(SEED, length, "<u2")[-64:]
    assert len(tail) < 64 or np.count_nonzero(tail) > 50


# Masks over U1 where U2 is meant; a dropout in an early round loses the session.


@pytest.mark.parametrize("round", range(5))
@pytest.mark.parametrize("n", [5, 6])
def test_a_dropout_in_any_round(round: int, n: int) -> None:
    spec = secagg.VectorSpec("x", 9, 20)
    result, inputs = session(n, spec, drop={1: round})
    assert result.survivors == tuple(u for u in range(n) if u != 1 or round > 2)
    assert result.sum.tolist() == true_sum(spec, inputs, result.survivors)


# Wrong sums at exactly t survivors, at even numbers of shares, from 26 clients on, at the 32nd.


@pytest.mark.parametrize("n", range(2, 10))
@pytest.mark.parametrize("round", range(5))
def test_exactly_t_and_one_fewer(n: int, round: int) -> None:
    spec = secagg.VectorSpec("x", 4, 32)
    t = 2 * n // 3 + 1
    result, inputs = session(n, spec, drop=dict.fromkeys(range(n - t), round))
    assert result.sum.tolist() == true_sum(spec, inputs, result.survivors)
    assert len(result.survivors) == (t if round < 3 else n)
    with pytest.raises(TooFewClients):
        session(n, spec, drop=dict.fromkeys(range(n - t + 1), round))


@pytest.mark.parametrize("bits", [24, 64])
@pytest.mark.parametrize("n", [25, 26, 27, 31, 32, 33])
def test_numbers_of_clients_at_which_others_overflow_or_crash(n: int, bits: int) -> None:
    """Products in the field and sums in the ring: int64 is not enough for 26 of the first."""
    spec = secagg.VectorSpec("x", 5, bits)
    result, inputs = session(n, spec, drop={3: 2, 7: 4, 11: 0})
    assert len(result.survivors) == n - 2
    assert result.sum.tolist() == true_sum(spec, inputs, result.survivors)


def test_the_largest_words_wrap_and_nothing_else() -> None:
    spec = secagg.VectorSpec("x", 3, 64)
    inputs = {u: np.full(3, 2**64 - 1, "<u8") for u in range(33)}
    result = secagg.run(secagg.Params(33, (spec,)), inputs)
    assert result.sum.tolist() == [33 * (2**64 - 1) % 2**64] * 3


@pytest.mark.parametrize(
    "ids", [[0x20, 0x2020, 0x20202020, 0x0A, 0x0D], [0, 1, 2**32, 2**62, 2**63 - 1]]
)
def test_ids_that_contain_a_space_or_fill_their_bytes(ids: list[int]) -> None:
    spec = secagg.VectorSpec("x", 3, 16)
    result, inputs = session(5, spec, ids=ids, drop={ids[1]: 2})
    assert result.survivors == tuple(sorted(set(ids) - {ids[1]}))
    assert result.sum.tolist() == true_sum(spec, inputs, result.survivors)


# Secrets and inputs that travel in the clear; the public key that is the secret key.


def test_no_frame_holds_a_secret_or_an_input() -> None:
    party, frames = Steady(5), []
    party.inputs = {u: np.frombuffer(Stream("input", u)(6), "<u2") for u in party.ids}
    party.clients = {u: party.client(u) for u in party.ids}
    secrets: list[bytes] = [vector.tobytes() for vector in party.inputs.values()]
    for round in range(5):
        party.collect()
        if round == 0:
            states: list[Any] = [client._state for client in party.clients.values()]
            secrets += [key for s in states for key in (s.c_sk, s.s_sk, s.b_u)]
        if round == 2:
            helds: list[Any] = [client._state.held for client in party.clients.values()]  # type: ignore[union-attr]
            unreleased = [share.s_share for held in helds for share in held.values()]
        party.close()
        frames += [wire.encode(m) for m in (*party.replies.values(), *party.outbox.values())]
    assert len(secrets) == 5 + 3 * 5
    assert len(unreleased) == 4 * 5
    everything = b"".join(frames)
    assert not [secret for secret in (*secrets, *unreleased) if secret in everything]


@pytest.mark.parametrize("bits", [8, 20, 24, 32])
def test_a_parameter_costs_its_bits_and_not_eight_bytes(bits: int) -> None:
    spec, sizes = secagg.VectorSpec("x", 10_000, bits), []

    def link(sender: int | None, receiver: int | None, frame: bytes) -> bytes:
        if isinstance(wire.decode(frame), MaskedInput):
            sizes.append(len(frame))
        return frame

    zeros = {u: np.zeros(10_000, spec.dtype) for u in range(3)}
    secagg.run(secagg.Params(3, (spec,)), zeros, link=link)
    assert max(sizes) < 10_000 * bits / 8 + 100


# A bound that forgets the victim's own share, or does not bound at all.


@pytest.mark.parametrize(("n", "corrupt"), [(5, 2), (6, 1), (9, 4), (100, 20)])
def test_t_is_above_half_of_all_holders_the_owner_included(n: int, corrupt: int) -> None:
    least = (n + corrupt) // 2 + 1
    spec = (secagg.VectorSpec("x", 1, 8),)
    assert secagg.Params(n, spec, t=least, corrupt=corrupt).t == least
    with pytest.raises(secagg.LocalProtocolError, match=f"at least t={least}"):
        secagg.Params(n, spec, t=least - 1, corrupt=corrupt)
