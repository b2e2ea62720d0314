"""Questions about numbers that clients hold, answered by secure sums.

    secure_sum             Σ of all values            secure_histogram   how many in each bin
    secure_mean            mean of the local means    secure_quantile    bisection, a count a step
    secure_weighted_mean   Σ wᵤ·(local mean) / Σ wᵤ

A client holds a number, or values of which the first axis counts; it reduces them itself and
submits the result, without rounding it: an answer is rounded once, at the end, unless the caller's
aggregator has a step. The server learns what is returned, counts of the sessions included, and
nothing of one client. An answer is within its error bound or there is none: values that the sum
cannot hold are an error, whoever has them. A client without values is left out, and counted.
Nothing here is noisy, so exact answers about few clients tell much.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fl.aggregators.contribution import (
    Aggregated,
    Aggregator,
    Contribution,
    Metric,
    Session,
    check_dropouts,
)
from fl.aggregators.secure import MAX_WEIGHT, SecureSum, chosen_sum
from fl.data.masked import refuse_masked
from fl.data.reals import real_numbers
from fl.errors import AggregationError, DataError, ImplausibleSum, NoExamples

_LABEL = b"secagg/v1/fl-analytics"

Values = NDArray[np.float64]
Dropouts = Mapping[int, int] | None


@dataclass(frozen=True, eq=False)
class Answer:
    """value: a float, or float64 of the shape of one value. error_bound: the most by which a
    coordinate can be wrong. sessions: how many sums it took. aggregator: what the last reports.

    >>> answer = fl.analytics.secure_mean([[1, 1, 1], [13]])
    >>> answer, answer.value
    (Answer(7 ± ..., sessions=1), 7.0)
    """

    value: Any
    error_bound: float
    aggregator: dict[str, Any]
    sessions: int = 1

    def __repr__(self) -> str:
        value = f"{self.value:.6g}" if isinstance(self.value, float) else _shape_of(self.value)
        return f"Answer({value} ± {self.error_bound:.2g}, sessions={self.sessions})"

    def __float__(self) -> float:
        return float(self.value)


@dataclass(frozen=True, eq=False)
class Histogram:
    """counts: int64[bins], exact; bin i is [edges[i], edges[i+1]), the last with its right edge.
    below, above: how many values lie outside of the edges. aggregator: what the sum reports.

    >>> fl.analytics.secure_histogram([[1, 2, 2], [3, 9]], edges=[0, 2, 4])
    Histogram(4 in 2 bins, 0 below, 1 above)
    """

    counts: NDArray[np.int64]
    edges: Values
    below: int
    above: int
    aggregator: dict[str, Any]

    def __repr__(self) -> str:
        inside, bins = int(self.counts.sum()), len(self.counts)
        return f"Histogram({inside} in {bins} bins, {self.below} below, {self.above} above)"


def secure_sum(
    values: Sequence[ArrayLike],
    *,
    aggregator: Aggregator | None = None,
    dropouts: Dropouts = None,
) -> Answer:
    """The sum of all values of all clients.

    values: for each client a number, or an array whose first axis counts its values; a client may
        have none.
    aggregator: None is `fl.SecureSum(clip=None, max_weight=2**29)`, without a range or a step.
    dropouts: client index -> the protocol round (0..4) from which that client is gone.

    Raises DataError for values that are not numbers, have different shapes, or are integers that
    float64 would round; NoExamples where no client has any; AggregationError for local sums beyond
    the aggregator's clip, beyond the range of float32 or not finite; ImplausibleSum for a sum that
    no honest clients give; secagg.TooFewClients.

    >>> fl.analytics.secure_sum([[1, 1, 1], [13]]).value
    16.0
    """
    arrays = _read(values)
    local = [_exact_sums(array) for array in arrays]
    total = _sum_up({"query": "sum"}, local, _there(arrays), aggregator, dropouts)
    return _answer(total.total, total.rounding, arrays[0].shape[1:], total)


def secure_mean(
    values: Sequence[ArrayLike],
    *,
    aggregator: Aggregator | None = None,
    dropouts: Dropouts = None,
) -> Answer:
    """The mean of the clients' own means: every client counts the same.

    Arguments and errors are those of `secure_sum`, for local means.

    >>> fl.analytics.secure_mean([[1, 1, 1], [13]]).value
    7.0
    """
    arrays = _read(values)
    total = _sum_up({"query": "mean"}, _means(arrays), _there(arrays), aggregator, dropouts)
    _check_mean(total)
    return _answer(total.mean, total.rounding / total.weight, arrays[0].shape[1:], total)


def secure_weighted_mean(
    values: Sequence[ArrayLike],
    weights: Sequence[int] | None = None,
    *,
    aggregator: Aggregator | None = None,
    dropouts: Dropouts = None,
) -> Answer:
    """The mean of the clients' own means, client u counting wᵤ times.

    weights: whole numbers of at least 0; None is the number of a client's values, which gives the
        mean of all values. None may exceed the aggregator's `max_weight`.

    Other arguments and errors are those of `secure_sum`, for local means; AggregationError also for
    weights that sum to zero.

    >>> fl.analytics.secure_weighted_mean([[1, 1, 1], [13]]).value
    4.0
    """
    arrays = _read(values)
    if weights is None:
        weights = [len(array) for array in arrays]
    if len(weights) != len(arrays):
        raise AggregationError(f"{len(weights)} weights for {len(arrays)} clients")
    weights = [w if len(array) else 0 for w, array in zip(weights, arrays, strict=True)]
    query = {"query": "weighted mean"}
    total = _sum_up(query, _means(arrays), weights, aggregator, dropouts, weighted=True)
    _check_mean(total)
    return _answer(total.mean, total.rounding / total.weight, arrays[0].shape[1:], total)


def secure_histogram(
    values: Sequence[ArrayLike],
    edges: ArrayLike,
    *,
    aggregator: Aggregator | None = None,
    dropouts: Dropouts = None,
) -> Histogram:
    """How many values, of all clients, lie between each two edges.

    values: for each client a number or an array; every element counts.
    edges: at least two finite numbers, ascending.
    aggregator: None is `fl.SecureSum()`. Other arguments and errors as in `secure_sum`.

    >>> fl.analytics.secure_histogram([[1, 2, 2], [3, 9]], edges=[0, 2, 4]).counts.tolist()
    [1, 3]
    """
    bounds = _edges(edges)
    arrays = [array.ravel() for array in _read(values, alike=False)]
    query = {"query": "histogram", "edges": bounds.tolist()}
    total = _count(query, arrays, [_bins(array, bounds) for array in arrays], aggregator, dropouts)
    below, *counts, above = (round(count) for count in total.metrics)
    return Histogram(np.array(counts, np.int64), bounds, below, above, total.report())


def secure_quantile(
    values: Sequence[ArrayLike],
    q: float,
    *,
    low: float,
    high: float,
    tolerance: float | None = None,
    aggregator: Aggregator | None = None,
    dropouts: Dropouts = None,
) -> Answer:
    """The smallest value below or at which lie at least a fraction q of all values.

    It is searched in [low, high] by halving: each session asks how many values are at most the
    middle, until what is left is at most `tolerance` (default: 1/1024 of it) wide. That is also all
    that the server learns. The answer is the middle of what is left.

    values: for each client a number or an array; every element counts. q: in (0, 1].
    aggregator: None is `fl.SecureSum()`. Other arguments and errors as in `secure_sum`;
        AggregationError also where the quantile is not in [low, high].

    >>> median = fl.analytics.secure_quantile([[1, 2, 2], [3, 9]], 0.5, low=0, high=10, tolerance=0.01)
    >>> abs(median.value - 2) <= median.error_bound
    True
    """
    width = (high - low) / 1024 if tolerance is None else tolerance
    if not (0 < q <= 1 and width > 0):
        raise AggregationError(
            f"q is {q}, tolerance {tolerance}: q in (0, 1] and a tolerance above 0 expected"
        )
    _edges([low, high])
    if not math.isfinite(high - low):
        raise AggregationError(f"low={low}, high={high}: a finite difference expected")
    arrays = [array.ravel() for array in _read(values, alike=False)]

    def ask(*bounds: float) -> tuple[list[bool], Aggregated]:
        """For each bound, whether enough values are at most that."""
        counts = [_at_most(a, bounds) for a in arrays]
        query = {"query": "at most", "bounds": bounds}
        total = _count(query, arrays, counts, aggregator, dropouts)
        *within, size = (round(number) for number in total.metrics)
        if max(*within, 1) > size:
            raise ImplausibleSum(
                f"{max(within)} of {size} values: at most all of at least one expected"
            )
        # A fraction that is the same as q is the same float: 0.55 of 100 is 55 values, not 56.
        return [count / size >= float(q) for count in within], total

    # The number before low: low itself may be the quantile.
    (before, within), total = ask(math.nextafter(low, -math.inf), high)
    if before or not within:
        raise AggregationError(f"the quantile {q} is not between low={low} and high={high}")
    sessions, middle = 1, low + (high - low) / 2
    while high - low > width and low < middle < high:
        (enough,), total = ask(middle)
        low, high = (low, middle) if enough else (middle, high)
        sessions, middle = sessions + 1, low + (high - low) / 2
    return Answer(middle, max(middle - low, high - middle), total.report(), sessions)


def _shape_of(value: Values) -> str:
    return f"float64{list(value.shape)}"


def _read(values: Sequence[ArrayLike], *, alike: bool = True) -> list[Values]:
    """float64[values of the client, ...] for every client; `alike`: all values of one shape."""
    arrays: list[Values] = []
    for client, given in enumerate(values):
        try:
            refuse_masked(given)
            array = np.atleast_1d(real_numbers(given))
        except DataError as error:
            raise DataError(f"client {client}: {error}") from None
        arrays.append(array)
    first = next((client for client, array in enumerate(arrays) if len(array)), None)
    if arrays and first is None:
        raise NoExamples(f"none of {len(arrays)} clients has a value: at least one expected")
    return [
        _like(arrays, client, first) if alike else arrays[client] for client in range(len(arrays))
    ]


def _like(arrays: Sequence[Values], client: int, first: int | None) -> Values:
    """The values of a client, of the shape of those of the first that has any."""
    array, shape = arrays[client], arrays[first or 0].shape[1:]
    if len(array) == 0:
        return np.zeros((0, *shape))
    if array.shape[1:] != shape:
        raise DataError(
            f"client {client}: values of shape {array.shape[1:]}, where client {first} has {shape}"
        )
    return array


def _there(arrays: Sequence[Values]) -> list[int]:
    """The weights of clients who count once, and not without values."""
    return [int(len(array) > 0) for array in arrays]


def _means(arrays: Sequence[Values]) -> list[NDArray[Any]]:
    return [_exact_sums(array) / max(len(array), 1) for array in arrays]


def _check_mean(total: Aggregated) -> None:
    if total.weight == 0:
        raise AggregationError("the weights sum to zero: there is no mean")


def _exact_sums(array: Values) -> NDArray[Any]:
    """The sum of all values of each coordinate, an object array of Fractions (NaN: not finite)."""
    columns = array.reshape(len(array), math.prod(array.shape[1:])).T
    return np.array([_exact_sum(column) for column in columns] + [None], object)[:-1]


def _exact_sum(column: Values) -> Fraction | float:
    if not np.isfinite(column).all():
        return math.nan
    mantissas, exponents = np.frexp(column)
    whole, total = np.ldexp(mantissas, 53).astype(np.int64), Fraction(0)
    for exponent in np.unique(exponents).tolist():
        total += sum(whole[exponents == exponent].tolist()) * Fraction(2) ** (exponent - 53)
    return total


def _edges(edges: ArrayLike) -> Values:
    try:
        bounds = real_numbers(edges)
    except DataError as error:
        raise AggregationError(f"edges: {error}") from None
    if bounds.ndim != 1 or bounds.size < 2 or not np.isfinite(bounds).all():
        raise AggregationError(f"edges {bounds}: at least two finite numbers expected")
    if not (bounds[1:] > bounds[:-1]).all():
        raise AggregationError(f"edges {bounds}: ascending numbers expected")
    return bounds


def _bins(array: Values, edges: Values) -> Values:
    """float64[bins + 2]: how many are below the edges, in each bin, above."""
    below, above = (array < edges[0]).sum(), (array > edges[-1]).sum()
    inside = array[(array >= edges[0]) & (array <= edges[-1])]
    counts, _ = np.histogram(inside, edges)
    return np.array([below, *counts, above], np.float64) + _nan_of(array)


def _at_most(array: Values, bounds: Sequence[float]) -> Values:
    """float64[bounds + 1]: how many are at most each bound, and how many there are."""
    counts = [*((array <= bound).sum() for bound in bounds), array.size]
    return np.array(counts, np.float64) + _nan_of(array)


def _nan_of(array: Values) -> float:
    """0, or NaN for an array that holds one: added to counts, it makes the client say so."""
    return float("nan") if np.isnan(array).any() else 0.0


def _sum_up(
    query: Mapping[str, Any],
    local: Sequence[NDArray[Any]],
    weights: Sequence[int],
    aggregator: Aggregator | None,
    dropouts: Dropouts,
    *,
    weighted: bool = False,
) -> Aggregated:
    """One session over each client's own numbers."""
    given = zip(local, weights, strict=True)
    contributions = [Contribution(numbers, weight, np.zeros(0)) for numbers, weight in given]
    chosen = chosen_sum(aggregator, SecureSum(clip=None, max_weight=MAX_WEIGHT))
    return _session(query, contributions, chosen, dropouts, weighted=weighted)


