"""Samples of the Skellam distribution: the difference of two Poisson numbers of mean variance / 2.

    P(k) = exp(−μ)·I_k(μ),   I_k the modified Bessel function, μ the variance

A number is drawn by inversion: a uniform integer of 192 bits among the sums of the probabilities,
which whole numbers hold to 192 bits.

    statistical distance to the exact distribution, of one sample:  below 2^-98

The tails beyond the table have less than 2^-120 (Chernoff). Beginning the recurrence with 0 behind
its end K makes an entry wrong by at most P(K + 1), and each of the table's at most 2^21 entries is
right to less than 2^-150 besides. Over d coordinates, n clients and R rounds this adds at most
d·n·R·2^-98 to δ: 2^-48 for 2^50 samples.

Of the 192 bits mostly the first 16 decide, which index a table of the numbers that they leave; then
48 more unless the 64 are those of an entry; and only then the others. Bits are drawn as they are
needed.
"""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np

from fl.errors import PrivacyError
from fl.privacy.random_bits import Integers, RandomBits, Words

_BITS = 192
_MORE = _BITS - 64
_CELL_BITS = 16
_REST_BITS = np.uint64(64 - _CELL_BITS)
_NONE, _UNSURE = ~np.uint64(0), -1
_MOST = 2.0**31


@dataclass(frozen=True)
class SkellamNoise:
    """Noise of a variance, in squared units of the integers that it is added to.

    A sum of n of them is Skellam noise of n times the variance, so clients that are gone take their
    part of the variance with them and nothing else. Raises PrivacyError for a variance that is not
    above 0 and at most 2^31, beyond which the table would not fit a cache.

    >>> from fl.privacy import RandomBits, SkellamNoise
    >>> noise = SkellamNoise(100.0).sample(1000, RandomBits.from_system())
    >>> noise.dtype.name, 50 < noise.var() < 150
    ('int64', True)
    """

    variance: float

    def __post_init__(self) -> None:
        if not 0 < self.variance <= _MOST:
            raise PrivacyError(f"a variance of {self.variance}, expected one above 0 and to 2^31")

    def sample(self, count: int, source: RandomBits) -> Integers:
        """`count` independent numbers, int64 (count,)."""
        return skellam_table(self.variance).sample(count, source)

    def log_moment(self, t: float) -> float:
        """variance · (cosh t − 1), which is ln E exp(t·Z); infinite where that is not a float."""
        return self.variance * (math.cosh(t) - 1) if abs(t) < 700 else math.inf


class InversionTable:
    """A distribution over first, first + 1, ..., by whole weights that sum to less than 2^192.

    What is missing to 2^192 is given to one number more, behind the last.
    """

    def __init__(self, first: int, weights: list[int]) -> None:
        sums, total = [], 0
        for weight in weights:
            total += weight
            sums.append(total)
        self.first, self._sums = first, sums
        self._heads: Words = np.array([entry >> _MORE for entry in sums], np.uint64)
        first_words = np.arange(2**_CELL_BITS, dtype=np.uint64) << _REST_BITS
        low = np.searchsorted(self._heads, first_words, side="left")
        high = np.searchsorted(self._heads, first_words | ~(_NONE << _REST_BITS), side="right")
        self._of_cells = np.where(low == high, low, _UNSURE).astype(np.int32)

    def __len__(self) -> int:
        return len(self._sums)

    def sample(self, count: int, source: RandomBits) -> Integers:
        """`count` independent numbers, int64 (count,)."""
        cells = source.words(-(-count * _CELL_BITS // 64)).view("<u2")[:count]
        places = self._of_cells[cells]
        unsure = np.flatnonzero(places < 0)
        rest = source.words(unsure.size) >> np.uint64(_CELL_BITS)
        words = cells[unsure].astype(np.uint64) << _REST_BITS | rest
        places[unsure] = self._places(words, source)
        drawn: Integers = places.astype(np.int64)
        drawn += self.first
        return drawn

    def _places(self, words: Words, source: RandomBits) -> Integers:
        """How many of the sums are at most each number of 192 bits that begins with a word."""
        places = np.searchsorted(self._heads, words, side="right").astype(np.int64)
        # A word that is the head of an entry may be below it or not: further bits say.
        at_head = self._heads[np.maximum(places - 1, 0)] == words
        for index in np.flatnonzero(at_head & (places > 0)):
            whole = int(words[index]) << _MORE | source.integer(_MORE)
            places[index] = bisect.bisect_right(self._sums, whole)
        return places


@lru_cache(maxsize=4)
def skellam_table(variance: float) -> InversionTable:
    """The Skellam distribution, but for tails of less than 2^-120.

    Weights are those of I_k(μ), k = 0..K, by I_{k−1} = I_{k+1} + (2k/μ)·I_k from the largest k down
    (Miller), in whole numbers, and then divided by their sum, so that no exponential is needed. All
    terms are positive, so nothing cancels; the first, 2^256, makes what is rounded off small.
    """
    mu, reach = Fraction(variance), math.ceil(14 * math.sqrt(variance)) + 128
    falling, above, weight = [], 0, 2**256
    for k in range(reach, 0, -1):
        falling.append(weight)
        above, weight = weight, above + 2 * k * weight * mu.denominator // mu.numerator
    weights = [*falling, weight, *reversed(falling)]
    total = sum(weights) + 1
    return InversionTable(-reach, [(each << _BITS) // total for each in weights])
