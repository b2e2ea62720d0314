"""What goes into a sum and what comes out: contributions, what is submitted of them, the result.

    submitted = (Δ, s, w, m), zeros and a count in place of what cannot be summed

A client whose update or weight cannot be summed, or who has no examples or none that a model takes,
submits zero with weight zero and counts itself; one of whose metrics cannot be summed submits zero
for that metric and counts itself there. Dropping out instead would tell the server a property of
its data. This module does not sum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from fl.errors import AggregationError, SumWarning
from fl.warn import warn

Sums = NDArray[np.float64]
Numbers = NDArray[Any]
State = tuple[NDArray[Any], ...]

LARGEST = float(np.finfo(np.float32).max)
"""A number beyond it is as good as infinite: float32 does not have it."""

CLIPPED = 1e-3
"""Where more than this part of all coordinates is clipped, a round warns."""


def nothing() -> Numbers:
    """No numbers."""
    return np.zeros(0, np.float32)


class Metric(NamedTuple):
    """A metric as a sum sees it: some numbers that stand together, under a name.

    most: None for floats; otherwise they are counts, whole numbers in 0..most of each client.
    """

    name: str
    size: int
    most: float | None = None


@dataclass(frozen=True, eq=False)
class Contribution:
    """What one client's work comes to: never seen outside that client, except in simulation.

    delta: changes of trained weights, float[d], summed within a range and to a step.
    statistics: values of what is no trained weight, float[s], or an object array of Fractions,
        summed exactly.
    weight: both count so often; 0 is that of a client without examples.
    metrics: float64[m], summed exactly, without a weight.
    malformed: it is zero, because the client's data are no examples.
    """

    delta: Numbers = field(repr=False)
    weight: int = field(repr=False)
    metrics: Sums = field(repr=False)
    statistics: Numbers = field(default_factory=nothing, repr=False)
    malformed: bool = field(default=False, repr=False)

    def left_out(self, malformed: bool) -> Contribution:
        """What a client has in place of this one that has no examples, or malformed ones: zeros."""
        delta, statistics = np.zeros_like(self.delta), np.zeros_like(self.statistics)
        return Contribution(delta, 0, np.zeros_like(self.metrics), statistics, malformed)

    def __repr__(self) -> str:
        return "Contribution(sizes={}, {}, {})".format(*self.sizes)

    @property
    def sizes(self) -> tuple[int, int, int]:
        """How many numbers: d, s, m."""
        return self.delta.size, self.statistics.size, self.metrics.size

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
    """What a client submits: numbers that are finite in float32, and counts of 0 or 1.

    non_finite, bad_weight, empty, malformed: why all of it is zero, weight and metrics included.
    failed: for each metric, whether it is zero because it is not finite, or no count.
    """

    delta: Numbers = field(repr=False)
    statistics: Numbers = field(repr=False)
    weight: int = field(repr=False)
    metrics: Sums = field(repr=False)
    non_finite: int = field(default=0, repr=False)
    bad_weight: int = field(default=0, repr=False)
    empty: int = field(default=0, repr=False)
    malformed: int = field(default=0, repr=False)
    failed: tuple[int, ...] = field(default=(), repr=False)

    @classmethod
    def of(
        cls, contribution: Contribution, metrics: Sequence[Metric], max_weight: float
    ) -> Submission:
        """The submission of one client. metrics: what `contribution.metrics` consists of."""
        given, weight = contribution, contribution.weight
        fits = weight <= max_weight
        finite = _finite(given.delta) and _finite(given.statistics)
        if not (finite and fits and weight > 0):
            return cls(
                np.zeros_like(given.delta),
                np.zeros_like(given.statistics),
                0,
                np.zeros_like(given.metrics),
                non_finite=int(not finite),
                bad_weight=int(finite and not fits),
                empty=int(finite and fits and not given.malformed),
                malformed=int(finite and fits and given.malformed),
                failed=(0,) * len(metrics),
            )
        numbers, failed = given.metrics.copy(), []
        for metric, part in zip(metrics, parts(metrics), strict=True):
            summed = _finite(numbers[part]) and _counts(numbers[part], metric.most)
            failed.append(int(not summed))
            if not summed:
                numbers[part] = 0
        return cls(given.delta, given.statistics, weight, numbers, failed=tuple(failed))


def parts(metrics: Sequence[Metric]) -> list[slice]:
    """Where each metric's numbers stand."""
    ends = np.cumsum([metric.size for metric in metrics]).tolist()
    return [slice(end - metric.size, end) for metric, end in zip(metrics, ends, strict=True)]


def whole(metrics: Sequence[Metric]) -> NDArray[np.bool_]:
    """bool[m], which numbers are counts."""
    kinds = np.array([metric.most is not None for metric in metrics], np.bool_)
    return np.repeat(kinds, [metric.size for metric in metrics])


