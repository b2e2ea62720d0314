"""One client's half of a round: what it does with the bytes that it was sent.

    message -> what to do, context -> local work -> contribution -> vectors for a `secagg.Client`

It knows the client's own configuration and data, the message, and the `SumShape` of the session. It
never sees the server's state, nor another client. In simulation one half plays all clients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

import secagg
from fl import round_message
from fl.aggregators.contribution import Contribution, Metric
from fl.aggregators.interface import Aggregator, SumShape, Vectors, rounding, split
from fl.errors import AggregationError
from fl.round_message import Received

if TYPE_CHECKING:
    import keras


class Work(Protocol):
    """What an algorithm, an evaluation or a question has a client do with its data.

    kind: of the messages that it reads. workers: how many clients may work at a time.
    """

    @property
    def kind(self) -> str: ...

    @property
    def workers(self) -> int: ...

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What a contribution's metrics consist of; known after a client's work."""

    def contribution(self, received: Received, client: int, data: object) -> Contribution | None:
        """The work of one client; None where it has no examples. Raises DataError.

        client: its position in the round, as in `ClientHalf`.
        """


@runtime_checkable
class OfAModel(Protocol):
    """Work with a Keras model: that a client may want to know before it does it."""

    @property
    def model(self) -> keras.Model: ...


class SessionInput(NamedTuple):
    """What a `secagg.Client` is given.

    params: of the session, by the client's own configuration; None where the vectors are summed in
        the clear. Their `session` is a new random id on each host and their `server_key` is empty:
        before a `secagg.Client` is made, `dataclasses.replace` both with the session's id that all
        its parties were told, and the server's key from this host's own configuration.
    """

    params: secagg.Params | None
    vectors: Vectors


@dataclass(frozen=True)
class ClientHalf:
    """One client's half.

    aggregator: by the client's own configuration.
    client, in the methods: the client's position in the round, as the server told it. With the seed
        in the message it names the client's streams of randomness.
    """

    work: Work
    aggregator: Aggregator

    def read(self, message: bytes) -> Received:
        """What the client was told. Raises FLError for bytes that are no message for this work."""
        return round_message.read(message, self.work.kind)

    def contribution(self, received: Received, client: int, data: object) -> Contribution | None:
        """The local work of a client; None where it has no examples. Raises DataError."""
        return self.work.contribution(received, client, data)

    def shape(self, received: Received, contribution: Contribution, n: int) -> SumShape:
        """The shape of a sum over n clients, as a client knows it that has worked."""
        deltas, statistics, _ = contribution.sizes
        return SumShape(n, (deltas, statistics), self.work.metrics, received.weighted)

    def submit(
        self, received: Received, client: int, contribution: Contribution, shape: SumShape
    ) -> SessionInput:
        """What the client submits to the session of a sum with this shape.

        A client without examples, or with malformed ones, submits `Contribution.left_out`, whose
        sizes it knows from the shape alone: those of the update and of the statistics, and the sum
        of the metrics' sizes. Raises AggregationError where the shape is not that of the client's
        contribution.
        """
        shape.must_fit(contribution)
        if shape.weighted != received.weighted:
            raise AggregationError(
                f"a sum with weighted={shape.weighted}, expected {received.weighted}, as in the "
                "round's message"
            )
        side = split(self.aggregator).client_side(shape, received.announced)
        rng = rounding(received.seed, received.round, client)
        return SessionInput(side.params(received.digest), side.encode(contribution, rng))
