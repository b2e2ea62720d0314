"""AEGIS-128X2 from its specification (draft-irtf-cfrg-aegis-aead), for reading, not for speed.

It decides what the masks of the suite are, whatever package makes them; and in place of `pyaegis`
it lets every test of the suite run where that is not installed.  No tag is computed.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

LANES, RATE = 2, 64  # of AES blocks; bytes of keystream from one update

Blocks = NDArray[np.uint8]  # [..., 16]

C0 = np.frombuffer(bytes.fromhex("000101020305080d1522375990e97962"), np.uint8)
C1 = np.frombuffer(bytes.fromhex("db3d18556dc22ff12011314273b528dd"), np.uint8)


def _s_box() -> Blocks:
    """FIPS 197: the inverse in GF(2^8), then an affine map."""
    powers, x = [], 1
    for _ in range(255):
        powers.append(x)
        x ^= (x << 1) ^ (0x11B if x & 0x80 else 0)  # times 3, which generates the field
    box = [0x63] * 256
    for i, x in enumerate(powers):
        inverse = powers[-i % 255]
        bits = inverse  # xor its rotations by 1 to 4
        for turn in range(1, 5):
            bits ^= (inverse << turn | inverse >> 8 - turn) & 0xFF
        box[x] = bits ^ 0x63
    return np.array(box, np.uint8)


S_BOX = _s_box()
SHIFT_ROWS = np.array([4 * ((c + r) % 4) + r for c in range(4) for r in range(4)])


def aes_round(blocks: Blocks, key: Blocks) -> Blocks:
    """SubBytes, ShiftRows, MixColumns, AddRoundKey of every block."""
    columns = S_BOX[blocks][..., SHIFT_ROWS].reshape(*blocks.shape[:-1], 4, 4)
    following = np.roll(columns, -1, axis=-1)
    sums = columns ^ following
    doubled = (sums << 1) ^ (sums >> 7) * np.uint8(0x1B)
    whole = np.bitwise_xor.reduce(columns, axis=-1, keepdims=True)
    return (columns ^ doubled ^ whole).reshape(blocks.shape) ^ key


def update(state: Blocks, m0: Blocks, m1: Blocks) -> Blocks:
    """One step of the state [8, LANES, 16], with a message block for each lane twice."""
    inputs = state.copy()
    inputs[0] ^= m0
    inputs[4] ^= m1
    return aes_round(np.roll(state, 1, axis=0), inputs)


def initial(key: bytes, nonce: bytes) -> Blocks:
    """The state after Init."""
    k, n = (np.frombuffer(value, np.uint8) for value in (key, nonce))
    rows = [k ^ n, C1, C0, C1, k ^ n, k ^ C0, k ^ C1, k ^ C0]
    state = np.stack([np.stack([row] * LANES) for row in rows])
    context = np.zeros((LANES, 16), np.uint8)
    context[:, 0], context[:, 1] = range(LANES), LANES - 1
    for _ in range(10):
        state[[3, 7]] ^= context
        state = update(state, np.stack([n] * LANES), np.stack([k] * LANES))
    return state


def absorbed(state: Blocks, data: bytes) -> Blocks:
    """The state after this associated data."""
    padded = np.frombuffer(data + bytes(-len(data) % RATE), np.uint8)
    for m0, m1 in padded.reshape(-1, 2, LANES, 16):
        state = update(state, m0, m1)
    return state


def encrypted(key: bytes, nonce: bytes, message: bytes, data: bytes = b"") -> bytes:
    """The ciphertext, without its tag."""
    state, out = absorbed(initial(key, nonce), data), []
    padded = np.frombuffer(message + bytes(-len(message) % RATE), np.uint8)
    for m0, m1 in padded.reshape(-1, 2, LANES, 16):
        z0 = state[6] ^ state[1] ^ (state[2] & state[3])
        z1 = state[2] ^ state[5] ^ (state[6] & state[7])
        out.append((m0 ^ z0).tobytes() + (m1 ^ z1).tobytes())
        state = update(state, m0, m1)
    return b"".join(out)[: len(message)]


class Aegis128X2:
    """What `secagg.masks.aegis` uses of the class of this name in `pyaegis`."""

    def __init__(self, tag_size: int) -> None:
        self.tag_size = tag_size

    def encrypt_inplace(self, key: bytes, nonce: bytes, buffer: memoryview) -> bytes:
        """As there, but the tag is zero."""
        buffer[:] = encrypted(key, nonce, bytes(buffer))
        return bytes(self.tag_size)


@contextmanager
def stand_in() -> Iterator[None]:
    """Inside, `import pyaegis` gives this module's cipher."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "pyaegis", SimpleNamespace(Aegis128X2=Aegis128X2))
        yield
