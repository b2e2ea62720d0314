"""AEGIS-128X2 as the PRG of masks: several times as fast as AES-CTR where AES is vectorised.

    PRG(key ‖ nonce) = for each vector, for each chunk of 256 KiB:
        AEGIS-128X2(key, nonce ‖ 24-bit vector index ‖ 40-bit chunk number) of zeros, without tag

Chunks have nonces of their own, so no state is kept between them and no two are of one keystream.
The cipher is that of `pyaegis`, an optional package.  What the suite rests on: docs/security.md.
"""

from collections.abc import Sequence

import numpy as np

from secagg.errors import LocalProtocolError
from secagg.masks.prg import Adder, RingVector, cut


class Aegis128X2:
    """AEGIS-128X2. Raises LocalProtocolError where the package `pyaegis` is not installed."""

    def __init__(self) -> None:
        try:
            import pyaegis
        except ImportError:
            raise LocalProtocolError(
                "suite aegis128x2 without pyaegis, expected: pip install 'secagg[aegis]'"
            ) from None
        self._cipher = pyaegis.Aegis128X2(tag_size=16)

    def adder(self, vectors: Sequence[RingVector]) -> Adder:
        """A keystream for each chunk of each vector."""
        pieces = cut(vectors)

        def add(seed: bytes, direction: int) -> None:
            key, nonce = seed[:16], seed[16:]
            add_words = np.add if direction == 1 else np.subtract
            for index, chunks in enumerate(pieces):
                prefix = nonce + index.to_bytes(3, "big")
                for number, (chunk, keystream, words) in enumerate(chunks):
                    words.fill(0)
                    # In place: the package returns a copy of an output of its own.
                    self._cipher.encrypt_inplace(key, prefix + number.to_bytes(5, "big"), keystream)
                    add_words(chunk, words, out=chunk)

        return add
