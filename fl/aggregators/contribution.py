"""What goes into a sum: what one client's work comes to, and what is submitted of that.

    submitted = (Δ, s, w, m), zeros and a count in place of what cannot be summed

A client whose update or weight cannot be summed, or who has no examples or none that a model takes,
submits zero with weight zero and counts itself; one of whose metrics cannot be summed submits zero
for that metric and counts itself there. Dropping out instead would tell the server a property of
its data. This module does not sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fl.errors import AggregationError

Sums = NDArray[np.float64]
Numbers = NDArray[Any]
State = tuple[NDArray[Any], ...]

LARGEST = float(np.finfo(np.float32).max)
"""A number beyond it is as good as infinite: float32 does not have it."""


Sizes = tuple[int, int, int]
"""How many numbers a contribution has: of its delta, its statistics, its metrics."""


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

    @classmethod
    def left_out(cls, sizes: Sizes, malformed: bool) -> Contribution:
        """Zeros: the contribution of a client that has no examples, or malformed ones."""
        deltas, statistics, metrics = sizes
        zeros = np.zeros(statistics, np.float32)
        return cls(np.zeros(deltas, np.float32), 0, np.zeros(metrics), zeros, malformed)

    def __repr__(self) -> str:
        return "Contribution(sizes={}, {}, {})".format(*self.sizes)

    @property
    def sizes(self) -> Sizes:
        """How many numbers: d, s, m."""
        return self.delta.size, self.statistics.size, self.metrics.size

    def __post_init__(self) -> None:
        # The secure sum carries whole numbers; the number itself is the client's alone.
        whole = isinstance(self.weight, int | np.integer)
        if not whole or self.weight < 0:
            seen = (
                "a negative weight" if whole else f"a weight of type {type(self.weight).__name__}"
            )
            raise AggregationError(f"{seen}, expected a whole number from 0")
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
        finite = is_finite(given.delta) and is_finite(given.statistics)
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
            summed = is_finite(numbers[part]) and _counts(numbers[part], metric.most)
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


def is_finite(numbers: Numbers) -> bool:
    """Whether all of them are numbers that float32 has."""
    if numbers.dtype != object:  # no array in between: these may be millions
        low, high = (numbers.min(), numbers.max()) if numbers.size else (0.0, 0.0)
        return float(low) >= -LARGEST and float(high) <= LARGEST  # NaN is both: compares false
    with np.errstate(invalid="ignore"):  # numpy warns of NaN among objects
        return bool((np.abs(numbers) <= LARGEST).all())


def _counts(numbers: Sums, most: float | None) -> bool:
    if most is None:
        return True
    return bool(((numbers >= 0) & (numbers <= most) & (numbers == np.floor(numbers))).all())
