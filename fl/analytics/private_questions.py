"""Questions whose answers have noise, so that they tell little of any one client.

    private_sum         Σ clip(sum of a client's values)
    private_mean        mean of the clients' own means, each clipped
    private_histogram   how many in each bin, of at most k values a client
    private_quantile    a search in noisy counts of halves, quarters, ..., all from one sum

Each is one sum, of which one client can move so much (`bounded`) and no more, and each answer says
what it cost: a `fl.privacy.Release`. Neighbours are the same clients of which one has no values.
The number of clients that answer is public, and so is who they are before the server; nothing else
is, not how many have values, nor how many of these were clipped or no numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from fl.aggregators.interface import Aggregator
from fl.aggregators.secure import chosen_sum
from fl.aggregators.totals import SumReport
from fl.analytics.answers import Values
from fl.analytics.asking import Dropouts, OwnValues, Question, ask_with_noise
from fl.analytics.bounded import (
    PRESENT,
    Bounded,
    bounded_histogram,
    bounded_mean,
    bounded_sum,
    bounded_tree,
)
from fl.analytics.halves import found
from fl.analytics.inputs import read_edges, read_values
from fl.analytics.noise import Noise, check_noise
from fl.analytics.private_answers import PrivateAnswer, PrivateHistogram, PrivateQuantile
from fl.errors import AggregationError
from fl.privacy.release import Release

_DEEPEST = 16  # of a tree: 2^17 numbers


def private_sum(
    values: Sequence[ArrayLike],
    *,
    low: float,
    high: float,
    noise: Noise,
    aggregator: Aggregator | None = None,
    dropouts: Dropouts = None,
) -> PrivateAnswer:
    """The sum of all values of all clients, each client's own sum clipped to [low, high].

    values: for each client a number, or an array whose first axis counts its values; a client may
        have none, which is a sum of 0.
    low, high: of every coordinate. One client moves the sum by max(|low|, |high|) at most, √d times
        that for values of d coordinates; the noise is noise_multiplier times as large.
    noise: `fl.analytics.ClientNoise(z)` or `fl.analytics.ServerNoise(z)`.
    aggregator: None is `fl.SecureSum()`; another one may have a threshold, a graph and the like.
    dropouts: client index -> the protocol round (0..4) from which that client is gone.

    Raises DataError for values that are not numbers, or of different shapes; AggregationError for
    bounds that are not finite or not ascending, for what is no noise, and for an aggregator that
    says how numbers are written; PrivacyError where the bits are too few; secagg.TooFewClients.

    >>> noise = fl.analytics.ClientNoise(0.001)
    >>> round(fl.analytics.private_sum([[1, 1], [3], [90]], low=0, high=5, noise=noise).value)
    10
    """
    low, high = _range(low, high)
    clients, shape = _of_one_shape(values)
    question = bounded_sum(low, high, math.prod(shape))
    noisy = _answered(question, clients, noise, aggregator, dropouts)
    unit = max(abs(low), abs(high))
    return PrivateAnswer(
        _shaped(unit * noisy.total, shape), unit * noisy.deviation, noisy.release, noisy.report
    )


def private_mean(
    values: Sequence[ArrayLike],
    *,
    low: float,
    high: float,
    noise: Noise,
    aggregator: Aggregator | None = None,
    dropouts: Dropouts = None,
) -> PrivateAnswer:
    """The mean of the clients' own means, each clipped to [low, high]: every client that has values
    counts the same.

    The noisy sum of the means is divided by a noisy count of those that have values, and the result
    is within [low, high]; `deviation` is that of the quotient, to first order, as far as the noisy
    numbers tell. Arguments and errors are those of `private_sum`.

    >>> noise = fl.analytics.ClientNoise(0.001)
    >>> heights = [150, 165, 172, [180, 188], []]
    >>> round(fl.analytics.private_mean(heights, low=100, high=220, noise=noise).value)
    168
    """
    low, high = _range(low, high)
    clients, shape = _of_one_shape(values)
    question = bounded_mean(low, high, math.prod(shape))
    noisy = _answered(question, clients, noise, aggregator, dropouts)
    half, count = (high - low) / 2, max(float(noisy.total[-1]) / PRESENT, 1.0)
    offset = np.clip(noisy.total[:-1] / count, -1, 1)
    longest = 1 + (np.abs(offset).max(initial=0.0) / PRESENT) ** 2
    deviation = half * noisy.deviation * math.sqrt(longest) / count
    value = _shaped((low + high) / 2 + half * offset, shape)
    return PrivateAnswer(value, deviation, noisy.release, noisy.report)


def private_histogram(
    values: Sequence[ArrayLike],
    edges: ArrayLike,
    *,
    noise: Noise,
    values_per_client: int = 1,
    aggregator: Aggregator | None = None,
    dropouts: Dropouts = None,
) -> PrivateHistogram:
    """How many values, of all clients, lie between each two edges.

    values: for each client a number or an array; every element that is a number counts.
    edges: at least two finite numbers, ascending; chosen without a look at the values.
    values_per_client: how many values of a client count at most; of more, so many are drawn at
        random. One client moves the counts by as much, all in one bin at the worst.

    Other arguments and errors are those of `private_sum`.

    >>> noise = fl.analytics.ClientNoise(0.001)
    >>> histogram = fl.analytics.private_histogram(
    ...     [[1, 2, 2], [3, 9]], edges=[0, 2, 4], values_per_client=3, noise=noise
    ... )
    >>> histogram.counts.round().tolist()
    [1.0, 3.0]
    """
    bounds, most = read_edges(edges), _most(values_per_client)
    question = bounded_histogram(bounds.tolist(), most)
    noisy = _answered(question, _of_any_shape(values), noise, aggregator, dropouts)
    below, *counts, above = noisy.total.tolist()
    return PrivateHistogram(
        np.array(counts), bounds, below, above, noisy.deviation, noisy.release, noisy.report
    )


def private_quantile(
    values: Sequence[ArrayLike],
    q: float,
    *,
    low: float,
    high: float,
    noise: Noise,
    tolerance: float | None = None,
    values_per_client: int = 1,
    aggregator: Aggregator | None = None,
    dropouts: Dropouts = None,
) -> PrivateQuantile:
    """About the smallest value below or at which lie at least a fraction q of all values.

    Clients count their values in [low, high], in its halves, in its quarters, and so on to parts
    that are at most `tolerance` (default: 1/1024 of it) wide; one sum with noise has all of these,
    and the answer is where the counts that fit them best (`halves`) reach the fraction q. What is
    beyond [low, high] counts as low or high, and so may be the answer.

    q: in (0, 1].
    values_per_client: as in `private_histogram`; one client moves the counts by √levels times as
        much.

    Other arguments and errors are those of `private_sum`; AggregationError also for a tolerance
    below (high − low) / 2^16.

    >>> noise = fl.analytics.ClientNoise(0.001)
    >>> ages = [23, 31, 38, 44, 52, 67, 71]
    >>> median = fl.analytics.private_quantile(ages, 0.5, low=0, high=128, noise=noise)
    >>> abs(median.value - 44) <= 2 * median.half_width
    True
    """
    low, high = _range(low, high)
    if not 0 < q <= 1:
        raise AggregationError(f"q is {q}, expected q in (0, 1]")
    depth = _depth(low, high, tolerance)
    question = bounded_tree(low, high, depth, _most(values_per_client))
    noisy = _answered(question, _of_any_shape(values), noise, aggregator, dropouts)
    (part, deviation), width = found(noisy.total, q, depth), (high - low) / 2**depth
    return PrivateQuantile(
        low + (part + 0.5) * width,
        width / 2,
        noisy.deviation * deviation,
        noisy.release,
        noisy.report,
    )


class _Noisy(NamedTuple):
    """A noisy sum, and the deviation of each of its numbers."""

    total: Values
    deviation: float
    release: Release
    report: SumReport


def _answered(
    question: Bounded,
    clients: Sequence[OwnValues],
    noise: Noise,
    aggregator: Aggregator | None,
    dropouts: Dropouts,
) -> _Noisy:
    check_noise(noise)
    given = chosen_sum(aggregator)
    noisy = noise.aggregator(given, question.norm)
    total = ask_with_noise(Question(question.name, question.numbers), clients, noisy, dropouts)
    report = total.report()
    deviation = noise.deviation(
        given, question.norm, question.size, len(clients), len(total.survivors)
    )
    return _Noisy(total.total, deviation, Release.of(report["noise"]), report)


def _of_one_shape(values: Sequence[ArrayLike]) -> tuple[list[OwnValues], tuple[int, ...]]:
    """The clients' data, all of which count once whether they have values or not."""
    arrays = read_values(values, needed=False)
    return [OwnValues(array, 1) for array in arrays], arrays[0].shape[1:] if arrays else ()


