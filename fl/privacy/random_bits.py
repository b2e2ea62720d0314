"""Where the randomness of noise comes from: the keystream of AES-256 in counter mode.

    words = AES-256-CTR(key, counter 0, 1, 2, ...) of zeros, read as little-endian words of 64 bits

The key is 32 bytes of `os.urandom`, so noise can be predicted by nobody who does not hold the key;
numpy's generators are made for simulation and promise no such thing (their state follows from a few
of their outputs). `RandomBits.seeded` is for tests, and for what everybody may know, such as the
signs of a rotation.

Numbers are drawn without bias: `below` rejects, and a comparison with a probability is decided by
as many bits as it takes (`bernoulli`).
"""

from __future__ import annotations

import hashlib
import os
from typing import NoReturn

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CTR
from numpy.typing import NDArray

from fl.errors import PrivacyError

_LABEL = b"fl/privacy/bits/v1"
_KEY_BYTES = 32
_BITS_OF_BYTE = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)
_SIGNS_OF_BYTE = (1.0 - 2.0 * _BITS_OF_BYTE).astype(np.float64)

Words = NDArray[np.uint64]
Integers = NDArray[np.int64]


class RandomBits:
    """A stream of random words. One object serves one thread, and the process that made it.

    A copy in another process would repeat the stream, and two clients would have the same noise: a
    source that comes from another process refuses to draw, and it cannot be pickled.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) != _KEY_BYTES:
            raise PrivacyError(f"a key of {len(key)} bytes, expected {_KEY_BYTES}")
        self._keystream = Cipher(AES256(key), CTR(bytes(16))).encryptor()
        self._process = os.getpid()

    def __repr__(self) -> str:
        return "RandomBits()"

    def __reduce__(self) -> NoReturn:
        raise PrivacyError("random bits cannot be copied, expected a source for each process")

    @classmethod
    def from_system(cls) -> RandomBits:
        """Bits that nobody can predict: the source of all noise but that of tests."""
        return cls(os.urandom(_KEY_BYTES))

    @classmethod
    def seeded(cls, seed: bytes) -> RandomBits:
        """The same bits for the same seed: for tests, and for randomness that is public."""
        return cls(hashlib.sha256(_LABEL + seed).digest())

    def words(self, count: int) -> Words:
        """`count` uniform words of 64 bits, uint64 (count,)."""
        if os.getpid() != self._process:
            raise PrivacyError("random bits of another process, expected a source for each process")
        return np.frombuffer(self._keystream.update(bytes(8 * count)), "<u8")

    def integer(self, bits: int) -> int:
        """One uniform integer in 0..2^bits − 1; `bits` is a multiple of 64."""
        return int.from_bytes(self.words(bits // 64).tobytes(), "little")

    def below(self, bound: int, count: int) -> Integers:
        """`count` uniform integers in 0..bound − 1, int64 (count,); bound is 1..2^62.

        Words are cut to the bits of the bound, and those that are not below it are drawn again: at
        most half of them, each time.
        """
        if not 1 <= bound <= 2**62:
            raise PrivacyError(f"a bound of {bound}, expected 1..2^62")
        shift = np.uint64(64 - max((bound - 1).bit_length(), 1))
        drawn = (self.words(count) >> shift).astype(np.int64)
        while (again := np.flatnonzero(drawn >= bound)).size:
            drawn[again] = (self.words(again.size) >> shift).astype(np.int64)
        return drawn

    def signs(self, count: int) -> NDArray[np.float64]:
        """`count` signs, +1.0 or −1.0 with the same probability, float64 (count,)."""
        drawn = self.words(-(-count // 64)).view(np.uint8)
        signs: NDArray[np.float64] = _SIGNS_OF_BYTE[drawn].reshape(-1)[:count]
        return signs

    def uniform(self, count: int) -> NDArray[np.float64]:
        """`count` multiples of 2^-53 in [0, 1), float64 (count,)."""
        return (self.words(count) >> np.uint64(11)).astype(np.float64) * 2.0**-53
