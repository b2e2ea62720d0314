"""The server's half of a round: the bytes that clients are sent, and what their sum makes of it.

    state -> message                    sums of the clients' vectors -> totals -> next state, report

Between `decode` and `finish` whoever carried the session says who took part: `Aggregated.of`.

It knows the state, its own configuration and sums; it never sees a client's data or contribution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import secagg
from fl.aggregators.contribution import State
from fl.aggregators.interface import (
    Aggregator,
    Announced,
    ServerSide,
    SumShape,
    Vectors,
    announced_by,
    split,
)
from fl.aggregators.totals import Aggregated, Totals
from fl.round_message import digest_of

S = TypeVar("S")
S_contra = TypeVar("S_contra", contravariant=True)
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class ServerWork(Protocol[S_contra, R_co]):
    """What an algorithm, an evaluation or a question has the server do."""

    def message(self, state: S_contra, announced: Announced) -> bytes:
        """What the clients of the next round are sent, what the aggregator announces included."""

    def carried(self, state: S_contra) -> State:
        """What the aggregator carries from round to round."""

    def finish(self, state: S_contra, total: Aggregated, worked: float) -> R_co:
        """What a round gives; `state` is left as it is. worked: seconds that the clients took.

        Raises ImplausibleSum for a sum that no honest clients give.
        """


@dataclass(frozen=True)
class ServerHalf(Generic[S, R]):
    """The server's half. aggregator: by the server's own configuration."""

    work: ServerWork[S, R]
    aggregator: Aggregator

    def message(self, state: S) -> bytes:
        """What the clients of the next round are sent."""
        return self.work.message(state, announced_by(self.aggregator, self.carried(state)))

    def carried(self, state: S) -> State:
        """What the aggregator carries from round to round."""
        return self.work.carried(state)

    def params(self, state: S, message: bytes, shape: SumShape) -> secagg.Params | None:
        """The session to open for clients that were sent this message; None where their vectors
        are summed in the clear. Their `session` and `server_key` are to be replaced, as in
        `SessionInput`."""
        return self._side(state, shape).params(digest_of(message))

    def decode(self, state: S, sums: Vectors, survivors: int, shape: SumShape) -> Totals:
        """What the sums over the survivors' vectors say. Raises ImplausibleSum."""
        return self._side(state, shape).decode(sums, survivors)

    def finish(self, state: S, total: Aggregated, worked: float) -> R:
        """The next state and the report of the round.

        total: `Aggregated.of` what `decode` gave.
        worked: seconds that the clients took.

        Raises TooFewClients where the sum is one client's alone, which becomes no model and no
        answer, and what the work raises.
        """
        total.must_hide()
        return self.work.finish(state, total, worked)

    def _side(self, state: S, shape: SumShape) -> ServerSide:
        return split(self.aggregator).server_side(shape, self.carried(state))