def _of_any_shape(values: Sequence[ArrayLike]) -> list[OwnValues]:
    arrays = read_values(values, alike=False, needed=False)
    return [OwnValues(array.ravel(), 1) for array in arrays]


def _range(low: float, high: float) -> tuple[float, float]:
    read_edges([low, high])
    if not math.isfinite(high - low):
        raise AggregationError(f"low={low}, high={high}, expected a finite difference")
    return float(low), float(high)


def _most(values_per_client: int) -> int:
    if not (isinstance(values_per_client, int) and values_per_client >= 1):
        raise AggregationError(
            f"values_per_client is {values_per_client!r}, expected a whole number from 1"
        )
    return values_per_client


def _depth(low: float, high: float, tolerance: float | None) -> int:
    """How often the range is halved."""
    width = (high - low) / 1024 if tolerance is None else tolerance
    if not (high - low) / 2**_DEEPEST <= width < math.inf:
        raise AggregationError(
            f"tolerance is {tolerance}, expected at least {(high - low) / 2**_DEEPEST:.6g}, which "
            f"is (high - low) / 2^{_DEEPEST}"
        )
    return max(1, math.ceil(math.log2((high - low) / width)))


def _shaped(value: Values, shape: tuple[int, ...]) -> float | Values:
    shaped = value.reshape(shape)
    return float(shaped) if shape == () else shaped
