"""Integers as words of Z_2^bits, and such words as the signed integers that they stand for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fl.privacy.random_bits import Integers

RingWords = NDArray[np.unsignedinteger[Any]]


def dtype_of(bits: int) -> np.dtype[np.unsignedinteger[Any]]:
    """The smallest unsigned dtype that holds a word."""
    dtype: np.dtype[np.unsignedinteger[Any]] = np.min_scalar_type(2**bits - 1)
    return dtype


def words_of(integers: Integers, bits: int) -> RingWords:
    """The integers mod 2^bits."""
    words: RingWords = (integers & (2**bits - 1)).astype(dtype_of(bits))
    return words


def signed(words: RingWords, bits: int) -> Integers:
    """The integers in -2^(bits - 1)..2^(bits - 1) - 1, int64; only the low bits of a word count."""
    shift = np.uint64(64 - bits)
    integers: Integers = (words.astype(np.uint64) << shift).view(np.int64) >> np.int64(shift)
    return integers
