"""One question to all clients: the two halves of a session that answers it.

client   reads the question from the message, reduces its own values, submits the result
server   sends the question; takes a noisy sum, or one in which all numbers are as they were
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fl.aggregators.contribution import Contribution, Metric, Numbers, State
from fl.aggregators.interface import Aggregator, Announced
from fl.aggregators.totals import Aggregated
from fl.analytics.answers import Values
from fl.analytics.bounded import BOUNDED, bins
from fl.errors import AggregationError, FLError
from fl.process.client_half import ClientHalf
from fl.process.server_half import ServerHalf
from fl.process.simulation import play
from fl.round_message import Received, RoundMessage

KIND = "question"
Dropouts = Mapping[int, int] | None


class Question(NamedTuple):
    """What clients are asked. name: of `SUMS`, `COUNTS` or `BOUNDED`. numbers: edges or bounds.

    weighted: whether a client may count by another weight than 1.
    """

    name: str
    numbers: tuple[float, ...] = ()
    weighted: bool = False


class OwnValues(NamedTuple):
    """One client's data. weight: by which it counts; 0 without values."""

    values: Values
    weight: int


def values_of(arrays: Sequence[Values], weights: Sequence[int] | None = None) -> list[OwnValues]:
    """The clients' data; without weights each counts once, and not at all without values."""
    given = [1] * len(arrays) if weights is None else weights
    return [
        OwnValues(array, weight if len(array) else 0)
        for array, weight in zip(arrays, given, strict=True)
    ]


def ask(
    question: Question, clients: Sequence[OwnValues], aggregator: Aggregator, dropouts: Dropouts
) -> Aggregated:
    """The sum of what the clients answer. Raises AggregationError where a client's numbers are not
    in it as they were."""
    client, server = ClientHalf(Answering(), aggregator), ServerHalf(Asking(), aggregator)
    return play(client, server, question, clients, dropouts)


def ask_with_noise(
    question: Question, clients: Sequence[OwnValues], aggregator: Aggregator, dropouts: Dropouts
) -> Aggregated:
    """The sum of what the clients answer, as it is: a noisy one tells nothing of what is in it."""
    client, server = ClientHalf(Answering(), aggregator), ServerHalf(Hearing(), aggregator)
    return play(client, server, question, clients, dropouts)


class Answering:
    """A client's half: reduces its values to what the question in the message asks for.

    Sums travel where updates do, counts where metrics do: exactly.
    """

    kind = KIND
    workers = 1

    def __init__(self) -> None:
        self._counts = 0  # how many a client answers with

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The counts; how many is known after a client's answer."""
        return (Metric("counts", self._counts, math.inf),)

    def contribution(self, received: Received, client: int, data: object) -> Contribution:
        """A client's own numbers. Raises FLError for a message without a question."""
        question = _read(received)
        if not isinstance(data, OwnValues):
            raise TypeError(f"{type(data).__name__}, expected OwnValues")
        values, weight = data
        if question.name in SUMS:
            self._counts = 0
            return Contribution(SUMS[question.name](values), weight, np.zeros(0))
        if question.name in BOUNDED:
            return Contribution(
                BOUNDED[question.name](values, question.numbers), weight, np.zeros(0)
            )
        counts = COUNTS[question.name](values, question.numbers)
        self._counts = counts.size
        return Contribution(np.zeros(0), weight, counts)


class Hearing:
    """The server's half: sends the question, and gives the sum as it is."""

    def message(self, state: Question, announced: Announced) -> bytes:
        """The question."""
        return RoundMessage(
            kind=KIND,
            round=0,
            seed=0,
            weighted=state.weighted,
            task={"question": state.name, "numbers": state.numbers},
            announced=announced,
        ).write()

    def carried(self, state: Question) -> State:
        """Nothing: one question is all."""
        return ()

    def finish(self, state: Question, total: Aggregated, worked: float) -> Aggregated:
        """The sum."""
        return total


class Asking(Hearing):
    """The server's half: gives a sum in which everybody's numbers are as they were."""

    def finish(self, state: Question, total: Aggregated, worked: float) -> Aggregated:
        """The sum. Raises AggregationError where a client's numbers are not in it as they were."""
        failed = total.non_finite + total.failed["counts"]
        if failed:
            raise AggregationError(
                f"{failed} clients have values that are NaN, infinite or beyond float32, expected "
                "none: fill or leave out what is missing"
            )
        if total.bad_weights:
            raise AggregationError(
                f"{total.bad_weights} clients have a weight that the aggregator does not take, "
                "expected whole numbers up to its max_weight, with "
                "fl.SecureSum(clip=None, max_weight=2**29) up to 2**29"
            )
        if total.clipped:
            raise AggregationError(
                f"{total.clipped} numbers are beyond the clip of the aggregator, expected one "
                "that holds them, for example fl.SecureSum(clip=2.0**30, bits=64)"
            )
        return total


def _read(received: Received) -> Question:
    name, numbers = received.task.get("question"), received.task.get("numbers")
    known = (*SUMS, *COUNTS, *BOUNDED)
    if not isinstance(name, str) or name not in known:
        raise FLError(f"a question {name!r}, expected one of {', '.join(known)}")
    if not isinstance(numbers, list) or not all(map(_is_float, numbers)):
        raise FLError(f"a question about {numbers!r}, expected a list of numbers")
    return Question(name, tuple(numbers), received.weighted)


def _is_float(number: object) -> bool:
    return isinstance(number, float | int)


def _sums(values: Values) -> NDArray[Any]:
    """The sum of all values of each coordinate, an object array of Fractions (NaN: not finite)."""
    columns = values.reshape(len(values), math.prod(values.shape[1:])).T
    return np.array([_exact_sum(column) for column in columns] + [None], object)[:-1]


def _exact_sum(column: Values) -> Fraction | float:
    if not np.isfinite(column).all():
        return math.nan
    mantissas, exponents = np.frexp(column)
    whole, total = np.ldexp(mantissas, 53).astype(np.int64), Fraction(0)
    for exponent in np.unique(exponents).tolist():
        total += sum(whole[exponents == exponent].tolist()) * Fraction(2) ** (exponent - 53)
    return total


def _means(values: Values) -> NDArray[Any]:
    means: NDArray[Any] = _sums(values) / max(len(values), 1)
    return means


def _bins(values: Values, edges: Sequence[float]) -> Values:
    """float64[bins + 2]: how many are below the edges, in each bin, above."""
    return bins(values, edges) + _nan_of(values)


def _at_most(values: Values, bounds: Sequence[float]) -> Values:
    """float64[bounds + 1]: how many are at most each bound, and how many there are."""
    counts = [*((values <= bound).sum() for bound in bounds), values.size]
    return np.array(counts, np.float64) + _nan_of(values)


def _nan_of(values: Values) -> float:
    """0, or NaN for values that have one: added to counts, it makes the client say so."""
    return float("nan") if np.isnan(values).any() else 0.0


SUMS: Mapping[str, Callable[[Values], Numbers]] = {
    "sum": _sums,
    "mean": _means,
    "weighted mean": _means,
}
COUNTS: Mapping[str, Callable[[Values, Sequence[float]], Values]] = {
    "histogram": _bins,
    "at most": _at_most,
}
