"""What goes into a sum and what comes out: contributions, what is submitted of them, the result.

    submitted = (Δ, w, m) where all is finite and m fits the fixed point, else zeros and a count

A client that cannot be summed submits zero with weight zero and counts itself: dropping out instead
would tell the server a property of its data. This module does not sum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fl.errors import AggregationError

Sums = NDArray[np.float64]
State = tuple[NDArray[Any], ...]

METRIC_SCALE = 2.0**24
"""Metric sums travel as whole multiples of 2^-24 in 64 bits."""


def metric_limit(n: int) -> float:
    """The largest metric state of one client whose sum over n clients fits the fixed point."""
    return float(2**38 // n)


@dataclass(frozen=True, eq=False)
class Contribution:
    """What one client's work comes to: never seen outside that client, except in simulation."""

    delta: NDArray[np.floating[Any]] = field(repr=False)
    weight: int
    metrics: Sums = field(repr=False)

    def __post_init__(self) -> None:
        # The secure sum carries whole numbers; the number itself is the client's alone.
        whole = isinstance(self.weight, int | np.integer)
        if not whole or self.weight < 0:
            seen = (
                "a negative weight" if whole else f"a weight of type {type(self.weight).__name__}"
            )
            raise AggregationError(f"{seen}: a whole number from 0 expected")
        object.__setattr__(self, "weight", int(self.weight))


@dataclass(frozen=True, eq=False)
class Submission:
    """What a client submits: its contribution, or zeros and a count of one in `non_finite`."""

    delta: NDArray[np.floating[Any]]
    weight: int
    metrics: Sums
    non_finite: int

    @classmethod
    def of(cls, contribution: Contribution, n: int) -> Submission:
        """The submission of one of n clients."""
        delta, metrics = contribution.delta, contribution.metrics
        # NaN compares false, so this is also the check that metrics are finite.
        if np.isfinite(delta).all() and (np.abs(metrics) <= metric_limit(n)).all():
            return cls(delta, contribution.weight, metrics, 0)
        return cls(np.zeros_like(delta), 0, np.zeros_like(metrics), 1)


@dataclass(frozen=True)
class Session:
    """What a sum needs besides the contributions.

    contexts: for each client, the digest of the round's plan as that client received it.
    dropouts: client -> the protocol round (0..4) from which it is gone.
    weighted: False promises that every weight is 1, which buys a finer quantisation step.
    state: what the aggregator carries from round to round; empty for one that carries nothing.
    """

    round: int
    seed: int
    contexts: Sequence[bytes]
    dropouts: Mapping[int, int] = field(default_factory=dict)
    weighted: bool = True
    state: State = ()


@dataclass(frozen=True, eq=False)
class Aggregated:
    """The sums over the survivors, and what the session cost.

    total: float64[d], Σ w·Δ; weight: Σ w; metrics: float64[m].
    error_bound: the most by which a coordinate of `mean` can be wrong, where `clipped` is 0.
    bytes_up, bytes_down: the protocol's bytes, mean over clients.
    state: the aggregator's, after this sum. extra: what it reports besides.
    """

    kind: str
    total: Sums
    weight: int
    metrics: Sums
    clients: list[int]
    survivors: list[int]
    dropped: list[dict[str, Any]]
    threshold: int
    clipped: int
    non_finite: int
    error_bound: float
    bytes_up: int
    bytes_down: int
    seconds: float
    state: State = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def mean(self) -> Sums:
        """float64[d], Σ w·Δ / Σ w; zero where the weights sum to zero."""
        return self.total / self.weight if self.weight else np.zeros_like(self.total)

    def report(self) -> dict[str, Any]:
        """The public part as a plain dict."""
        names = [
            *("kind", "clients", "survivors", "dropped", "threshold", "clipped"),
            *("error_bound", "bytes_up", "bytes_down"),
        ]
        return {**{name: getattr(self, name) for name in names}, **self.extra}


class Aggregator(Protocol):
    """Anything that sums the contributions of a round."""

    def aggregate(self, contributions: Sequence[Contribution], session: Session) -> Aggregated: ...


def check_aggregator(aggregator: Any) -> None:
    """Raise AggregationError for what is no aggregator: a class, or a thing without `aggregate`."""
    if isinstance(aggregator, type):
        name = aggregator.__name__
        raise AggregationError(f"aggregator is the class {name}: an instance, {name}(), expected")
    if not callable(getattr(aggregator, "aggregate", None)):
        raise AggregationError(
            f"aggregator is {aggregator!r}: an object with a method `aggregate` expected, "
            "such as fl.SecureSum()"
        )


def check_dropouts(dropouts: Mapping[int, int], n: int) -> dict[int, int]:
    """Raise AggregationError unless `dropouts` maps clients of 0..n-1 to protocol rounds 0..4."""
    if n == 0:
        raise AggregationError("no clients: a round needs at least one")
    if not isinstance(dropouts, Mapping):
        raise AggregationError(
            f"dropouts are {dropouts!r}: {{position of the client: protocol round}} expected"
        )
    for client, protocol_round in dropouts.items():
        if client not in range(n):
            raise AggregationError(f"dropouts name client {client!r}: 0 to {n - 1} expected")
        if protocol_round not in range(5):
            raise AggregationError(
                f"client {client} drops out in round {protocol_round!r}: 0 to 4 expected"
            )
    return dict(dropouts)
