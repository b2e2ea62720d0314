"""The PRG of the masks: a seed to a keystream, added to vectors chunk by chunk.

The PRG is the keystream of AES-128-CTR read as little-endian words.  A seed is 24 bytes, key ‖
nonce; the first counter block is nonce ‖ 24-bit vector index ‖ 40-bit block number 0, so no two
vectors and no two seeds share a block.  Another stream cipher is another `Prg` (`aegis`).
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from numpy.typing import NDArray

RingVector = NDArray[np.unsignedinteger]
"""Words of a ring Z_2^w: they wrap by themselves."""

CHUNK_BYTES = 256 * 1024
"""Of keystream made and added at a time: it stays in L2, and so do the words it is added to."""

_ZEROS = memoryview(bytes(CHUNK_BYTES))

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
