"""AEGIS-128X2 as the PRG of masks: several times as fast as AES-CTR where AES is vectorised.

    PRG(key ‖ nonce) = for each vector, for each chunk of 256 KiB:
        AEGIS-128X2(key, nonce ‖ 24-bit vector index ‖ 40-bit chunk number) of zeros, without tag

Chunks have nonces of their own, so no state is kept between them and no two are of one keystream.
The cipher is that of `pyaegis`, an optional package.  What the suite rests on: docs/security.md.
"""

from collections.abc import Sequence

import numpy as np

from secagg.errors import LocalProtocolError
from secagg.masks import CHUNK_BYTES, RingVector


class Aegis128X2:
    """AEGIS-128X2. Raises LocalProtocolError where the package `pyaegis` is not installed."""

    def __init__(self) -> None:
        try:
            import pyaegis
        except ImportError:
            raise LocalProtocolError(
                "suite aegis128x2: pyaegis is not installed: pip install 'secagg[aegis]'"
            ) from None
        self._cipher = pyaegis.Aegis128X2(tag_size=16)
        self._keystream = np.empty(CHUNK_BYTES, np.uint8)

    def add(self, vectors: Sequence[RingVector], seed: bytes, direction: int) -> None:
        """Add (+1) or subtract (−1) the mask of `seed` to all vectors, in place."""
        key, nonce = seed[:16], seed[16:]
        add = np.add if direction == 1 else np.subtract
        for index, vector in enumerate(vectors):
            prefix, step = nonce + index.to_bytes(3, "big"), CHUNK_BYTES // vector.itemsize
            for number, start in enumerate(range(0, len(vector), step)):
                chunk = vector[start : start + step]
                keystream = self._keystream[: chunk.nbytes]
                keystream.fill(0)
                # In place, as with an output of its own the package also returns a copy of that.
                self._cipher.encrypt_inplace(
                    key, prefix + number.to_bytes(5, "big"), keystream.data
                )
                add(chunk, keystream.view(vector.dtype), out=chunk)