def _finite(numbers: Numbers) -> bool:
    if numbers.dtype != object:  # no array in between: these may be millions
        low, high = (numbers.min(), numbers.max()) if numbers.size else (0.0, 0.0)
        return float(low) >= -LARGEST and float(high) <= LARGEST  # NaN is both: compares false
    with np.errstate(invalid="ignore"):  # numpy warns of NaN among objects
        return bool((np.abs(numbers) <= LARGEST).all())


def _counts(numbers: Sums, most: float | None) -> bool:
    if most is None:
        return True
    return bool(((numbers >= 0) & (numbers <= most) & (numbers == np.floor(numbers))).all())


@dataclass(frozen=True)
class Session:
    """What a sum needs besides the contributions.

    contexts: for each client, the digest of the round's plan as that client received it.
    dropouts: client -> the protocol round (0..4) from which it is gone.
    weighted: False promises that every weight is 1, which buys a finer quantisation step.
    state: what the aggregator carries from round to round; empty for one that carries nothing.
    metrics: what the metrics of a contribution consist of; empty for one metric of that name.
    """

    round: int
    seed: int
    contexts: Sequence[bytes]
    dropouts: Mapping[int, int] = field(default_factory=dict)
    weighted: bool = True
    state: State = ()
    metrics: tuple[Metric, ...] = ()

    def metrics_of(self, contributions: Sequence[Contribution]) -> tuple[Metric, ...]:
        """`metrics`, of as many numbers as all contributions have.

        Raises AggregationError where they have others, or are not alike.
        """
        first = contributions[0].sizes
        metrics = self.metrics or (Metric("metrics", first[2]),)
        expected = (*first[:2], sum(metric.size for metric in metrics))
        for contribution in contributions:
            if contribution.sizes != expected:
                raise AggregationError(
                    f"an update, statistics and metrics of {contribution.sizes} numbers: "
                    f"{expected} expected"
                )
        return metrics


@dataclass(frozen=True, eq=False)
class Aggregated:
    """The sums over the survivors, and what the session cost.

    total: float64[d + s], Σ w·(Δ ‖ s); weight: Σ w; metrics: float64[m], NaN where a metric of
        floats comes from nobody.
    clipped, clipped_fraction: coordinates of Δ, and which part of all of them.
    non_finite, bad_weights, empty, malformed: how many survivors count for nothing because of their
        update, their weight, or because they have no examples or malformed ones. failed: metric ->
        how many of the others are not in it.
    rounding: the most by which a coordinate of `total` can be wrong without clipping.
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
    clipped_fraction: float
    non_finite: int
    bad_weights: int
    empty: int
    malformed: int
    failed: Mapping[str, int]
    rounding: float
    bytes_up: int
    bytes_down: int
    seconds: float
    state: State = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return (
            f"Aggregated({self.kind}, {self.total.size} coordinates of {len(self.survivors)} of "
            f"{len(self.clients)} clients, {self.counted} counted, clipped={self.clipped})"
        )

    @property
    def mean(self) -> Sums:
        """float64[d + s], Σ w·(Δ ‖ s) / Σ w; zero where the weights sum to zero."""
        return self.total / self.weight if self.weight else np.zeros_like(self.total)

    @property
    def counted(self) -> int:
        """How many survivors count for something."""
        nothing = self.non_finite + self.bad_weights + self.empty + self.malformed
        return len(self.survivors) - nothing

    @property
    def error_bound(self) -> float | None:
        """The most by which a coordinate of `mean` can be wrong; None where any was clipped."""
        if self.clipped:
            return None
        return self.rounding / self.weight if self.weight else 0.0

    def report(self) -> dict[str, Any]:
        """The public part as a plain dict."""
        names = [
            *("kind", "clients", "survivors", "dropped", "threshold", "clipped"),
            *("clipped_fraction", "error_bound", "bad_weights", "bytes_up", "bytes_down"),
        ]
        told = {name: getattr(self, name) for name in names}
        why = {"without_examples": self.empty, "malformed": self.malformed}
        return {
            **told,
            **why,
            "non_finite": {"update": self.non_finite, **self.failed},
            **self.extra,
        }

    def warn(self) -> None:
        """Warn of what is in the sum otherwise than clients had it, where a setting is to blame."""
        if self.clipped_fraction > CLIPPED:
            warn(
                f"{self.clipped_fraction:.2%} of the coordinates of updates were clipped: the mean "
                "is not theirs. fl.SecureSum(clip=...) has the range; clip=None needs none",
                SumWarning,
            )
        if self.bad_weights:
            warn(
                f"{self.bad_weights} clients count for nothing: a weight that is a whole number in "
                "0..max_weight expected. fl.SecureSum(max_weight=...) has the range",
                SumWarning,
            )


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
