"""Clipping of every client's update to a norm: fixed, or adapted to the clients' norms.

    ByNorm        Δᵤ <- Δᵤ · min(1, C / ‖Δᵤ‖)
    AdaptiveNorm  and C <- C · exp(-η·(b - γ)),   b = (Σ [‖Δᵤ‖ <= C]) / number of clients

The second is Andrew et al. 2021 (without the noise): C moves to the γ-quantile of the norms, and
the server sees no norm, only the securely summed count of those that are within C. Each wraps an
aggregator and is one: `fl.aggregators.ByNorm(fl.SecureSum(), 1.0)`. The norm is that of the trained
weights' change: statistics, such as those of batch normalization, are in other units, and stay as
they are. The client half clips (in a simulation: `aggregate`); the server half checks the sum, and
adapts the norm, which it announces. An honest client clips; where one does not, a sum that is
longer than honest clients can make it is refused.

>>> aggregator = fl.aggregators.ByNorm(fl.SecureSum(), 1.0)
>>> process = fl.build_weighted_fed_avg(model_fn, aggregator=aggregator)
>>> process.next(process.initialize(), clients).metrics["aggregator"]["clip_norm"]
1.0
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

import secagg
from fl.aggregators.codings.noisy import DistributedNoise
from fl.aggregators.contribution import Contribution, Metric, Numbers, State
from fl.aggregators.interface import (
    Aggregator,
    Announced,
    ClientSide,
    ServerSide,
    Session,
    SumShape,
    Vectors,
    announced_by,
    check_aggregator,
    split,
)
from fl.aggregators.totals import Aggregated, Extra, Totals
from fl.errors import AggregationError, ImplausibleSum
from fl.privacy.discrete_gaussian import DiscreteGaussianNoise
from fl.privacy.random_bits import RandomBits

_LABEL = b"secagg/v1/fl-clip-norm"
_MOST = 700.0  # the largest exponent, and
_NORMS = 1e300  # the largest norm, and one over the smallest, that an estimate moves to
_WITHIN = Metric("within the norm", 1, 1)
FLOAT32 = 1 + 2.0**-20  # an update is rounded to float32 after it was scaled

T = TypeVar("T", bound=Totals)


@dataclass(frozen=True)
class ByNorm:
    """Sums updates whose norm, over the trained weights, is at most `norm`.

    Rounding to float32 and to the steps of a secure sum comes after, and may exceed it by as much.
    The round's "aggregator" metrics say `clip_norm` and `clip_fraction`, the part of the clients
    whose update was longer. Raises AggregationError for a norm that is not above 0, and around an
    aggregator that itself clips by norm.
    """

    aggregator: Aggregator
    norm: float

    def __post_init__(self) -> None:
        _check_inner(self.aggregator)
        _check_positive("norm", self.norm)

    def announce(self, state: State) -> Announced:
        """What the inner aggregator announces: every client has the norm by its configuration."""
        return announced_by(self.aggregator, state)

    def client_side(self, shape: SumShape, announced: Announced = ()) -> ClientSide:
        """One client's half: it clips. Raises what the inner aggregator's raises."""
        inner = split(self.aggregator).client_side(_with_count(shape), announced)
        return _ClippingClient(inner, self.norm)

    def server_side(self, shape: SumShape, state: State = ()) -> ServerSide:
        """The server's half: it checks the norm of the sum."""
        inner = split(self.aggregator).server_side(_with_count(shape), state)
        return _ClippingServer(inner, self, self.norm, shape.sizes[0])

    def aggregate(self, contributions: Sequence[Contribution], session: Session) -> Aggregated:
        """Clip, and sum. Raises ImplausibleSum for a sum that is longer than norm·Σw, and what the
        inner aggregator raises."""
        total = _sum_clipped(self.aggregator, self.norm, contributions, session)
        return self.after(total, self.norm, contributions[0].delta.size)

    def after(self, total: T, norm: float, size: int) -> T:
        """A sum of clipped updates of this size, checked; as the inner aggregator has it, but for
        the count of those within the norm. Raises ImplausibleSum."""
        _check_length(total, size, norm)
        return _reported(total, norm, _fraction_within(total))


