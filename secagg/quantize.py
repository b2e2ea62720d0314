"""Floats to ring words and back, with the proof that a sum of n clients cannot wrap.

    encode(x, w) = round(w · clip(x) · scale) mod 2^bits          decode(s) = signed(s) / scale

Proof.  w is an integer in 0..max_weight and |clip(x)| <= clip, so one word has magnitude at most
q = ⌈clip · max_weight · scale⌉, rounded either way, and n of them at most n·q.  The constructor
requires n·q <= 2^(bits−1) − 1, the largest two's complement number: the sum is itself, not itself
mod 2^bits.  The scale is a power of two, so multiplying by it and dividing by it are exact.

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
from secagg.params import VectorSpec

_MAX_REACH = Fraction(2) ** 1023
_BLOCK = 2**15  # values encoded at a time: what is between them and the words stays in cache
_MAX_EXPONENT = 1022
"""2^1022 and 2^-1022 are both normal float64 numbers: the scale and its inverse are exact."""


@dataclass(frozen=True)
class Quantizer:
    """Fixed-point numbers in two's complement that n clients can add.

    Args:
        n: the most clients in a sum.
        bits: bits of a ring word, 2..64.
        clip: values are clipped to [−clip, clip].
        max_weight: the largest integer weight a vector may be multiplied by.
        scale: a power of two; 0 (the default) is replaced by the finest that cannot wrap.

    Raises:
        LocalProtocolError: for numbers with which a sum could wrap; it says which bits would do.

    >>> quantizer = secagg.Quantizer(n=10, bits=16, clip=1.0)
    >>> (a, _), (b, clipped) = quantizer.encode([0.5, -0.25]), quantizer.encode([0.125, 7.0])
    >>> quantizer.decode(a + b).tolist(), clipped, quantizer.step
    ([0.625, 0.75], 1, 0.00048828125)
    """

    n: int
    bits: int
    clip: float
    max_weight: int = field(default=1, kw_only=True)
    scale: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        if self.n < 1 or not 2 <= self.bits <= 64 or self.max_weight < 1:
            raise LocalProtocolError(
                f"n={self.n}, bits={self.bits}, max_weight={self.max_weight}, expected n >= 1, "
                "bits in 2..64, max_weight >= 1"
            )
        if not (self.clip > 0 and math.isfinite(self.clip) and self._reach() <= _MAX_REACH):
            raise LocalProtocolError(
                f"clip={self.clip}, max_weight={self.max_weight}, expected a finite product above 0"
            )
        if self.scale == 0.0:
            object.__setattr__(self, "scale", self._finest_scale())
        in_range = 2.0**-_MAX_EXPONENT <= self.scale <= 2.0**_MAX_EXPONENT
        if not (in_range and math.frexp(self.scale)[0] == 0.5):
            raise LocalProtocolError(
                f"scale={self.scale}, expected a power of two in 2^±{_MAX_EXPONENT}"
            )
        needed = self._bits_needed()
        if needed > self.bits:
            raise LocalProtocolError(
                f"a sum of n={self.n} clients with clip={self.clip}, max_weight={self.max_weight}, "
                f"scale={self.scale} can wrap in {self.bits} bits, expected {needed} bits"
            )

    @property
    def step(self) -> float:
        """The difference of two neighbouring decoded values: 1/scale."""
        return 1.0 / self.scale

    @property
    def dtype(self) -> np.dtype[np.unsignedinteger]:
        """The ring's dtype, that of a VectorSpec with these bits."""
        return VectorSpec("quantized", 1, self.bits).dtype

    def encode(
        self, values: ArrayLike, weight: int = 1, rng: np.random.Generator | None = None
    ) -> tuple[RingVector, int]:
        """(words, how many values were clipped) of weight · values; values are 1-d floats.

        With `rng` the rounding is stochastic, and right on average; without, it is to the nearest.

        Raises:
            LocalProtocolError: for a weight outside 0..max_weight, or a value that is not finite,
                naming the first such index.
        """
        if not (isinstance(weight, int | np.integer) and 0 <= weight <= self.max_weight):
            raise LocalProtocolError(
                f"a weight out of range, expected an integer in 0..max_weight={self.max_weight}"
            )
        is_float = isinstance(values, np.ndarray) and values.dtype.kind == "f"
        wanted = np.asarray(values, None if is_float else np.float64)
        if wanted.ndim != 1:
            raise LocalProtocolError(f"values of shape {wanted.shape}, expected one dimension")
        largest, clipped = self._largest_float(), 0
        words = np.empty(len(wanted), self.dtype)
        signed: NDArray[np.signedinteger] = words.view(words.dtype.str.replace("u", "i"))
        room = np.empty((2, min(_BLOCK, len(wanted))))
        for start in range(0, len(wanted), _BLOCK):
            block = wanted[start : start + _BLOCK]
            scaled, floors = room[:, : len(block)]
            clipped += self._clip(block, scaled, start)
            scaled *= weight
            scaled *= self.scale
            if largest >= 2**53:  # below it no product under q is rounded beyond q
                np.clip(scaled, -largest, largest, out=scaled)
            _round(scaled, floors, rng, signed[start : start + _BLOCK])
        return words, clipped

    def _clip(
        self, values: NDArray[np.floating[Any]], clipped: NDArray[np.float64], start: int
    ) -> int:
        """Values within the clip, into `clipped`: how many were not. They begin at `start`."""
        low, high = float(values.min()), float(values.max())
        if not math.isfinite(low) or not math.isfinite(high):  # NaN is the least and the greatest
            first = start + int(np.argmin(np.isfinite(values)))
            raise LocalProtocolError(f"value {first} is not finite, expected finite ones")
        clipped[:] = values
        if -self.clip <= low and high <= self.clip:
            return 0
        outside = np.count_nonzero(np.abs(clipped) > self.clip)
        np.clip(clipped, -self.clip, self.clip, out=clipped)
        return int(outside)

    def decode(self, total: RingVector) -> NDArray[np.float64]:
        """The sum of the clients' weighted values, from the sum of their words mod 2^bits."""
        if total.dtype != self.dtype:
            raise LocalProtocolError(f"a sum of {total.dtype}, expected {self.dtype}")
        words, shift = total.astype(np.uint64), 64 - self.bits
        words <<= np.uint64(shift)
        signed = words.view(np.int64)
        signed >>= np.int64(shift)
        decoded = signed.astype(np.float64)
        decoded *= self.step
        return decoded

    def error_bound(self, clients: int, *, stochastic: bool) -> float:
        """The most a decoded sum of unclipped values can differ from the exact one, a coordinate.

        Half a step a client, or one, and what float64 adds: the weighted value, its clipping to q
        and the decoded sum are each rounded to 53 bits. That is nothing until q comes near 2^51.
        """
        return clients * self.step * ((1.0 if stochastic else 0.5) + self._largest() * 2.0**-51)

    def _largest(self) -> int:
        """q, the largest magnitude of one client's word."""
        return math.ceil(self._reach() * Fraction(self.scale))

    def _reach(self) -> Fraction:
        """The largest magnitude of one client's weighted value."""
        return Fraction(self.clip) * self.max_weight

    def _largest_float(self) -> float:
        """q as a float64, rounded down where it has more than 53 bits."""
        largest = float(self._largest())
        return largest if int(largest) <= self._largest() else math.nextafter(largest, 0.0)

    def _bits_needed(self) -> int:
        return (self.n * self._largest()).bit_length() + 1

    def _finest_scale(self) -> float:
        """The largest power of two for which n·⌈clip·max_weight·scale⌉ fits."""
        room = (2 ** (self.bits - 1) - 1) // self.n
        if room < 1:
            raise LocalProtocolError(
                f"{self.bits} bits cannot hold a sum of n={self.n} clients, "
                f"expected {self.n.bit_length() + 1} bits, for 2^(bits - 1) > n is needed"
            )
        ratio = room / self._reach()
        # 2^(exponent−1) < ratio < 2^(exponent+1)
        exponent = ratio.numerator.bit_length() - ratio.denominator.bit_length()
        exponent -= Fraction(2) ** exponent > ratio
        if exponent < -_MAX_EXPONENT:
            raise LocalProtocolError(
                f"clip={self.clip} and this max_weight need the scale 2^{exponent}, "
                f"expected at least 2^-{_MAX_EXPONENT}"
            )
        return math.ldexp(1.0, min(exponent, _MAX_EXPONENT))


def _round(
    scaled: NDArray[np.float64],
    floors: NDArray[np.float64],
    rng: np.random.Generator | None,
    rounded: NDArray[np.signedinteger],
) -> None:
    """Into `rounded`, with `rng` up with the probability of the fraction, to within 2^-32: whole
    numbers stay, however large they are. `scaled` is overwritten, `floors` is room."""
    if rng is None:
        rounded[:] = np.rint(scaled, out=floors)
        return
    rounded[:] = np.floor(scaled, out=floors)
    scaled -= floors
    scaled *= 2.0**32
    rounded += scaled > _words_of_32_bits(rng, len(scaled))


def _words_of_32_bits(rng: np.random.Generator, count: int) -> NDArray[np.uint32]:
    """Uniform words: two of each draw of 64 bits, which costs half of two draws."""
    drawn = rng.integers(0, 2**64 - 1, -(-count // 2), np.uint64, endpoint=True)
    return drawn.view(np.uint32)[:count]
