"""Updates with noise of every client, of which the sum alone has enough: distributed privacy.

    words = round( scale · (R clip(Δ))_K ) + noise   mod 2^bits        Σ Δ + noise of all = decoded

The noise of a client is a share (`fl.privacy.noise`): the honest clients that a session certainly
has make up the noise multiplier together, so that whoever sees the sum, the server included, sees
a private one. Clipping, rounding and noise follow from this host's own configuration; the server
announces a number that turns the rotation, on which no privacy rests.

What is not noise is not sent. Every client counts once, whether it has examples or not, what
cannot be summed is zero with noise like any other, and metrics, statistics and the reasons why an
update is zero stay with the client: a sum of these would tell what the noise hides.

Kairouz, Liu and Steinke 2021 (2102.06387); Agarwal, Kairouz and Liu 2021 (2110.04995).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

import secagg
from fl.aggregators.codings.encoding import bound_to
from fl.aggregators.codings.interface import Least
from fl.aggregators.contribution import Contribution, State, is_finite
from fl.aggregators.interface import Announced, SumShape, Vectors
from fl.aggregators.totals import Extra, NoiseReport, Totals
from fl.errors import AggregationError
from fl.privacy.encoding import NoisyEncoding
from fl.privacy.fitting import Integral, fitted_encoding
from fl.privacy.kept import projection
from fl.privacy.random_bits import RandomBits

_SEED = b"fl/noisy/v1/"


@dataclass(frozen=True, kw_only=True)
class DistributedNoise:
    """Private sums of updates, each clipped to a norm, with noise of the clients.

    norm: C, to which an update is clipped.
    noise_multiplier: z, of the sum that has the fewest honest clients
        (`fl.privacy.noise_multiplier`); a sum of more has more.
    bits: of a coordinate on the wire, 2 to 62.
    mechanism: of which noise.
    keep: which part of the coordinates is sent, another one in each round; fewer of them lose less
        to the rounding where bits are few.
    wraps: with which probability a sum may wrap, at most, of updates that together are alignment ·
        n · C long. It is private then too, and wrong by 2^bits steps in that coordinate.
    alignment: 1 for updates that may all be alike; less leaves more room where bits are few.
    divisor: by what the mean divides; None is the number of clients in the sum. Where nobody is to
        know how many these are, it is the number expected.

    For means in which every client counts alike, of models without statistics. A round reports
    neither metrics nor who had no examples. Rounds with the same seed differ: noise comes from the
    system's randomness alone. Raises AggregationError and PrivacyError for numbers out of range.

    >>> noise = fl.aggregators.DistributedNoise(norm=1.0, noise_multiplier=0.5)
    >>> process = fl.build_unweighted_fed_avg(model_fn, aggregator=fl.SecureSum(coding=noise))
    >>> result = process.next(process.initialize(), clients)
    >>> result.metrics["aggregator"]["noise"]["promised"]
    0.5
    """

    norm: float
    noise_multiplier: float
    bits: int = 16
    mechanism: Integral = "skellam"
    keep: float = 1.0
    wraps: float = 2.0**-20
    alignment: float = 1.0
    divisor: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.norm < math.inf or not 0 < self.noise_multiplier < math.inf:
            raise AggregationError(
                f"norm={self.norm}, noise_multiplier={self.noise_multiplier}, expected finite "
                "numbers above 0"
            )
        if not 0 < self.alignment <= 1:
            raise AggregationError(f"alignment={self.alignment}, expected above 0 and at most 1")
        if self.divisor is not None and self.divisor < 1:
            raise AggregationError(f"divisor={self.divisor}, expected a number of clients from 1")

    def announce(self, state: State) -> Announced:
        """How many sums there were, which turns the rotation."""
        if len(state) > 1 or not all(part.shape == () for part in state):
            raise AggregationError(f"state {state}, expected a number of sums")
        return (float(state[0]),) if state else (0.0,)

    def encoding(self, shape: SumShape, announced: Announced, least: Least) -> NoisyWords:
        """One client's side.

        Raises AggregationError for a sum that would tell more than its noise hides, and
        PrivacyError where the bits are too few.
        """
        size, statistics = shape.sizes
        if shape.weighted:
            raise AggregationError(
                "clients that count by their examples under noise, expected all alike, as of "
                "fl.build_unweighted_fed_avg"
            )
        if statistics or not size:
            raise AggregationError(
                f"{size} coordinates of an update and {statistics} statistics under noise, "
                "expected an update alone: noise covers nothing else, and with "
                'non_trainable="local" of fl.build_unweighted_fed_avg statistics, such as those '
                "of BatchNormalization, stay with the clients"
            )
        if least.honest < 1:
            raise AggregationError("no client is certain to be honest, expected at least one")
        if len(announced) > 1:
            raise AggregationError(f"{announced} in the round's message, expected a number of sums")
        turn = announced[0] if announced else 0.0
        turned = projection(size, self.keep, _SEED + repr(turn).encode())
        # 1 and 1.0 are one key and two texts in a context: own terms as this coding has them.
        fitted = _fitted(self, size, shape.n, least.honest)
        own = replace(fitted, rotation=turned, clip=self.norm, bits=self.bits)
        return NoisyWords(shape.n, own, self, least)

    def decoding(self, shape: SumShape, state: State, least: Least) -> NoisySum:
        """The server's side. Raises what `encoding` does."""
        announced = self.announce(state)
        numbers = sum(metric.size for metric in shape.metrics)
        return NoisySum(self.encoding(shape, announced, least), numbers, announced[0] + 1)


