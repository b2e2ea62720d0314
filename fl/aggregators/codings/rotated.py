"""Updates in few bits: rotated, some coordinates kept, rounded to a step that follows the sums.

    words = round( scale · w · (R Δ)_K ) mod 2^bits      Σ w·Δ = R⁻¹ (signed(Σ words) / scale)

R spreads an update evenly over its coordinates (`fl.privacy.Rotation`), so that a step may follow
from the length of the sum alone. The first sum of a training goes in 32 bits and says how long it
was; each one after takes the length ℓ of the longest one before, less a tenth of it for every sum
since, and

    scale = √( (room² / 2L − n/4) · B ) / (margin · ℓ)
    room = 2^(bits − 1) − 1,   L = ln(2k / wraps)

With it, the probability that any of the k coordinates leaves the range is at most `wraps`, as long
as the sum is at most margin · ℓ long: a coordinate of the sum is sub-Gaussian with variance proxy
(margin · ℓ)² / B, the rounding of n clients with n/4 (both Hoeffding), and a union over both sides
of k coordinates gives the formula. Unlike `secagg.Quantizer` it leaves no room for n clients that
all have the largest value, which costs log₂ n bits and more.

A sum that did wrap is noticed. Every client also sends one word of 64 bits, Σ r_j·y_j of its
integers y before they are cut to `bits`, for odd r_j that everybody knows; the server compares its
sum with that of what it decoded. A wrapped coordinate differs by a multiple of 2^bits, which an odd
factor does not hide; several hide each other with a probability of 2^(bits − 64). Such a round
changes no weight, and the next one goes in 32 bits, as the first. The word says nothing that the
sum does not say, but for that.

Suresh et al. 2017 (1611.00429); Bonawitz, Salehi, Konečný, McMahan and Gruteser 2019 (1912.00131).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fl.aggregators.codings.clipped import Clipped
from fl.aggregators.codings.decoding import Decoding
from fl.aggregators.codings.encoding import Encoding
from fl.aggregators.codings.interface import Coded, Least, Words
from fl.aggregators.contribution import Numbers, State, Sums
from fl.aggregators.interface import Announced, SumShape
from fl.errors import AggregationError
from fl.privacy.kept import Projection, projection
from fl.privacy.random_bits import RandomBits
from fl.privacy.ring import signed, words_of

_SEED = b"fl/rotated/v1/"
_FACTORS = b"fl/rotated/v1/check"
_FIRST_BITS = 32
_MOST = 2.0**40  # no integer of one client is larger: such a coordinate counts as clipped
_LENGTHS = 2.0**400  # no sum of float32 is as long, and none that is not zero one over it
_SUMS = 2.0**53
_MARGINS = 2.0**20
_FADED = 0.9  # what is left of the longest sum after one more: a short one says little of the next


@dataclass(frozen=True, kw_only=True)
class Rotated:
    """Updates in `bits` bits a coordinate, 4 to 32, from the second sum on.

    keep: which part of the coordinates is sent, another one in each round. Below 1 a sum is right
        on average only, with a squared error of (1/keep − 1) times its square.
    margin: how many times longer than ℓ a sum may be without wrapping; None is 6 with 8 bits, and
        twice as much for every six bits more. More is for cohorts that differ much in their
        examples: every sum that wraps costs a round.
    wraps: with which probability it may then wrap nevertheless, at most.
    clip: of a coordinate, in the first sum.
    max_weight: as of `fl.SecureSum`.

    The state that it carries in `ServerState.aggregator` is ℓ, and how many sums there were.
    Raises AggregationError for numbers out of range.

    >>> aggregator = fl.SecureSum(coding=fl.aggregators.Rotated(bits=8))
    >>> process = fl.build_weighted_fed_avg(model_fn, aggregator=aggregator)
    >>> state, metrics = process.next(process.initialize(), clients)
    >>> len(state.aggregator)
    2
    """

    bits: int = 8
    keep: float = 1.0
    margin: float | None = None
    wraps: float = 2.0**-10
    clip: float = 4.0
    max_weight: int = 16384

    def __post_init__(self) -> None:
        if not 4 <= self.bits <= _FIRST_BITS:
            raise AggregationError(f"bits={self.bits}, expected an int in 4..{_FIRST_BITS}")
        if not 0 < self.keep <= 1:
            raise AggregationError(f"keep={self.keep}, expected above 0 and at most 1")
        if not 1 <= self.times_longer <= _MARGINS or not 0 < self.wraps < 1:
            raise AggregationError(
                f"margin={self.margin}, wraps={self.wraps}, expected a margin in 1..2^20 and a "
                "probability above 0 and below 1"
            )

    @property
    def times_longer(self) -> float:
        """The margin."""
        if self.margin is not None:
            return self.margin
        return 6.0 * math.pow(2, (self.bits - 8) / 6)

    def announce(self, state: State) -> Announced:
        """ℓ, and how many sums there were; nothing before the first one.

        Raises AggregationError for the state of something else.
        """
        if not state:
            return ()
        if len(state) != 2 or not all(part.shape == () for part in state):
            raise AggregationError(f"state {state}, expected a length and a number of sums")
        return (float(state[0]), float(state[1]))

    def encoding(self, shape: SumShape, announced: Announced, least: Least) -> Encoding:
        """One client's side. Raises AggregationError for too few bits, or numbers that are no
        length and number of sums."""
        first = Clipped(self.clip, _FIRST_BITS, self.max_weight).encoding(shape, (), least)
        size = shape.sizes[0]
        if not size:
            return first
        room = self._room(size, shape.n)
        if not announced:
            return first
        if (
            len(announced) != 2
            or not 1 / _LENGTHS <= announced[0] <= _LENGTHS
            or not 1 <= announced[1] <= _SUMS
        ):
            raise AggregationError(
                f"{announced} in the round's message, expected a length in 2^-400..2^400 and a "
                "number of sums from 1"
            )
        length, sums = announced
        mapped = projection(size, self.keep, _SEED + str(int(sums)).encode())
        scale = room * math.sqrt(mapped.block) / (self.times_longer * length)
        code = RotatedCode(mapped, scale, self.bits)
        return Encoding.of(shape, first.max_weight, code)

    def decoding(self, shape: SumShape, state: State, least: Least) -> Decoding:
        """The server's side."""
        announced = self.announce(state)
        kept, longest, sums = (self.keep, *announced) if announced else (1.0, 0.0, 0.0)

        def after(total: Sums | None) -> State:
            if total is None:  # it wrapped: nobody knows how long it was
                return ()
            length = max(math.sqrt(np.square(total).sum() * kept), _FADED * longest)
            if length * _LENGTHS < 1:  # nobody said anything
                return ()
            return (np.array(length), np.array(sums + 1))

        return Decoding(self.encoding(shape, announced, least), after)

    def _room(self, size: int, n: int) -> float:
        """How many steps one deviation of a sum may have. Raises AggregationError below one."""
        steps = _deviation(self.bits, n, self.keep * size, self.wraps)
        if steps < 1:
            enough = next(
                (b for b in range(4, 33) if _deviation(b, n, self.keep * size, self.wraps) >= 1), 32
            )
            raise AggregationError(
                f"{self.bits} bits are too few for the rounding of {n} clients, expected at least "
                f"{enough}"
            )
        return steps


