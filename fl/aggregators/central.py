"""Noise that the server adds to a sum of clipped updates: privacy of what it makes of the sum.

    mean = (Σ clip(Δ) + N) / clients,    deviation of N = z · (how far one client moves the sum)

Whoever runs the server is trusted with the sum, and with forgetting it: it sees the sum without
noise, and what this promises is for those who see the model and the reports. `DistributedNoise`
needs no such trust, and more noise for its rounding, and for clients that may be missing.

The noise is a discrete Gaussian on a grid 2^30 times finer than its deviation, to which the sum is
rounded: floating-point noise would show in its low bits what it hides (Mironov 2012). Rounding,
that of a secure sum too, is covered as if it always went the worst way.

McMahan, Ramage, Talwar and Zhang 2018 (1710.06963); adaptive clipping Andrew, Thakkar, McMahan and
Ramaswamy 2021 (1905.03871).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

import secagg
from fl.aggregators.clipping import FLOAT32, AdaptiveNorm, ByNorm
from fl.aggregators.contribution import Contribution, State, Sums
from fl.aggregators.interface import Announced, ClientSide, ServerSide, Session, SumShape, Vectors
from fl.aggregators.totals import Aggregated, Extra, NoiseReport, Totals
from fl.errors import AggregationError
from fl.privacy.discrete_gaussian import DiscreteGaussianNoise
from fl.privacy.random_bits import RandomBits

_GRID = 2.0**-30  # of the noise's deviation

T = TypeVar("T", bound=Totals)


@dataclass(frozen=True)
class CentralNoise:
    """Sums clipped updates, and adds noise before anything is made of them.

    aggregator: clips: `ByNorm`, or `AdaptiveNorm` with a `count_noise` σ_b. The adaptive one pays
        for its count: of the same z the update has (z⁻² − (2σ_b)⁻²)^(−1/2), so 2σ_b > z is needed.
    noise_multiplier: z, of all that a round releases (`fl.privacy.noise_multiplier`).
    divisor: by what the mean divides, as of `DistributedNoise`.

    For means in which every client counts alike, of models without statistics; a round reports
    neither metrics nor who had no examples. Raises AggregationError for anything else.

    >>> aggregator = fl.aggregators.CentralNoise(
    ...     fl.aggregators.ByNorm(fl.SecureSum(), 1.0), noise_multiplier=0.5
    ... )
    >>> process = fl.build_unweighted_fed_avg(model_fn, aggregator=aggregator)
    >>> result = process.next(process.initialize(), clients)
    >>> result.metrics["aggregator"]["noise"]["mechanism"]
    'gaussian'
    """

    aggregator: ByNorm | AdaptiveNorm
    noise_multiplier: float
    divisor: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.aggregator, ByNorm | AdaptiveNorm):
            raise AggregationError(
                f"noise on a {type(self.aggregator).__name__}, expected fl.aggregators.ByNorm or "
                "AdaptiveNorm around a sum, which bound what one client can move"
            )
        if getattr(self.aggregator.aggregator, "coding", None) is not None:
            raise AggregationError(
                f"noise on {self.aggregator.aggregator!r}, expected a sum without a coding"
            )
        if not 0 < self.noise_multiplier < math.inf:
            raise AggregationError(
                f"noise_multiplier={self.noise_multiplier}, expected a finite number above 0"
            )
        if self.divisor is not None and self.divisor < 1:
            raise AggregationError(f"divisor={self.divisor}, expected a number of clients from 1")
        if not self._of_update > 0:
            raise AggregationError(
                f"count_noise below half of noise_multiplier={self.noise_multiplier}, expected "
                "more: the count would cost more than there is"
            )

    @property
    def _of_update(self) -> float:
        """The noise multiplier that is left for the update; 0 where none is."""
        z = self.noise_multiplier
        if isinstance(self.aggregator, ByNorm):
            return z
        doubled = 2 * self.aggregator.count_noise
        return (z**-2 - doubled**-2) ** -0.5 if doubled > z else 0.0

    def announce(self, state: State) -> Announced:
        """What the clipping announces."""
        return self.aggregator.announce(state)

    def client_side(self, shape: SumShape, announced: Announced = ()) -> ClientSide:
        """One client's half: it clips."""
        _check(shape)
        return self.aggregator.client_side(shape, announced)

    def server_side(self, shape: SumShape, state: State = ()) -> ServerSide:
        """The server's half: it adds the noise."""
        _check(shape)
        inner = self.aggregator.server_side(shape, state)
        return _NoisyServer(inner, self, self._norm(state))

    def aggregate(self, contributions: Sequence[Contribution], session: Session) -> Aggregated:
        """Sum, and add noise. Raises what the inner aggregator raises."""
        _check(session.shape_of(contributions))
        norm = self._norm(session.state)
        return self.noisy(self.aggregator.aggregate(contributions, session), norm)

    def noisy(self, total: T, norm: float) -> T:
        """The sum of updates clipped to `norm` with noise, and nothing else that they tell."""
        extra = total.extra.copy()
        if isinstance(self.aggregator, ByNorm):
            del extra["clip_fraction"]  # of AdaptiveNorm it has noise of its own
        noise = NoiseReport(
            mechanism="gaussian",
            noise_multiplier=self.noise_multiplier,
            promised=self.noise_multiplier,
            shares=1,
            l2=1.0,
            dimension=1,
        )
        noisy = Totals.noisy(
            self._with_noise(total, norm),
            self.divisor or total.in_sum,
            total.in_sum,
            total.metrics.size,
            total.state,
            Extra(**extra, noise=noise),
        )
        return replace(total, **vars(noisy))

    def _with_noise(self, total: Totals, norm: float) -> Sums:
        """The sum on the grid, with noise on it."""
        root = math.sqrt(total.total.size)
        moved = norm * FLOAT32 + root * total.rounding / max(total.in_sum, 1)
        # The grid moves a sum by half a step and one without the client by another half.
        moved *= 1 + 2 * self._of_update * root * _GRID
        deviation = self._of_update * moved
        noise = DiscreteGaussianNoise(_GRID**-2).sample(total.total.size, RandomBits.from_system())
        step = deviation * _GRID
        noisy: Sums = (np.rint(total.total / step) + noise).astype(np.float64) * step
        return noisy

    def _norm(self, state: State) -> float:
        inner = self.aggregator
        return inner.norm if isinstance(inner, ByNorm) else inner.norm(state)


@dataclass(frozen=True)
class _NoisyServer:
    """Reads the sum of clipped updates and adds the noise."""

    inner: ServerSide
    aggregator: CentralNoise
    norm: float

    def params(self, context: bytes) -> secagg.Params | None:
        return self.inner.params(context)

    def decode(self, sums: Vectors, survivors: int) -> Totals:
        return self.aggregator.noisy(self.inner.decode(sums, survivors), self.norm)


def _check(shape: SumShape) -> None:
    """Raise AggregationError for a sum that would tell more than its noise hides."""
    size, statistics = shape.sizes
    if shape.weighted or statistics or not size:
        raise AggregationError(
            f"weighted={shape.weighted}, {size} coordinates and {statistics} statistics under "
            "noise, expected an update alone, of clients that count alike: "
            "fl.build_unweighted_fed_avg has such clients, and with its "
            'non_trainable="local" statistics, such as those of BatchNormalization, stay with them'
        )
