"""Clipping of every client's update to a norm: fixed, or adapted to the clients' norms.

    ByNorm        Δᵤ <- Δᵤ · min(1, C / ‖Δᵤ‖)
    AdaptiveNorm  and C <- C · exp(-η·(b - γ)),   b = (Σ [‖Δᵤ‖ <= C]) / number of clients

The second is Andrew et al. 2021 (without the noise): C moves to the γ-quantile of the norms, and
the server sees no norm, only the securely summed count of those that are within C. Each wraps an
aggregator and is one: `fl.aggregators.ByNorm(fl.SecureSum(), 1.0)`. The norm is that of the trained
weights' change: statistics, such as those of batch normalization, are in other units, and stay as
they are. The clipping is done by clients, and an honest client does it; of one that does not, a sum
that is longer than honest clients can make it is refused.

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

import numpy as np

from fl.aggregators.contribution import (
    Aggregated,
    Aggregator,
    Contribution,
    Metric,
    Numbers,
    Session,
    check_aggregator,
)
from fl.errors import AggregationError, ImplausibleSum

_LABEL = b"secagg/v1/fl-clip-norm"
_MOST = 700.0  # the largest exponent, and
_NORMS = 1e300  # the largest norm, and one over the smallest, that an estimate moves to
_WITHIN = Metric("within the norm", 1, 1)
_FLOAT32 = 1 + 2.0**-20  # an update is rounded to float32 after it was scaled


@dataclass(frozen=True)
class ByNorm:
    """Sums updates whose norm, over the trained weights, is at most `norm`.

    Rounding to float32 and to the steps of a secure sum comes after, and may exceed it by as much.
    The round's "aggregator" metrics say `clip_norm` and `clip_fraction`, the part of the clients
    whose update was longer. Raises AggregationError for a norm that is not above 0.
    """

    aggregator: Aggregator
    norm: float

    def __post_init__(self) -> None:
        check_aggregator(self.aggregator)
        _check_positive("norm", self.norm)

    def aggregate(self, contributions: Sequence[Contribution], session: Session) -> Aggregated:
        """Clip, and sum. Raises ImplausibleSum for a sum that is longer than norm·Σw, and what the
        inner aggregator raises."""
        total, _ = _clip_and_sum(self.aggregator, self.norm, contributions, session)
        return total


@dataclass(frozen=True)
class AdaptiveNorm:
    """Sums updates that are clipped to an estimate of the `quantile` of their norms.

    The estimate is the aggregator's state, one float64 that travels in `ServerState.aggregator`:
    `initial` in the first round. After a round with too many clients within it, it shrinks,
    otherwise it grows, by a factor of at most exp(learning_rate).

    Metrics are those of `ByNorm`. Raises AggregationError for numbers out of range.
    """

    aggregator: Aggregator
    quantile: float = 0.5
    initial: float = 0.1
    learning_rate: float = 0.2

    def __post_init__(self) -> None:
        check_aggregator(self.aggregator)
        _check_positive("initial", self.initial)
        _check_positive("learning_rate", self.learning_rate)
        if not 0 <= self.quantile <= 1:
            raise AggregationError(f"quantile is {self.quantile}: a number in [0, 1] expected")

    def norm(self, session: Session) -> float:
        """The bound of a session. Raises AggregationError for the state of something else."""
        if not session.state:
            return self.initial
        if len(session.state) != 1 or not session.state[0].shape == () or not session.state[0] > 0:
            raise AggregationError(f"state {session.state}: one norm above 0 expected")
        return float(session.state[0])

    def aggregate(self, contributions: Sequence[Contribution], session: Session) -> Aggregated:
        """Clip, sum, and put the next estimate into `state`. Raises as `ByNorm.aggregate`."""
        norm = self.norm(session)
        inner = replace(session, state=())
        total, within = _clip_and_sum(self.aggregator, norm, contributions, inner)
        step = 0.0 if within is None else self.learning_rate * (within - self.quantile)
        grown = norm * math.exp(min(max(-step, -_MOST), _MOST))
        return replace(total, state=(np.array(min(max(grown, 1 / _NORMS), _NORMS)),))


def _clip_and_sum(
    aggregator: Aggregator, norm: float, contributions: Sequence[Contribution], session: Session
) -> tuple[Aggregated, float | None]:
    """The sum, and the part of the clients that were within the norm; None without any client."""
    told = [_bound(norm, context) for context in session.contexts]
    clipped = [_clipped(contribution, norm) for contribution in contributions]
    metrics = (*session.metrics_of(contributions), _WITHIN)
    total = aggregator.aggregate(clipped, replace(session, contexts=told, metrics=metrics))
    _check_length(total, contributions[0].delta.size, norm)
    counted = total.counted - total.failed[_WITHIN.name]
    within = int(total.metrics[-1]) / counted if counted else None
    extra = {"clip_norm": norm, "clip_fraction": 0.0 if within is None else 1 - within}
    failed = {name: count for name, count in total.failed.items() if name != _WITHIN.name}
    own = replace(total, metrics=total.metrics[:-1], failed=failed, extra={**total.extra, **extra})
    return own, within


def _check_length(total: Aggregated, size: int, norm: float) -> None:
    """Raise ImplausibleSum where the sum of an update's coordinates is too long for its weight."""
    length = _length(total.total[:size])
    if not length <= norm * total.weight * _FLOAT32 + math.sqrt(size) * total.rounding:
        raise ImplausibleSum(
            f"a sum of updates of norm {length:.6g}: at most {norm:.6g} times the weight of "
            f"{total.weight} expected"
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
    """A client's context with the norm that it was told."""
    return hashlib.sha256(_LABEL + struct.pack("<d", norm) + context).digest()


def _check_positive(name: str, value: float) -> None:
    if not 0 < value < math.inf:
        raise AggregationError(f"{name} is {value}: a finite number above 0 expected")