@dataclass(frozen=True)
class AdaptiveNorm:
    """Sums updates that are clipped to an estimate of the `quantile` of their norms.

    The estimate is the aggregator's state, one float64 that travels in `ServerState.aggregator`,
    and to the clients in the message of the round: `initial` in the first round. Behind it is the
    state of the inner aggregator. After a round with
    too many clients within it, it shrinks, otherwise it grows, by a factor of at most
    exp(learning_rate).

    count_noise: the standard deviation of noise that the server adds to the count of those within
        the norm before it uses or reports it, for `fl.aggregators.CentralNoise`.

    Metrics are those of `ByNorm`. Raises AggregationError for numbers out of range, and around an
    aggregator that itself clips by norm.
    """

    aggregator: Aggregator
    quantile: float = 0.5
    initial: float = 0.1
    learning_rate: float = 0.2
    count_noise: float = 0.0

    def __post_init__(self) -> None:
        _check_inner(self.aggregator)
        _check_positive("initial", self.initial)
        _check_positive("learning_rate", self.learning_rate)
        if not 0 <= self.count_noise < math.inf:
            raise AggregationError(
                f"count_noise is {self.count_noise}, expected a finite number from 0"
            )
        if not 0 <= self.quantile <= 1:
            raise AggregationError(f"quantile is {self.quantile}, expected a number in [0, 1]")

    def norm(self, state: State) -> float:
        """The bound of a round. Raises AggregationError for the state of something else."""
        if not state:
            return self.initial
        if not state[0].shape == () or not state[0] > 0:
            raise AggregationError(f"state {state}, expected a norm above 0 first")
        return float(state[0])

    def announce(self, state: State) -> Announced:
        """The norm, and what the inner aggregator announces."""
        return (self.norm(state), *announced_by(self.aggregator, state[1:]))

    def client_side(self, shape: SumShape, announced: Announced) -> ClientSide:
        """One client's half: it clips to the norm that the server announced. Raises
        AggregationError where it announced none."""
        if not announced:
            raise AggregationError("no norm in the round's message, expected one number above 0")
        norm, *rest = announced
        _check_positive("the norm in the round's message", norm)
        inner = split(self.aggregator).client_side(_with_count(shape), tuple(rest))
        return _ClippingClient(inner, norm)

    def server_side(self, shape: SumShape, state: State) -> ServerSide:
        """The server's half: it checks the norm of the sum, and adapts the bound."""
        inner = split(self.aggregator).server_side(_with_count(shape), state[1:])
        return _ClippingServer(inner, self, self.norm(state), shape.sizes[0])

    def aggregate(self, contributions: Sequence[Contribution], session: Session) -> Aggregated:
        """Clip, sum, and put the next estimate into `state`. Raises as `ByNorm.aggregate`."""
        norm, inner = self.norm(session.state), replace(session, state=session.state[1:])
        total = _sum_clipped(self.aggregator, norm, contributions, inner)
        return self.after(total, norm, contributions[0].delta.size)

    def after(self, total: T, norm: float, size: int) -> T:
        """As `ByNorm.after`, with the next estimate as state."""
        _check_length(total, size, norm)
        within = self._within(total)
        step = 0.0 if within is None else self.learning_rate * (within - self.quantile)
        grown = norm * math.exp(min(max(-step, -_MOST), _MOST))
        estimate = np.array(min(max(grown, 1 / _NORMS), _NORMS))
        return replace(_reported(total, norm, within), state=(estimate, *total.state))

    def _within(self, total: Totals) -> float | None:
        """The part of the clients that were within the norm, as far as it may be known.

        With noise it is that of Σ (bᵤ − 1/2) over those that count, which one of them moves by 1/2,
        by the number in the sum.
        """
        if not self.count_noise or not total.in_sum:
            return _fraction_within(total)
        counted = total.counted - total.failed[_WITHIN.name]
        noise = DiscreteGaussianNoise((2 * self.count_noise) ** 2)
        drawn = int(noise.sample(1, RandomBits.from_system())[0])
        doubled = 2 * int(total.metrics[-1]) - counted + drawn
        return min(max(doubled / (2 * total.in_sum) + 0.5, 0.0), 1.0)


