"""The server's part of one secure session: five rounds of the protocol, over any transport.

The server trusts no node to say which client it is: the signature in its first frame does.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

import secagg
from fl.errors import SecAggError
from fl.flower.exchange import Exchange, Played
from fl.flower.records import Answer, Closing, Reply, Request, Step, write


class SecureSession:
    """Which node is which client, and who is gone.

    worked, seconds: how long the first answers took, with the training in them, and the rest.
    """

    def __init__(
        self,
        exchange: Exchange,
        directory: secagg.Directory,
        params: secagg.Params,
        key: X25519PrivateKey,
    ) -> None:
        self._exchange = exchange
        self._params = params
        self._server = secagg.Server(params, directory=directory, private_key=key)
        self._nodes: dict[int, int] = {}
        self.refused: set[int] = set()
        self.worked = self.seconds = 0.0

    def run(self, begins: Mapping[int, bytes]) -> Played:
        """All five rounds. Raises as `secagg.Server.close_round`."""
        started = time.perf_counter()
        self._advertise(begins)
        self.worked = time.perf_counter() - started
        for number in range(1, 5):
            self._round(number)
        self._server.close_round()
        self.seconds = time.perf_counter() - started - self.worked
        result = self._server.result
        clients = sorted(self._nodes)
        threshold = self._params.min_survivors
        return Played(
            "secure", result.vectors, clients, result.survivors, result.dropped, threshold
        )

    def ends(self) -> dict[int, Closing]:
        """What tells the nodes of this session that it is over."""
        if self._server.state not in ("Aggregate", "Failed"):
            self._server.abandon()
        frames = secagg.wire.encode_all(self._server.ends())
        return {self._nodes[u]: Closing(self._params.session, frame) for u, frame in frames}

    def _advertise(self, begins: Mapping[int, bytes]) -> None:
        """Round 0: the first n clients that are ready, of however many were asked."""
        self._exchange.trained(0, self._params.n)
        for node, answer in self._exchange.first_answers(begins):
            u = self._author(node, answer)
            if u is not None and u not in self._nodes and self._take(u, node, answer):
                self._nodes[u] = node
                self._exchange.trained(len(self._nodes), self._params.n)
            if len(self._nodes) == self._params.n:
                return

    def _round(self, number: int) -> None:
        outbox = dict(secagg.wire.encode_all(self._server.close_round()))
        clients = {self._nodes[u]: u for u in outbox}
        steps = {self._nodes[u]: self._step(frame) for u, frame in outbox.items()}
        done = 0
        self._exchange.summed(number, done, len(outbox))
        for node, answer in self._exchange.answers(steps):
            done += self._take(clients[node], node, answer)
            self._exchange.summed(number, done, len(outbox))

    def _author(self, node: int, answer: Answer) -> int | None:
        """Who says that it has written this; None for nobody."""
        try:
            message = secagg.wire.decode(answer.frame if isinstance(answer, Reply) else b"")
        except SecAggError as error:
            self._exchange.refuse(node, error)
            return None
        u = getattr(message, "u", None)
        return u if isinstance(u, int) else None

    def _take(self, u: int, node: int, answer: Answer) -> bool:
        """Give a frame to the server. What it refuses costs its sender this session."""
        try:
            self._server.receive(u, answer.frame if isinstance(answer, Reply) else b"")
        except SecAggError as error:
            self._exchange.refuse(node, f"client {u}: {error}")
            self.refused.add(u)
            return False
        return True

    def _step(self, frame: bytes) -> bytes:
        request: Request = Step(self._params.session, frame)
        return write(request)
