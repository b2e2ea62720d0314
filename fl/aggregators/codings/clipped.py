"""Updates as fixed point within a range of each coordinate, and updates as they are.

Clipped   round(w · clip(Δ) · scale)      no sum of n clients wraps (`secagg.Quantizer`)
Exact     w·Δ with all its digits         no range, no step (`secagg.ExactFloats`)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fl.aggregators.codings.decoding import FLOAT64, Decoding, must_be_plausible
from fl.aggregators.codings.encoding import Encoding
from fl.aggregators.codings.interface import Coded, Least, Words
from fl.aggregators.contribution import Numbers, State, Sums
from fl.aggregators.interface import Announced, SumShape
from secagg import Quantizer


@dataclass(frozen=True)
class Clipped:
    """Every coordinate within [-clip, clip], in words of so many bits.

    The step follows from n, bits, clip and max_weight, as fine as cannot wrap.
    """

    clip: float
    bits: int
    max_weight: int

    def announce(self, state: State) -> Announced:
        """Nothing."""
        return ()

    def encoding(self, shape: SumShape, announced: Announced, least: Least) -> Encoding:
        """One client's side. Raises secagg.LocalProtocolError where n clients could wrap."""
        most = self.max_weight if shape.weighted else 1
        code = ClippedCode(
            Quantizer(shape.n, self.bits, self.clip, max_weight=most), shape.sizes[0]
        )
        return Encoding.of(shape, most, code)

    def decoding(self, shape: SumShape, state: State, least: Least) -> Decoding:
        """The server's side."""
        return Decoding(self.encoding(shape, (), least))


@dataclass(frozen=True)
class Exact:
    """Every coordinate whatever it is."""

    max_weight: int

    def announce(self, state: State) -> Announced:
        """Nothing."""
        return ()

    def encoding(self, shape: SumShape, announced: Announced, least: Least) -> Encoding:
        """One client's side."""
        return Encoding.of(shape, self.max_weight if shape.weighted else 1, None)

    def decoding(self, shape: SumShape, state: State, least: Least) -> Decoding:
        """The server's side."""
        return Decoding(self.encoding(shape, (), least))


@dataclass(frozen=True)
class ClippedCode:
    """An `UpdateCode` of fixed point, of updates of this length."""

    quantizer: Quantizer
    length: int

    checked = False

    @property
    def bits(self) -> int:
        """Of a word."""
        return self.quantizer.bits

    @property
    def terms(self) -> Mapping[str, object]:
        """Range, bits and step."""
        quantizer = self.quantizer
        return {"clip": quantizer.clip, "bits": quantizer.bits, "step": quantizer.step}

    def encode(self, update: Numbers, weight: int, rng: np.random.Generator) -> Coded:
        """The words, rounded up or down at random."""
        return Coded(*self.quantizer.encode(update, weight, rng))

    def decode(self, words: Words, weight: int, clients: int, check: int) -> Sums:
        """The sum. Raises ImplausibleSum where a coordinate is beyond the clip."""
        update = self.quantizer.decode(words)
        # A client's word is rounded by less than a step.
        most = (self.quantizer.clip * weight + clients * self.quantizer.step) * FLOAT64
        low, high = float(update.min(initial=0)), float(update.max(initial=0))
        must_be_plausible(-most <= low and high <= most, "updates beyond the clip")
        return update

    def rounding(self, clients: int) -> float:
        """At most a step a client."""
        return self.quantizer.error_bound(clients, stochastic=True)
