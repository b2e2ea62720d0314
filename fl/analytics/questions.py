"""Questions about numbers that clients hold, answered by secure sums.

    secure_sum             Σ of all values            secure_histogram   how many in each bin
    secure_mean            mean of the local means    secure_quantile    bisection, a count a step
    secure_weighted_mean   Σ wᵤ·(local mean) / Σ wᵤ

A client holds a number, or values of which the first axis counts; it reduces them itself and
submits the result, without rounding it: an answer is rounded once, at the end, unless the caller's
aggregator has a step. The server learns what is returned, counts of the sessions included, and
nothing of one client. An answer is within its error bound or there is none: values that the sum
cannot hold are an error, whoever has them. A client without values is left out, and counted.
Nothing here is noisy, so exact answers about few clients tell much: `private_questions` has noise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from fl.aggregators.interface import Aggregator
from fl.aggregators.secure import MAX_WEIGHT, SecureSum, chosen_sum
from fl.aggregators.totals import Aggregated, SumReport
from fl.analytics.answers import Answer, Histogram, answer_of
from fl.analytics.asking import Dropouts, OwnValues, Question, ask, values_of
from fl.analytics.inputs import read_edges, read_values
from fl.analytics.noise import check_exact
from fl.errors import AggregationError, ImplausibleSum


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
    arrays = read_values(values)
    total = ask(Question("sum"), values_of(arrays), _exact(aggregator), dropouts)
    return answer_of(total.total, total.rounding, arrays[0].shape[1:], total)


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
    arrays = read_values(values)
    total = ask(Question("mean"), values_of(arrays), _exact(aggregator), dropouts)
    _check_mean(total)
    return answer_of(total.mean, total.rounding / total.weight, arrays[0].shape[1:], total)


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
    arrays = read_values(values)
    if weights is None:
        weights = [len(array) for array in arrays]
    if len(weights) != len(arrays):
        raise AggregationError(
            f"{len(weights)} weights for {len(arrays)} clients, expected one each"
        )
    question = Question("weighted mean", weighted=True)
    total = ask(question, values_of(arrays, weights), _exact(aggregator), dropouts)
    _check_mean(total)
    return answer_of(total.mean, total.rounding / total.weight, arrays[0].shape[1:], total)


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
    bounds = read_edges(edges)
    arrays = [array.ravel() for array in read_values(values, alike=False)]
    question = Question("histogram", tuple(bounds.tolist()))
    total = ask(question, values_of(arrays), check_exact(chosen_sum(aggregator)), dropouts)
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

    values: for each client a number or an array; every element counts.
    q: in (0, 1].
    aggregator: None is `fl.SecureSum()`.

    Other arguments and errors as in `secure_sum`; AggregationError also where the quantile is not
    in [low, high].

    >>> values = [[1, 2, 2], [3, 9]]
    >>> median = fl.analytics.secure_quantile(values, 0.5, low=0, high=10, tolerance=0.01)
    >>> abs(median.value - 2) <= median.error_bound
    True
    """
    width = (high - low) / 1024 if tolerance is None else tolerance
    if not (0 < q <= 1 and width > 0):
        raise AggregationError(
            f"q is {q}, tolerance {tolerance}, expected q in (0, 1] and a tolerance above 0"
        )
    read_edges([low, high])
    if not math.isfinite(high - low):
        raise AggregationError(f"low={low}, high={high}, expected a finite difference")
    arrays = [array.ravel() for array in read_values(values, alike=False)]
    search = _Search(q, values_of(arrays), check_exact(chosen_sum(aggregator)), dropouts)
    # The number before low: low itself may be the quantile.
    before, within = search.at_most(math.nextafter(low, -math.inf), high)
    if before or not within:
        raise AggregationError(
            f"the quantile {q} is elsewhere, expected between low={low} and high={high}"
        )
    middle = low + (high - low) / 2
    while high - low > width and low < middle < high:
        (enough,) = search.at_most(middle)
        low, high = (low, middle) if enough else (middle, high)
        middle = low + (high - low) / 2
    bound = max(middle - low, high - middle)
    return Answer(middle, bound, search.reports[-1], len(search.reports))


class _Search:
    """The sessions of one quantile, a report of each."""

    def __init__(
        self, q: float, clients: Sequence[OwnValues], aggregator: Aggregator, dropouts: Dropouts
    ) -> None:
        self._q = float(q)
        self._clients = clients
        self._aggregator = aggregator
        self._dropouts = dropouts
        self.reports: list[SumReport] = []

    def at_most(self, *bounds: float) -> list[bool]:
        """For each bound, whether enough values are at most that. Raises as `ask`, and
        ImplausibleSum."""
        question = Question("at most", tuple(map(float, bounds)))
        total = ask(question, self._clients, self._aggregator, self._dropouts)
        self.reports.append(total.report())
        *within, size = (round(number) for number in total.metrics)
        if max(*within, 1) > size:
            raise ImplausibleSum(
                f"{max(within)} of {size} values, expected at most all of at least one"
            )
        # A fraction that is the same as q is the same float: 0.55 of 100 is 55 values, not 56.
        return [count / size >= self._q for count in within]


def _exact(aggregator: Aggregator | None) -> Aggregator:
    """The aggregator of a sum; by default one without a range or a step."""
    return check_exact(chosen_sum(aggregator, SecureSum(clip=None, max_weight=MAX_WEIGHT)))


def _check_mean(total: Aggregated) -> None:
    if total.weight == 0:
        raise AggregationError("the weights sum to zero, expected more: there is no mean")
