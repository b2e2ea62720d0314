"""Federated k-means as a process: the builder, and rounds of `kmeans` in one process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from fl import seeds, tff
from fl.aggregators.interface import Aggregator
from fl.aggregators.secure import chosen_sum
from fl.algorithms.kmeans import Assignment, CenterServer, KMeansResult, KMeansState, within
from fl.client.examples import count_clients
from fl.errors import ModelError
from fl.process.client_half import ClientHalf
from fl.process.server_half import ServerHalf
from fl.process.simulation import play


@tff.refuses_tff_arguments
def build_fed_kmeans(
    num_clusters: int,
    data_shape: Sequence[int],
    *,
    aggregator: Aggregator | None = None,
    memory: float = 0.0,
    seed: int = 0,
) -> FedKMeans:
    """Federated k-means of points of one shape.

    aggregator: None is `SecureSum()`. The clients' sums and counts are added exactly, however far
        points are from the centers and however many a client has: no clip and no weight is in the
        way. A client adds its own points in float64.
    memory: how much of its weight a center keeps from round to round, in [0, 1].
    seed: of the initial centers, which are standard normal.

    Raises ModelError for numbers out of range.

    >>> process = fl.build_fed_kmeans(num_clusters=3, data_shape=(4,))
    >>> state, metrics = process.next(process.initialize(), [x for x, _ in clients])
    >>> sum(metrics["finalizer"]["cluster_sizes"])  # of all points
    140
    """
    if num_clusters < 1 or not 0 <= memory <= 1 or min(data_shape, default=1) < 1:
        raise ModelError(
            f"num_clusters={num_clusters}, data_shape={tuple(data_shape)}, memory={memory}, "
            "expected at least 1 cluster, lengths of at least 1, and a memory in [0, 1]"
        )
    chosen = chosen_sum(aggregator)
    return FedKMeans((num_clusters, *data_shape), chosen, memory, seed)


class FedKMeans:
    """A k-means process: build it with `build_fed_kmeans`."""

    def __init__(
        self, shape: tuple[int, ...], aggregator: Aggregator, memory: float, seed: int
    ) -> None:
        self._shape = shape
        self._aggregator = aggregator
        self._memory = memory
        self._seed = seed

    @property
    def client_half(self) -> ClientHalf:
        """What a client does of a round, on whatever machine it is."""
        return ClientHalf(Assignment(self._shape), self._aggregator)

    @property
    def server_half(self) -> ServerHalf[KMeansState, KMeansResult]:
        """What the server does of a round."""
        return ServerHalf(CenterServer(self._shape, self._memory, self._seed), self._aggregator)

    def __repr__(self) -> str:
        k, *shape = self._shape
        return (
            f"FedKMeans({k} centers of shape {tuple(shape)}, memory={self._memory}, "
            f"aggregator={self._aggregator!r})"
        )

    def initialize(self, centers: ArrayLike | None = None) -> KMeansState:
        """The state before the first round, with these centers or random ones.

        Raises ModelError for centers that are not of the shape [k, *data_shape], or not finite in
        float32.
        """
        if centers is None:
            centers = seeds.generator("kmeans/centers", self._seed).normal(size=self._shape)
        state = KMeansState(np.asarray(centers, np.float64), np.zeros(self._shape[0]))
        self._check(state)
        return state

    def next(
        self,
        state: KMeansState,
        client_data: Sequence[object],
        *,
        dropouts: Mapping[int, int] | None = None,
    ) -> KMeansResult:
        """One round with these clients.

        client_data: for each client an array [points, *data_shape], or examples in any form that
            training takes, of which x is used. dropouts: as for training.

        Clients without points, or with data of the wrong form, are left out as in training.

        Raises DataError, NoExamples, AggregationError, ImplausibleSum, secagg.TooFewClients, as
        training does.
        """
        self._check(state)
        count_clients(client_data)
        return play(self.client_half, self.server_half, state, client_data, dropouts)

    def _check(self, state: KMeansState) -> None:
        if not isinstance(state, KMeansState):
            raise ModelError(f"a state of type {type(state).__name__}, expected a KMeansState")
        if state.centers.shape != self._shape or not within(state.centers):
            raise ModelError(
                f"centers of shape {state.centers.shape}, expected numbers, finite in float32, of "
                f"{self._shape}"
            )
