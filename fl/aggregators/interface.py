"""What an aggregator is: two halves that know nothing of each other, and a simulation of both.

    client   contribution -> vectors, for a `secagg.Client`          `ClientSide`
    server   sums of the vectors -> totals                           `ServerSide`

Each side is made from the aggregator's own configuration on that machine, from a `SumShape`, which
both sides know, and, on the client, from what the server announced. In one process
`Aggregator.aggregate` composes the two with a session; it is all that a simulation needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

import secagg
from fl import seeds
from fl.aggregators.contribution import Contribution, Metric, State
from fl.aggregators.totals import Aggregated, Totals
from fl.errors import AggregationError

Vectors = Mapping[str, NDArray[Any]]
"""Named vectors, those of one client or their sums."""

Announced = tuple[float, ...]
"""Numbers that an aggregator's server tells the clients of a round, in the round's message."""


@dataclass(frozen=True)
class SumShape:
    """What both sides know of a sum before it begins; the same for every client.

    n: how many clients. sizes: of an update and of the statistics. metrics: what the metrics of a
    contribution consist of. weighted: False promises that every weight is 1, which buys a finer
    quantisation step.
    """

    n: int
    sizes: tuple[int, int]
    metrics: tuple[Metric, ...]
    weighted: bool = True

    def must_fit(self, contribution: Contribution) -> None:
        """Raise AggregationError for a contribution of other sizes."""
        expected = (*self.sizes, sum(metric.size for metric in self.metrics))
        if contribution.sizes != expected:
            raise AggregationError(
                f"an update, statistics and metrics of {contribution.sizes} numbers, expected "
                f"{expected}"
            )


@dataclass(frozen=True)
class Session:
    """What a simulated sum needs besides the contributions.

    contexts: for each client, the digest of the round's message as that client received it.
    dropouts: client -> the protocol round (0..4) from which it is gone.
    weighted: as in `SumShape`.
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

    def shape_of(self, contributions: Sequence[Contribution]) -> SumShape:
        """The shape that all contributions have.

        Raises AggregationError where they have other metrics, or are not alike.
        """
        deltas, statistics, numbers = contributions[0].sizes
        metrics = self.metrics or (Metric("metrics", numbers),)
        shape = SumShape(len(contributions), (deltas, statistics), metrics, self.weighted)
        for contribution in contributions:
            shape.must_fit(contribution)
        return shape


class Aggregator(Protocol):
    """Anything that sums the contributions of a round, in one process."""

    def aggregate(self, contributions: Sequence[Contribution], session: Session) -> Aggregated: ...


class ClientSide(Protocol):
    """What one client does for a sum."""

    def bind(self, context: bytes) -> bytes:
        """The session's context: the digest of the round's message, and how to encode."""

    def params(self, context: bytes) -> secagg.Params | None:
        """The session that this client takes part in, for the digest of the message that it
        received; None where the vectors are summed in the clear."""

    def encode(self, contribution: Contribution, rng: np.random.Generator) -> Vectors:
        """The vectors to submit. rng: of `rounding`."""


class ServerSide(Protocol):
    """What the server does with the sums of the clients' vectors."""

    def params(self, context: bytes) -> secagg.Params | None:
        """As `ClientSide.params`, for the digest of the message that was sent."""

    def decode(self, sums: Vectors, survivors: int) -> Totals:
        """What the sums over so many survivors say. Raises ImplausibleSum."""


@runtime_checkable
class SplitAggregator(Aggregator, Protocol):
    """An aggregator whose halves also work on different machines."""

    def announce(self, state: State) -> Announced:
        """What the server tells the clients of a round."""

    def client_side(self, shape: SumShape, announced: Announced) -> ClientSide:
        """One client's half. Raises AggregationError for what this sum does not announce."""

    def server_side(self, shape: SumShape, state: State) -> ServerSide:
        """The server's half."""


def split(aggregator: Aggregator) -> SplitAggregator:
    """The aggregator. Raises AggregationError for one that has no halves."""
    if not isinstance(aggregator, SplitAggregator):
        raise AggregationError(
            f"aggregator is a {type(aggregator).__name__}, which sums in one process alone, "
            "expected one with client_side and server_side, such as fl.SecureSum()"
        )
    return aggregator


def announced_by(aggregator: Aggregator, state: State) -> Announced:
    """What an aggregator announces; nothing for one that sums in one process alone."""
    return aggregator.announce(state) if isinstance(aggregator, SplitAggregator) else ()


def rounding(seed: int, round_number: int, client: int) -> np.random.Generator:
    """The client's stream of randomness for rounding in one round; never of key material."""
    sequence = seeds.of_client(seed, round_number, client, "rounding")
    return np.random.Generator(np.random.SFC64(sequence))


def check_aggregator(aggregator: object) -> None:
    """Raise AggregationError for what is no aggregator: a class, or a thing without `aggregate`."""
    if isinstance(aggregator, type):
        name = aggregator.__name__
        raise AggregationError(f"aggregator is the class {name}, expected an instance, {name}()")
    if not callable(getattr(aggregator, "aggregate", None)):
        raise AggregationError(
            f"aggregator is {aggregator!r}, expected an object with a method `aggregate`, "
            "such as fl.SecureSum()"
        )


def check_dropouts(dropouts: Mapping[int, int], n: int) -> dict[int, int]:
    """Raise AggregationError unless `dropouts` maps clients of 0..n-1 to protocol rounds 0..4."""
    if n == 0:
        raise AggregationError("no clients, expected at least one")
    if not isinstance(dropouts, Mapping):
        raise AggregationError(
            f"dropouts are {dropouts!r}, expected {{position of the client: protocol round}}"
        )
    for client, protocol_round in dropouts.items():
        if client not in range(n):
            raise AggregationError(f"dropouts name client {client!r}, expected 0 to {n - 1}")
        if protocol_round not in range(5):
            raise AggregationError(
                f"client {client} drops out in round {protocol_round!r}, expected 0 to 4"
            )
    return dict(dropouts)
