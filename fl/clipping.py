"""Clipping of every client's update to a norm: fixed, or adapted to the clients' norms.

    ByNorm        Δᵤ <- Δᵤ · min(1, C / ‖Δᵤ‖)
    AdaptiveNorm  and C <- C · exp(-η·(b - γ)),   b = (Σ [‖Δᵤ‖ <= C]) / number of clients

The second is Andrew et al. 2021 (without the noise): C moves to the γ-quantile of the norms, and
the server sees no norm, only the securely summed count of those that are within C. Each wraps an
aggregator and is one: `fl.clipping.ByNorm(fl.SecureSum(), 1.0)`. The clipping is done by clients,
and an honest client does it; what makes a client honest is not here.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fl.contribution import Aggregated, Aggregator, Contribution, Session, check_aggregator
from fl.errors import AggregationError

_LABEL = b"secagg/v1/fl-clip-norm"


@dataclass(frozen=True)
class ByNorm:
    """Sums updates whose norm, over all coordinates that are sent, is at most `norm`.

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
        """Clip, and sum. Raises what the inner aggregator raises."""
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
        """Clip, sum, and put the next estimate into `state`. Raises as the inner aggregator."""
        norm = self.norm(session)
        inner = replace(session, state=())
        total, within = _clip_and_sum(self.aggregator, norm, contributions, inner)
        step = 0.0 if within is None else self.learning_rate * (within - self.quantile)
        return replace(total, state=(np.array(norm * math.exp(-step)),))


def _clip_and_sum(
    aggregator: Aggregator, norm: float, contributions: Sequence[Contribution], session: Session
) -> tuple[Aggregated, float | None]:
    """The sum, and the part of the clients that were within the norm; None without any client."""
    told = [_bound(norm, context) for context in session.contexts]
    clipped = [_clipped(contribution, norm) for contribution in contributions]
    total = aggregator.aggregate(clipped, replace(session, contexts=told))
    counted = len(total.survivors) - total.non_finite
    within = round(total.metrics[-1]) / counted if counted else None
    extra = {"clip_norm": norm, "clip_fraction": 0.0 if within is None else 1 - within}
    own = replace(total, metrics=total.metrics[:-1], extra={**total.extra, **extra})
    return own, within


def _clipped(contribution: Contribution, norm: float) -> Contribution:
    """A contribution within the norm, with one number behind its metrics: 1 if it was before."""
    delta = contribution.delta
    # Not np.linalg.norm: for so little work it wakes the threads of BLAS, which costs far more.
    length = math.sqrt(np.square(delta, dtype=np.float64).sum())
    metrics = np.append(contribution.metrics, float(length <= norm))
    if math.isfinite(length) and length > norm:  # what is not finite is not submitted
        delta = (delta * (norm / length)).astype(delta.dtype)
    return replace(contribution, delta=delta, metrics=metrics)


def _bound(norm: float, context: bytes) -> bytes:
    """A client's context with the norm that it was told."""
    return hashlib.sha256(_LABEL + struct.pack("<d", norm) + context).digest()


def _check_positive(name: str, value: float) -> None:
    if not 0 < value < math.inf:
        raise AggregationError(f"{name} is {value}: a finite number above 0 expected")
