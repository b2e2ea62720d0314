"""Federated k-means (Lloyd 1982): clients assign their points, counts and sums are added securely.

    kᵢ = index of the center nearest to point xᵢ
    Nₖ' = memory·Nₖ + |{i: kᵢ = k}|        cₖ <- (memory·Nₖ·cₖ + Σ_{i: kᵢ = k} xᵢ) / Nₖ'

The points themselves are summed: an offset from a far center would have lost their low digits.

memory = 0 is Lloyd's algorithm on the union of the data. With memory = 1 a center is the mean of
all points it was ever given, for rounds with other clients each (Sculley 2010). A center without
points stays where it is. The server learns the counts and sums of clusters: a cluster of one point
is that point.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fl.aggregators.contribution import LARGEST, Contribution, Metric, State
from fl.aggregators.interface import Announced
from fl.aggregators.totals import Aggregated, SumReport
from fl.client.examples import read_examples
from fl.data.reals import real_numbers
from fl.errors import DataError, FLError, ImplausibleSum
from fl.model.vector import read_only
from fl.process.reports import ClientWork, Seconds, summary
from fl.round_message import Received, RoundMessage

KIND = "k-means"

Points = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class KMeansState:
    """The centers after some rounds; immutable.

    centers: float64[k, *data_shape].
    weights: float64[k], N of each center.

    >>> state = fl.KMeansState(centers=[[0, 0], [9, 9]], weights=[1, 1])
    >>> state.assign([[1, 0], [7, 8]]).tolist()
    [0, 1]
    """

    centers: Points
    weights: Points
    round: int = 0
    aggregator: State = ()

    def __post_init__(self) -> None:
        for name in ("centers", "weights"):
            (array,) = read_only([np.asarray(getattr(self, name), np.float64)])
            object.__setattr__(self, name, array)
        object.__setattr__(self, "aggregator", read_only(self.aggregator))

    def __repr__(self) -> str:
        k, *shape = self.centers.shape
        return f"KMeansState(round={self.round}, {k} centers of shape {tuple(shape)})"

    def assign(self, points: ArrayLike) -> NDArray[np.int64]:
        """The index of the center nearest to each point; the first of several."""
        return _nearest(_flat(np.asarray(points, np.float64)), _flat(self.centers))[0]


class Clusters(TypedDict):
    """How many points each cluster has, how far a center moved at most, and of how many clients
    the points were not finite."""

    cluster_sizes: list[int]
    largest_move: float
    update_non_finite: int


class KMeansMetrics(TypedDict):
    """The metrics of a round."""

    round: int
    client_work: ClientWork
    aggregator: SumReport
    finalizer: Clusters
    seconds: Seconds


class KMeansResult(NamedTuple):
    """What a round gives: the next state, and its metrics as a plain dict."""

    state: KMeansState
    metrics: KMeansMetrics

    def __repr__(self) -> str:
        return f"KMeansResult({summary(self.metrics)}, state={self.state!r})"


class Assignment:
    """A client's half: assigns its points to the centers in the message."""

    kind = KIND
    workers = 1

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._shape = shape
        self.metrics = (Metric("points", 1 + shape[0], math.inf), Metric("mean_square", 2))

    def contribution(self, received: Received, client: int, data: object) -> Contribution | None:
        """The sums and counts of a client's points. Raises FLError for a message without centers,
        DataError."""
        if len(received.body) != 8 * math.prod(self._shape):
            raise FLError(
                f"centers of {len(received.body)} bytes, expected float64 of shape {self._shape}"
            )
        return _contribution(np.frombuffer(received.body, "<f8").reshape(self._shape), data)