def _count(
    query: Mapping[str, Any],
    arrays: Sequence[Values],
    counts: Sequence[Values],
    aggregator: Aggregator | None,
    dropouts: Dropouts,
) -> Aggregated:
    """One session over each client's counts, which travel where metrics do: exactly."""
    given = zip(_there(arrays), counts, strict=True)
    contributions = [Contribution(np.zeros(0), weight, count) for weight, count in given]
    chosen = chosen_sum(aggregator)
    return _session(query, contributions, chosen, dropouts, weighted=False)


def _session(
    query: Mapping[str, Any],
    contributions: Sequence[Contribution],
    aggregator: Aggregator,
    dropouts: Dropouts,
    *,
    weighted: bool,
) -> Aggregated:
    n = len(contributions)
    gone = check_dropouts(dropouts or {}, n)
    # What a client was asked is its context: nobody sums up the answers to two questions.
    context = hashlib.sha256(_LABEL + json.dumps(query, sort_keys=True).encode()).digest()
    counts = (Metric("counts", contributions[0].metrics.size, math.inf),)
    session = Session(0, 0, [context] * n, gone, weighted, metrics=counts)
    total = aggregator.aggregate(contributions, session)
    failed = total.non_finite + total.failed["counts"]
    if failed:
        raise AggregationError(f"{failed} clients have values that cannot be summed up")
    if total.bad_weights:
        raise AggregationError(
            f"{total.bad_weights} clients have a weight that the aggregator does not take: whole "
            "numbers up to its max_weight expected, with fl.SecureSum(clip=None, max_weight=2**29) "
            "up to 2**29"
        )
    if total.clipped:
        raise AggregationError(
            f"{total.clipped} numbers are beyond the clip of the aggregator: give one that holds "
            "them, for example fl.SecureSum(clip=2.0**30, bits=64)"
        )
    return total


def _answer(value: Values, bound: float, shape: tuple[int, ...], total: Aggregated) -> Answer:
    # Besides the rounding to steps, that of float64: of the sum, and of what it is divided by.
    exact = bound + 2 * float(np.spacing(np.abs(value)).max(initial=0.0))
    shaped = value.reshape(shape)
    return Answer(float(shaped) if shape == () else shaped, exact, total.report())
