"""The server's part of one round: a session with whoever answers, over any transport.

    message, shape, terms -> Begin to every node that is asked -> a session -> sums -> next state

The session is one of the protocol, or where the federation's terms say so a sum in the clear.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Generic, TypeVar

import msgspec

import secagg
from fl.aggregators.interface import SumShape
from fl.aggregators.thresholds import resolve_threshold
from fl.aggregators.totals import Aggregated, DroppedClient, Totals
from fl.errors import FLError
from fl.flower.clear import ClearSession
from fl.flower.exchange import Deadlines, Exchange, Played, Transport
from fl.flower.federation import Federation
from fl.flower.records import Begin, Closing, End, Shape, write
from fl.flower.session import SecureSession
from fl.population.devices import check_conditions
from fl.process.client_half import ClientHalf
from fl.process.server_half import ServerHalf
from fl.round_message import digest_of

S = TypeVar("S")
R = TypeVar("R")


class Coordinator(Generic[S, R]):
    """Plays rounds of one process. client: a half of it, which works once on `examples`, such as a
    row of zeros, so that the server knows what a sum consists of.

    conditions: names of `fl.population`, such as "charging"; a device that does not meet them takes
    no part. It looks for itself, and says no more than that it is not ready.
    """

    def __init__(
        self,
        federation: Federation,
        server: ServerHalf[S, R],
        client: ClientHalf,
        examples: object,
        transport: Transport,
        deadlines: Deadlines,
        conditions: Sequence[str] = (),
    ) -> None:
        aggregator = federation.terms.aggregator()
        self._federation = federation
        self._server = replace(server, aggregator=aggregator)
        self._client = replace(client, aggregator=aggregator)
        self._examples = examples
        self._transport = transport
        self._deadlines = deadlines
        self._conditions = tuple(check_conditions(conditions))
        self._key = secagg.identity.load_server(federation.folder / federation.seat.private_key)
        self._shapes: dict[str, SumShape] = {}
        self._ends: dict[int, Closing] = {}

    def round(self, state: S, nodes: Sequence[int]) -> R:
        """One round with the nodes that are asked; `state` is left as it is.

        Raises TooFewClients where too few are left, and what the server's half raises.
        """
        message = self._server.message(state)
        shape = self._shape_of(message)
        exchange = Exchange(secrets.token_bytes(16), self._transport, self._deadlines)
        play = self._session(exchange, self._server.params(state, message, shape), message, shape)
        stated = self._federation.stated
        begin = Begin(
            exchange.session, message, Shape.of(shape), stated, conditions=self._conditions
        )
        try:
            played = play.run({node: _to_one(begin, self._ends.get(node)) for node in nodes})
        finally:
            self._ends.update(play.ends())
        totals = self._server.decode(state, played.sums, len(played.survivors), shape)
        return self._server.finish(state, _report(totals, played, play, exchange), play.worked)

    def close(self) -> None:
        """Tell all nodes that their last session is over; who does not hear it loses nothing."""
        requests = {node: write(End(ended)) for node, ended in self._ends.items()}
        for _ in self._transport.exchange(requests, self._deadlines.round):
            pass
        self._ends.clear()

    def _session(
        self, exchange: Exchange, params: secagg.Params | None, message: bytes, shape: SumShape
    ) -> SecureSession | ClearSession:
        """The session for a message, by this server's own terms."""
        agreed = self._federation
        if params is None:
            threshold = resolve_threshold(agreed.terms.threshold, shape.n)
            digest = digest_of(message)
            return ClearSession(exchange, agreed.directory, shape, digest, threshold)
        params = replace(params, session=exchange.session, server_key=agreed.server_key)
        return SecureSession(exchange, agreed.directory, params, self._key)

    def _shape_of(self, message: bytes) -> SumShape:
        """The shape of the sum for a message, from one client's work on the examples; it is the
        same for messages with the same task."""
        received = self._client.read(message)
        task = json.dumps([received.weighted, received.task], sort_keys=True)
        if task not in self._shapes:
            contribution = self._client.contribution(received, 0, self._examples)
            if contribution is None:
                raise FLError("no examples to know a sum's shape from, expected at least one")
            n = self._federation.terms.n
            self._shapes[task] = self._client.shape(received, contribution, n)
        return self._shapes[task]


def _to_one(begin: Begin, ended: Closing | None) -> bytes:
    """The first message to one node, with the end of the session before for it."""
    return write(msgspec.structs.replace(begin, ended=ended))


def _report(
    totals: Totals, played: Played, play: SecureSession | ClearSession, exchange: Exchange
) -> Aggregated:
    """The totals, and what the session cost."""
    n = max(len(played.clients), 1)
    return Aggregated.of(
        totals,
        kind=played.kind,
        clients=played.clients,
        survivors=played.survivors,
        dropped=_dropped(played.gone, play.refused),
        threshold=played.threshold,
        bytes_up=exchange.up // n,
        bytes_down=exchange.down // n,
        seconds=play.seconds,
    )


def _dropped(gone: Mapping[int, int], refused: frozenset[int] | set[int]) -> list[DroppedClient]:
    return [
        DroppedClient(client=u, round=gone[u], reason="refused" if u in refused else "dropout")
        for u in sorted(gone)
    ]