def _deviation(bits: int, n: int, count: float, wraps: float) -> float:
    room = 2 ** (bits - 1) - 1
    return math.sqrt(max(room**2 / (2 * math.log(2 * count / wraps)) - n / 4, 0.0))


@dataclass(frozen=True)
class RotatedCode:
    """An `UpdateCode`. mapped: which coordinates, of which rotation. scale: words for one unit."""

    mapped: Projection
    scale: float
    bits: int

    checked = True

    @property
    def length(self) -> int:
        """How many words."""
        return self.mapped.dimension

    @property
    def terms(self) -> Mapping[str, object]:
        """Coordinates, scale and bits; the seed is the number of sums in the round's message."""
        return {"rotated": self.mapped.dimension, "scale": self.scale, "bits": self.bits}

    def encode(self, update: Numbers, weight: int, rng: np.random.Generator) -> Coded:
        """The words, rounded up or down at random, and the word that checks their sum."""
        scaled = self.mapped.forward(update)
        scaled *= weight * self.scale
        clipped = int(np.count_nonzero(np.abs(scaled) > _MOST))
        np.clip(scaled, -_MOST, _MOST, out=scaled)
        floors = np.floor(scaled)
        rounded = floors.astype(np.int64) + (rng.random(self.length) < scaled - floors)
        return Coded(words_of(rounded, self.bits), clipped, self._check(rounded))

    def decode(self, words: Words, weight: int, clients: int, check: int) -> Sums | None:
        """The sum, or None where it wrapped."""
        total = signed(words, self.bits)
        return self.mapped.inverse(total / self.scale) if self._check(total) == check else None

    def rounding(self, clients: int) -> float:
        """A step a client in every coordinate, all of which a rotation may put into one; there is
        no bound where coordinates are left out."""
        if self.length < self.mapped.size:
            return math.inf
        return clients * math.sqrt(self.length) / self.scale

    def _check(self, integers: NDArray[np.int64]) -> int:
        """Σ r_j·y_j mod 2^64."""
        return int(np.dot(self._factors, integers.view(np.uint64)))

    @cached_property
    def _factors(self) -> NDArray[np.uint64]:
        return RandomBits.seeded(_FACTORS).words(self.length) | np.uint64(1)
