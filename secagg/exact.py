"""Floats to ring words and back without a range: the sum of n clients' float32 numbers is exact.

    w · x = Σ_k d_k · 2^(p·k) · u,   u = 2^-149,   |d_k| <= 2^p − 1,   each d_k of the sign of x
    encode(x, w) = (d_0, ..., d_{L−1}) mod 2^64          decode(s) = Σ_k signed(s_k) · 2^(p·k) · u

Where `Quantizer` needs a range to clip to, this needs L words a number. It is for what has no
natural range: statistics of a model, metrics, whatever a question is about.

Proof.  u divides every float32, so |w·x| = M·u with an integer M <= max_weight·(2^24 − 1)·2^253,
and L is the number of digits to the base 2^p that hold that.  p = 63 − ⌈log2 n⌉, so
n·(2^p − 1) < 2^63: no sum of n digits leaves two's complement of 64 bits, each is itself, and the
sum of the numbers is Σ_k (sum of the d_k) · 2^(p·k) · u, exactly.  `decode` rounds it once, to
float64.  That the digits are those of w·x: a float32 has 24 bits, and w <= 2^29 has 29 or is that
power of two; so w·x has 53 bits and is a float64. Multiples by powers of two, floors, and
differences that leave the low bits are exact in float64.

A number with bits below u (only a float64 or a Fraction has them) is rounded to the nearest
multiple of u; the product of a float64 with a weight above 1 is rounded to 53 bits before.

What it does not do: hide anything. Masks do.
"""

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from secagg.errors import LocalProtocolError
from secagg.masks.prg import RingVector

LARGEST = float(np.finfo(np.float32).max)
"""The largest magnitude of a number: (2^24 − 1)·2^104."""

_LOWEST = -149  # 2^-149 is the smallest float32 above 0
_MAX_WEIGHT = 2**29
_MAX_CLIENTS = 2**32  # p stays above 30: a digit is worth its word
_BLOCK = 2**16  # numbers at a time: what is between them and the words stays in cache


@dataclass(frozen=True)
class ExactFloats:
    """Numbers of the range of float32, in words of 64 bits that n clients can add.

    Args:
        n: the most clients in a sum, up to 2^32.
        max_weight: the largest integer weight a vector may be multiplied by, up to 2^29.

    Raises:
        LocalProtocolError: for numbers out of range.

    >>> floats = secagg.ExactFloats(2)
    >>> words = floats.encode([1e30, 1.0]) + floats.encode([-1e30, 2.0])  # wraps
    >>> floats.decode(words).tolist(), floats.words
    ([0.0, 3.0], 5)
    """

    n: int
    max_weight: int = field(default=1, kw_only=True)

    def __post_init__(self) -> None:
        if not (1 <= self.n <= _MAX_CLIENTS and 1 <= self.max_weight <= _MAX_WEIGHT):
            raise LocalProtocolError(
                f"n={self.n}, max_weight={self.max_weight}; expected n in 1..2^32, max_weight in "
                "1..2^29"
            )

    @property
    def digit_bits(self) -> int:
        """p, the bits of one digit."""
        return 63 - (self.n - 1).bit_length()

    @property
    def words(self) -> int:
        """L, the ring words of one number: 5 to 7 for the n of a session."""
        largest = int(LARGEST) * self.max_weight << -_LOWEST
        return -(-largest.bit_length() // self.digit_bits)

    @property
    def unit(self) -> float:
        """u, which every float32 is a multiple of."""
        return 2.0**_LOWEST

    def encode(self, values: ArrayLike, weight: int = 1) -> RingVector:
        """uint64[L·d], first all lowest digits, of weight · values.

        values: d floats, or an object array of d Fractions, whose product with the weight is
        rounded to u alone.

        Raises:
            LocalProtocolError: for a weight outside 0..max_weight, or a value beyond `LARGEST` or
                not finite, naming the first such index.
        """
        if not (isinstance(weight, int | np.integer) and 0 <= weight <= self.max_weight):
            raise LocalProtocolError(
                f"a weight out of range, expected an integer in 0..max_weight={self.max_weight}"
            )
        given = np.asarray(values)
        if given.ndim != 1:
            raise LocalProtocolError(f"values of shape {given.shape}, expected one dimension")
        with np.errstate(invalid="ignore"):  # numpy warns of NaN among objects
            within = np.abs(given) <= LARGEST  # false for NaN
        if not within.all():
            raise LocalProtocolError(
                f"value {int(np.argmin(within))} is out of range, expected a finite float32"
            )
        digits = np.empty((self.words, len(given)), np.int64)
        if given.dtype == object:
            for i, number in enumerate(given.tolist()):
                digits[:, i] = self._digits(round(int(weight) * Fraction(number) / self._unit))
        else:
            for start in range(0, len(given), _BLOCK):
                block = slice(start, start + _BLOCK)
                self._split(given[block].astype(np.float64) * int(weight), digits[:, block])
        return digits.reshape(-1).view(np.uint64)

    def decode(self, total: RingVector) -> NDArray[np.float64]:
        """float64[d], the sum of the clients' weighted values rounded once, from their words."""
        digits = self._signed(total)
        decoded = np.empty(digits.shape[1])
        for start in range(0, digits.shape[1], _BLOCK):
            block = slice(start, start + _BLOCK)
            # Halves of 32 bits are floats, exactly; fsum rounds their sum once.
            halves = np.concatenate([digits[:, block] >> 32 << 32, digits[:, block] & 0xFFFFFFFF])
            exponents = self.digit_bits * np.arange(self.words) + _LOWEST
            parts = np.ldexp(halves.astype(np.float64), np.tile(exponents, 2)[:, None])
            decoded[block] = [math.fsum(column) for column in parts.T.tolist()]
        return decoded

    def reachable(self, total: RingVector, clients: ArrayLike) -> bool:
        """Whether so many clients can have given these words; one number, or one a value."""
        most = np.asarray(clients, np.int64) * (2**self.digit_bits - 1)
        digits = self._signed(total)
        return bool(((-most <= digits) & (digits <= most)).all())

    @property
    def _unit(self) -> Fraction:
        return Fraction(2) ** _LOWEST

    def _split(self, values: NDArray[np.float64], digits: NDArray[np.int64]) -> None:
        """Digits int64[L, d] of values: from the highest, each with the sign of its value."""
        rest, signs = np.rint(np.ldexp(np.abs(values), -_LOWEST)), np.sign(values).astype(np.int64)
        for k in reversed(range(self.words)):
            digit = np.floor(np.ldexp(rest, -k * self.digit_bits))
            rest -= np.ldexp(digit, k * self.digit_bits)
            digits[k] = signs * digit.astype(np.int64)

    def _digits(self, number: int) -> list[int]:
        """As `_split`, of a number of units."""
        sign, size, base = (1 if number >= 0 else -1), abs(number), 2**self.digit_bits
        return [sign * ((size >> k * self.digit_bits) % base) for k in range(self.words)]

    def _signed(self, total: RingVector) -> NDArray[Any]:
        """The sums of digits, int64[L, d]."""
        if total.dtype != np.uint64 or total.size % self.words:
            raise LocalProtocolError(
                f"a sum of {total.dtype}[{total.size}], expected uint64 in multiples of "
                f"{self.words}"
            )
        return total.view(np.int64).reshape(self.words, -1)