@lru_cache(maxsize=8)
def _fitted(coding: DistributedNoise, size: int, n: int, honest: int) -> NoisyEncoding:
    """The encoding, turned by no seed: what fits is the same for all of them, and takes long to
    find. Raises PrivacyError where the bits are too few."""
    return fitted_encoding(
        projection(size, coding.keep, b""),
        clip=coding.norm,
        bits=coding.bits,
        clients=n,
        noise_multiplier=coding.noise_multiplier,
        mechanism=coding.mechanism,
        missing=n - honest,
        wraps=coding.wraps,
        alignment=coding.alignment,
    )


@dataclass(frozen=True)
class NoisyWords:
    """One client's side of a session."""

    n: int
    fitted: NoisyEncoding
    coding: DistributedNoise
    least: Least

    def bind(self, context: bytes) -> bytes:
        """A client's session context, with all that clipping and noise follow from."""
        fitted = self.fitted
        terms = {
            "noise": self.coding.mechanism,
            "clip": fitted.clip,
            "bits": fitted.bits,
            "scale": fitted.scale,
            "variance": fitted.noise.variance,
            "sizes": [self.n, fitted.rotation.size, fitted.rotation.dimension],
        }
        return bound_to(terms, context)

    def vectors(self) -> tuple[secagg.VectorSpec, ...]:
        """The update."""
        return (secagg.VectorSpec("update", self.fitted.rotation.dimension, self.fitted.bits),)

    def encode(self, contribution: Contribution, rng: np.random.Generator) -> Vectors:
        """The words of an update, or of zeros where there is none that can be summed."""
        counts = contribution.weight > 0 and is_finite(contribution.delta)
        update: NDArray[Any] = contribution.delta if counts else np.zeros(self.fitted.rotation.size)
        return {"update": self.fitted.encode(update, RandomBits.from_system())}


@dataclass(frozen=True)
class NoisySum:
    """The server's side. numbers: of the metrics, which are not sent. sums: how many there will
    have been."""

    encoding: NoisyWords
    numbers: int
    sums: float = field(default=1.0)

    def decode(self, sums: Vectors, survivors: int) -> Totals:
        """The noisy sum: any sum of words is one."""
        coding = self.encoding.coding
        return Totals.noisy(
            self.encoding.fitted.decode(sums["update"]),
            coding.divisor or survivors,
            survivors,
            self.numbers,
            (np.array(self.sums),),
            Extra(clip_norm=coding.norm, noise=self._noise(survivors)),
        )

    def _noise(self, survivors: int) -> NoiseReport:
        """What is certain of the noise of so many survivors."""
        coding, least, fitted = self.encoding.coding, self.encoding.least, self.encoding.fitted
        honest = survivors - least.corrupt
        return NoiseReport(
            mechanism=coding.mechanism,
            noise_multiplier=coding.noise_multiplier * math.sqrt(honest / least.honest),
            promised=coding.noise_multiplier,
            shares=honest,
            l2=fitted.sensitivity.l2,
            dimension=fitted.sensitivity.dimension,
        )
