"""What questions with noise are answered with: noisy numbers, how noisy, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass

from fl.aggregators.totals import SumReport
from fl.analytics.answers import Values, shown
from fl.privacy.release import Release


@dataclass(frozen=True, eq=False)
class PrivateAnswer:
    """A sum or a mean with noise.

    value: a float, or float64 of the shape of one value.
    deviation: the standard deviation of the noise in each number of it.
    release: what the answer costs each client that was asked, for `fl.privacy.Ledger.charge`.
    aggregator: what the sum reports, in which is nothing without noise.

    >>> noise = fl.analytics.ClientNoise(0.001)
    >>> answer = fl.analytics.private_mean([1, 2, 3, 6], low=0, high=10, noise=noise)
    >>> answer
    PrivateAnswer(... with noise of deviation ...)
    >>> round(answer.value), answer.deviation < 0.1
    (3, True)
    """

    value: float | Values
    deviation: float
    release: Release
    aggregator: SumReport

    def __repr__(self) -> str:
        return f"PrivateAnswer({shown(self.value)} with noise of deviation {self.deviation:.2g})"

    def __float__(self) -> float:
        return float(self.value)


@dataclass(frozen=True, eq=False)
class PrivateHistogram:
    """About how many values are in each bin.

    counts: float64[bins], with noise, so that they are no whole numbers and may be below 0; bin
        i is [edges[i], edges[i+1]), the last with its right edge.
    below, above: outside of the edges, with noise too.
    deviation: of the noise in each of them.
    release, aggregator: as of `PrivateAnswer`.

    >>> noise = fl.analytics.ClientNoise(0.001)
    >>> fl.analytics.private_histogram([1, 1, 3, 3], edges=[0, 2, 4], noise=noise)
    PrivateHistogram(2 bins with noise of deviation 0.00...)
    """

    counts: Values
    edges: Values
    below: float
    above: float
    deviation: float
    release: Release
    aggregator: SumReport

    def __repr__(self) -> str:
        bins = len(self.counts)
        return f"PrivateHistogram({bins} bins with noise of deviation {self.deviation:.2g})"


@dataclass(frozen=True, eq=False)
class PrivateQuantile:
    """About where a fraction q of the values ends.

    value: the middle of the part of the range that was found, which is 2·half_width wide.
    rank_deviation: the standard deviation of the noise in how many values there are up to its end,
        less q of all: by about so many values its rank is off.
    release, aggregator: as of `PrivateAnswer`.

    >>> noise = fl.analytics.ClientNoise(0.001)
    >>> fl.analytics.private_quantile([1, 2, 3, 4, 5], 0.5, low=0, high=8, noise=noise)
    PrivateQuantile(3.00391 ± 0.0039, of a rank with noise of deviation ...)
    """

    value: float
    half_width: float
    rank_deviation: float
    release: Release
    aggregator: SumReport

    def __repr__(self) -> str:
        noise = f"of a rank with noise of deviation {self.rank_deviation:.2g}"
        return f"PrivateQuantile({self.value:.6g} ± {self.half_width:.2g}, {noise})"

    def __float__(self) -> float:
        return self.value
