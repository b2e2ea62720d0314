"""The server's part of one round: a session with whoever answers, over any transport.

    message, shape, terms -> Begin to every node that is asked -> five rounds -> sums -> next state

Silence, an error and a refusal are one thing: that client is gone from the protocol's round in
which it happened. The server trusts no node to say which client it is: the signature in its first
frame does.
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, Protocol, TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

import secagg
from fl.aggregators.interface import SumShape
from fl.aggregators.totals import Aggregated, DroppedClient, Totals
from fl.errors import FLError, SecAggError
from fl.flower.federation import Federation
from fl.flower.records import Begin, Closing, End, Reply, Request, Shape, Step, answer_in, write
from fl.process.client_half import ClientHalf
from fl.process.server_half import ServerHalf

_log = logging.getLogger("fl.flower")

S = TypeVar("S")
R = TypeVar("R")


class Transport(Protocol):
    """What carries messages to nodes, by the numbers that it has for them."""

    def nodes(self) -> Sequence[int]:
        """Who can be asked now."""

    def exchange(
        self, requests: Mapping[int, bytes], seconds: float
    ) -> Iterator[tuple[int, bytes]]:
        """Send to each node, and give (node, answer) as they come, until all have answered or the
        time is over. A node whose answer is an error gives nothing."""


@dataclass(frozen=True, kw_only=True)
class Deadlines:
    """Seconds that the server waits: for first answers, with the training, and for all others."""

    training: float = 600.0
    round: float = 120.0


class Coordinator(Generic[S, R]):
    """Plays rounds of one process. client: a half of it, which works once on `examples`, such as a
    row of zeros, so that the server knows what a sum consists of.
    """

    def __init__(
        self,
        federation: Federation,
        server: ServerHalf[S, R],
        client: ClientHalf,
        examples: object,
        transport: Transport,
        deadlines: Deadlines,
    ) -> None:
        aggregator = federation.terms.aggregator()
        self._federation = federation
        self._server = replace(server, aggregator=aggregator)
        self._client = replace(client, aggregator=aggregator)
        self._examples = examples
        self._transport = transport
        self._deadlines = deadlines
        self._key = secagg.identity.load_server(federation.folder / federation.seat.private_key)
        self._shapes: dict[str, SumShape] = {}
        self._ends: dict[int, Closing] = {}

    def round(self, state: S, nodes: Sequence[int]) -> R:
        """One round with the nodes that are asked; `state` is left as it is.

        Raises TooFewClients where too few are left, and what the server's half raises.
        """
        message = self._server.message(state)
        shape = self._shape_of(message)
        params = self._server.params(state, message, shape)
        if params is None:
            raise FLError("a sum in the clear, expected one by the protocol")
        params = replace(
            params, session=secrets.token_bytes(16), server_key=self._federation.server_key
        )
        play = _Session(params, self._federation, self._key, self._transport, self._deadlines)
        begin = Begin(params.session, message, Shape.of(shape), self._federation.stated)
        try:
            result = play.run({node: _to_one(begin, self._ends.get(node)) for node in nodes})
        finally:
            self._ends.update(play.ends())
        totals = self._server.decode(state, result.vectors, len(result.survivors), shape)
        return self._server.finish(state, play.report(totals, result), play.worked)

    def close(self) -> None:
        """Tell all nodes that their last session is over; who does not hear it loses nothing."""
        requests = {node: write(End(ended)) for node, ended in self._ends.items()}
        for _ in self._transport.exchange(requests, self._deadlines.round):
            pass
        self._ends.clear()

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


@dataclass
class _Session:
    """One session: which node is which client, who is gone and why, and what travelled."""

    params: secagg.Params
    federation: Federation
    key: X25519PrivateKey
    transport: Transport
    deadlines: Deadlines
    nodes: dict[int, int] = field(default_factory=dict)
    refused: set[int] = field(default_factory=set)
    up: int = 0
    down: int = 0
    worked: float = 0.0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        directory = self.federation.directory
        self.server = secagg.Server(self.params, directory=directory, private_key=self.key)

    def run(self, begins: Mapping[int, bytes]) -> secagg.Aggregate:
        """All five rounds. Raises as `secagg.Server.close_round`."""
        started = time.perf_counter()
        self._advertise(begins)
        self.worked = time.perf_counter() - started
        for _ in range(4):
            outbox = dict(secagg.wire.encode_all(self.server.close_round()))
            clients = {self.nodes[u]: u for u in outbox}
            steps = {self.nodes[u]: self._step(frame) for u, frame in outbox.items()}
            for node, frame in self._answers(steps, self.deadlines.round, clients):
                self._take(clients[node], frame)
        self.server.close_round()
        self.seconds = time.perf_counter() - started - self.worked
        return self.server.result

    def ends(self) -> dict[int, Closing]:
        """What tells the nodes of this session that it is over."""
        if self.server.state not in ("Aggregate", "Failed"):
            self.server.abandon()
        frames = secagg.wire.encode_all(self.server.ends())
        return {self.nodes[u]: Closing(self.params.session, frame) for u, frame in frames}

    def report(self, totals: Totals, result: secagg.Aggregate) -> Aggregated:
        """The totals, and what the session cost."""
        n = max(len(self.nodes), 1)
        return Aggregated.of(
            totals,
            kind="secure",
            clients=sorted(self.nodes),
            survivors=result.survivors,
            dropped=self._dropped(result.dropped),
            threshold=self.params.min_survivors,
            bytes_up=self.up // n,
            bytes_down=self.down // n,
            seconds=self.seconds,
        )

    def _advertise(self, begins: Mapping[int, bytes]) -> None:
        """Round 0: the first n clients that are ready, of however many were asked."""
        for node, frame in self._answers(begins, self.deadlines.training, {}):
            try:
                message = secagg.wire.decode(frame)
            except SecAggError as error:
                _log.warning("node %d: %s", node, error)
                continue
            u = getattr(message, "u", None)
            if u is not None and u not in self.nodes and self._take(u, frame):
                self.nodes[u] = node
            if len(self.nodes) == self.params.n:
                return

    def _answers(
        self, requests: Mapping[int, bytes], seconds: float, clients: Mapping[int, int]
    ) -> Iterator[tuple[int, bytes]]:
        """(node, frame) of those that answer with a frame of this session."""
        self.down += sum(map(len, requests.values()))
        for node, record in self.transport.exchange(requests, seconds):
            self.up += len(record)
            try:
                answer = answer_in(record)
            except FLError as error:
                _log.warning("node %d: %s", node, error)
                continue
            if isinstance(answer, Reply) and answer.session == self.params.session:
                yield node, answer.frame
            else:
                reason = "another session" if isinstance(answer, Reply) else answer.reason
                _log.warning("node %d does not answer: %.80r", node, reason)
                self.refused.update({clients[node]} if node in clients else set())

    def _take(self, u: int, frame: bytes) -> bool:
        """Whether a client's frame was taken."""
        try:
            self.server.receive(u, frame)
        except SecAggError as error:
            _log.warning("client %d: %s", u, error)
            self.refused.add(u)
            return False
        return True

    def _step(self, frame: bytes) -> bytes:
        request: Request = Step(self.params.session, frame)
        return write(request)

    def _dropped(self, gone: Mapping[int, int]) -> list[DroppedClient]:
        return [
            DroppedClient(
                client=u, round=gone[u], reason="refused" if u in self.refused else "dropout"
            )
            for u in sorted(gone)
        ]
