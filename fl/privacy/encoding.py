"""An update to words of Z_2^bits whose sum is private, and the sum back to numbers.

    encode:  clip to norm C  →  rotate  →  · scale  →  round to integers  →  + noise  →  mod 2^bits
    decode:  signed  →  / scale  →  rotate back

Sums of words are words of sums, so what a secure sum adds up is decoded by whoever is told it, and
nobody ever holds a sum without its noise. For n clients, and updates that are within the norm:

    decoded sum = Σ updates + error,   variance of the error, a coordinate:  n·(σ² + r) / scale²

with σ² the variance of one client's noise and r <= 1/4 that of rounding (1/6 on average over
fractions), as long as no coordinate wraps.

    P(some coordinate wraps) <= 2·d·min_t exp( t²·s / 2 + n·ln E exp(tZ) + r − t·room )
    s = (scale·a·n·C)² / B

The first term is the sum of rotated updates (`rotation`), which is at most n·C long; where they are
not all alike it is shorter, and `alignment`, a, says how much. For the rounding of n clients there
are two bounds, and the better one counts: it moves a sum by less than n, so r = 0 and room =
2^(bits − 1) − n; or each coordinate of one client's is sub-Gaussian with 1/4 (Hoeffding), and
conditions that are met with probability 1 − beta divide by that, so r = n·t²/8 − n·ln(1 − beta) and
room = 2^(bits − 1) − 1. A sum that wraps is wrong by a multiple of 2^bits in that coordinate; its
privacy is what it was, for taking a sum mod 2^bits looks at nothing else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fl.errors import PrivacyError
from fl.privacy.kept import Projection
from fl.privacy.noise import Noise
from fl.privacy.random_bits import RandomBits
from fl.privacy.ring import RingWords, dtype_of, signed, words_of
from fl.privacy.rotation import Floats
from fl.privacy.rounding import ConditionalRounding
from fl.privacy.sensitivity import Sensitivity

_MOST_BITS = 62


@dataclass(frozen=True)
class NoisyEncoding:
    """What all clients of a round do to their updates; every field is known to everybody.

    rotation: of the updates, or some of the coordinates of one (`Kept`).
    clip: C, in units of the update.
    scale: integer units for one unit of the update.
    bits: of a word, 2..62.
    noise: that of one client.
    beta: of `ConditionalRounding`; a small one needs more noise and less room.

    >>> import numpy as np
    >>> from fl.privacy import NoisyEncoding, RandomBits, Rotation, SkellamNoise
    >>> encoding = NoisyEncoding(Rotation(2, b"round 7"), 1.0, 1000.0, 16, SkellamNoise(25.0))
    >>> update, source = np.array([0.6, -0.8]), RandomBits.from_system()
    >>> words = encoding.encode(update, source) + encoding.encode(update, source)
    >>> words.dtype.name, np.abs(encoding.decode(words) - 2 * update).max() < 0.1
    ('uint16', True)
    """

    rotation: Projection
    clip: float
    scale: float
    bits: int
    noise: Noise
    beta: float = ConditionalRounding.beta

    def __post_init__(self) -> None:
        if not 2 <= self.bits <= _MOST_BITS:
            raise PrivacyError(f"words of {self.bits} bits, expected 2..{_MOST_BITS}")
        for name, value in (("clip", self.clip), ("scale", self.scale)):
            if not 0 < value < math.inf:
                raise PrivacyError(f"{name} is {value}, expected a finite number above 0")
        if self.rounding.squared_bound < 1:
            raise PrivacyError(f"a scale of {self.scale} rounds all to 0, expected a larger one")

    @property
    def rounding(self) -> ConditionalRounding:
        """That of rotated and scaled updates. Raises PrivacyError where they are too long."""
        return ConditionalRounding(self._reach * self.scale, self.rotation.dimension, self.beta)

    @property
    def _reach(self) -> float:
        return self.rotation.reach(self.clip)

    @property
    def sensitivity(self) -> Sensitivity:
        """What one client can add to the sum, in integer units."""
        return self.rounding.sensitivity

    @property
    def dtype(self) -> np.dtype[np.unsignedinteger]:
        """The smallest unsigned dtype that holds a word."""
        return dtype_of(self.bits)

    def encode(self, update: NDArray[np.floating], source: RandomBits) -> RingWords:
        """One client's words, `dtype` (rotation.dimension,): clipped, mapped, rounded, with noise.

        Raises PrivacyError for an update of another shape, or one that is not finite.
        """
        mapped = self.rotation.forward(_clipped(update, self.clip))
        scaled = _clipped(mapped, self._reach) * self.scale
        noisy = self.rounding.round(scaled, source)
        noisy += self.noise.sample(len(noisy), source)
        return words_of(noisy, self.bits)

    def decode(self, total: RingWords) -> Floats:
        """The sum of the updates, from that of their words, float64 (rotation.size,).

        A sum in `dtype` may have wrapped in it: only the low bits are read.
        """
        return self.rotation.inverse(signed(total, self.bits) / self.scale)

    def error_variance(self, clients: int) -> float:
        """The most that noise and rounding give, on average over the coordinates of the sum of
        mapped updates."""
        return clients * (self.noise.variance + 0.25) / self.scale**2

    def wrap_bound(self, clients: int, alignment: float = 1.0) -> float:
        """A bound of the probability that any coordinate of such a sum wraps, at most 1.

        alignment: how long the sum of the updates is at the most, as a part of clients · clip.
        """
        room = 2 ** (self.bits - 1)
        signal = (self.scale * clients * self.clip * alignment) ** 2 / self.rotation.block
        repeated = -clients * math.log1p(-self.beta) if self.beta else 0.0
        worst = self._exponent(clients, signal, room - clients)
        likely = self._exponent(clients, signal + clients / 4, room - 1) + repeated
        exponent = min(worst, likely, 0.0)
        return min(1.0, 2 * self.rotation.dimension * math.exp(exponent))

    def _exponent(self, clients: int, signal: float, room: float) -> float:
        """The least over t of t²·signal/2 + clients·ln E exp(tZ) − t·room, or a little above it.

        Every t gives a bound, so a grid will do, up to a little above the best t of a Gaussian:
        where there is much room for little noise, the best one is far below.
        """
        if room <= 0:
            return 0.0
        best = room / (signal + clients * max(self.noise.variance, 1e-300))
        grid: list[float] = (best * np.geomspace(1e-8, 4, 600)).tolist()
        return min(t * t * signal / 2 + clients * self.noise.log_moment(t) - t * room for t in grid)


def _clipped(update: NDArray[np.floating], norm: float) -> Floats:
    wide = update.astype(np.float64)
    length = math.sqrt(np.square(wide).sum())
    if not math.isfinite(length):
        raise PrivacyError("an update that is not finite, expected finite numbers")
    return wide * (norm / length) if length > norm else wide
