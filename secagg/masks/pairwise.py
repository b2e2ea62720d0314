"""Masks that cancel: y_u = x_u + PRG(b_u) + Σ_{v<u} PRG(s_uv) − Σ_{v>u} PRG(s_uv)   in Z_2^w.

The ring is the numpy dtype: words wrap by themselves.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import DTypeLike

from secagg.errors import LocalProtocolError
from secagg.keys import SEED_BYTES
from secagg.masks.prg import AesCtr, Prg, RingVector

_MAX_BYTES = 2**40 * 16
_MAX_VECTORS = 2**24


def sign(u: int, v: int) -> int:
    """How u adds the mask it shares with v: +1 where v < u, −1 where v > u."""
    if u == v:
        raise LocalProtocolError(f"a mask of client {u} with itself, expected another client")
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
        raise LocalProtocolError(f"index={index}, expected 0 or more")
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
            f"a vector that is {seen}, expected a writeable contiguous 1-d array of unsigned words"
        )
    if vector.nbytes > _MAX_BYTES:
        raise LocalProtocolError(
            f"a vector of {vector.nbytes} bytes, expected at most {_MAX_BYTES}"
        )
    if vector.dtype != vector.dtype.newbyteorder("<"):
        raise LocalProtocolError(f"words of {vector.dtype}, expected little-endian ones")
    return vector