class CenterServer:
    """The server's half: sends the centers, and moves them to the means of their points."""

    def __init__(self, shape: tuple[int, ...], memory: float, seed: int) -> None:
        self._shape = shape
        self._memory = memory
        self._seed = seed

    def message(self, state: KMeansState, announced: Announced) -> bytes:
        """The centers of a state."""
        return RoundMessage(
            kind=KIND,
            round=state.round,
            seed=self._seed,
            weighted=False,
            task={},
            body=state.centers.astype("<f8").tobytes(),
            announced=announced,
        ).write()

    def carried(self, state: KMeansState) -> State:
        """What the aggregator carries from round to round."""
        return state.aggregator

    def finish(self, state: KMeansState, total: Aggregated, worked: float) -> KMeansResult:
        """The next centers, and the metrics. Raises ImplausibleSum where the clusters have other
        points than there are."""
        _check_counts(total)
        after = self._move(state, total)
        return KMeansResult(after, _report(state, after, total, worked))

    def _move(self, state: KMeansState, total: Aggregated) -> KMeansState:
        counts = total.metrics[1:-2]
        kept = self._memory * state.weights
        weights, before = kept + counts, _flat(state.centers)
        sums = kept[:, None] * before + total.total.reshape(before.shape)
        # Where nothing was counted there is nothing to divide, and nothing moves.
        centers = np.divide(sums, weights[:, None], where=counts[:, None] > 0, out=before.copy())
        return KMeansState(centers.reshape(self._shape), weights, state.round + 1, total.state)


def _contribution(centers: Points, data: object) -> Contribution | None:
    """A client's sums of points nearest to each center, how many, and the sum of squares.

    Where the points are not finite in float32, nothing of the client counts; where only the squares
    are too large, the points do, but not for the mean square, which has a count of its own.
    """
    x = _points(data, centers.shape[1:])
    if x is None:
        return None
    points, flat = _flat(x), _flat(centers)
    if not within(points):
        points = np.full_like(points, np.nan)
    nearest, squares = _nearest(points, flat)
    counts = np.bincount(nearest, minlength=len(flat))
    clusters = np.split(points[nearest.argsort(kind="stable")], counts.cumsum()[:-1])
    # Along a contiguous axis numpy adds in pairs, which keeps the rounding of many points small.
    sums = np.concatenate([np.ascontiguousarray(own.T).sum(axis=1) for own in clusters])
    metrics = np.array([len(points), *counts, len(points), squares.sum()], np.float64)
    return Contribution(np.zeros(0), 1, metrics, statistics=sums)


def _check_counts(total: Aggregated) -> None:
    points, *counts = total.metrics[:-2].tolist()
    if sum(counts) != points:
        raise ImplausibleSum(f"clusters of {sum(counts):.0f} points in all, expected {points:.0f}")


def _points(data: object, shape: tuple[int, ...]) -> Points | None:
    """None for a client without points."""
    examples = read_examples(data)
    if not examples.count:
        return None
    x = examples.parts[0]
    if not isinstance(x, np.ndarray):
        raise DataError("points in several arrays, expected one array")
    points = real_numbers(x)
    if points.shape[1:] != shape:
        raise DataError(f"points of shape {points.shape[1:]}, expected {shape}")
    return points


def within(numbers: Points) -> bool:
    """Whether all are finite in float32, and so their squares in float64."""
    return bool((np.abs(numbers) <= LARGEST).all())  # NaN compares false


def _flat(array: Points) -> Points:
    return array.reshape(len(array), -1)


def _nearest(points: Points, centers: Points) -> tuple[NDArray[np.int64], Points]:
    """For each point, which center is nearest, and the squared distance to it."""
    squares = np.stack([((points - center) ** 2).sum(axis=1) for center in centers], axis=1)
    nearest = squares.argmin(axis=1)
    return nearest, squares[np.arange(len(points)), nearest]


def _report(
    before: KMeansState, after: KMeansState, total: Aggregated, worked: float
) -> KMeansMetrics:
    points, *counts, examples, squares = total.metrics.tolist()
    moves = np.linalg.norm(_flat(after.centers - before.centers), axis=1)
    mean_square = squares / examples if examples else float("nan")
    measured = {"mean_square": mean_square, "num_examples": round(points)}
    return KMeansMetrics(
        round=after.round,
        client_work=ClientWork(train=measured),
        aggregator=total.report(),
        finalizer=Clusters(
            cluster_sizes=[round(count) for count in counts],
            largest_move=float(moves.max()),
            update_non_finite=total.non_finite,
        ),
        seconds=Seconds(train=worked, protocol=total.seconds),
    )
