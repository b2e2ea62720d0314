"""What the questions of this room are answered with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fl.aggregators.totals import Aggregated, SumReport

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Answer:
    """What was asked for, as it came out of secure sums.

    value: a float, or float64 of the shape of one value.
    error_bound: the most by which a coordinate can be wrong.
    sessions: how many sums it took.
    aggregator: what the last reports.

    >>> answer = fl.analytics.secure_mean([[1, 1, 1], [13]])
    >>> answer, answer.value
    (Answer(7 ± ..., sessions=1), 7.0)
    """

    value: float | Values
    error_bound: float
    aggregator: SumReport
    sessions: int = 1

    def __repr__(self) -> str:
        return f"Answer({shown(self.value)} ± {self.error_bound:.2g}, sessions={self.sessions})"

    def __float__(self) -> float:
        return float(self.value)


@dataclass(frozen=True, eq=False)
class Histogram:
    """How many values are in each bin.

    counts: int64[bins], exact; bin i is [edges[i], edges[i+1]), the last with its right edge.
    below, above: how many values lie outside of the edges.
    aggregator: what the sum reports.

    >>> fl.analytics.secure_histogram([[1, 2, 2], [3, 9]], edges=[0, 2, 4])
    Histogram(4 in 2 bins, 0 below, 1 above)
    """

    counts: NDArray[np.int64]
    edges: Values
    below: int
    above: int
    aggregator: SumReport

    def __repr__(self) -> str:
        inside, bins = int(self.counts.sum()), len(self.counts)
        return f"Histogram({inside} in {bins} bins, {self.below} below, {self.above} above)"


def answer_of(value: Values, bound: float, shape: tuple[int, ...], total: Aggregated) -> Answer:
    """The answer of one sum. bound: of the rounding to steps; that of float64 is added here."""
    # of the sum, and of what it is divided by
    exact = bound + 2 * float(np.spacing(np.abs(value)).max(initial=0.0))
    shaped = value.reshape(shape)
    return Answer(float(shaped) if shape == () else shaped, exact, total.report())


def shown(value: float | Values) -> str:
    """A number, or what kind of array it is."""
    return f"{value:.6g}" if isinstance(value, float) else f"float64{list(value.shape)}"
