"""What the property tests draw, and the few helpers that several of them share."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import strategies as st

from secagg import VectorSpec
from secagg.masks.prg import RingVector
from secagg.messages import (
    AdvertiseKeys,
    AnyMessage,
    Ciphertexts,
    ConsistencyCheck,
    MaskedInput,
    Roster,
    ShareKeys,
    Signatures,
    Survivors,
    Unmasking,
)

DTYPES = ("<u1", "<u2", "<u4", "<u8")
MAX_ID = 2**63 - 1

ids = st.one_of(st.integers(0, 40), st.integers(0, MAX_ID), st.sampled_from([2**32, MAX_ID]))
"""Client ids: small ones, which collide with indices, and any other."""

seeds = st.integers(0, 2**32 - 1)
"""Seeds of numpy generators: Hypothesis chooses the seed, numpy fills the array."""


def client_ids(min_size: int, max_size: int) -> st.SearchStrategy[list[int]]:
    """Distinct client ids, in any order."""
    return st.lists(ids, min_size=min_size, max_size=max_size, unique=True)


@st.composite
def vector_specs(draw: st.DrawFn, max_vectors: int = 3, max_length: int = 9) -> list[VectorSpec]:
    """A few vectors, each with its own length and width."""
    widths = st.one_of(st.sampled_from([8, 13, 24, 32, 33, 64]), st.integers(1, 64))
    names = draw(
        st.lists(st.text("abxyzΣ ", min_size=1), min_size=1, max_size=max_vectors, unique=True)
    )
    return [VectorSpec(name, draw(st.integers(1, max_length)), draw(widths)) for name in names]


def random_words(rng: np.random.Generator, length: int, dtype: object) -> RingVector:
    """Uniform words of a whole dtype."""
    wanted = np.dtype(dtype)  # type: ignore[call-overload]
    return np.frombuffer(rng.bytes(length * wanted.itemsize), wanted).copy()


class CounterRand:
    """`rand` for a test: block i is SHAKE-256(seed ‖ i), so that a call's bytes can be told."""

    def __init__(self, seed: bytes) -> None:
        self.seed, self.calls = seed, 0

    def __call__(self, count: int) -> bytes:
        block = hashlib.shake_256(self.seed + self.calls.to_bytes(8, "little")).digest(count)
        self.calls += 1
        return block


@lru_cache
def signing_key(u: int) -> Ed25519PrivateKey:
    """The same identity key for a client id in all tests."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"%d" % u).digest())


def signing_keys(clients: Sequence[int]) -> dict[int, Ed25519PrivateKey]:
    """Identity keys for these clients."""
    return {u: signing_key(u) for u in clients}


packed = st.binary(max_size=300).map(memoryview)
"""A packed field of a message, of any length: `wire` does not judge it."""

_signatures = st.binary(min_size=64, max_size=64)
_digests = st.binary(min_size=32, max_size=32)
_id_tuples = st.lists(ids, max_size=6).map(tuple)

_certificates = st.one_of(st.just(b""), st.binary(max_size=96))

advertisements = st.builds(
    AdvertiseKeys, ids, _digests, _digests, _digests, _certificates, _signatures
)

messages: st.SearchStrategy[AnyMessage] = st.one_of(
    advertisements,
    st.builds(Roster.of, st.lists(advertisements, max_size=4)),
    st.builds(ShareKeys, ids, packed, _signatures),
    st.builds(Ciphertexts, _id_tuples, packed),
    st.builds(MaskedInput, ids, st.lists(packed, max_size=4).map(tuple), _id_tuples, _signatures),
    st.builds(Survivors, _id_tuples),
    st.builds(ConsistencyCheck, ids, _signatures),
    st.builds(Signatures.of, _id_tuples, st.lists(_signatures, max_size=4)),
    st.builds(Unmasking, ids, packed, _signatures),
)
"""Any message that has an encoding, sensible or not."""
