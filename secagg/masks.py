"""Masks that cancel: y_u = x_u + PRG(b_u) + Σ_{v<u} PRG(s_uv) − Σ_{v>u} PRG(s_uv)   in Z_2^w.

The PRG is the keystream of AES-128-CTR read as little-endian words.  A seed is 24 bytes, key ‖
nonce; the first counter block is nonce ‖ 24-bit vector index ‖ 40-bit block number 0, so no two
vectors and no two seeds share a block.  The ring is the numpy dtype: words wrap by themselves.
Another stream cipher is another `Prg` (`aegis`).

This module can be used alone.  Two clients that share a seed hide their vectors from everybody
else, and the sum is what it was:

    >>> import numpy as np, secrets
    >>> from secagg import masks
    >>> seed = secrets.token_bytes(masks.SEED_BYTES)         # from a key agreement of 3 and 8
    >>> x3, x8 = np.array([1, 2], np.uint32), np.array([10, 20], np.uint32)
    >>> masks.add_pairwise_masks([x3], 3, {8: seed})         # in place
    >>> masks.add_pairwise_masks([x8], 8, {3: seed})
    >>> (x3 + x8).tolist()
    [11, 22]

What it does not do: agree on seeds, or recover from a client that disappears (`Client`, `Server`).
A seed used for two different vectors reveals their difference: it serves one session.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from numpy.typing import DTypeLike, NDArray

from secagg.errors import LocalProtocolError
from secagg.keys import SEED_BYTES

__all__ = ["SEED_BYTES", "AesCtr", "Prg", "add_masks", "add_pairwise_masks", "expand", "sign"]

RingVector = NDArray[np.unsignedinteger]

CHUNK_BYTES = 256 * 1024
"""Of keystream made and added at a time: it stays in L2, and so do the words it is added to."""

_ZEROS = memoryview(bytes(CHUNK_BYTES))
_MAX_BYTES = 2**40 * 16
_MAX_VECTORS = 2**24


Adder = Callable[[bytes, int], None]
"""(seed, direction): add (+1) or subtract (−1) the mask of the seed, in place."""


class Prg(Protocol):
    """A stream cipher that makes masks of seeds. One object serves one thread at a time."""

    def adder(self, vectors: Sequence[RingVector]) -> Adder:
        """What adds masks to these vectors, to all of them with each call.

        What `add_masks` has checked may be relied on: the seed's length, contiguous little-endian
        words, less than 2^24 vectors, none of more than 2^44 bytes.
        """


class AesCtr:
    """AES-128-CTR, the PRG of every session that does not choose another."""

    def adder(self, vectors: Sequence[RingVector]) -> Adder:
        """One keystream for each vector: it is made and added chunk by chunk."""
        pieces = cut(vectors)

        def add(seed: bytes, direction: int) -> None:
            key, nonce = seed[:16], seed[16:]
            encryptor = Cipher(AES(key), CTR(nonce + bytes(8))).encryptor()
            add_words = np.add if direction == 1 else np.subtract
            for index, chunks in enumerate(pieces):
                if index:  # the first begins where the encryptor does
                    encryptor.reset_nonce(nonce + index.to_bytes(3, "big") + bytes(5))
                for chunk, keystream, words in chunks:
                    encryptor.update_into(_ZEROS[: len(keystream)], keystream)
                    add_words(chunk, words, out=chunk)

        return add


def cut(vectors: Sequence[RingVector]) -> list[list[tuple[RingVector, memoryview, RingVector]]]:
    """Of each vector its chunks, each with as much room for keystream: as bytes, and as words.

    The room is the same for all chunks. It is cut once for all masks: for a short vector that is a
    fifth of a mask's time.
    """
    room = np.empty(CHUNK_BYTES, np.uint8)
    pieces = []
    for vector in vectors:
        step = CHUNK_BYTES // vector.itemsize
        chunks = (vector[start : start + step] for start in range(0, len(vector), step))
        rooms = ((chunk, room[: chunk.nbytes]) for chunk in chunks)
        pieces.append([(chunk, own.data, own.view(vector.dtype)) for chunk, own in rooms])
    return pieces


def sign(u: int, v: int) -> int:
    """How u adds the mask it shares with v: +1 where v < u, −1 where v > u."""
    if u == v:
        raise LocalProtocolError(f"client {u} shares no mask with itself")
    return 1 if v < u else -1


def add_pairwise_masks(
    vectors: Sequence[RingVector], u: int, seeds: Mapping[int, bytes], prg: Prg | None = None
) -> None:
    """Add to u's vectors, in place, the mask of every v in `seeds` with u's sign.

    Over any set of clients in which each pair added its mask, the sum is unchanged.

    Args:
        vectors: contiguous arrays of numpy's unsigned dtypes, little-endian, any lengths.
        u: this client's id.
        seeds: for each other client its 24-byte seed, the same on both sides.
        prg: the stream cipher, the same on both sides. Default: AES-128-CTR.
    """
    streams = [(_checked_seed(seed), sign(u, v)) for v, seed in seeds.items()]
    add_masks(vectors, streams, prg)


def add_masks(
    vectors: Sequence[RingVector], streams: Iterable[tuple[bytes, int]], prg: Prg | None = None
) -> None:
    """Add (+1) or subtract (−1) the mask of each (seed, sign) to all vectors, in place.

    Memory does not grow with the vectors. `prg` makes the masks; None is AES-128-CTR.
    """
    words = [_checked(vector) for vector in vectors]
    if len(words) >= _MAX_VECTORS:
        raise LocalProtocolError(f"{len(words)} vectors, expected less than 2^24")
    add = (AesCtr() if prg is None else prg).adder(words)
    for seed, direction in streams:
        if direction not in (1, -1):
            raise LocalProtocolError(f"a mask with the sign {direction}, expected +1 or -1")
        add(_checked_seed(seed), direction)


def expand(
    seed: bytes, length: int, dtype: DTypeLike, *, index: int = 0, prg: Prg | None = None
) -> RingVector:
    """The whole mask of one vector: `length` words. For tests and readers; `add_masks` is lean."""
    if index < 0:
        raise LocalProtocolError(f"index={index} is negative")
    vectors = [np.zeros(0, np.uint8) for _ in range(index)]
    mask: RingVector = np.zeros(length, dtype)
    add_masks([*vectors, mask], [(seed, 1)], prg)
    return mask


def _checked_seed(seed: bytes) -> bytes:
    if len(seed) != SEED_BYTES:
        raise LocalProtocolError(f"a seed has {len(seed)} bytes, expected {SEED_BYTES}")
    return seed


def _checked(vector: RingVector) -> RingVector:
    """The same memory as little-endian words, or LocalProtocolError."""
    fits = isinstance(vector, np.ndarray) and vector.ndim == 1 and vector.dtype.kind == "u"
    if not (fits and vector.flags.c_contiguous and vector.flags.writeable):
        seen = (
            f"{vector.dtype}{list(vector.shape)}" if isinstance(vector, np.ndarray) else "no array"
        )
        raise LocalProtocolError(
            f"a masked vector is a writeable contiguous 1-d array of unsigned words; seen {seen}"
        )
    if vector.nbytes > _MAX_BYTES:
        raise LocalProtocolError(f"{vector.nbytes} bytes overflow the 40-bit block counter")
    if vector.dtype != vector.dtype.newbyteorder("<"):
        raise LocalProtocolError(f"words must be little-endian, seen {vector.dtype}")
    return vector