@dataclass(frozen=True)
class _ClippingClient:
    """Clips the client's update, counts whether it was within the norm, and hands both on."""

    inner: ClientSide
    norm: float

    def bind(self, context: bytes) -> bytes:
        return self.inner.bind(_bound(self.norm, context))

    def params(self, context: bytes) -> secagg.Params | None:
        return self.inner.params(_bound(self.norm, context))

    def encode(self, contribution: Contribution, rng: np.random.Generator) -> Vectors:
        return self.inner.encode(_clipped(contribution, self.norm), rng)


@dataclass(frozen=True)
class _ClippingServer:
    """Reads the sum of clipped updates; `size` is that of an update."""

    inner: ServerSide
    aggregator: ByNorm | AdaptiveNorm
    norm: float
    size: int

    def params(self, context: bytes) -> secagg.Params | None:
        return self.inner.params(_bound(self.norm, context))

    def decode(self, sums: Vectors, survivors: int) -> Totals:
        return self.aggregator.after(self.inner.decode(sums, survivors), self.norm, self.size)


def _with_count(shape: SumShape) -> SumShape:
    """The shape of clipped contributions."""
    return replace(shape, metrics=(*shape.metrics, _WITHIN))


def _sum_clipped(
    aggregator: Aggregator, norm: float, contributions: Sequence[Contribution], session: Session
) -> Aggregated:
    """What an inner aggregator makes of the contributions after they were clipped."""
    metrics = _with_count(session.shape_of(contributions)).metrics
    contexts = [_bound(norm, context) for context in session.contexts]
    clipped = [_clipped(contribution, norm) for contribution in contributions]
    return aggregator.aggregate(clipped, replace(session, contexts=contexts, metrics=metrics))


def _fraction_within(total: Totals) -> float | None:
    """The part of the clients that were within the norm; None without any client."""
    counted = total.counted - total.failed[_WITHIN.name]
    return int(total.metrics[-1]) / counted if counted else None


def _reported(total: T, norm: float, within: float | None) -> T:
    """The sum with a report on the clipping in place of the count that it comes from."""
    clipping = Extra(clip_norm=norm, clip_fraction=0.0 if within is None else 1 - within)
    failed = {name: count for name, count in total.failed.items() if name != _WITHIN.name}
    extra: Extra = {**total.extra, **clipping}
    return replace(total, metrics=total.metrics[:-1], failed=failed, extra=extra)


def _check_length(total: Totals, size: int, norm: float) -> None:
    """Raise ImplausibleSum where the sum of an update's coordinates is too long for its weight."""
    length = _length(total.total[:size])
    if not length <= norm * total.weight * FLOAT32 + math.sqrt(size) * total.rounding:
        raise ImplausibleSum(
            f"a sum of updates of norm {length:.6g}, expected at most {norm:.6g} times the weight "
            f"of {total.weight}"
        )


def _clipped(contribution: Contribution, norm: float) -> Contribution:
    """A contribution within the norm, with one number behind its metrics: 1 if it was before."""
    delta = contribution.delta
    length = _length(delta)
    metrics = np.append(contribution.metrics, float(length <= norm))
    if math.isfinite(length) and length > norm:  # what is not finite is not submitted
        delta = (delta * (norm / length)).astype(delta.dtype)
    return replace(contribution, delta=delta, metrics=metrics)


def _length(vector: Numbers) -> float:
    # Not np.linalg.norm: for so little work it wakes the threads of BLAS, which costs far more.
    return math.sqrt(np.square(vector, dtype=np.float64).sum())


def _bound(norm: float, context: bytes) -> bytes:
    """A client's context with the norm that it clips to."""
    return hashlib.sha256(_LABEL + struct.pack("<d", norm) + context).digest()


def _check_inner(aggregator: Aggregator) -> None:
    check_aggregator(aggregator)
    inner = getattr(aggregator, "aggregator", None)  # of one around another
    if inner is not None:
        _check_inner(inner)
    # Two counts, of one name; and noise, beside which nothing is counted.
    noisy = isinstance(getattr(aggregator, "coding", None), DistributedNoise)
    if isinstance(aggregator, ByNorm | AdaptiveNorm) or noisy:
        raise AggregationError(
            f"clipping by norm around {aggregator!r}, expected an aggregator that does not clip by "
            "norm"
        )


def _check_positive(name: str, value: float) -> None:
    if not 0 < value < math.inf:
        raise AggregationError(f"{name} is {value}, expected a finite number above 0")
